package packaging_test

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// TestApp holds the Home Assistant app to what the Supervisor, the store and
// their linter want: most of it they would only tell on a user's machine.
func TestApp(t *testing.T) {
	for _, complaint := range complaints(checkout(t)) {
		t.Error(complaint)
	}
}

// TestAppProfile lets AppArmor's own parser read the profile.
func TestAppProfile(t *testing.T) {
	parser, err := exec.LookPath("apparmor_parser")
	if err != nil {
		t.Skip("skipped, the profile's syntax is not checked: " +
			"no apparmor_parser here (Debian package apparmor)")
	}
	parse := func(profile string) (string, error) {
		cmd := exec.Command(parser, "--skip-kernel-load", "--skip-cache")
		cmd.Stdin = strings.NewReader(profile)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	profile, err := os.ReadFile("homeassistant/apparmor.txt")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := parse(string(profile)); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if _, err := parse(string(profile) + "}"); err == nil {
		t.Error("the parser takes anything")
	}
}

// A change spoils the files of a checkout.
type change func(t *testing.T, files fstest.MapFS)

// TestAppRules shows for each rule that it is one: every change breaks the rule
// that is named, and no rule goes without.
func TestAppRules(t *testing.T) {
	const (
		config  = appDir + "config.yaml"
		docs    = appDir + "DOCS.md"
		english = appDir + "translations/en.yaml"
		german  = appDir + "translations/de.yaml"
		profile = appDir + "apparmor.txt"
	)
	whole := checkout(t)
	tried := map[string]bool{}
	for _, c := range []struct {
		rule, want string
		spoil      change
	}{
		{"keys", "watchdog is not allowed", add(config, "watchdog: tcp://[HOST]:8480\n")},
		{"keys", "slug is missing", edit(config, "slug: wheelhouse\n", "")},
		{"keys", `startup: "application" is the default`, edit(config, "startup: services", "startup: application")},
		{"keys", `startup: "late"`, edit(config, "startup: services", "startup: late")},
		{"keys", `stage: "beta"`, edit(config, "stage: experimental", "stage: beta")},
		{"keys", `version: "1.0"`, edit(config, `"0.1.0"`, `"1.0"`)},
		{"keys", "version: is no text", edit(config, `"0.1.0"`, `1.0`)},
		{"keys", `image: "ghcr.io/Wheelhouse`, edit(config, "ghcr.io/wheelhouse", "ghcr.io/Wheelhouse")},
		{"keys", "image: ", edit(config, "mqtt/wheelhouse\narch", "mqtt/wheelhouse:latest\narch")},
		{"keys", `timeout: "301"`, edit(config, "timeout: 30", "timeout: 301")},
		{"keys", `slug: "wheel house"`, edit(config, "slug: wheelhouse", "slug: wheel house")},
		{"lists", "arch: is [aarch64 armv7]", edit(config, "[aarch64, amd64]", "[aarch64, armv7]")},
		{"lists", "services: is [mqtt:need]", edit(config, "mqtt:want", "mqtt:need")},
		{"lists", "map: is [ssl:rw addon_config]", edit(config, "map: [ssl,", `map: ["ssl:rw",`)},
		{"rating", "is 6", edit(config, "ingress: true\n", "")},
		{"rating", "is 7", without(profile)},
		{"rating", "is 7", add(config, "host_network: true\n")},
		{"rating", "is 7", add(config, "privileged: [NET_ADMIN]\n")},
		{"rating", "is 6", add(config, "hassio_role: admin\n")},
		{"rating", "is 1", add(config, "docker_api: true\n")},
		{"ports", "8443/http: is no port", edit(config, "8443/tcp: 8443", "8443/http: 8443")},
		{"ports", "8443/tcp: leads to 70000", edit(config, "8443/tcp: 8443", "8443/tcp: 70000")},
		{"ports", "8484/tcp: nothing listens", edit(config, "8480/tcp", "8484/tcp")},
		{"ports", "no port leads to :8480", edit(config, "  8480/tcp: null\n", "")},
		{"options", "discover_cars: maybe", edit(config, "discover_cars: true", "discover_cars: maybe")},
		{"options", "mqtt: is missing", edit(config, "  mqtt: {}\n", "")},
		{"options", "cars: is missing", edit(config, "  cars: []\n", "")},
		{"options", "colour: is not in the schema", edit(config, "  cars: []\n", "  cars: []\n  colour: red\n")},
		{"options", "car_password: is missing", edit(config, "car_password: password?", "car_password: password")},
		{"options", "public_url: http://", edit(config, `public_url: ""`, "public_url: http://car.example.org")},
		{"schema", "log_level: level? is no type", edit(config, "list(trace|debug|info|warn|error)?", "level?")},
		{"schema", "vin: str(17,17)? is no type", edit(config, "vin: str?", "vin: str(17,17)?")},
		{"schema", "cars.id: error parsing", edit(config, "match(^[a-z0-9]+(_[a-z0-9]+)*$)", "match(^[a-z0-9]+(_[a-z)")},
		{"schema", "broker.tls: is too deep", add(config, "    tls: {cert: \"str?\"}\n", "home_password: password?\n")},
		{"translations", "en is missing", without(english)},
		{"translations", "de: configuration.vehicles is no option", edit(german, "  cars:", "  vehicles:")},
		{"translations", "de: configuration.cars is missing", edit(german, "  cars:", "  vehicles:")},
		{"translations", "en: configuration.mqtt.fields.user is missing",
			edit(english, "      user:\n        name: User\n        description: The broker's user name.\n", "")},
		{"translations", "configuration.log_level has no name", edit(english, "    name: Log level\n", "")},
		{"translations", "network.1883/tcp is missing", edit(english, "  1883/tcp: Embedded MQTT broker, for other machines\n", "")},
		{"translations", "is not YAML", add(english, "  - x\n")},
		{"changelog", "begins with 0.1.0", edit(config, `"0.1.0"`, `"0.2.0"`)},
		{"changelog", "begins with nothing", without(appDir + "CHANGELOG.md")},
		{"documentation", "`broker.enabled` is not explained", edit(docs, "`broker.enabled`", "the broker")},
		{"documentation", "deadbeef-wheelhouse: the host name begins with 091f1c5f",
			edit(docs, "http://091f1c5f-", "http://deadbeef-")},
		{"documentation", "wheelhouse.sample.yaml is not in the repository", edit(docs, "wheelhouse.example.yaml", "wheelhouse.sample.yaml")},
		{"documentation", "README.md: is missing", without(appDir + "README.md")},
		{"pictures", "icon.png: is 64x64", picture(appDir+"icon.png", 64, 64)},
		{"pictures", "logo.png: is 128x128", picture(appDir+"logo.png", 128, 128)},
		{"pictures", "logo.png: is no PNG", without(appDir + "logo.png")},
		{"profile", "2 profiles", add(profile, "\nprofile other {\n}\n")},
		{"profile", `is called "wheel"`, edit(profile, "profile wheelhouse ", "profile wheel ")},
		{"profile", "more than once", edit(profile, "wheelhouse flags", "wheelhouse /wheelhouse flags")},
		{"profile", "/bin/wheelhouse may not be run",
			edit(appDir+"Dockerfile", `ENTRYPOINT ["/wheelhouse"]`, `ENTRYPOINT ["/bin/wheelhouse"]`)},
		{"repository", "name is missing", edit("repository.yaml", "name:", "title:")},
		{"repository", "title is not allowed", edit("repository.yaml", "name:", "title:")},
		{"repository", "docs/config.json", put("docs/config.json", []byte("{}"))},
	} {
		t.Run(c.want, func(t *testing.T) {
			files := maps.Clone(whole)
			c.spoil(t, files)
			got := complaints(files)
			if !slices.ContainsFunc(got, func(s string) bool {
				return strings.HasPrefix(s, c.rule+": ") && strings.Contains(s, c.want)
			}) {
				t.Errorf("no complaint of %q with %q, but %q", c.rule, c.want, got)
			}
		})
		tried[c.rule] = true
	}
	for _, rule := range appRules {
		if !tried[rule.name] {
			t.Errorf("nothing breaks the rule %q", rule.name)
		}
	}
}

// edit replaces a text in a file.
func edit(file, old, new string) change {
	return func(t *testing.T, files fstest.MapFS) {
		before := string(content(files, file))
		if !strings.Contains(before, old) {
			t.Fatalf("%s does not hold %q", file, old)
		}
		put(file, []byte(strings.ReplaceAll(before, old, new)))(t, files)
	}
}

// add puts a text after another one in a file, else at its end.
func add(file, text string, after ...string) change {
	if len(after) > 0 {
		return edit(file, after[0], after[0]+text)
	}
	return func(t *testing.T, files fstest.MapFS) {
		put(file, append(bytes.Clone(content(files, file)), text...))(t, files)
	}
}

func put(file string, data []byte) change {
	return func(_ *testing.T, files fstest.MapFS) { files[file] = &fstest.MapFile{Data: data} }
}

func without(file string) change {
	return func(_ *testing.T, files fstest.MapFS) { delete(files, file) }
}

// picture makes a file an empty picture.
func picture(file string, width, height int) change {
	return func(t *testing.T, files fstest.MapFS) {
		var b bytes.Buffer
		if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, width, height))); err != nil {
			t.Fatal(err)
		}
		put(file, b.Bytes())(t, files)
	}
}

// checkout reads the repository, but for what the Supervisor does not look at:
// files and directories with a dot in front. Large files are there without their
// content.
func checkout(t *testing.T) fstest.MapFS {
	t.Helper()
	files, root := fstest.MapFS{}, os.DirFS("..")
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // gone while we look: somebody's temporary file
		} else if err != nil {
			return err
		}
		if hidden := path != "." && strings.HasPrefix(d.Name(), "."); hidden && d.IsDir() {
			return fs.SkipDir
		} else if hidden || !d.Type().IsRegular() {
			return nil
		}
		f := &fstest.MapFile{}
		if info, err := d.Info(); err == nil && info.Size() < 1<<20 {
			f.Data = content(root, path)
		}
		files[path] = f
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// content returns a file's content, nil if there is none.
func content(files fs.FS, file string) []byte {
	data, err := fs.ReadFile(files, file)
	if err != nil {
		return nil
	}
	return data
}
