package discovery_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/discovery"
)

var update = flag.Bool("update", false, "write the golden files anew")

func sections() []discovery.Section {
	return []discovery.Section{
		{Title: "A car", ID: "<car>", Table: table},
		{Title: "The program", ID: car.BridgeID, Table: bridgeTable},
	}
}

func TestDocument(t *testing.T) {
	var b bytes.Buffer
	if err := discovery.Document(&b, car.Topics{Prefix: "wheelhouse"}, sections()...); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "entities.md")
	if *update {
		if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("run the test with -update if this is meant (-want +got)\n%s", diff)
	}
}

// Every row of the tables has its line, with its topic and no torn cell.
func TestDocumentIsComplete(t *testing.T) {
	var b strings.Builder
	if err := discovery.Document(&b, car.Topics{Prefix: "home/cars"}, sections()...); err != nil {
		t.Fatal(err)
	}
	for _, topic := range []string{
		"`home/cars/<car>/battery`", "`home/cars/<car>/event`", "`home/cars/status`",
		"`home/cars/bridge/republish/set`",
	} {
		if strings.Count(b.String(), topic) != 1 {
			t.Errorf("%s is not there once", topic)
		}
	}
	rows := len(table.Fields) + len(bridgeTable.Fields) + 2*2
	n := 0
	for line := range strings.Lines(b.String()) {
		if !strings.HasPrefix(line, "|") {
			continue
		}
		n++
		if cells := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|"); cells != 8 {
			t.Errorf("%d cells in %s", cells-1, line)
		}
	}
	if n != rows {
		t.Errorf("%d lines for %d rows", n, rows)
	}
}

type broken struct{}

var errBroken = errors.New("broken")

func (broken) Write([]byte) (int, error) { return 0, errBroken }

func TestDocumentReportsTheWriter(t *testing.T) {
	err := discovery.Document(broken{}, car.Topics{Prefix: "w"}, sections()...)
	if !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}
