// Command notices tells whose work a release contains: the licences of everything that is linked
// into the binaries (THIRD_PARTY_NOTICES), and a bill of materials for each binary (CycloneDX).
//
//	notices -version 1.2.3 -out DIR [-with MODULE@VERSION] BINARY...
//
// It asks the binaries themselves, which know the modules they were built from, and reads the
// licences from exactly those sources: their checksums are compared. A module without a licence,
// or with one that the project has not agreed to, is an error.
package main

import (
	"bytes"
	"cmp"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("notices: ")
	version := flag.String("version", "", "the release")
	out := flag.String("out", "", "the directory to write to")
	with := flag.String("with", "", "a module that comes along without being linked")
	flag.Parse()
	if err := run(*version, *out, *with, flag.Args()); err != nil {
		log.Fatal(err)
	}
}

// module is somebody's work, and the terms on which it may be passed on.
type module struct {
	Path, Version, Sum string
	Dir                string // its sources
	Licence            string // an SPDX expression
	texts              []text
}

func run(version, out, with string, binaries []string) error {
	seen := map[string]module{}
	linked := map[string][]string{} // by binary: keys of seen
	var goVersion string
	for _, binary := range binaries {
		info, err := buildinfo.ReadFile(binary)
		if err != nil {
			return err
		}
		goVersion = info.GoVersion
		for _, dep := range info.Deps {
			m, err := linkedModule(dep)
			if err != nil {
				return fmt.Errorf("%s: %w", binary, err)
			}
			seen[m.Path] = m
			linked[binary] = append(linked[binary], m.Path)
		}
	}
	if path, v, ok := strings.Cut(with, "@"); ok {
		seen[path] = module{Path: path, Version: v}
	}
	modules, err := study(seen, goVersion)
	if err != nil {
		return err
	}
	if err := writeNotices(filepath.Join(out, "THIRD_PARTY_NOTICES"), modules); err != nil {
		return err
	}
	for _, binary := range binaries {
		parts := slices.DeleteFunc(slices.Clone(modules), func(m module) bool {
			return m.Path != goModule && !slices.Contains(linked[binary], m.Path)
		})
		if err := writeBill(out, binary, version, parts); err != nil {
			return err
		}
	}
	return nil
}

func linkedModule(dep *debug.Module) (module, error) {
	if dep.Replace != nil {
		return module{}, fmt.Errorf("%s is replaced: whose work is it?", dep.Path)
	}
	return module{Path: dep.Path, Version: dep.Version, Sum: dep.Sum}, nil
}

// goModule stands for Go's own library and runtime.
const goModule = "std"

// study finds the modules' sources and licences, Go's own included, sorted by path.
func study(seen map[string]module, goVersion string) ([]module, error) {
	modules, err := download(seen)
	if err != nil {
		return nil, err
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, err
	}
	modules = append(modules, module{
		Path: goModule, Version: goVersion, Dir: strings.TrimSpace(string(root)),
	})
	slices.SortFunc(modules, func(a, b module) int { return cmp.Compare(a.Path, b.Path) })
	var problems []error
	for i := range modules {
		problems = append(problems, modules[i].readLicences())
	}
	return modules, errors.Join(problems...)
}

// download says where the sources are, and fetches those that are not there yet.
func download(seen map[string]module) ([]module, error) {
	args := []string{"mod", "download", "-json"}
	for _, m := range seen {
		args = append(args, m.Path+"@"+m.Version)
	}
	list, err := exec.Command("go", args...).Output()
	if err != nil {
		return nil, fmt.Errorf("go mod download: %w\n%s", err, list)
	}
	var modules []module
	for d := json.NewDecoder(bytes.NewReader(list)); d.More(); {
		var m module
		if err := d.Decode(&m); err != nil {
			return nil, err
		}
		if want := seen[m.Path].Sum; want != "" && want != m.Sum {
			return nil, fmt.Errorf("%s %s: its sources are not those of the binary", m.Path, m.Version)
		}
		modules = append(modules, m)
	}
	return modules, nil
}

// writeNotices writes a table of all modules, and then every text.
func writeNotices(path string, modules []module) error {
	var b bytes.Buffer
	b.WriteString("Wheelhouse contains the work of others, and thanks them for it.\n\n")
	for _, m := range modules {
		fmt.Fprintf(&b, "  %-52s %-38s %s\n", m.name(), m.Version, m.Licence)
	}
	for _, m := range modules {
		for _, t := range m.texts {
			title := fmt.Sprintf("%s %s: %s", m.name(), m.Version, t.name)
			fmt.Fprintf(&b, "\n%s\n%s\n%s\n\n%s\n", rule, title, rule, t.body)
		}
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

var rule = strings.Repeat("=", 80)

func (m module) name() string {
	if m.Path == goModule {
		return "Go"
	}
	return m.Path
}
