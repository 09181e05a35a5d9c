package main

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/wheelhouse-mqtt/wheelhouse/"

// arrows are the imports that docs/design.md draws, from package to package.
// Whatever is not here may import nothing of ours; only cmd knows everybody.
var arrows = map[string][]string{
	"carstats":       {"car"},
	"carstats/sim":   {"car"},
	"tesla":          {"car"},
	"tesla/sim":      {"car"},
	"bridge":         {"car", "internal/store"},
	"discovery":      {"car"},
	"internal/mqtt":  {"car"},
	"internal/store": {"car"},
	"internal/e2e":   {"car", "carstats/sim", "discovery"},
}

// The layers hold: no package imports a sibling.
func TestLayers(t *testing.T) {
	out, err := exec.Command("go", "list", "-tags=homeassistant", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	type list struct {
		ImportPath string
		Imports    []string
	}
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p list
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		from := strings.TrimPrefix(p.ImportPath, module)
		for _, path := range p.Imports {
			to, ours := strings.CutPrefix(path, module)
			if ours && !strings.HasPrefix(from, "cmd/") && !slices.Contains(arrows[from], to) {
				t.Errorf("%s imports %s: no arrow in docs/design.md allows that", from, to)
			}
		}
	}
}
