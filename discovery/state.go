package discovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// maxState is the longest state that Home Assistant takes, in characters.
const maxState = 255

// Components returns the components of a discovery message by their key, as
// LintState takes them.
func Components(payload []byte) (map[string]json.RawMessage, error) {
	r, err := decode(payload)
	return r.Components, err
}

// LintState says why Home Assistant would refuse or misread a payload on the
// state topic of a component (the attributes topic of a device tracker), or
// write a line about it into its log.
func LintState(component []byte, payload string) error {
	c := members(component)
	if c == nil {
		return errors.New("the component is no JSON object")
	}
	name := str(c, "platform")
	check, ok := stateChecks[name]
	switch {
	case !ok:
		return fmt.Errorf("%q has no state", name)
	case payload == "":
		return errors.New("an empty payload is ignored or shown as empty")
	}
	if what := check(c, payload); what != "" {
		return fmt.Errorf("%s: %.60q %s", name, payload, what)
	}
	return nil
}

// stateChecks say what is wrong with a payload, "" if nothing is.
var stateChecks = map[string]func(c map[string]any, payload string) string{
	"sensor":         sensorState,
	"binary_sensor":  wordState("payload_on=ON payload_off=OFF"),
	"device_tracker": trackerState,
	"event":          eventState,
	"lock": wordState(`state_locked=LOCKED state_unlocked=UNLOCKED state_locking=LOCKING
		state_unlocking=UNLOCKING state_jammed=JAMMED state_open=OPEN state_opening=OPENING`),
	"switch": switchState,
	"number": numberState,
	"select": func(c map[string]any, payload string) string { return among(c["options"], payload) },
	"cover": wordState(`state_open=open state_opening=opening state_closed=closed
		state_closing=closing state_stopped=stopped`),
	"climate": climateState,
	"update":  updateState,
	"text":    textState,
}

// decimal is a number without what Home Assistant would show as it came: an
// exponent, a plus, -0.
var decimal = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)

func number(payload string) string {
	if !decimal.MatchString(payload) || strings.Trim(payload, "-0.") == "" && payload[0] == '-' {
		return "is no plain number"
	}
	return ""
}

// among is "" if the payload is None or one of a list of texts.
func among(list any, payload string) string {
	items, _ := list.([]any)
	if payload == car.None || slices.Contains(items, any(payload)) {
		return ""
	}
	return "is none of the options"
}

// wordState takes None and the words of the keys, each with what it is by
// default.
func wordState(keys string) func(map[string]any, string) string {
	return func(c map[string]any, payload string) string {
		for _, pair := range strings.Fields(keys) {
			key, otherwise, _ := strings.Cut(pair, "=")
			if payload == textOr(c, key, otherwise) {
				return ""
			}
		}
		return among(nil, payload)
	}
}

// switchState takes state_on and state_off, which are the commands' words by
// default.
func switchState(c map[string]any, payload string) string {
	on := textOr(c, "state_on", textOr(c, "payload_on", "ON"))
	off := textOr(c, "state_off", textOr(c, "payload_off", "OFF"))
	return among([]any{on, off}, payload)
}

func sensorState(c map[string]any, payload string) string {
	name := str(c, "device_class")
	switch {
	case payload == car.None:
		return ""
	case numeric(name, str(c, "unit_of_measurement"), str(c, "state_class")),
		c["suggested_display_precision"] != nil:
		return number(payload)
	case name == "timestamp":
		if _, err := time.Parse(time.RFC3339, payload); err != nil {
			return "is no time with its zone"
		}
	case name == "date":
		if _, err := time.Parse(time.DateOnly, payload); err != nil {
			return "is no date"
		}
	case name == "enum" && c["options"] != nil:
		return among(c["options"], payload)
	}
	return short(payload)
}

func short(payload string) string {
	if n := utf8.RuneCountInString(payload); n > maxState {
		return fmt.Sprintf("has %d characters, %d are taken", n, maxState)
	}
	return ""
}

// trackerState takes attributes with both coordinates, or with neither.
func trackerState(_ map[string]any, payload string) string {
	keys := members(json.RawMessage(payload))
	if keys == nil {
		return "is no JSON object"
	}
	limits := map[string]float64{"latitude": 90, "longitude": 180}
	found := 0
	for key, limit := range limits {
		v, given := keys[key]
		if !given {
			continue
		}
		found++
		if x, ok := v.(float64); !ok || x < -limit || x > limit {
			return "has a " + key + " that is none: the position would be forgotten"
		}
	}
	if found == 1 {
		return "has one coordinate only: the position would be forgotten"
	}
	return ""
}

func eventState(c map[string]any, payload string) string {
	keys := members(json.RawMessage(payload))
	kind, ok := keys["event_type"].(string)
	if !ok || kind == car.None {
		return "is no JSON object with an event_type"
	}
	if what := among(c["event_types"], kind); what != "" {
		return "has an event_type that is not listed"
	}
	return ""
}

func numberState(c map[string]any, payload string) string {
	if payload == textOr(c, "payload_reset", car.None) {
		return ""
	}
	if what := number(payload); what != "" {
		return what
	}
	var x float64
	low, high := 0.0, 100.0
	if v, ok := c["min"].(float64); ok {
		low = v
	}
	if v, ok := c["max"].(float64); ok {
		high = v
	}
	if json.Unmarshal([]byte(payload), &x) != nil || x < low || x > high {
		return fmt.Sprintf("is not from %g to %g", low, high)
	}
	return ""
}

// climateState takes what its mode topic may bring.
func climateState(c map[string]any, payload string) string {
	modes := c["modes"]
	if modes == nil {
		modes = []any{"auto", "off", "cool", "heat", "dry", "fan_only"}
	}
	return among(modes, payload)
}

// updateKeys are the keys of an update's JSON. One other, or a null anywhere
// but in update_percentage, and the message is ignored (mqtt/update.py).
var updateKeys = map[string]rule{
	"installed_version": words,
	"latest_version":    words,
	"title":             words,
	"release_summary":   words,
	"release_url":       link("http https"),
	"entity_picture":    link("http https"),
	"in_progress":       flag,
	"update_percentage": orNull(amount),
}

// updateState takes a plain version, or JSON.
func updateState(_ map[string]any, payload string) string {
	if !strings.HasPrefix(payload, "{") {
		return short(payload)
	}
	keys := members(json.RawMessage(payload))
	if keys == nil {
		return "is no JSON object"
	}
	for key, v := range keys {
		check, known := updateKeys[key]
		if !known {
			return "has the unknown key " + key
		}
		if what := check(v); what != "" {
			return "has a key " + key + " that " + what
		}
	}
	return ""
}

// textState takes any short text: Home Assistant would show None as such.
func textState(_ map[string]any, payload string) string {
	if payload == car.None {
		return "would be shown as a word"
	}
	return short(payload)
}
