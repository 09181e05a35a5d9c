package config_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-mqtt/wheelhouse/config"
)

// inApp are the variables of the Home Assistant app.
var inApp = []string{"SUPERVISOR_TOKEN=token", "STATE_DIRECTORY=/data"}

func TestOptions(t *testing.T) {
	for name, tt := range map[string]struct {
		given
		want func(*config.Config)
	}{
		"none":            {given{options: `{"mqtt": {}, "broker": {}, "cars": []}`}, func(*config.Config) {}},
		"cleared options": {given{options: allBlank}, func(*config.Config) {}},
		"a cleared option leaves the file's": {
			given{file: "mqtt: {user: anna}\nhttp: {public_url: https://a.b}", options: allBlank},
			func(c *config.Config) { c.MQTT.User, c.HTTP.PublicURL = "anna", "https://a.b" },
		},
		"flat ones": {
			given{options: `{"public_url": "https://a.b/", "acme_domain": "car.a.org", "acme_email": "x@y",
				"car_password": "p", "discover_cars": false, "log_level": "debug"}`},
			func(c *config.Config) {
				c.HTTP.PublicURL, c.HTTP.ACME = "https://a.b", config.ACME{Domain: "car.a.org", Email: "x@y"}
				c.CarStats.Password, c.CarStats.Discover, c.Log.Level = "p", false, "debug"
			},
		},
		"a broker": {
			given{options: `{"mqtt": {"url": "mqtt://b", "user": "u", "password": "p"}}`},
			func(c *config.Config) { c.MQTT.URL, c.MQTT.User, c.MQTT.Password = "mqtt://b", "u", "p" },
		},
		"the embedded broker": {
			given{options: `{"broker": {"home_password": "p", "enabled": true}}`},
			func(c *config.Config) {
				c.Broker.Enabled, c.Broker.Users = yes(), map[string]config.User{"home": {Password: "p"}}
			},
		},
		"beside users of the file": {
			given{
				file:    "broker: {users: {home: {read_only: true, password: x}, anna: {password: y}}}",
				options: `{"broker": {"home_password": "p"}}`,
			},
			func(c *config.Config) {
				c.Broker.Users = map[string]config.User{
					"home": {Password: "p", ReadOnly: true}, "anna": {Password: "y"},
				}
			},
		},
		"cars": {
			given{options: `{"cars": [{"id": "polestar", "name": "P2", "password": "p", "vin": "",
				"manufacturer": "Polestar", "model": "2", "capacity": 78.5}, {"id": "volvo"}]}`},
			func(c *config.Config) {
				c.Cars = map[string]config.Car{"volvo": {}, "polestar": {
					Name: "P2", Password: "p", Manufacturer: "Polestar", Model: "2", Capacity: 78.5,
				}}
			},
		},
		"settings by their own names, too": {
			given{options: `{"public_url": "https://a.b", "http": {"listen": ":80"}}`},
			func(c *config.Config) { c.HTTP.PublicURL, c.HTTP.Listen = "https://a.b", ":80" },
		},
		"without a page": {
			given{file: "http: {ingress: ''}", options: "{}"},
			func(c *config.Config) { c.HTTP.Ingress = "" },
		},
	} {
		t.Run(name, func(t *testing.T) {
			tt.env = append(tt.env, inApp...)
			got, problems := tt.load(t)
			if problems != "" {
				t.Fatal(problems)
			}
			want := config.Default()
			want.StateDir, want.Store.Path = "/data", "/data/wheelhouse.db"
			want.HTTP.Ingress, want.Log.Format = ":8099", "text"
			tt.want(want)
			if diff := same(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// allBlank is what the Supervisor writes when somebody has cleared every field.
const allBlank = `{"public_url": "", "certificate": "", "private_key": "", "acme_domain": "",
	"acme_email": null, "car_password": "", "log_level": null, "cars": [],
	"mqtt": {"url": "", "user": "", "password": ""}, "broker": {"home_password": ""}}`

// TestOptionProblems: whoever sees only the app's page is told its words.
func TestOptionProblems(t *testing.T) {
	for name, tt := range map[string]struct {
		given
		want string
	}{
		"a certificate that is not there": {
			given{options: `{"certificate": "no.pem", "private_key": "/no/key.pem"}`},
			"options.json:1:2: certificate: /ssl/no.pem cannot be read: no such file or directory\n" +
				"options.json:1:27: private_key: /no/key.pem cannot be read: no such file or directory",
		},
		"a certificate without its key": {
			given{options: `{"certificate": "/dev/null"}`},
			"options.json:1:2: certificate: is given without private_key: write private_key too",
		},
		"two certificates": {
			given{options: `{"certificate": "/dev/null", "private_key": "/dev/null", "acme_domain": "a.org"}`},
			"options.json:1:58: acme_domain: is given beside certificate: " +
				"only one certificate can be served: write one of the two",
		},
		"an address without https": {
			given{options: `{"public_url": "http://a.b"}`},
			"options.json:1:2: public_url: is not an https address: the car accepts no other: " +
				"write it like https://car.example.org",
		},
		"another type": {
			given{options: `{"discover_cars": "yes"}`},
			`options.json:1:19: discover_cars: "yes" is neither true nor false: write true`,
		},
		"a misspelt option": {
			given{options: `{"publik_url": "x", "car_pasword": "x"}`},
			"options.json:1:2: publik_url: is no setting: write " + topLevel + "\n" +
				"options.json:1:21: car_pasword: is no setting: write " + topLevel,
		},
		"a number for a password": {
			given{options: `{"car_password": 1}`},
			"options.json:1:18: car_password: is read as a number, not as a text: write it in quotes",
		},
		"twice": {
			given{options: `{"log_level": "info", "log": {"level": "debug"}}`},
			"options.json:1:2: log_level: stands here a second time, first at options.json:1:31: write it once",
		},
		"the file's are called as in the file": {
			given{file: "http: {public_url: x}", options: `{"car_password": "x"}`},
			"wheelhouse.yaml:1:8: http.public_url: is not an https address: the car accepts no other: " +
				"write it like https://car.example.org",
		},
		"a car's": {
			given{options: `{"cars": [{"id": "My Car"}, {"id": "a", "capacity": -1}, {"id": ""}]}`},
			"options.json:1:18: cars.My Car: is no name: write letters, digits and _ - @ only\n" +
				"options.json:1:65: cars.: is no name: write letters, digits and _ - @ only\n" +
				"options.json:1:41: cars.a.capacity: is no battery's capacity in kWh: write it like 78",
		},
		"no JSON": {given{options: `{`}, "options.json:1:1: not JSON: unexpected end of JSON input"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.env = append(tt.env, inApp...)
			_, got := tt.load(t)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The page is the app's only by default.
func TestIngress(t *testing.T) {
	for name, tt := range map[string]struct {
		given
		want string
	}{
		"at home":       {given{}, ""},
		"in the app":    {given{env: inApp}, ":8099"},
		"wanted":        {given{file: "http: {ingress: 127.0.0.1:1}"}, "127.0.0.1:1"},
		"elsewhere":     {given{file: "http: {ingress: ':1'}", env: inApp}, ":1"},
		"by a variable": {given{env: append([]string{"WHEELHOUSE_HTTP__INGRESS=:2"}, inApp...)}, ":2"},
	} {
		t.Run(name, func(t *testing.T) {
			c, problems := tt.load(t)
			if problems != "" {
				t.Fatal(problems)
			}
			if c.HTTP.Ingress != tt.want {
				t.Errorf("the page is at %q, want %q", c.HTTP.Ingress, tt.want)
			}
		})
	}
}

func TestOptionOf(t *testing.T) {
	for key, want := range map[string]string{
		"http.public_url": "public_url", "mqtt.url": "mqtt.url",
		"broker.users.home.password": "broker.home_password",
	} {
		if got := config.OptionOf(key); got != want {
			t.Errorf("%s is the option %q, want %q", key, got, want)
		}
	}
}
