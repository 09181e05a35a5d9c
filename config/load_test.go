package config_test

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/wheelhouse-mqtt/wheelhouse/config"
)

// given is a set of sources as a test writes them.
type given struct {
	file    string
	options string
	env     []string
}

// load writes the sources to files and loads them. Messages speak of
// wheelhouse.yaml and options.json, without the directory.
func (g given) load(t testing.TB) (*config.Config, string) {
	t.Helper()
	dir := t.TempDir()
	from := config.Sources{Environ: append([]string{"HOME=/home/anna"}, g.env...)}
	if g.file != "" {
		from.File = write(t, dir, "wheelhouse.yaml", g.file)
	}
	if g.options != "" {
		from.Options = write(t, dir, "options.json", g.options)
	}
	c, err := config.Load(from)
	if err == nil {
		return c, ""
	}
	var problems config.Problems
	if !errors.As(err, &problems) {
		t.Fatalf("error is no list of problems: %v", err)
	}
	return nil, strings.ReplaceAll(err.Error(), dir+"/", "")
}

func write(t testing.TB, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// defaults are the settings of a program that was told nothing, at anna's.
func defaults() *config.Config {
	c := config.Default()
	c.StateDir = "/home/anna/.local/state/wheelhouse"
	c.Store.Path = c.StateDir + "/wheelhouse.db"
	return c
}

// same compares settings, not where they come from.
func same(want, got *config.Config) string {
	return cmp.Diff(want, got, cmpopts.IgnoreUnexported(config.Config{}), cmpopts.EquateEmpty(),
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
		cmp.Comparer(func(a, b config.Secret) bool { return a == b }))
}

func yes() *bool { b := true; return &b }

func TestLoad(t *testing.T) {
	prefixes := func(s ...string) (all []netip.Prefix) {
		for _, p := range s {
			all = append(all, netip.MustParsePrefix(p))
		}
		return all
	}
	for name, tt := range map[string]struct {
		given
		want func(*config.Config)
	}{
		"nothing":         {given{}, func(*config.Config) {}},
		"an empty file":   {given{file: "# nothing\n"}, func(*config.Config) {}},
		"empty sections":  {given{file: "mqtt:\nhttp: {}\nbroker:\n  tls:\n"}, func(*config.Config) {}},
		"empty values":    {given{file: "mqtt: {prefix: , min_interval: ''}"}, func(*config.Config) {}},
		"null in options": {given{options: `{"mqtt": null, "log": {"level": null}}`}, func(*config.Config) {}},
		"an empty variable": {
			given{file: "mqtt: {user: anna}", env: []string{"WHEELHOUSE_MQTT__USER="}},
			func(c *config.Config) { c.MQTT.User = "anna" },
		},
		"the last variable of a name": {
			given{env: []string{"WHEELHOUSE_MQTT__USER=b", "WHEELHOUSE_MQTT__USER=a", "WHEELHOUSE_MQTT__PREFIX=x", "WHEELHOUSE_MQTT__PREFIX="}},
			func(c *config.Config) { c.MQTT.User = "a" },
		},
		"file over default": {
			given{file: "mqtt: {prefix: a, min_interval: 5s}\nstore: {keep: 30d}"},
			func(c *config.Config) {
				c.MQTT.Prefix, c.MQTT.MinInterval, c.Store.Keep = "a", 5*config.Second, 30*config.Day
			},
		},
		"options over file": {
			given{file: "mqtt: {prefix: a, user: anna}", options: `{"mqtt": {"prefix": "b"}}`},
			func(c *config.Config) { c.MQTT.Prefix, c.MQTT.User = "b", "anna" },
		},
		"environment over options": {
			given{
				file: "mqtt: {prefix: a}", options: `{"mqtt": {"prefix": "b"}}`,
				env: []string{"WHEELHOUSE_MQTT__PREFIX=c"},
			},
			func(c *config.Config) { c.MQTT.Prefix = "c" },
		},
		"zero needs no unit": {
			given{file: "mqtt: {min_interval: 0}"},
			func(c *config.Config) { c.MQTT.MinInterval = 0 },
		},
		"a list replaces the default's": {
			given{file: "http: {trusted_proxies: [10.0.0.1]}"},
			func(c *config.Config) { c.HTTP.TrustedProxies = prefixes("10.0.0.1/32") },
		},
		"an empty list replaces the default's": {
			given{file: "http: {trusted_proxies: []}"},
			func(c *config.Config) { c.HTTP.TrustedProxies = nil },
		},
		"types from the environment": {
			given{env: []string{
				"WHEELHOUSE_DISCOVERY__ENABLED=FALSE", "WHEELHOUSE_BROKER__MAX_CLIENTS=7",
				"WHEELHOUSE_CARSTATS__MAX_BODY=1GiB", "WHEELHOUSE_CARSTATS__SILENT_AFTER=1h30m",
				"WHEELHOUSE_CARSTATS__PASSWORD=0123", "WHEELHOUSE_BROKER__ENABLED=1",
				"WHEELHOUSE_HTTP__TRUSTED_PROXIES=10.0.0.0/8, ::1",
				"WHEELHOUSE_CARS__POLESTAR__CAPACITY=78",
			}},
			func(c *config.Config) {
				c.Discovery.Enabled, c.Broker.MaxClients, c.Broker.Enabled = false, 7, yes()
				c.CarStats.MaxBody, c.CarStats.SilentAfter = config.GiB, 90*config.Minute
				c.CarStats.Password = "0123"
				c.HTTP.TrustedProxies = prefixes("10.0.0.0/8", "::1/128")
				c.Cars = map[string]config.Car{"polestar": {Capacity: 78}}
			},
		},
		"cars of all sources join": {
			given{
				file:    "cars: {polestar: {name: P2, capacity: 78.5}, volvo: }",
				options: `{"cars": [{"id": "polestar", "model": "2"}, {"id": "audi", "name": "Q"}]}`,
				env:     []string{"WHEELHOUSE_CARS__AUDI__VIN=W1"},
			},
			func(c *config.Config) {
				c.Cars = map[string]config.Car{
					"polestar": {Name: "P2", Capacity: 78.5, Model: "2"}, "audi": {Name: "Q", VIN: "W1"},
					"volvo": {},
				}
			},
		},
		"users as a list": {
			given{options: `{"broker": {"users": [{"name": "Anna", "password": "x", "cars": ["a_b"]}]}}`},
			func(c *config.Config) {
				c.Broker.Users = map[string]config.User{"Anna": {Password: "x", Cars: []string{"a_b"}}}
			},
		},
		"empty lists": {given{options: `{"cars": [], "broker": {"users": []}}`}, func(*config.Config) {}},
		"public address loses its slash": {
			given{file: "http: {public_url: 'https://car.example.org/in/'}"},
			func(c *config.Config) { c.HTTP.PublicURL = "https://car.example.org/in" },
		},
		"a state directory": {
			given{env: []string{"WHEELHOUSE_STATE_DIR=/x"}, file: "state_dir: /y"},
			func(c *config.Config) { c.StateDir, c.Store.Path = "/x", "/x/wheelhouse.db" },
		},
		"what containers set for a service": {
			given{env: []string{
				"WHEELHOUSE_PORT=tcp://10.0.0.1:80", "WHEELHOUSE_PORT_8480_TCP=tcp://1",
				"WHEELHOUSE_SERVICE_HOST=h", "WHEELHOUSE_CONFIG=/etc/x",
			}},
			func(*config.Config) {},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := tt.load(t)
			if problems != "" {
				t.Fatal(problems)
			}
			want := defaults()
			tt.want(want)
			if diff := same(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestLastSourceWins sets random keys in random sources: whatever comes last in
// the order of the sources is in effect.
func TestLastSourceWins(t *testing.T) {
	keys := []string{"user", "prefix", "client_id"}
	rapid.Check(t, func(rt *rapid.T) {
		want := map[string]string{"prefix": "wheelhouse"}
		var lines, options, env []string
		set := func(source string, add func(key, value string)) {
			for _, key := range keys {
				if rapid.Bool().Draw(rt, source+key) {
					want[key] = source + "_" + key
					add(key, want[key])
				}
			}
		}
		set("file", func(k, v string) { lines = append(lines, k+": "+v) })
		set("options", func(k, v string) { options = append(options, `"`+k+`": "`+v+`"`) })
		set("env", func(k, v string) { env = append(env, "WHEELHOUSE_MQTT__"+strings.ToUpper(k)+"="+v) })
		c, problems := given{
			file:    "mqtt: {" + strings.Join(lines, ", ") + "}",
			options: `{"mqtt": {` + strings.Join(options, ", ") + `}}`,
			env:     env,
		}.load(t)
		if problems != "" {
			rt.Fatal(problems)
		}
		got := map[string]string{
			"user": c.MQTT.User, "prefix": c.MQTT.Prefix, "client_id": c.MQTT.ClientID,
		}
		for _, key := range keys {
			if got[key] != want[key] {
				rt.Errorf("%s = %q, want %q", key, got[key], want[key])
			}
		}
	})
}

func TestEmbedded(t *testing.T) {
	no := false
	for name, tt := range map[string]struct {
		url     string
		enabled *bool
		inApp   bool
		want    bool
	}{
		"alone":                  {"", nil, false, true},
		"in the app":             {"", nil, true, false},
		"in the app, wanted":     {"", yes(), true, true},
		"alone, not wanted":      {"", &no, false, false},
		"another broker":         {"mqtt://b", nil, false, false},
		"another broker, wanted": {"mqtt://b", yes(), true, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := config.Default()
			c.MQTT.URL, c.Broker.Enabled = tt.url, tt.enabled
			if got := c.Embedded(tt.inApp); got != tt.want {
				t.Errorf("embedded = %v, want %v", got, tt.want)
			}
		})
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("mqtt: {url: 'mqtt://b:1883', min_interval: 30}", `{"cars": [{"id": "a"}]}`,
		"WHEELHOUSE_MQTT__PREFIX=x")
	f.Add("a: &a [*a]\n<<: 1\n? [x]\n: 2", `{"a": [1e999, "\ud83d"]}`, "WHEELHOUSE_CARS____NAME=x")
	f.Add("cars: {a: {capacity: .inf}}\n---\nx: 1", "{", "WHEELHOUSE_=\x00")
	f.Add("state_dir: !!binary aGk=\nlog: [1, {2: 3}]", "[]", "WHEELHOUSE_BROKER__USERS__A.B__CARS=,")
	f.Fuzz(func(t *testing.T, file, options, env string) {
		c, problems := given{file: file, options: options, env: []string{env}}.load(t)
		if (c == nil) == (problems == "") {
			t.Fatalf("either settings or problems: %v, %q", c, problems)
		}
		if c == nil {
			return
		}
		if err := c.Print(t.Output()); err != nil {
			t.Fatal(err)
		}
	})
}
