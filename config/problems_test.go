package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-mqtt/wheelhouse/config"
)

// TestWritten holds every way in which YAML, JSON and the environment say
// something else than their writer meant: it is an error that names the place
// and what to write.
func TestWritten(t *testing.T) {
	for name, tt := range map[string]struct {
		given
		want string
	}{
		"unknown key": {
			given{file: "http:\n  listne: ':80'\n"},
			"wheelhouse.yaml:2:3: http.listne: is no setting: write listen",
		},
		"unknown key of a car": {
			given{file: "cars: {polestar: {nmae: P}}"},
			"wheelhouse.yaml:1:19: cars.polestar.nmae: is no setting: write name",
		},
		"key of another section": {
			given{file: "min_interval: 5s"},
			"wheelhouse.yaml:1:1: min_interval: is no setting: write mqtt.min_interval",
		},
		"nothing near": {
			given{file: "ops: {zzzzzz: 1}"},
			"wheelhouse.yaml:1:7: ops.zzzzzz: is no setting: write one of listen",
		},
		"another case": {
			given{file: "MQTT: {url: x}"},
			"wheelhouse.yaml:1:1: MQTT: is no setting: write mqtt",
		},
		"words run together": {
			given{file: "http: {publicURL: x}"},
			"wheelhouse.yaml:1:8: http.publicURL: is no setting: write public_url",
		},
		"key twice": {
			given{file: "mqtt: {user: a}\nlog: {level: debug}\nmqtt: {user: b}"},
			"wheelhouse.yaml:3:1: mqtt: stands here a second time, first at wheelhouse.yaml:1:1: write it once",
		},
		"duration without unit": {
			given{file: "mqtt: {min_interval: 30}"},
			"wheelhouse.yaml:1:22: mqtt.min_interval: 30 has no unit: write 30s",
		},
		"duration in words": {
			given{file: "mqtt: {min_interval: 30 seconds}"},
			"wheelhouse.yaml:1:22: mqtt.min_interval: 30 seconds is not a duration of at most 292 years, like 90s, 3m or 30d",
		},
		"duration too long": {
			given{file: "store: {keep: 9999999999999d}"},
			"wheelhouse.yaml:1:15: store.keep: 9999999999999d is more than 292 years",
		},
		"half a day": {
			given{file: "store: {keep: 1.5d}"},
			"wheelhouse.yaml:1:15: store.keep: 1.5d days are whole numbers, like 30d",
		},
		"duration as a list": {
			given{file: "store: {keep: [1]}"},
			"wheelhouse.yaml:1:15: store.keep: a list is not a number with a unit",
		},
		"size without unit": {
			given{file: "carstats: {max_body: 1000000}"},
			"wheelhouse.yaml:1:22: carstats.max_body: 1000000 has no unit: write 1000000B",
		},
		"size too large": {
			given{file: "carstats: {max_body: 99999999999GiB}"},
			"wheelhouse.yaml:1:22: carstats.max_body: 99999999999GiB is too large",
		},
		"size in words": {
			given{file: "carstats: {max_body: muchMiB}"},
			"wheelhouse.yaml:1:22: carstats.max_body: muchMiB is not a size, like 64MiB",
		},
		"number too large": {
			given{file: "broker: {max_clients: 99999999999999999999}"},
			"wheelhouse.yaml:1:23: broker.max_clients: 99999999999999999999 is not a whole number: " +
				"write it without quotes, like 100",
		},
		"quoted number": {
			given{file: "broker: {max_clients: '100'}"},
			`wheelhouse.yaml:1:23: broker.max_clients: "100" is not a whole number: write it without quotes, like 100`,
		},
		"infinite capacity": {
			given{file: "cars: {a: {capacity: .inf}}"},
			"wheelhouse.yaml:1:22: cars.a.capacity: .inf is not a number: write it without quotes and unit, like 78.5",
		},
		"capacity with unit": {
			given{file: "cars: {a: {capacity: 78 kWh}}"},
			`wheelhouse.yaml:1:22: cars.a.capacity: "78 kWh" is not a number: write it without quotes and unit, like 78.5`,
		},
		"number for a text": {
			given{file: "cars: {a: {model: 02}}"},
			`wheelhouse.yaml:1:19: cars.a.model: 02 is read as a number, not as a text: write "02"`,
		},
		"password of digits": {
			given{file: "mqtt: {password: 0123}"},
			"wheelhouse.yaml:1:18: mqtt.password: is read as a number, not as a text: write it in quotes",
		},
		"password like a number": {
			given{file: "mqtt: {password: 1e3}"},
			"wheelhouse.yaml:1:18: mqtt.password: is read as a number, not as a text: write it in quotes",
		},
		"password like a truth": {
			given{options: `{"mqtt": {"password": true}}`},
			"options.json:1:23: mqtt.password: is read as a truth value, not as a text: write it in quotes",
		},
		"password as a list": {
			given{file: "mqtt: {password: [hidden]}"},
			"wheelhouse.yaml:1:18: mqtt.password: is read as a list, not as a text",
		},
		"on": {
			given{file: "discovery: {enabled: on}"},
			`wheelhouse.yaml:1:22: discovery.enabled: "on" is neither true nor false: write true`,
		},
		"No": {
			given{file: "discovery: {enabled: No}"},
			`wheelhouse.yaml:1:22: discovery.enabled: "No" is neither true nor false: write false`,
		},
		"yes from the environment": {
			given{env: []string{"WHEELHOUSE_DISCOVERY__ENABLED=yes"}},
			`WHEELHOUSE_DISCOVERY__ENABLED: discovery.enabled: "yes" is neither true nor false: write true`,
		},
		"quoted truth": {
			given{file: "discovery: {enabled: 'true'}"},
			`wheelhouse.yaml:1:22: discovery.enabled: "true" is neither true nor false: write true`,
		},
		"text for a list": {
			given{file: "http: {trusted_proxies: 10.0.0.1}"},
			`wheelhouse.yaml:1:25: http.trusted_proxies: "10.0.0.1" is not a list: write [10.0.0.1]`,
		},
		"no network": {
			given{file: "http: {trusted_proxies: [proxy]}"},
			"wheelhouse.yaml:1:25: http.trusted_proxies: proxy is neither an address nor a network: " +
				"write it like 10.0.0.0/8 or 192.168.1.2",
		},
		"address with the bits of a network": {
			given{file: "http: {trusted_proxies: [10.0.0.1/8]}"},
			"wheelhouse.yaml:1:25: http.trusted_proxies: 10.0.0.1/8 has bits beyond its network: write 10.0.0.0/8",
		},
		"value for a section": {
			given{file: "mqtt: mqtt://broker"},
			`wheelhouse.yaml:1:7: mqtt: "mqtt://broker" stands where keys belong: write it below one of its keys`,
		},
		"section for a value": {
			given{file: "mqtt: {url: {host: b}}"},
			"wheelhouse.yaml:1:13: mqtt.url: is read as a section, not as a text",
		},
		"a file of one word": {
			given{file: "hello"},
			`wheelhouse.yaml:1:1: "hello" stands where keys belong: write it below one of its keys`,
		},
		"line break in a text": {
			given{file: "mqtt: {user: \"a\\nb\"}"},
			"wheelhouse.yaml:1:14: mqtt.user: has a control character (a line break?)",
		},
		"alias": {
			given{file: "log: {level: &a debug, format: *a}"},
			`wheelhouse.yaml:1:32: log.format: a is read as a value of another type, not as a text: write "a"`,
		},
		"date": {
			given{file: "cars: {a: {name: 2024-01-01}}"},
			"wheelhouse.yaml:1:18: cars.a.name: 2024-01-01 is read as a value of another type, not as a text: " +
				`write "2024-01-01"`,
		},
		"bad indentation": {
			given{file: "mqtt:\n  user: a\n url: b\n"},
			"wheelhouse.yaml:2: not YAML: did not find expected key",
		},
		"two documents": {
			given{file: "log: {level: debug}\n---\nlog: {level: info}"},
			"wheelhouse.yaml:2:1: a second document begins here: keep all settings in one",
		},
		"no JSON": {
			given{options: "{\n  \"mqtt\": {,}}"},
			"options.json:2:12: not JSON: invalid character ',' looking for beginning of object key string",
		},
		"half a JSON": {
			given{options: `{"mqtt": `},
			"options.json:1:9: not JSON: unexpected end of JSON input",
		},
		"places in JSON": {
			given{options: "{\n  \"mqtt\": {\"user\": \"é\",\n    \"min_interval\" : 5}, \"x\": 1}"},
			"options.json:3:22: mqtt.min_interval: 5 has no unit: write 5s\n" +
				"options.json:3:26: x: is no setting: write " + topLevel,
		},
		"a car without id": {
			given{options: `{"cars": [{"name": "P2"}]}`},
			"options.json:1:11: cars.: is no name: write letters, digits and _ - @ only",
		},
		"a car twice": {
			given{options: `{"cars": [{"id": "a"}, {"id": "a"}]}`},
			"options.json:1:31: cars.a: stands here a second time, first at options.json:1:18: write it once",
		},
		"one underscore in a variable": {
			given{env: []string{"WHEELHOUSE_MQTT_PASSWORD=x"}},
			"WHEELHOUSE_MQTT_PASSWORD: mqtt_password: is no setting: write WHEELHOUSE_MQTT__PASSWORD",
		},
		"misspelt variable": {
			given{env: []string{"WHEELHOUSE_HTTP__LISTNE=x"}},
			"WHEELHOUSE_HTTP__LISTNE: http.listne: is no setting: write WHEELHOUSE_HTTP__LISTEN",
		},
		"variable of a section": {
			given{env: []string{"WHEELHOUSE_BROKER=x"}},
			"WHEELHOUSE_BROKER: broker: is a section, not a setting: write a key of it: WHEELHOUSE_BROKER__ENABLED",
		},
		"variable below a value": {
			given{env: []string{"WHEELHOUSE_MQTT__URL__HOST=x"}},
			"WHEELHOUSE_MQTT__URL__HOST: mqtt.url.host: is no setting: write WHEELHOUSE_MQTT__URL",
		},
		"no UTF-8": {
			given{env: []string{"WHEELHOUSE_MQTT__PREFIX=a\xff"}},
			"WHEELHOUSE_MQTT__PREFIX: mqtt.prefix: is not UTF-8",
		},
		"dot in a name": {
			given{file: "broker: {users: {a.b: {password: x}}}"},
			"wheelhouse.yaml:1:18: broker.users.a.b: is no name: write letters, digits and _ - @ only",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, got := tt.load(t)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

const topLevel = "one of state_dir, log, http, ops, mqtt, broker, discovery, carstats, tesla, cars, store"

// TestEverythingIsReported loads sources that are wrong in many ways.
func TestEverythingIsReported(t *testing.T) {
	_, got := given{
		file: strings.Join([]string{
			"mqtt:", "  prefix: a/#", "  min_interval: 30", "  user: x", "  user: y", "opps: {}",
		}, "\n"),
		options: `{"log": {"level": "loud"}}`,
		env:     []string{"WHEELHOUSE_OPS__LISTEN=80", "WHEELHOUSE_NOPE=1"},
	}.load(t)
	want := strings.Join([]string{
		"wheelhouse.yaml:3:17: mqtt.min_interval: 30 has no unit: write 30s",
		"wheelhouse.yaml:5:3: mqtt.user: stands here a second time, first at wheelhouse.yaml:4:3: write it once",
		"wheelhouse.yaml:6:1: opps: is no setting: write ops",
		"WHEELHOUSE_NOPE: nope: is no setting: write " + topLevel,
		`options.json:1:10: log_level: "loud" is not known: write one of trace, debug, info, warn, error`,
		`wheelhouse.yaml:2:3: mqtt.prefix: "a/#" has a wildcard: write it without + and #`,
		`WHEELHOUSE_OPS__LISTEN: ops.listen: "80" is not an address to listen on: write it like :8480 or 127.0.0.1:8480`,
	}, "\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestMissingFiles(t *testing.T) {
	dir := t.TempDir()
	_, err := config.Load(config.Sources{
		File: dir + "/a.yaml", Options: dir + "/b.json", Environ: []string{"HOME=/h"},
	})
	want := dir + "/a.yaml: cannot be read: no such file or directory\n" +
		dir + "/b.json: cannot be read: no such file or directory"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
