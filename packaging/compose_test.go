package packaging_test

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/wheelhouse-mqtt/wheelhouse/config"
)

// compose is what the tests look at in packaging/container/compose.yaml.
type compose struct {
	Services map[string]composeService
	Volumes  map[string]any
}

type composeService struct {
	Image       string
	Environment map[string]string
	Command     []string
	Volumes     []string
	Tmpfs       []string
	ReadOnly    bool     `yaml:"read_only"`
	CapDrop     []string `yaml:"cap_drop"`
	SecurityOpt []string `yaml:"security_opt"`
	DependsOn   []string `yaml:"depends_on"`
}

// readCompose reads it with the variables that a user has in .env.
func readCompose(t *testing.T, variables map[string]string) (c compose) {
	t.Helper()
	readYAML(t, "container/compose.yaml", &c)
	for _, s := range c.Services {
		for key, value := range s.Environment {
			s.Environment[key] = os.Expand(value, func(name string) string {
				name, _, _ = strings.Cut(name, ":?")
				return variables[name]
			})
		}
		for i, arg := range s.Command {
			s.Command[i] = strings.ReplaceAll(arg, "$$", "$")
		}
	}
	return c
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = yaml.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// appVersion and appImage are what packaging/homeassistant/config.yaml says, for everybody.
func appVersion(t *testing.T) (version, image string) {
	t.Helper()
	var app struct{ Version, Image string }
	readYAML(t, "homeassistant/config.yaml", &app)
	return app.Version, app.Image
}

// The example runs this version, locked in, with settings that the program knows.
func TestCompose(t *testing.T) {
	version, image := appVersion(t)
	c := readCompose(t, map[string]string{"MQTT_PASSWORD": "first", "HOME_PASSWORD": "second"})
	house := c.Services["wheelhouse"]
	for _, check := range []struct {
		what      string
		got, want any
	}{
		{"image", house.Image, image + ":" + version},
		{"read_only", house.ReadOnly, true},
		{"cap_drop", house.CapDrop, []string{"ALL"}},
		{"security_opt", house.SecurityOpt, []string{"no-new-privileges:true"}},
		{"volumes", house.Volumes, []string{"wheelhouse:/data"}},
		{"tmpfs", house.Tmpfs, []string{"/tmp"}},
		{"depends_on", house.DependsOn, []string{"mosquitto"}},
		{"named volumes", len(c.Volumes), 2},
	} {
		if !reflect.DeepEqual(check.got, check.want) {
			t.Errorf("%s: %v, not %v", check.what, check.got, check.want)
		}
	}
	house.Environment["STATE_DIRECTORY"] = "/data" // the image's own
	cfg, err := config.Load(config.Sources{Environ: environ(house.Environment)})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.MQTT.URL != "mqtt://mosquitto:1883" || cfg.MQTT.Password.Reveal() != "first" {
		t.Errorf("the broker is %s, its password %q", cfg.MQTT.URL, cfg.MQTT.Password.Reveal())
	}
}

// environ is an environment as programs are given it.
func environ(values map[string]string) (list []string) {
	for key, value := range values {
		list = append(list, fmt.Sprintf("%s=%s", key, value))
	}
	return list
}
