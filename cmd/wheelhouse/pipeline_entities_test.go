package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-mqtt/wheelhouse/bridge"
	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/carstats/sim"
	"github.com/wheelhouse-mqtt/wheelhouse/discovery"
)

// entity is what Home Assistant is told of a field.
type entity struct {
	Platform   string
	Name       string
	Class      string
	Unit       string
	StateClass string
	Category   string
	Enabled    bool
	Options    string // of an enum, or the types of an event
	Icon       string
	Precision  string
}

var (
	optionsIn   = regexp.MustCompile(`(?:options|event_types): ([^,;\s]+)`)
	iconIn      = regexp.MustCompile(`icon (mdi:[a-z-]+)`)
	precisionIn = regexp.MustCompile(`precision (\d)`)
)

// modelled reads the recommended model of devices, whose ids it is given: one row an
// entity, by device and key. What has no column of its own stands in the notes.
func modelled(t *testing.T, devices map[string]string) map[string]entity {
	t.Helper()
	f, err := os.Open("testdata/entities.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	noted := func(re *regexp.Regexp, notes string) string {
		if m := re.FindStringSubmatch(notes); m != nil {
			return m[1]
		}
		return ""
	}
	entities := map[string]entity{}
	for _, row := range rows[1:] {
		if devices[row[0]] == "" {
			continue
		}
		notes := row[10]
		entities[devices[row[0]]+" "+row[1]] = entity{
			Platform: row[2], Name: row[3], Class: row[4], Unit: row[5], StateClass: row[7],
			Category: row[8], Enabled: row[9] == "yes", Options: noted(optionsIn, notes),
			Icon: noted(iconIn, notes), Precision: noted(precisionIn, notes),
		}
	}
	return entities
}

// announced reads what discovery has sent, by device and key.
func announced(t *testing.T, s *shelf) map[string]entity {
	t.Helper()
	entities := map[string]entity{}
	for topic, payload := range s.retained {
		rest, ok := strings.CutPrefix(topic, "homeassistant/device/wheelhouse_")
		if !ok {
			continue
		}
		device, _, _ := strings.Cut(rest, "/")
		components, err := discovery.Components([]byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		for key, c := range components {
			entities[device+" "+key] = readEntity(t, c)
		}
	}
	return entities
}

func readEntity(t *testing.T, component json.RawMessage) entity {
	t.Helper()
	c := struct {
		Platform   string
		Name       string
		Class      string   `json:"device_class"`
		Unit       string   `json:"unit_of_measurement"`
		StateClass string   `json:"state_class"`
		Category   string   `json:"entity_category"`
		Enabled    bool     `json:"enabled_by_default"`
		Options    []string `json:"options"`
		Types      []string `json:"event_types"`
		Icon       string
		Precision  *int `json:"suggested_display_precision"`
	}{Enabled: true}
	if err := json.Unmarshal(component, &c); err != nil {
		t.Fatal(err)
	}
	precision := ""
	if c.Precision != nil {
		precision = strconv.Itoa(*c.Precision)
	}
	return entity{c.Platform, c.Name, c.Class, c.Unit, c.StateClass, c.Category, c.Enabled,
		strings.Join(append(c.Options, c.Types...), "|"), c.Icon, precision}
}

// fullDay is a day with everything in it that a car can report.
func fullDay() sim.Day {
	return sim.Day{
		sim.Park(2 * time.Minute), sim.Drive(6), sim.Park(10 * time.Minute), sim.ChargeDC(0.8),
		sim.Drive(4), sim.ChargeAC(0.81, 20*time.Minute), sim.Park(20 * time.Hour),
	}
}

// After a full day Home Assistant knows exactly the entities of the model.
func TestEntitiesAreTheModel(t *testing.T) {
	plumb(t, setup{calm: 30 * time.Second}, func(p *pipeline) {
		p.drive(sim.Options{Seed: 1, Script: fullDay()}, 24*time.Hour)
		want, got := modelled(t, map[string]string{"csv car": "polestar", "bridge": "bridge"}), announced(t, p.shelf)
		for key, e := range got {
			if want[key].Precision == "" { // the model leaves it open
				e.Precision = ""
				got[key] = e
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("model (-) and discovery (+) differ:\n%s", diff)
		}
		if len(want) != 43 {
			t.Errorf("the model has %d rows", len(want))
		}
		for key, e := range want {
			device, field, _ := strings.Cut(key, " ")
			_, kept := p.topics(device)[field]
			if kept != (e.Platform != "event" && e.Platform != "button" && key != "bridge connected") {
				t.Errorf("%s: topic %v", key, kept)
			}
		}
	})
}

// Of the account Home Assistant knows the entities of the model, too.
func TestAccountIsTheModel(t *testing.T) {
	cfg := discovery.Config{
		Enabled: true, Prefix: "homeassistant", Topics: car.Topics{Prefix: "wheelhouse"},
		Program: discovery.Program{Name: "Wheelhouse", Version: "test", URL: projectURL},
	}
	messages, errs := discovery.Messages(cfg, car.Device{
		ID: car.AccountID, Name: "Tesla account", Fields: bridge.AccountTable.Fields,
	})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	s := &shelf{retained: map[string]string{}}
	for _, m := range messages {
		s.retained[m.Topic] = m.Payload
	}
	want, got := modelled(t, map[string]string{"tesla account": "account"}), announced(t, s)
	for key, e := range got {
		if want[key].Precision == "" { // the model leaves it open
			e.Precision = ""
			got[key] = e
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || len(want) != 9 {
		t.Errorf("model (-) and discovery (+) of %d rows differ:\n%s", len(want), diff)
	}
}
