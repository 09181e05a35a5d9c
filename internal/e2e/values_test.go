//go:build homeassistant

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/carstats/sim"
)

// reading is a number that a car sends, in the app's unit, and the state that a
// metric home shows of it.
type reading struct {
	raw  float64
	want string
}

// readings are tried one after the other, by the key of the entity.
var readings = []struct {
	key   string
	set   func(*sim.State, float64)
	cases []reading
}{
	{"battery", func(s *sim.State, x float64) { s.SoC = x }, []reading{
		{0, "0"}, {0.01, "1"}, {0.05, "5"}, {0.1, "10"}, {0.2, "20"}, {0.3, "30"}, {0.335, "33.5"}, {0.4, "40"},
		{0.5, "50"}, {0.6, "60"}, {0.7, "70"}, {0.725, "72.5"}, {0.8, "80"}, {0.9, "90"}, {0.999, "99.9"},
		{1, "100"}, {-0.1, "0"}, {1.2, "100"}, {0.72, "72"},
	}},
	{"battery_energy", func(s *sim.State, x float64) { s.Level = x }, []reading{
		{0, "0"}, {16, "0.02"}, {4, "0"}, {999, "1"}, {12346, "12.35"}, {56160, "56.16"}, {78000, "78"},
		{99996, "100"}, {250000, "250"}, {1, "0"},
	}},
	{"battery_capacity", func(s *sim.State, x float64) { s.Level = x * s.SoC }, []reading{
		{78000, "78"}, {68000, "68"}, {80400, "80.4"}, {15040, "15"}, {106960, "107"},
	}},
	{"power", func(s *sim.State, x float64) { s.Power = x }, []reading{
		{650, "0.65"}, {0, "0"}, {10, "0.01"}, {4, "0"}, {-10, "-0.01"}, {-4, "0"}, {1234, "1.23"}, {9187.5, "9.19"},
		{24190, "24.19"}, {150000, "150"}, {-150000, "-150"}, {-85000, "-85"}, {320000, "320"}, {999996, "1000"},
	}},
	{"charging_power", func(s *sim.State, x float64) { s.Power, s.Plugged = x, true }, []reading{
		{-10500, "10.5"}, {650, "0"}, {-148000, "148"}, {0, "0"}, {-206, "0.21"}, {-22000, "22"}, {-4, "0"},
	}},
	{"speed", func(s *sim.State, x float64) { s.Speed = x }, []reading{
		{1, "4"}, {0, "0"}, {0.2, "1"}, {0.1, "0"}, {5, "18"}, {8.3333, "30"}, {13.9, "50"}, {20, "72"},
		{27.7778, "100"}, {36.111, "130"}, {50, "180"}, {69.44, "250"}, {0.05, "0"},
	}},
	{"consumption_now", func(s *sim.State, x float64) { s.Speed, s.Power = 27.77778, x }, []reading{
		{20000, "20"}, {0, "0"}, {-30000, "-30"}, {18240, "18.2"}, {100000, "100"},
	}},
	{"outside_temperature", func(s *sim.State, x float64) { s.Outside = x }, []reading{
		{-40, "-40"}, {-25.5, "-25.5"}, {-10, "-10"}, {-0.04, "0"}, {0.5, "0.5"}, {0, "0"}, {-0.5, "-0.5"}, {0.04, "0"},
		{20, "20"}, {21.26, "21.3"}, {37.7, "37.7"}, {50, "50"}, {11.5, "11.5"},
	}},
	{"altitude", func(s *sim.State, x float64) { s.Alt = x }, []reading{
		{-430, "-430"}, {-0.4, "0"}, {8.4, "8"}, {88.8, "89"}, {1234.6, "1235"}, {2500, "2500"}, {4810.9, "4811"}, {60, "60"},
	}},
}

// words are what cars say, by the key of the entity.
var words = []struct {
	key   string
	set   func(*sim.State, string)
	cases map[string]string
}{
	{"gear", func(s *sim.State, w string) { s.Gear = w },
		map[string]string{"P": "P", "R": "R", "N": "N", "D": "D", "UNKNOWN": "unknown"}},
	{"ignition", func(s *sim.State, w string) { s.Ignition = w }, map[string]string{
		"Undefined": "Undefined", "Locked": "Locked", "Off": "Off", "Accessory": "Accessory", "On": "On",
		"Started": "Started", "UNKNOWN": "unknown",
	}},
	{"plugged_in", func(s *sim.State, w string) { s.Plugged = w == "in" }, map[string]string{"in": "on", "out": "off"}},
	{"driving", func(s *sim.State, w string) { s.Ignition = w }, map[string]string{"Started": "on", "Off": "off"}},
	{"charging", func(s *sim.State, w string) { s.Plugged, s.Power = true, map[string]float64{"fast": -11e3}[w] },
		map[string]string{"fast": "on", "not": "off"}},
}

// everyValue: what a car sends is what people read, in their own units.
func everyValue(h *house) {
	h.opens()
	h.must(h.program.post(polestar, raw(map[string]string{"speed": "20", "power": "2e7"})))
	h.shows("sensor.polestar_battery", "72")
	h.enables("battery_capacity", "consumption_now", "altitude", "app_version", "api_version")
	count := 0
	for _, r := range readings {
		for _, c := range r.cases {
			s := parked()
			r.set(&s, c.raw)
			h.reports(polestar, s)
			h.showsAs(r.key, c.want)
			count++
		}
	}
	for _, w := range words {
		for word, want := range w.cases {
			s := parked()
			w.set(&s, word)
			h.reports(polestar, s)
			h.showsAs(w.key, want)
			count++
		}
	}
	h.showsAs("app_version", sim.Newest)
	h.showsAs("api_version", "2.1")
	h.agrees(patience)
	h.figures.measured(h.Name(), "values compared", count, "about 120")
}

// showsAs waits until a sensor shows a state, in the units of the home.
func (h *house) showsAs(key, metricState string) {
	h.Helper()
	kept, err := h.recorder.kept()
	h.must(err)
	components, err := announced(kept)
	h.must(err)
	c := components["wheelhouse_polestar_"+key]
	if h.home == us {
		metricState, _ = c.converted(metricState)
	}
	h.shows(c.Entity, metricState)
}

// enables makes Home Assistant show entities that it hides at first.
func (h *house) enables(keys ...string) {
	h.Helper()
	for _, key := range keys {
		unique := "wheelhouse_polestar_" + key
		h.eventually(unique+" is registered", patience, func() error {
			entities, err := h.ha.socket.entities()
			if err == nil && entities[unique].ID == "" {
				err = fmt.Errorf("it is not")
			}
			return err
		})
		h.must(h.ha.socket.call(nil, "config/entity_registry/update", map[string]any{
			"entity_id": h.registered()[unique].ID, "disabled_by": nil,
		}))
	}
	h.must(h.ha.rest.reload(h.entry)) // which Home Assistant does itself after 30 s
}

// raw are a body's values as JSON texts, by the app's keys.
func raw(changes map[string]string) string {
	values := map[string]string{
		"apiVersion": `"2.1"`, "appVersion": `"0.28.1.0019"`, "timestamp": fmt.Sprint(time.Now().UnixMilli()),
		"stateOfCharge": "0.72", "batteryLevel": "56160", "speed": "0", "power": "650000", "selectedGear": `"P"`,
		"ignitionState": `"On"`, "chargePortConnected": "false", "ambientTemperature": "11.5",
		"lat": "56.171864", "lon": "3.2", "alt": "60",
	}
	maps.Copy(values, changes)
	var parts []string
	for key, value := range values {
		if value != "" {
			parts = append(parts, fmt.Sprintf("%q:%s", key, value))
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// wrongValues: whatever stands in the place of a value, Home Assistant sees a
// state that it understands.
func wrongValues(h *house) {
	h.excused = []string{"not JSON", "wrong items"}
	h.opens()
	h.must(h.program.post(polestar, raw(map[string]string{"speed": "20", "power": "2e7"})))
	h.shows("sensor.polestar_battery", "72")
	h.enables("altitude", "consumption_now", "battery_capacity")
	keys := []string{
		"stateOfCharge", "batteryLevel", "speed", "power", "ambientTemperature", "alt", "lat", "lon",
		"selectedGear", "ignitionState", "chargePortConnected",
	}
	wrong := []string{
		"", "null", "NaN", "-Infinity", "-0", "-0.0", "1e300", "-1e300", "1e400", "1e-300", "-12345.678",
		`"text"`, `"12,5"`, "true", "{}", "[]", `""`,
	}
	count := 0
	for _, key := range keys {
		for _, value := range wrong {
			err := h.program.post(polestar, raw(map[string]string{key: value}))
			if err != nil && !strings.Contains(err.Error(), "400") {
				h.Errorf("%s %s: %v", key, value, err)
			}
			count++
		}
		h.agrees(patience)
		h.must(h.program.post(polestar, raw(nil)))
		h.agrees(patience)
	}
	h.shows("sensor.polestar_battery", "72")
	h.shows("device_tracker.polestar_location", "home")
	h.figures.measured(h.Name(), "wrong values", count, "-")
}

// wrongWords: words that are no options, and texts that are too long.
func wrongWords(h *house) {
	h.opens()
	h.must(h.program.post(polestar, raw(nil)))
	h.shows("sensor.polestar_gear", "P")
	h.enables("app_version", "api_version")
	h.excused = []string{"wrong items"}
	for _, word := range []string{"", "p", "Z", "None", strings.Repeat("é", 300), "P\n", "🚗"} {
		text, err := json.Marshal(word)
		h.must(err)
		h.must(h.program.post(polestar, raw(map[string]string{
			"selectedGear": string(text), "ignitionState": string(text), "appVersion": string(text),
		})))
		h.shows("sensor.polestar_gear", "unknown")
		h.shows("sensor.polestar_ignition", "unknown")
		h.agrees(patience)
	}
	h.must(h.program.post(polestar, raw(nil)))
	h.shows("sensor.polestar_gear", "P")
	h.agrees(patience)
}
