//go:build homeassistant

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/discovery"
)

// component is an entity as a discovery message announces it.
type component struct {
	Platform   string   `json:"platform"`
	Name       string   `json:"name"`
	Unique     string   `json:"unique_id"`
	Entity     string   `json:"default_entity_id"`
	Class      string   `json:"device_class"`
	Unit       string   `json:"unit_of_measurement"`
	StateClass string   `json:"state_class"`
	Icon       string   `json:"icon"`
	Category   string   `json:"entity_category"`
	Enabled    *bool    `json:"enabled_by_default"`
	StateTopic string   `json:"state_topic"`
	Attributes string   `json:"json_attributes_topic"`
	PayloadOn  string   `json:"payload_on"`
	Options    []string `json:"options"`
	device     string   // identifier
	raw        json.RawMessage
}

// on says whether Home Assistant shows the entity without being asked.
func (c component) on() bool { return c.Enabled == nil || *c.Enabled }

// announced reads the discovery messages among what a broker retains, by the
// components' unique ids. The linter has its say on each.
func announced(kept map[string]string) (map[string]component, error) {
	all := map[string]component{}
	for topic, payload := range kept {
		if !strings.Contains(topic, "/device/wheelhouse_") {
			continue
		}
		if problems := discovery.Lint(topic, []byte(payload)); len(problems) > 0 {
			return nil, fmt.Errorf("%s: %v", topic, problems[0])
		}
		var m struct {
			Device     struct{ Identifiers string }
			Components map[string]json.RawMessage
		}
		if err := json.Unmarshal([]byte(payload), &m); err != nil {
			return nil, fmt.Errorf("%s: %w", topic, err)
		}
		for _, raw := range m.Components {
			c := component{device: m.Device.Identifiers, raw: raw}
			if err := json.Unmarshal(raw, &c); err != nil {
				return nil, fmt.Errorf("%s: %w", topic, err)
			}
			if c.Unique != "" { // else it is the order to remove one
				all[c.Unique] = c
			}
		}
	}
	return all, nil
}

// expected is the state that Home Assistant must show for what the broker keeps,
// in a metric home; ok is false where that does not tell.
func (c component) expected(kept map[string]string) (s string, ok bool) {
	payload, there := kept[c.StateTopic]
	switch {
	case c.StateTopic == "" || c.Platform == "event":
		return "", false
	case !there || payload == "None":
		return "unknown", true
	case c.Platform == "binary_sensor":
		on := c.PayloadOn
		if on == "" {
			on = "ON"
		}
		return map[bool]string{true: "on", false: "off"}[payload == on], true
	case c.Class == "timestamp":
		at, err := time.Parse(time.RFC3339, payload)
		return at.Format("2006-01-02T15:04:05-07:00"), err == nil
	}
	return payload, true
}

// conversions are the units that a US home sees instead, and how they are made of
// ours (homeassistant/util/unit_system.py).
var conversions = map[string]struct {
	unit          string
	factor, shift float64
}{
	"km":   {"mi", 1 / 1.609344, 0},
	"km/h": {"mph", 1 / 1.609344, 0},
	"m":    {"ft", 1 / 0.3048, 0},
	"°C":   {"°F", 1.8, 32},
	"bar":  {"psi", 100 / 6.894757, 0},
}

// converted is the state and unit as a US home sees them.
func (c component) converted(s string) (string, string) {
	to, ok := conversions[c.Unit]
	x, err := strconv.ParseFloat(s, 64)
	if !ok {
		return s, c.Unit
	}
	if err != nil {
		return s, to.unit
	}
	return strconv.FormatFloat(x*to.factor+to.shift, 'g', -1, 64), to.unit
}

// equal compares two states, numbers by their value.
func equal(a, b string) bool {
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	if errX != nil || errY != nil {
		return a == b
	}
	return math.Abs(x-y) <= 1e-9*max(1, math.Abs(x))
}

// compare says where Home Assistant shows something else than was announced and
// is kept: entries of the registry, entity ids, states, units, classes.
func compare(kept map[string]string, entities map[string]entity, devices map[string]device,
	states map[string]state, h home,
) error {
	components, err := announced(kept)
	if err != nil {
		return err
	}
	if len(components) == 0 {
		return fmt.Errorf("nothing is announced")
	}
	for _, unique := range slices.Sorted(maps.Keys(components)) {
		c := components[unique]
		e, there := entities[unique]
		if !there {
			return fmt.Errorf("%s is not registered", unique)
		}
		if err := c.registered(e, devices[c.device]); err != nil {
			return fmt.Errorf("%s: %w", unique, err)
		}
		if e.Disabled != "" {
			continue
		}
		if err := c.shown(states[e.ID], kept, h); err != nil {
			return fmt.Errorf("%s: %w", e.ID, err)
		}
	}
	for unique, e := range entities {
		if _, there := components[unique]; !there {
			return fmt.Errorf("%s (%s) is registered and not announced", unique, e.ID)
		}
	}
	return nil
}

// registered compares an entry of the registry with what was announced, as far as
// users leave it alone.
func (c component) registered(e entity, d device) error {
	switch {
	case e.Device == "" || e.Device != d.ID:
		return fmt.Errorf("it belongs to the device %q, not to %s", e.Device, c.device)
	case e.Original != c.Name:
		return fmt.Errorf("its name is %q, not %q", e.Original, c.Name)
	case e.Category != c.Category:
		return fmt.Errorf("its category is %q, not %q", e.Category, c.Category)
	}
	return nil
}

// shown compares a state with what the broker keeps.
func (c component) shown(s state, kept map[string]string, h home) error {
	unit := c.Unit
	want, ok := c.expected(kept)
	if h == us {
		want, unit = c.converted(want)
	}
	switch {
	case s.Entity == "":
		return fmt.Errorf("it has no state")
	case ok && !equal(s.State, want):
		return fmt.Errorf("it is %q, want %q", s.State, want)
	case s.State == "unavailable":
		return fmt.Errorf("it is unavailable")
	case s.attribute("unit_of_measurement") != unit:
		return fmt.Errorf("its unit is %q, want %q", s.attribute("unit_of_measurement"), unit)
	case s.attribute("device_class") != c.Class:
		return fmt.Errorf("its class is %q, want %q", s.attribute("device_class"), c.Class)
	case s.attribute("state_class") != c.StateClass:
		return fmt.Errorf("its state class is %q, want %q", s.attribute("state_class"), c.StateClass)
	case c.Icon != "" && s.attribute("icon") != c.Icon:
		return fmt.Errorf("its icon is %q, want %q", s.attribute("icon"), c.Icon)
	}
	return c.located(s, kept)
}

// located compares a tracker's coordinates.
func (c component) located(s state, kept map[string]string) error {
	payload, there := kept[c.Attributes]
	if c.Platform != "device_tracker" || !there {
		return nil
	}
	var want map[string]any
	if err := json.Unmarshal([]byte(payload), &want); err != nil {
		return err
	}
	for key, v := range want {
		if got := s.Attributes[key]; got != v {
			return fmt.Errorf("its %s is %v, want %v", key, got, v)
		}
	}
	return nil
}
