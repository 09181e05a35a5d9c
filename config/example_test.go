package config

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const example = "../wheelhouse.example.yaml"

// commented is a key that the example shows without setting it: no space
// follows the number sign, unlike in a sentence.
var commented = regexp.MustCompile(`(?m)^( *)#(\w)`)

func TestExampleHoldsTheDefaults(t *testing.T) {
	environ := []string{"HOME=/home/anna"}
	got, err := Load(Sources{File: example, Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	want, err := Load(Sources{Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	got.origin, want.origin = nil, nil
	if g, w := printed(t, got), printed(t, want); g != w {
		t.Errorf("the example sets\n%s\nthe defaults are\n%s", g, w)
	}
}

// TestExampleHoldsEveryKey uncomments the example and compares its keys with
// those there are: none is missing, and none is too much.
func TestExampleHoldsEveryKey(t *testing.T) {
	data, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	whole := commented.ReplaceAllString(string(data), "$1$2")
	path := filepath.Join(t.TempDir(), "whole.yaml")
	if err := os.WriteFile(path, []byte(whole), 0o600); err != nil {
		t.Fatal(err)
	}
	// Some user must have some password.
	environ := []string{"HOME=/h", "WHEELHOUSE_BROKER__USERS__ANNA__PASSWORD=x"}
	if _, err := Load(Sources{File: path, Environ: environ}); err != nil {
		t.Fatal(err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(whole), &doc); err != nil {
		t.Fatal(err)
	}
	shown := written(root(), doc.Content[0], "")
	if want := root().paths(""); !slices.Equal(shown, want) {
		t.Errorf("the example has\n%s\nand should have\n%s",
			strings.Join(shown, "\n"), strings.Join(want, "\n"))
	}
}

// written lists the keys of a document in order, names as asterisks.
func written(s shape, y *yaml.Node, path string) []string {
	if s.of != nil {
		return []string{path}
	}
	var keys []string
	for i := 0; i+1 < len(y.Content); i += 2 {
		key := y.Content[i].Value
		child, _ := s.child(key)
		if s.named != nil {
			key = "*"
		}
		keys = append(keys, written(child, y.Content[i+1], join(path, key))...)
	}
	return keys
}

// TestExampleExplainsEveryKey wants a sentence above each value.
func TestExampleExplainsEveryKey(t *testing.T) {
	data, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	previous := ""
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(commented.ReplaceAllString(line, "$1$2"))
		_, value, _ := strings.Cut(line, ":")
		sentence := strings.HasPrefix(line, "# ")
		if value != "" && !sentence && !strings.HasPrefix(previous, "# ") {
			t.Errorf("nothing is said above %q", line)
		}
		previous = line
	}
}

func printed(t *testing.T, c *Config) string {
	t.Helper()
	var b strings.Builder
	if err := c.Print(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestPrint looks at what a person sees who asks for the settings in effect.
func TestPrint(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "password")
	file := filepath.Join(dir, "w.yaml")
	for path, content := range map[string]string{
		secret: "hidden\n",
		file: "mqtt: {password_file: " + secret + "}\n" +
			"cars:\n  volvo: {password: hidden}\n  audi: {capacity: 95}\n" +
			"http:\n  trusted_proxies:\n    - 10.0.0.1\n    - 10.1.0.0/16\n",
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Load(Sources{File: file, Environ: []string{"HOME=/h", "WHEELHOUSE_STORE__KEEP=365d"}})
	if err != nil {
		t.Fatal(err)
	}
	got := strings.ReplaceAll(printed(t, c), dir+"/", "")
	if strings.Contains(got, "hidden") {
		t.Error("a password is printed")
	}
	for _, want := range []string{
		"state_dir: /h/.local/state/wheelhouse\n",
		"  level: info\n",
		"  trusted_proxies: [10.0.0.1/32, 10.1.0.0/16] # w.yaml:6:3\n",
		"  password: '***' # password\n",
		"  password_file: password # w.yaml:1:8\n",
		"  audi:\n", "    capacity: 95 # w.yaml:4:10\n",
		"  volvo:\n", "    password: '***' # w.yaml:3:11\n",
		"  keep: 365d # WHEELHOUSE_STORE__KEEP\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
}
