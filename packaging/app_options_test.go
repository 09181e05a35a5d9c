package packaging_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/wheelhouse-mqtt/wheelhouse/config"
)

// optionType is a type of the Supervisor's that is of use here. A length of a
// text, str(1,32), is not: the Supervisor compares the text itself with the
// numbers, and no text passes.
var optionType = regexp.MustCompile(`^(?:(bool|str|password|email|url|port|int|float)` +
	`|(float|int)\((-?[0-9.]*),(-?[0-9.]*)\)|match\((.*)\)|list\((.+)\))\??$`)

// schema checks the types of the options, and that nothing is deeper than the
// app's page can show.
func (a *app) schema() {
	var check func(of any, at string, depth int)
	check = func(of any, at string, depth int) {
		switch t := of.(type) {
		case map[string]any:
			if depth == 2 {
				a.complain("%s: is too deep", at)
			}
			for _, key := range sorted(t) {
				check(t[key], joined(at, key), depth+1)
			}
		case []any:
			if len(t) != 1 {
				a.complain("%s: is a list of %d types, not of one", at, len(t))
				return
			}
			check(t[0], at, depth)
		default:
			m := optionType.FindStringSubmatch(fmt.Sprint(of))
			if m == nil {
				a.complain("%s: %v is no type", at, of)
				return
			}
			if _, err := regexp.Compile(m[5]); err != nil {
				a.complain("%s: %v", at, err)
			}
		}
	}
	check(a.config["schema"], "", 0)
}

// options lets the Supervisor's rules judge the options that a new user has.
func (a *app) options() {
	for _, w := range refused(a.config["schema"], a.config["options"], "") {
		a.complain("%s", w)
	}
}

// refused says why the Supervisor does not accept a value of a type.
func refused(of, value any, at string) (why []string) {
	switch t := of.(type) {
	case map[string]any:
		given, ok := value.(map[string]any)
		if !ok {
			return []string{at + ": is no section"}
		}
		for _, key := range sorted(given) {
			if t[key] == nil {
				why = append(why, joined(at, key)+": is not in the schema")
				continue
			}
			why = append(why, refused(t[key], given[key], joined(at, key))...)
		}
		for _, key := range sorted(t) {
			if _, ok := given[key]; !ok && !optional(t[key]) {
				why = append(why, joined(at, key)+": is missing, and not optional")
			}
		}
	case []any:
		items, ok := value.([]any)
		if !ok {
			return []string{at + ": is no list"}
		}
		for _, item := range items {
			why = append(why, refused(element(of), item, at)...)
		}
	case string:
		if !accepted(t, value) {
			return []string{fmt.Sprintf("%s: %v is no %s", at, value, t)}
		}
	}
	return why
}

// optional says whether an option may be missing. A list's element decides for
// the list; a section never may.
func optional(of any) bool {
	text, ok := element(of).(string)
	return ok && strings.HasSuffix(text, "?")
}

// accepted says whether the Supervisor takes a value for one of a simple type.
func accepted(of string, value any) bool {
	text := fmt.Sprint(value)
	m := optionType.FindStringSubmatch(of)
	switch {
	case m == nil || value == nil:
		return false
	case m[5] != "":
		// From the start, as Python's match.
		return regexp.MustCompile(`^(?:` + m[5] + `)`).MatchString(text)
	case m[6] != "":
		return slices.Contains(strings.Split(m[6], "|"), text)
	case m[2] != "":
		return between(text, m[3], m[4])
	}
	switch m[1] {
	case "bool":
		return text == "true" || text == "false"
	case "email":
		return whole(`[^@\s]+@[^@\s]+\.[^@\s]+`, text)
	case "url":
		return whole(`[a-z]+://[^/\s]+.*`, text)
	case "port":
		return between(text, "1", "65535")
	case "int", "float":
		return between(text, "", "")
	}
	return true
}

func between(text, low, high string) bool {
	n, err := strconv.ParseFloat(text, 64)
	least, none := strconv.ParseFloat(low, 64)
	most, endless := strconv.ParseFloat(high, 64)
	return err == nil && (none != nil || n >= least) && (endless != nil || n <= most)
}

// paths lists the options of a schema, those below others as mqtt.url.
func paths(of any, at string) (all []string) {
	switch t := of.(type) {
	case map[string]any:
		for _, key := range sorted(t) {
			all = append(all, paths(t[key], joined(at, key))...)
		}
	case []any:
		return append(paths(element(of), at), at)
	default:
		return []string{at}
	}
	return all
}

// element returns what a list begins with; anything else is itself.
func element(of any) any {
	list, ok := of.([]any)
	switch {
	case !ok:
		return of
	case len(list) == 0:
		return nil
	}
	return list[0]
}

func joined(at, key string) string { return strings.TrimPrefix(at+"."+key, ".") }

// translations compares each language with the options and ports.
func (a *app) translations() {
	files := a.filesBelow(appDir + "translations")
	if !slices.Contains(files, "en.yaml") {
		a.complain("en is missing: it stands in for every other language")
	}
	for _, file := range files {
		language := strings.TrimSuffix(file, ".yaml")
		texts := a.yaml(appDir + "translations/" + file)
		a.texts(language+": configuration", a.config["schema"], texts["configuration"])
		network := section(texts["network"])
		for _, port := range sorted(section(a.config["ports"])) {
			if text, _ := network[port].(string); text == "" {
				a.complain("%s: network.%s is missing", language, port)
			}
			delete(network, port)
		}
		for port := range network {
			a.complain("%s: network.%s is no port", language, port)
		}
	}
}

// texts compares the texts of a section of options with its schema.
func (a *app) texts(at string, of, value any) {
	options, texts := section(element(of)), section(value)
	for _, key := range sorted(options) {
		text := section(texts[key])
		at := at + "." + key
		if text == nil {
			a.complain("%s is missing", at)
			continue
		}
		for _, part := range []string{"name", "description"} {
			if s, _ := text[part].(string); s == "" {
				a.complain("%s has no %s", at, part)
			}
		}
		a.texts(at+".fields", options[key], text["fields"])
	}
	for _, key := range sorted(texts) {
		if options[key] == nil {
			a.complain("%s.%s is no option", at, key)
		}
	}
}

func (a *app) filesBelow(dir string) (names []string) {
	entries, err := fs.ReadDir(a.files, dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestAppOptions hands the program what the Supervisor would: the options of a
// new user, and examples of every option there is.
func TestAppOptions(t *testing.T) {
	a := &app{files: checkout(t)}
	a.config = a.yaml(appDir + "config.yaml")
	file := filepath.Join(t.TempDir(), "some.pem")
	if err := os.WriteFile(file, []byte("some"), 0o600); err != nil {
		t.Fatal(err)
	}
	none := a.config["options"]
	examples := map[string]any{
		"none": none,
		"most": with(none, map[string]any{
			"public_url":    "https://car.example.org",
			"car_password":  "abc",
			"discover_cars": false,
			"cars": []any{map[string]any{
				"id": "polestar_2", "name": "Polestar 2", "password": "def", "manufacturer": "Polestar",
				"model": "2", "capacity": 75.5, "vin": "YSMYKEAE7MB000000",
			}},
			"certificate": file,
			"private_key": file,
			"mqtt": map[string]any{
				"url": "mqtts://broker.example.org:8883", "user": "u", "password": "p",
			},
			"log_level": "debug",
		}),
		"the others": with(none, map[string]any{
			"acme_domain": "car.example.org",
			"acme_email":  "anna@example.org",
			"broker":      map[string]any{"enabled": true, "home_password": "ghi"},
		}),
	}
	for name, options := range examples {
		if why := refused(a.config["schema"], options, ""); why != nil {
			t.Errorf("%s: the Supervisor would not write them: %q", name, why)
		}
		if err := loadOptions(t, options); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	tried := slices.Concat(paths(examples["most"], ""), paths(examples["the others"], ""))
	for _, option := range paths(a.config["schema"], "") {
		if !slices.Contains(tried, option) {
			t.Errorf("%s has no example", option)
		}
	}
	if loadOptions(t, map[string]any{"colour": "red"}) == nil {
		t.Error("the program takes any option: nothing is shown")
	}
}

// TestAppLevels offers in the app what the program understands.
func TestAppLevels(t *testing.T) {
	a := &app{files: checkout(t)}
	of := section(a.yaml(appDir + "config.yaml")["schema"])["log_level"]
	for _, level := range strings.Split(optionType.FindStringSubmatch(fmt.Sprint(of))[6], "|") {
		if err := loadOptions(t, map[string]any{"log_level": level}); err != nil {
			t.Error(err)
		}
	}
}

// with returns options with some changed.
func with(options any, changed map[string]any) map[string]any {
	all := maps.Clone(section(options))
	maps.Copy(all, changed)
	return all
}

// loadOptions gives the program options as the Supervisor does.
func loadOptions(t *testing.T, options any) error {
	t.Helper()
	data, err := json.Marshal(options)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "options.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = config.Load(config.Sources{
		Options: file, Environ: []string{"HOME=/", "SUPERVISOR_TOKEN=token"},
	})
	return err
}
