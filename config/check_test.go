package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCheck holds what no single value shows, each with its whole message.
func TestCheck(t *testing.T) {
	for name, tt := range map[string]struct{ file, want string }{
		"log":    {"log: {level: debug, format: text}", ""},
		"level":  {"log: {level: Debug}", `1:7: log.level: "Debug" is not known: write one of trace, debug, info, warn, error`},
		"format": {"log: {format: xml}", `1:7: log.format: "xml" is not known: write one of auto, text, json`},

		"no listener": {
			"http: {listen: ''}",
			"1:8: http.listen: is empty, and no TLS listener is configured: no car could post: " +
				"write an address like :8480",
		},
		"only a TLS listener": {"http: {listen: '', acme: {domain: car.example.org}}", ""},
		"port alone": {
			"http: {listen: '8480'}",
			`1:8: http.listen: "8480" is not an address to listen on: write it like :8480 or 127.0.0.1:8480`,
		},
		"port too high": {
			"http: {listen: ':65536'}",
			`1:8: http.listen: ":65536" is not an address to listen on: write it like :8480 or 127.0.0.1:8480`,
		},
		"an IPv6 listener": {"http: {listen: '[::1]:80'}", ""},
		"address twice": {
			"broker: {listen: ':8480'}",
			"1:10: broker.listen: :8480 is http.listen too: write another port",
		},
		"an address that does not open":  {"broker: {websocket: {listen: ':8443'}}", ""},
		"addresses of a broker not used": {"broker: {listen: ':8480'}\nmqtt: {url: mqtt://b}", ""},
		"any port twice":                 {"broker: {listen: ':0'}\nhttp: {listen: ':0'}", ""},

		"public address": {"http: {public_url: 'https://car.example.org:8443/in'}", ""},
		"public address without TLS": {
			"http: {public_url: 'http://car.example.org'}",
			"1:8: http.public_url: is not an https address: the car accepts no other: write it like https://car.example.org",
		},
		"public address without host": {
			"http: {public_url: 'https://'}",
			"1:8: http.public_url: is not an https address: the car accepts no other: write it like https://car.example.org",
		},
		"public address with a question": {
			"http: {public_url: 'https://car.example.org/?a=b'}",
			"1:8: http.public_url: has more than host, port and path: write it like https://car.example.org",
		},

		"a Tesla": {"tesla: {client_id: a, client_secret: b, domain: car.example.org, poll: {idle: 15m}}", ""},
		"a secret of nobody": {
			"tesla: {client_secret: b}",
			"1:9: tesla.client_secret: is given without tesla.client_id: write tesla.client_id too",
		},
		"domain of a key": {
			"tesla: {domain: 'https://car.example.org'}",
			`1:9: tesla.domain: "https://car.example.org" is not a domain name in lower case: ` +
				"write the name alone, like car.example.org",
		},
		"polling too often": {
			"tesla: {poll: {driving: 5s}}", "1:16: tesla.poll.driving: 5s is less than 10s: write a longer time",
		},
		"a negative price": {
			"tesla: {budget: {prices: {data: -1}}}",
			"1:27: tesla.budget.prices.data: is less than nothing: write 0 or more",
		},
		"a soft limit above the hard one": {
			"tesla: {budget: {soft: 20}}",
			"1:18: tesla.budget.soft: is more than tesla.budget.hard: write a smaller one",
		},
		"a host of Tesla": {
			"tesla: {hosts: {eu: fleet.example.org}}",
			`1:17: tesla.hosts.eu: "fleet.example.org" is not an https address: write it, or "" for Tesla's own`,
		},

		"domain":      {"http: {acme: {domain: car.example.org, email: a@b}}", ""},
		"domain: URL": {"http: {acme: {domain: 'https://c.org'}}", `1:15: http.acme.domain: "https://c.org" is not a domain name in lower case: write the name alone, like car.example.org`},
		"domain: IP":  {"http: {acme: {domain: 10.0.0.1}}", `1:15: http.acme.domain: "10.0.0.1" is not a domain name in lower case: write the name alone, like car.example.org`},
		"mail alone":  {"http: {acme: {email: a@b}}", "1:15: http.acme.email: is given without http.acme.domain: write http.acme.domain too"},
		"mail":        {"http: {acme: {domain: c.org, email: anna}}", `1:30: http.acme.email: "anna" is not a mail address`},
		"domain without listener": {
			"http: {acme: {domain: c.org}, tls: {listen: ''}}",
			"1:37: http.tls.listen: is empty, but http.acme.domain needs it: write an address like :8443",
		},
		"domain and files": {
			"http: {acme: {domain: c.org}, tls: {cert: PEM, key: PEM}}",
			"1:15: http.acme.domain: is given beside http.tls.cert: only one certificate can be served: write one of the two",
		},
		"certificate": {"http: {tls: {cert: PEM, key: PEM}}", ""},
		"certificate without key": {
			"http: {tls: {cert: PEM}}",
			"1:14: http.tls.cert: is given without http.tls.key: write http.tls.key too",
		},
		"key without certificate": {
			"mqtt: {key_file: PEM}", "1:8: mqtt.key_file: is given without mqtt.cert_file: write mqtt.cert_file too",
		},
		"missing file": {"mqtt: {ca_file: /none}", "1:8: mqtt.ca_file: /none cannot be read: no such file or directory"},

		"broker":           {"mqtt: {url: 'tcp://10.0.0.1:1883'}", ""},
		"broker by TLS":    {"mqtt: {url: 'mqtts://b/', ca_file: PEM, cert_file: PEM, key_file: PEM}", ""},
		"broker by web":    {"mqtt: {url: 'wss://b/mqtt?x=y'}", ""},
		"broker by http":   {"mqtt: {url: 'http://b'}", `1:8: mqtt.url: "http" is no way to a broker: write one of mqtt://, mqtts://, tcp://, ssl://, tls://, ws://, wss://`},
		"broker unnamed":   {"mqtt: {url: 'b:1883'}", "1:8: mqtt.url: is not an address: write it like mqtt://broker.example.org:1883"},
		"broker's port":    {"mqtt: {url: 'mqtt://b:0'}", "1:8: mqtt.url: port 0 does not exist: write it like mqtt://broker.example.org:1883"},
		"broker's path":    {"mqtt: {url: 'mqtt://b/x'}", "1:8: mqtt.url: has more than host and port: write it like mqtt://broker.example.org:1883"},
		"password in URL":  {"mqtt: {url: 'mqtt://anna:hidden@b'}", "1:8: mqtt.url: holds a user: write mqtt.user and mqtt.password"},
		"password, broken": {"mqtt: {url: 'mqtt://anna:hid%zz@b'}", "1:8: mqtt.url: is not an address: write it like mqtt://broker.example.org:1883"},
		"trust unused": {
			"mqtt: {url: 'mqtt://b', ca_file: PEM}",
			"1:8: mqtt.url: mqtt:// is not encrypted, but certificates are given: write mqtts:// or wss://",
		},

		"prefix in levels":   {"mqtt: {prefix: house/cars}", ""},
		"prefix empty":       {"mqtt: {prefix: ''}", "1:8: mqtt.prefix: is empty: write a topic without wildcards"},
		"prefix all":         {"mqtt: {prefix: 'a/+'}", `1:8: mqtt.prefix: "a/+" has a wildcard: write it without + and #`},
		"prefix from /":      {"mqtt: {prefix: /a}", `1:8: mqtt.prefix: "/a" has an empty level: write it without the extra /`},
		"prefix to /":        {"mqtt: {prefix: a/}", `1:8: mqtt.prefix: "a/" has an empty level: write it without the extra /`},
		"prefix //":          {"mqtt: {prefix: a//b}", `1:8: mqtt.prefix: "a//b" has an empty level: write it without the extra /`},
		"prefix $":           {"mqtt: {prefix: $SYS}", `1:8: mqtt.prefix: "$SYS" belongs to the broker: write it without the $`},
		"prefix with a gap":  {"mqtt: {prefix: a b}", `1:8: mqtt.prefix: "a b" has a space: write it without`},
		"prefix very long":   {"mqtt: {prefix: " + strings.Repeat("x", 201) + "}", "1:8: mqtt.prefix: is longer than 200 bytes: write a shorter one"},
		"discovery's prefix": {"discovery: {prefix: ha/#}", `1:13: discovery.prefix: "ha/#" has a wildcard: write it without + and #`},
		"birth topic":        {"discovery: {birth_topic: +/x}", `1:13: discovery.birth_topic: "+/x" has a wildcard: write it without + and #`},
		"interval":           {"mqtt: {min_interval: -5s}", "1:8: mqtt.min_interval: -5s is negative: write 0s or more"},

		"broker's certificate": {"broker: {tls: {listen: ':8883', cert: PEM, key: PEM}}", ""},
		"broker's TLS alone": {
			"broker: {tls: {listen: ':8883'}}",
			"1:16: broker.tls.listen: is given without a certificate: write broker.tls.cert and broker.tls.key too",
		},
		"broker's TLS nowhere": {
			"broker: {tls: {cert: PEM, key: PEM}}",
			`1:16: broker.tls.cert: is given without broker.tls.listen: write broker.tls.listen: ":8883" too`,
		},
		"packet":        {"broker: {max_packet: 0B}", "1:10: broker.max_packet: 0B is not between 1KiB and 255MiB: write 8MiB"},
		"packet, large": {"broker: {max_packet: 256MiB}", "1:10: broker.max_packet: 256MiB is not between 1KiB and 255MiB: write 8MiB"},
		"clients":       {"broker: {max_clients: 0}", "1:10: broker.max_clients: 0 lets nobody in: write 1 or more"},
		"user":          {"broker: {users: {anna: {password: x, cars: [a_1]}}}", ""},
		"user, open":    {"broker: {users: {anna: {read_only: true}}}", "1:18: broker.users.anna: has no password: write password or password_file"},
		"user's car": {
			"broker: {users: {anna: {password: x, cars: [A]}}}",
			`1:38: broker.users.anna.cars: "A" is no car's id: write at most 32 of a-z and 0-9, words joined by one _`,
		},

		"silence":  {"carstats: {silent_after: 9s}", "1:12: carstats.silent_after: 9s is shorter than two reports of a car: write 10s or more"},
		"body":     {"carstats: {max_body: 0B}", "1:12: carstats.max_body: 0B holds no report: write 64MiB"},
		"keep":     {"store: {keep: 12h}", `1:9: store.keep: 12h is less than a day: write 1d or more, or "" for ever`},
		"keep > 0": {"store: {keep: -30d}", `1:9: store.keep: -30d is less than a day: write 1d or more, or "" for ever`},

		"car":          {"cars: {a1: {name: A}}", ""},
		"car in caps":  {"cars: {Polestar: {name: A}}", `1:8: cars.Polestar: "Polestar" is no car's id: write at most 32 of a-z and 0-9, words joined by one _`},
		"car with __":  {"cars: {a__b: {name: A}}", `1:8: cars.a__b: "a__b" is no car's id: write at most 32 of a-z and 0-9, words joined by one _`},
		"car reserved": {"cars: {fleet: {name: A}}", "1:8: cars.fleet: fleet is a topic of the program's own: write another id"},
		"car too long": {"cars: {" + strings.Repeat("a", 33) + ": {name: A}}", "1:8: cars." + strings.Repeat("a", 33) + `: "` + strings.Repeat("a", 33) + `" is no car's id: write at most 32 of a-z and 0-9, words joined by one _`},
		"capacity":     {"cars: {a: {capacity: 78000}}", "1:12: cars.a.capacity: is no battery's capacity in kWh: write it like 78"},
		"one vin":      {"cars: {a: {vin: w1}, b: {vin: W1}}", "1:26: cars.b.vin: is the vin of cars.a too: write each car's own"},
	} {
		t.Run(name, func(t *testing.T) {
			pem := write(t, t.TempDir(), "x.pem", "x")
			_, got := given{file: strings.ReplaceAll(tt.file, "PEM", pem)}.load(t)
			if tt.want != "" {
				tt.want = "wheelhouse.yaml:" + tt.want
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNoHome(t *testing.T) {
	_, got := given{env: []string{"HOME="}}.load(t)
	want := "default: state_dir: is not given, and the environment names no home directory: " +
		"write a directory that the program may write to"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSecretFiles(t *testing.T) {
	for name, tt := range map[string]struct {
		content string
		want    string // the password, "" for a problem
	}{
		"a line":            {"hidden\n", "hidden"},
		"a line of Windows": {"hidden\r\n", "hidden"},
		"no line break":     {"hidden", "hidden"},
		"spaces stay":       {" hid den \n", " hid den "},
		"empty":             {"\n", ""},
		"two lines":         {"hidden\nmore\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, t.TempDir(), "password", tt.content)
			for _, key := range []string{"mqtt", "carstats", "cars__a", "broker__users__anna"} {
				variable := "WHEELHOUSE_" + strings.ToUpper(key) + "__PASSWORD_FILE="
				c, problems := given{env: []string{variable + path}}.load(t)
				if tt.want == "" {
					if !strings.HasSuffix(problems, "does not hold one line") {
						t.Errorf("%s: problems %q", key, problems)
					}
					continue
				}
				if problems != "" {
					t.Fatal(problems)
				}
				got := c.MQTT.Password + c.CarStats.Password + c.Cars["a"].Password +
					c.Broker.Users["anna"].Password
				if got.Reveal() != tt.want {
					t.Errorf("%s: password %q, want %q", key, got.Reveal(), tt.want)
				}
			}
		})
	}
}

func TestSecretGivenTwice(t *testing.T) {
	path := write(t, t.TempDir(), "password", "hidden\n")
	_, got := given{file: "mqtt: {password_file: " + path + "}", env: []string{"WHEELHOUSE_MQTT__PASSWORD=x"}}.load(t)
	if want := "wheelhouse.yaml:1:8: mqtt.password_file: is given beside mqtt.password: write one of the two"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	_, got = given{file: "mqtt: {password_file: " + filepath.Join(os.TempDir(), "no such") + "}"}.load(t)
	if !strings.HasSuffix(got, "cannot be read: no such file or directory") {
		t.Errorf("got %s", got)
	}
}
