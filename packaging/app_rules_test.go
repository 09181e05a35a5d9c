package packaging_test

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"image/png"
	"io/fs"
	"maps"
	"net"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/wheelhouse-mqtt/wheelhouse/config"
)

const (
	appDir     = "packaging/homeassistant/"
	repository = "https://github.com/wheelhouse-mqtt/wheelhouse"
)

// app is the Home Assistant app as the Supervisor reads it.
type app struct {
	files  fs.FS // the repository's
	config map[string]any
	wrong  []string
}

// appRules are what the app is held to. Where they come from: the Supervisor's
// validation of an app (supervisor/apps), the linter that the store's own apps
// pass (frenck/action-addon-linter), and developers.home-assistant.io.
var appRules = []struct {
	name  string
	check func(*app)
}{
	{"keys", (*app).keys},
	{"lists", (*app).lists},
	{"rating", (*app).rating},
	{"ports", (*app).ports},
	{"schema", (*app).schema},
	{"options", (*app).options},
	{"translations", (*app).translations},
	{"changelog", (*app).changelog},
	{"documentation", (*app).documentation},
	{"pictures", (*app).pictures},
	{"profile", (*app).profile},
	{"repository", (*app).repository},
}

// complaints returns what breaks a rule, with the rule's name in front.
func complaints(files fs.FS) (all []string) {
	for _, rule := range appRules {
		a := &app{files: files}
		a.config = a.yaml(appDir + "config.yaml")
		rule.check(a)
		for _, w := range a.wrong {
			all = append(all, rule.name+": "+w)
		}
	}
	return all
}

func (a *app) complain(format string, values ...any) {
	a.wrong = append(a.wrong, fmt.Sprintf(format, values...))
}

// yaml reads a file of the repository.
func (a *app) yaml(file string) (values map[string]any) {
	if err := yaml.Unmarshal(content(a.files, file), &values); err != nil {
		a.complain("%s is not YAML: %v", file, err)
	}
	return values
}

// key is what config.yaml may say under a key.
type appKey struct {
	like     string // of a text, a number or a truth value, whole; "" for others
	required bool
	standard string // what counts where the key is missing: the linter wants it left out
}

// appKeys are the keys in use and a few more that could be: whatever the
// Supervisor does not know it drops silently, some the linter refuses (watchdog:
// the image has a health check), some cost trust (host_network, full_access).
var appKeys = map[string]appKey{
	"name":        {like: `\S.*`, required: true},
	"version":     {like: `\d+\.\d+\.\d+(-[0-9a-z.]+)?`, required: true}, // the image's tag, too
	"slug":        {like: `[-_.a-z0-9]+`, required: true},
	"description": {like: `\S.*`, required: true},
	"arch":        {required: true},
	"url":         {like: regexp.QuoteMeta(repository)},
	// No tag: that is the version. Without an image, every user's machine would build one.
	"image":             {like: `[a-z0-9.-]+(/[a-z0-9._-]+)+`, required: true},
	"stage":             {like: `experimental|stable|deprecated`, standard: "stable"},
	"homeassistant":     {like: `\d{4}\.\d+\.\d+`},
	"startup":           {like: `initialize|system|services|application|once`, standard: "application"},
	"boot":              {like: `auto|manual|manual_only`, standard: "auto"},
	"init":              {like: `true|false`, standard: "true"},
	"timeout":           {like: `[1-9]\d|[12]\d\d|300`, standard: "10"},
	"services":          {},
	"homeassistant_api": {like: `true|false`, standard: "false"},
	"ingress":           {like: `true|false`, standard: "false"},
	"ingress_port":      {like: `[1-9]\d{0,4}`, standard: "8099"},
	"panel_icon":        {like: `mdi:[a-z0-9-]+`, standard: "mdi:puzzle"},
	"panel_title":       {like: `\S.*`},
	"ports":             {},
	"map":               {},
	"backup":            {like: `hot|cold`, standard: "hot"},
	"backup_exclude":    {},
	"options":           {required: true},
	"schema":            {required: true},
}

func (a *app) keys() {
	for name, key := range appKeys {
		value, ok := a.config[name]
		switch text := fmt.Sprint(value); {
		case !ok && key.required:
			a.complain("%s is missing", name)
		case !ok || key.like == "":
		case text == key.standard:
			a.complain("%s: %q is the default: leave it out", name, text)
		case !whole(key.like, text):
			a.complain("%s: %q is not like %s", name, text, key.like)
		}
	}
	for name := range a.config {
		if _, ok := appKeys[name]; !ok {
			a.complain("%s is not allowed", name)
		}
	}
	if _, ok := a.config["version"].(string); !ok {
		a.complain("version: is no text: put it in quotes")
	}
}

// lists holds the lists of config.yaml to what is needed.
func (a *app) lists() {
	for name, want := range map[string][]any{
		"arch":     {"aarch64", "amd64"},    // the others are deprecated
		"services": {"mqtt:want"},           // need would shut out whoever has another broker
		"map":      {"ssl", "addon_config"}, // read-only; app_config is not known everywhere yet
	} {
		if got, _ := a.config[name].([]any); !slices.Equal(got, want) {
			a.complain("%s: is %v, not %v", name, got, want)
		}
	}
}

// rating computes what the store shows as the app's security rating, of at most 8.
func (a *app) rating() {
	is := func(key string) bool { return a.config[key] == true }
	rating := 5
	for _, r := range []struct {
		applies bool
		points  int
	}{
		{is("ingress"), 2},
		{is("auth_api") && !is("ingress"), 1},
		{a.config["apparmor"] == false, -1},
		{content(a.files, appDir+"apparmor.txt") != nil, 1},
		{a.config["privileged"] != nil, -1},
		{a.config["hassio_role"] == "manager", -1},
		{a.config["hassio_role"] == "admin", -2},
		{is("host_network"), -1},
		{is("host_pid"), -2},
		{is("docker_api") || is("full_access"), -8},
	} {
		if r.applies {
			rating += r.points
		}
	}
	if rating = min(max(rating, 1), 8); rating != 8 {
		a.complain("the security rating is %d, not 8", rating)
	}
}

// ports compares the ports with those that the program listens on.
func (a *app) ports() {
	listens := map[string]bool{}
	for _, address := range []string{
		config.Default().HTTP.Listen, config.Default().HTTP.TLS.Listen, config.Default().Broker.Listen,
	} {
		if _, port, err := net.SplitHostPort(address); err == nil {
			listens[port+"/tcp"] = true
		}
	}
	ports := section(a.config["ports"])
	for port, host := range ports {
		n, isPort := host.(int)
		switch {
		case !whole(`\d+/tcp`, port):
			a.complain("%s: is no port like 8443/tcp", port)
		case !listens[port]:
			a.complain("%s: nothing listens there", port)
		case host != nil && (!isPort || n < 1 || n > 65535):
			a.complain("%s: leads to %v: a port, or null for closed", port, host)
		}
	}
	for port := range listens {
		if _, ok := ports[port]; !ok {
			a.complain("no port leads to :%s", strings.TrimSuffix(port, "/tcp"))
		}
	}
}

// changelog wants the version first: the store shows it at an update.
func (a *app) changelog() {
	first := regexp.MustCompile(`(?m)^## (\S+)$`).FindSubmatch(content(a.files, appDir+"CHANGELOG.md"))
	got := "nothing"
	if first != nil {
		got = string(first[1])
	}
	if want := a.config["version"]; got != want {
		a.complain("CHANGELOG.md begins with %s, the version is %v", got, want)
	}
}

// appHost is the app's host name or folder as the Supervisor makes it: the
// repository's hash, and the slug.
var appHost = regexp.MustCompile(`([0-9a-f]{8})[-_]wheelhouse`)

func (a *app) documentation() {
	if content(a.files, appDir+"README.md") == nil {
		a.complain("README.md: is missing: the store shows it")
	}
	docs := string(content(a.files, appDir+"DOCS.md"))
	for _, option := range paths(a.config["schema"], "") {
		if !strings.Contains(docs, "`"+option+"`") {
			a.complain("DOCS.md: `%s` is not explained", option)
		}
	}
	sum := sha1.Sum([]byte(strings.ToLower(repository)))
	hash := hex.EncodeToString(sum[:4])
	for _, host := range appHost.FindAllStringSubmatch(docs, -1) {
		if host[1] != hash {
			a.complain("DOCS.md: %s: the host name begins with %s", host[0], hash)
		}
	}
	for _, file := range linked(docs) {
		if _, err := fs.Stat(a.files, file); err != nil {
			a.complain("DOCS.md: %s is not in the repository", file)
		}
	}
}

// linked returns the repository's files that a text links to, a link inside
// another one's query as well.
func linked(text string) (files []string) {
	link := regexp.MustCompile(regexp.QuoteMeta(repository+"/blob/main/") + `([^\s)#]+)`)
	plain, err := url.QueryUnescape(strings.ReplaceAll(text, "+", "%2B"))
	if err != nil {
		plain = text
	}
	for _, found := range link.FindAllStringSubmatch(plain, -1) {
		files = append(files, found[1])
	}
	return files
}

func (a *app) pictures() {
	for name, want := range map[string]string{"icon.png": "128x128", "logo.png": "250x100"} {
		p, err := png.DecodeConfig(bytes.NewReader(content(a.files, appDir+name)))
		if err != nil {
			a.complain("%s: is no PNG: %v", name, err)
		} else if got := fmt.Sprintf("%dx%d", p.Width, p.Height); got != want {
			a.complain("%s: is %s, not %s", name, got, want)
		}
	}
}

// profile reads apparmor.txt as the Supervisor does. It renames the profile by
// replacing its name in the whole line.
func (a *app) profile() {
	text := string(content(a.files, appDir+"apparmor.txt"))
	lines := regexp.MustCompile(`(?m)^profile ([^ ]+).*$`).FindAllStringSubmatch(text, -1)
	if len(lines) != 1 {
		a.complain("%d profiles begin in column 0, not one", len(lines))
		return
	}
	line, name := lines[0][0], lines[0][1]
	if name != a.config["slug"] {
		a.complain("is called %q, not like the slug", name)
	}
	if strings.Count(line, name) != 1 {
		a.complain("holds its name more than once in %q", line)
	}
	// What the image starts must be allowed to start.
	commands := regexp.MustCompile(`(?m)(?:ENTRYPOINT|CMD) \["([^"]+)"`)
	for _, c := range commands.FindAllSubmatch(content(a.files, appDir+"Dockerfile"), -1) {
		run := regexp.MustCompile(`(?m)^ +` + regexp.QuoteMeta(string(c[1])) + ` \w*ix,$`)
		if !run.MatchString(text) {
			a.complain("%s may not be run, but the image runs it", c[1])
		}
	}
}

// repository checks the store's entry, and that the Supervisor finds one app: it
// takes every config.* of these kinds, in any directory, for another one.
func (a *app) repository() {
	entry := a.yaml("repository.yaml")
	for key, like := range map[string]string{
		"name": `\S.*`, "url": regexp.QuoteMeta(repository), "maintainer": `\S.*`,
	} {
		if value, ok := entry[key].(string); !ok || !whole(like, value) {
			a.complain("%s is missing, or not like %s", key, like)
		}
		delete(entry, key)
	}
	for key := range entry {
		a.complain("%s is not allowed", key)
	}
	_ = fs.WalkDir(a.files, ".", func(file string, _ fs.DirEntry, _ error) error {
		if file != appDir+"config.yaml" && whole(`config\.(.*\.)?(json|ya?ml)`, path.Base(file)) {
			a.complain("%s would be taken for another app", file)
		}
		return nil
	})
}

// whole says whether a pattern describes all of a text.
func whole(pattern, text string) bool {
	return regexp.MustCompile(`^(?:` + pattern + `)$`).MatchString(text)
}

// section returns a value as a section, nil if it is none.
func section(value any) map[string]any {
	s, _ := value.(map[string]any)
	return s
}

// sorted returns a section's keys.
func sorted(s map[string]any) []string { return slices.Sorted(maps.Keys(s)) }
