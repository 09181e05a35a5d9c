package main

import (
	"bytes"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"

	"github.com/alecthomas/kong"
)

// linuxFiles is where the manual and the completions are.
const linuxFiles = "../../packaging/linux/"

// commandLine is the command line as it is declared.
func commandLine(t *testing.T) *kong.Application {
	t.Helper()
	parser, err := kong.New(&commands{}, kong.Name("wheelhouse"))
	if err != nil {
		t.Fatal(err)
	}
	return parser.Model
}

// flagNames are a command's own flags as people type them, and how they are
// denied.
func flagNames(c *kong.Node) (names []string) {
	for _, f := range c.Flags {
		names = append(names, f.Name)
		if f.Tag.Negatable != "" {
			names = append(names, "no-"+f.Name)
		}
	}
	return names
}

var (
	manualCommand = regexp.MustCompile(`(?m)^\.It Cm ([a-z]+(?: [a-z-]+)?)`)
	manualFlag    = regexp.MustCompile(`Fl -([a-z-]+)`)
)

// The manual has every command with every flag, and no other.
func TestManual(t *testing.T) {
	data, err := os.ReadFile(linuxFiles + "wheelhouse.1")
	if err != nil {
		t.Fatal(err)
	}
	description, rest, _ := strings.Cut(string(data), ".Sh COMMANDS")
	section, _, _ := strings.Cut(rest, ".Sh ENVIRONMENT")
	written := map[string][]string{"": matches(manualFlag, description)}
	commands := manualCommand.FindAllStringSubmatchIndex(section, -1)
	for i, at := range commands {
		end := len(section)
		if i+1 < len(commands) {
			end = commands[i+1][0]
		}
		written[section[at[2]:at[3]]] = matches(manualFlag, section[at[0]:end])
	}
	model := commandLine(t)
	declared := map[string][]string{"": sorted(flagNames(model.Node))}
	for _, c := range model.Children {
		if len(c.Children) == 0 {
			declared[c.Name] = sorted(flagNames(c))
		}
		for _, below := range c.Children {
			declared[c.Name+" "+below.Name] = sorted(flagNames(below))
		}
	}
	names := slices.Collect(maps.Keys(declared))
	if w, d := sorted(slices.Collect(maps.Keys(written))), sorted(names); !slices.Equal(w, d) {
		t.Errorf("the manual has the commands %q, the program %q", w, d)
	}
	for _, name := range names {
		if w, d := written[name], declared[name]; !slices.Equal(w, d) {
			t.Errorf("%s: the manual has the flags %q, the program %q", name, w, d)
		}
	}
}

// matches are the different first groups, sorted.
func matches(r *regexp.Regexp, text string) (all []string) {
	for _, m := range r.FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return sorted(all)
}

func sorted(all []string) []string { return slices.Compact(slices.Sorted(slices.Values(all))) }

// The completions are made from the commands and flags there are.
func TestCompletions(t *testing.T) {
	made := template.New("").Funcs(template.FuncMap{
		"short": short, "flags": typed, "values": values, "zsh": zshText, "fish": fishText,
	})
	made = template.Must(made.ParseGlob("testdata/completions/*"))
	for _, name := range []string{"wheelhouse.bash", "wheelhouse.fish", "_wheelhouse"} {
		var b bytes.Buffer
		if err := made.ExecuteTemplate(&b, name, commandLine(t)); err != nil {
			t.Fatal(err)
		}
		path := linuxFiles + "completions/" + name
		if *update {
			if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		written, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(written, b.Bytes()) {
			t.Errorf("%s is not what the program knows: go test ./cmd/wheelhouse -update", path)
		}
	}
}

// short is a help text without what only makes it longer.
func short(help string) string {
	for _, end := range []string{". ", " (", "; ", ": "} {
		help, _, _ = strings.Cut(help, end)
	}
	return strings.TrimSuffix(help, ".")
}

// typed are the commands below a command, and all their flags, on one line.
func typed(c *kong.Node) string {
	var words []string
	for _, below := range c.Children {
		words = append(words, below.Name)
	}
	for _, f := range append([]*kong.Node{c}, c.Children...) {
		for _, name := range flagNames(f) {
			words = append(words, "--"+name)
		}
	}
	return strings.Join(words, " ")
}

// values are the words that a flag may have, if it has a list of them.
func values(f *kong.Flag) string {
	if f.Enum == "" {
		return ""
	}
	return strings.Join(strings.FieldsFunc(f.Enum, func(r rune) bool { return r == ',' }), " ")
}

// zshText and fishText let a text stand between single quotes.
func zshText(s string) string  { return strings.ReplaceAll(s, "'", `'\''`) }
func fishText(s string) string { return strings.ReplaceAll(s, "'", `\'`) }
