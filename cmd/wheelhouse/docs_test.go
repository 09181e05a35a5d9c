package main

import (
	"bytes"
	"flag"
	"os"
	"slices"
	"testing"

	"github.com/wheelhouse-mqtt/wheelhouse/bridge"
	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/carstats"
	"github.com/wheelhouse-mqtt/wheelhouse/discovery"
	"github.com/wheelhouse-mqtt/wheelhouse/tesla"
)

var update = flag.Bool("update", false, "rewrite the golden files and the generated documentation")

// docs/entities.md is written from the tables.
func TestEntityDocumentation(t *testing.T) {
	const path = "../../docs/entities.md"
	var b bytes.Buffer
	err := discovery.Document(&b, car.Topics{Prefix: "wheelhouse"},
		discovery.Section{Title: "A Car Stats Viewer car", ID: "<car>", Table: carstats.Table},
		discovery.Section{Title: "A Tesla", ID: "<car>", Table: tesla.Table},
		discovery.Section{Title: "The Tesla account", ID: car.AccountID, Table: bridge.AccountTable},
		discovery.Section{Title: "The program itself", ID: car.BridgeID, Table: bridge.ProgramTable})
	if err != nil {
		t.Fatal(err)
	}
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
		t.Errorf("%s is not what the tables say: go test ./cmd/wheelhouse -update", path)
	}
}

// No key is a topic level that means something else.
func TestReservedKeys(t *testing.T) {
	for _, table := range []car.Table{carstats.Table, tesla.Table, bridge.AccountTable, bridge.ProgramTable} {
		for _, f := range table.Fields {
			if slices.Contains(car.ReservedKeys, f.Key) {
				t.Errorf("the key %q is reserved", f.Key)
			}
		}
		if keys := table.Keys(); len(slices.Compact(slices.Sorted(slices.Values(keys)))) != len(keys) {
			t.Error("a key stands twice")
		}
	}
}
