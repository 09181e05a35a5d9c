package discovery_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/discovery"
)

const linted = "homeassistant/device/wheelhouse_tesla/all/config"

// good are components of every platform that Home Assistant accepts.
var good = map[string]string{
	"battery": `{"platform":"sensor","device_class":"battery","unit_of_measurement":"%",
		"state_class":"measurement","suggested_display_precision":1,"state_topic":"w/t/battery"}`,
	"cost": `{"platform":"sensor","device_class":"monetary","unit_of_measurement":"USD",
		"state_topic":"w/t/cost"}`,
	"heading": `{"platform":"sensor","unit_of_measurement":"°","state_class":"measurement_angle",
		"state_topic":"w/t/heading"}`,
	"meter": `{"platform":"sensor","device_class":"energy","unit_of_measurement":"kWh",
		"state_class":"total","last_reset_value_template":"{{ value_json.reset }}",
		"value_template":"{{ value_json.v }}","state_topic":"w/t/meter","icon":"mdi:flash"}`,
	"last_command": `{"platform":"sensor","state_topic":"w/t/c","json_attributes_topic":"w/t/ca",
		"entity_category":"diagnostic","enabled_by_default":false,"visible_by_default":true,"name":null}`,
	"door": `{"platform":"binary_sensor","device_class":"door","state_topic":"w/t/door",
		"payload_on":"open","payload_off":"shut","off_delay":5,"force_update":true,"encoding":"utf-8"}`,
	"location": `{"platform":"device_tracker","json_attributes_topic":"w/t/location",
		"source_type":"gps","availability":[{"topic":"w/status"},{"topic":"w/t/route",
		"payload_available":"ON","payload_not_available":"OFF","value_template":"{{ value }}"}],
		"availability_mode":"all"}`,
	"doors": `{"platform":"lock","command_topic":"w/t/doors/set","state_topic":"w/t/doors",
		"optimistic":false,"qos":1,"payload_lock":"LOCK","state_jammed":"JAMMED","retain":false}`,
	"charge": `{"platform":"switch","command_topic":"w/t/charge/set","state_topic":"w/t/charge",
		"optimistic":false,"qos":1,"device_class":"switch","message_expiry_interval":60}`,
	"charge_limit": `{"platform":"number","command_topic":"w/t/l/set","state_topic":"w/t/l",
		"optimistic":false,"qos":1,"min":50,"max":100,"step":1,"mode":"slider",
		"device_class":"battery","unit_of_measurement":"%","message_expiry_interval":{"minutes":1}}`,
	"seat": `{"platform":"select","command_topic":"w/t/s/set","state_topic":"w/t/s",
		"optimistic":false,"qos":1,"options":["off","low"],"entity_category":"config"}`,
	"wake": `{"platform":"button","command_topic":"w/t/wake/set","payload_press":"PRESS","qos":1}`,
	"frunk": `{"platform":"cover","command_topic":"w/t/f/set","state_topic":"w/t/f",
		"optimistic":false,"qos":1,"payload_close":null,"payload_stop":null,"device_class":"door"}`,
	"climate": `{"platform":"climate","mode_command_topic":"w/t/m/set","mode_state_topic":"w/t/m",
		"modes":["off","heat_cool"],"temperature_command_topic":"w/t/t/set",
		"temperature_state_topic":"w/t/t","current_temperature_topic":"w/t/in","min_temp":15,
		"max_temp":28,"temp_step":0.5,"precision":0.1,"temperature_unit":"C","qos":1,
		"preset_modes":["keep","dog"],"preset_mode_command_topic":"w/t/p/set",
		"preset_mode_state_topic":"w/t/p","optimistic":false}`,
	"activity": `{"platform":"event","state_topic":"w/t/event","event_types":["left","came"]}`,
	"software": `{"platform":"update","state_topic":"w/t/software","device_class":"firmware",
		"command_topic":"w/t/software/set","payload_install":"INSTALL","qos":1}`,
	"note": `{"platform":"text","command_topic":"w/t/n/set","state_topic":"w/t/n","qos":1,"max":200}`,
	"send": `{"platform":"notify","command_topic":"w/t/send/set","qos":1}`,
	"photo": `{"platform":"image","image_topic":"w/t/photo","image_encoding":"b64",
		"content_type":"image/png"}`,
	"trigger": `{"platform":"device_automation","automation_type":"trigger","topic":"w/t/event",
		"type":"button_short_press","subtype":"left"}`,
	"removed": `{"platform":"sensor"}`,
}

// sound is a message with all the good components, ready to be spoilt.
func sound(t testing.TB) object {
	t.Helper()
	components := object{}
	for key, text := range good {
		var c object
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		if len(c) > 1 && key != "trigger" {
			c["unique_id"] = "wheelhouse_tesla_" + key
			c["default_entity_id"] = fmt.Sprintf("%s.tesla_%s", c["platform"], key)
		}
		components[key] = c
	}
	return object{
		"device": object{
			"identifiers": []any{"wheelhouse_tesla"}, "name": "Tesla", "via_device": "wheelhouse_bridge",
			"connections": []any{[]any{"mac", "02:00"}}, "configuration_url": "homeassistant://x/y",
		},
		"origin": object{
			"name": "Wheelhouse", "sw_version": "1", "support_url": "https://example.org",
		},
		"components": components,
	}
}

func TestLintAcceptsEveryPlatform(t *testing.T) {
	for _, err := range discovery.Lint(linted, jsonOf(t, sound(t))) {
		t.Error(err)
	}
}

func jsonOf(t testing.TB, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// set changes a value of a message; the path begins with the component's key,
// or with a key of the root if that has it. The value gone deletes.
func set(m object, path string, value any) {
	keys := strings.Split(path, ".")
	at := m
	if _, root := m[keys[0]]; !root && len(keys) > 1 {
		at = m["components"].(object)
	}
	for _, key := range keys[:len(keys)-1] {
		at = at[key].(object)
	}
	if value == gone {
		delete(at, keys[len(keys)-1])
		return
	}
	at[keys[len(keys)-1]] = value
}

type deletion struct{}

var gone = deletion{}

// TestLintFinds spoils the good message in one place each. The problem must be
// told of that component ("" for the message) and that key, and be the only one.
func TestLintFinds(t *testing.T) {
	type defect struct {
		name, path string
		value      any
		component  string
		key        string
	}
	component := func(name, key, field string, value any) defect {
		return defect{name, key + "." + field, value, key, field}
	}
	message := func(name, path string, value any) defect { return defect{name, path, value, "", path} }
	for _, test := range []defect{
		// the whole device would be dropped
		message("unknown root key", "state_class", "total"),
		message("abbreviated root key", "cmps", object{}),
		message("child devices, which older releases refuse", "child_devices", []any{}),
		message("expiry at the root, which older releases refuse", "message_expiry_interval", 60),
		message("base topic at the root", "~", "w/t"),
		message("retain at the root", "retain", false),
		message("no origin", "origin", gone),
		message("no device", "device", gone),
		message("no components", "components", gone),
		message("empty components", "components", object{}),
		message("components as a list", "components", []any{}),
		message("unknown origin key", "origin.url", "https://example.org"),
		message("no origin name", "origin.name", gone),
		message("support address that is none", "origin.support_url", "example.org"),
		message("unknown device key", "device.via_hub", "x"),
		message("abbreviated device key", "device.mf", "x"),
		message("null in device", "device.model", nil),
		message("number in device", "device.serial_number", 7),
		message("null as an identifier", "device.identifiers", nil),
		message("empty identifiers", "device.identifiers", []any{}),
		message("identifiers with a number", "device.identifiers", []any{1}),
		message("connection of one text", "device.connections", []any{[]any{"mac"}}),
		message("no device name", "device.name", gone),
		message("configuration address", "device.configuration_url", "ftp://example.org/"),
		message("availability mode", "availability_mode", "some"),
		message("root topic with a wildcard", "state_topic", "w/#"),
		defect{"unknown platform", "battery.platform", "valve", "battery", "platform"},
		defect{"no platform", "battery.platform", gone, "battery", "platform"},
		component("no unique id", "battery", "unique_id", gone),
		component("empty unique id", "battery", "unique_id", ""),
		message("component that is no object", "components.battery", "sensor"),

		// the component would be dropped
		component("no state topic", "battery", "state_topic", gone),
		component("state topic null", "battery", "state_topic", nil),
		component("wildcard in a state topic", "battery", "state_topic", "w/+/battery"),
		component("wildcard in a command topic", "wake", "command_topic", "w/#"),
		component("empty topic", "battery", "state_topic", ""),
		component("topic with a NUL", "battery", "state_topic", "w/\x00"),
		component("topic of the broker", "battery", "state_topic", "$SYS/uptime"),
		component("base topic in a topic", "battery", "state_topic", "~/battery"),
		component("number as a topic", "battery", "state_topic", 5),
		component("icon without prefix", "meter", "icon", "flash"),
		component("unknown category", "seat", "entity_category", "system"),
		component("config on a sensor", "last_command", "entity_category", "config"),
		component("config on a binary sensor", "door", "entity_category", "config"),
		component("unknown class", "battery", "device_class", "batery"),
		component("class of younger releases", "battery", "device_class", "temperature_delta"),
		component("unknown binary class", "door", "device_class", "hatch"),
		component("class shown as Home and Away", "door", "device_class", "presence"),
		component("unit of another class", "battery", "unit_of_measurement", "kWh"),
		component("unit in other letters", "meter", "unit_of_measurement", "KWh"),
		component("class without its unit", "meter", "unit_of_measurement", gone),
		component("currency", "cost", "unit_of_measurement", "$"),
		component("null as a unit", "battery", "unit_of_measurement", nil),
		component("state class not of the class", "battery", "state_class", "total"),
		component("state class of money", "cost", "state_class", "measurement"),
		component("unknown state class", "battery", "state_class", "mean"),
		defect{"angle without its unit", "heading.unit_of_measurement", "deg", "heading", "state_class"},
		component("options without enum", "last_command", "options", []any{"a"}),
		component("null options", "last_command", "options", nil),
		component("precision that is no number", "battery", "suggested_display_precision", "1"),
		component("precision with a fraction", "battery", "suggested_display_precision", 1.5),
		component("enabled as a word", "last_command", "enabled_by_default", "no"),
		component("enabled null", "last_command", "enabled_by_default", nil),
		component("quality of service", "door", "qos", 3),
		defect{"availability twice", "location.availability_topic", "w/s", "location", "availability"},
		component("empty availability", "location", "availability", []any{}),
		component("availability without topic", "location", "availability",
			[]any{object{"payload_available": "a"}}),
		component("availability with an unknown key", "location", "availability",
			[]any{object{"topic": "w/s", "payload_on": "a"}}),
		component("tracker without coordinates' topic", "location", "json_attributes_topic", gone),
		component("source type", "location", "source_type", "satellite"),
		component("no command topic", "doors", "command_topic", gone),
		component("min above max", "charge_limit", "min", 101),
		component("tiny step", "charge_limit", "step", 0.0001),
		component("mode of another platform", "charge_limit", "mode", "password"),
		component("unit of a number", "charge_limit", "unit_of_measurement", "km"),
		component("no options", "seat", "options", gone),
		component("empty options", "seat", "options", []any{}),
		component("option twice", "seat", "options", []any{"off", "off"}),
		component("option that means nothing", "seat", "options", []any{"off", "NONE"}),
		component("option that looks unavailable", "seat", "options", []any{"unavailable"}),
		component("long text", "note", "max", 256),
		component("text from above to", "note", "min", 201),
		component("presets with none", "climate", "preset_modes", []any{"none"}),
		defect{
			"presets without their topic", "climate.preset_mode_command_topic", gone,
			"climate", "preset_modes",
		},
		component("climate precision", "climate", "precision", 0.2),
		component("unknown climate mode", "climate", "modes", []any{"off", "warm"}),
		component("no temperature unit", "climate", "temperature_unit", gone),
		component("coldest above warmest", "climate", "min_temp", 30),
		component("no event types", "activity", "event_types", gone),
		component("empty event types", "activity", "event_types", []any{}),
		component("position set and never told", "frunk", "set_position_topic", "w/t/f/pos"),
		component("install without payload", "software", "payload_install", gone),
		defect{"image from two sources", "photo.url_topic", "w/t/url", "photo", "image_topic"},
		component("trigger without type", "trigger", "type", gone),
		component("trigger with a unique id", "trigger", "unique_id", "x"),
		component("expiry of no time", "charge", "message_expiry_interval", 0),
		component("expiry in weeks", "charge", "message_expiry_interval", object{"weeks": 1}),

		// no log line would say it
		component("unknown key", "battery", "status_topic", "w/t/battery"),
		component("removed key", "battery", "object_id", "tesla_battery"),
		component("abbreviated key", "battery", "stat_t", "w/t/battery"),
		component("key of another platform", "wake", "state_topic", "w/t/wake"),
		component("base topic", "battery", "~", "w/t"),
		component("device inside a component", "battery", "device", object{"name": "x"}),
		component("entity id without platform", "battery", "default_entity_id", "tesla_battery"),
		component("entity id of a switch", "battery", "default_entity_id", "switch.tesla_battery"),
		component("entity id with capitals", "battery", "default_entity_id", "sensor.Tesla"),
		component("entity id with two underscores", "battery", "default_entity_id", "sensor.tesla__b"),
		component("empty name", "battery", "name", ""),
		component("value among discovery", "battery", "state_topic", "homeassistant/t/battery"),
		component("same words for on and off", "door", "payload_off", "open"),

		// habits that harm later
		component("retained commands", "doors", "retain", true),
		component("optimistic", "doors", "optimistic", true),
		component("optimistic by default", "charge", "optimistic", gone),
		component("lock without state", "doors", "state_topic", gone),
		component("cover without state", "frunk", "state_topic", gone),
		component("climate without state", "climate", "mode_state_topic", gone),
		component("command that can get lost", "wake", "qos", 0),
		component("expiry of retained state", "battery", "expire_after", 60),
		component("tracker with a state topic", "location", "state_topic", "w/t/state"),
	} {
		t.Run(test.name, func(t *testing.T) {
			m := sound(t)
			set(m, test.path, test.value)
			errs := discovery.Lint(linted, jsonOf(t, m))
			if len(errs) != 1 {
				t.Fatalf("want one problem, got %d: %v", len(errs), errs)
			}
			var p *discovery.Problem
			if !errors.As(errs[0], &p) {
				t.Fatalf("%T is no Problem", errs[0])
			}
			got := []string{p.Topic, p.Component, p.Key}
			if diff := cmp.Diff([]string{linted, test.component, test.key}, got); diff != "" {
				t.Errorf("%v (-want +got)\n%s", p, diff)
			}
		})
	}
}

// Defects of several keys together.
func TestLintFindsCombinations(t *testing.T) {
	for _, test := range []struct {
		name    string
		changes object
		want    string
	}{
		{
			"enum with a unit",
			object{
				"battery.device_class": "enum", "battery.options": []any{"a"},
				"battery.state_class": gone, "battery.suggested_display_precision": gone,
			},
			"enum has no unit",
		},
		{
			"enum with a state class",
			object{
				"battery.device_class": "enum", "battery.options": []any{"a"},
				"battery.unit_of_measurement": gone, "battery.suggested_display_precision": gone,
			},
			"measurement is no state class of enum",
		},
		{
			"enum without options",
			object{"last_command.device_class": "enum"}, "options: are missing",
		},
		{
			"time with a precision",
			object{"last_command.device_class": "timestamp", "last_command.suggested_display_precision": 1},
			"is for numbers only",
		},
		{
			"reset of what never resets",
			object{"meter.state_class": "total_increasing"}, "needs the state class total",
		},
		{
			"availability inherited next to an own one",
			object{"availability": []any{object{"topic": "w/status"}}, "door.availability_topic": "w/t/on"},
			"door: availability: stands next to availability_topic",
		},
		{
			"two forms of availability at the root",
			object{
				"availability": []any{object{"topic": "w/status"}}, "availability_topic": "w/t/on",
				"components": object{"removed": object{"platform": "sensor"}},
			},
			"availability: stands next to availability_topic",
		},
		{
			"one unique id twice",
			object{"door.unique_id": "wheelhouse_tesla_battery"},
			`"wheelhouse_tesla_battery" is the one of battery too`,
		},
		{
			"one entity id twice",
			object{"cost.default_entity_id": "sensor.tesla_battery"},
			`"sensor.tesla_battery" is the one of battery too`,
		},
		{
			"device without identity",
			object{"device.identifiers": gone, "device.connections": gone}, "device.identifiers: is missing",
		},
		{
			"number of a class of words",
			object{"charge_limit.device_class": "enum", "charge_limit.unit_of_measurement": gone},
			"is none of a number",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := sound(t)
			for path, value := range test.changes {
				set(m, path, value)
			}
			errs := discovery.Lint(linted, jsonOf(t, m))
			if len(errs) != 1 || !strings.Contains(errs[0].Error(), test.want) {
				t.Errorf("want %q, got %v", test.want, errs)
			}
		})
	}
}

func TestLintTopicsAndPayloads(t *testing.T) {
	fine := string(jsonOf(t, sound(t)))
	for _, test := range []struct {
		name, topic, payload string
		good                 bool
	}{
		{"with a node", "homeassistant/device/a/b/config", fine, true},
		{"without a node", "homeassistant/device/b/config", fine, true},
		{"prefix of two levels", "my/ha/device/a/b/config", fine, true},
		{"removal", "homeassistant/device/a/b/config", "", true},
		{"space in an id", "homeassistant/device/a/b c/config", fine, false},
		{"umlaut in a node", "homeassistant/device/ä/b/config", fine, false},
		{"single component", "homeassistant/sensor/a/b/config", fine, false},
		{"wildcard", "+/device/a/b/config", fine, false},
		{"no config at the end", "homeassistant/device/a/b", fine, false},
		{"empty topic", "", fine, false},
		{"no JSON", "homeassistant/device/b/config", "{", false},
		{"null", "homeassistant/device/b/config", "null", false},
		{"list", "homeassistant/device/b/config", "[]", false},
		{"empty object", "homeassistant/device/b/config", "{}", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			errs := discovery.Lint(test.topic, []byte(test.payload))
			if test.good != (len(errs) == 0) {
				t.Errorf("%v", errs)
			}
		})
	}
}

func TestLintDevice(t *testing.T) {
	one := func(topic string, changes object) car.Message {
		m := object{"device": object{"identifiers": "w_t", "name": "T"}, "origin": object{"name": "W"}}
		m["components"] = object{"a": object{
			"platform": "sensor", "unique_id": topic, "default_entity_id": "sensor." + topic,
			"name": topic, "state_topic": "w/t/a",
		}}
		for path, value := range changes {
			set(m, path, value)
		}
		return car.Message{
			Topic:   "homeassistant/device/t/" + topic + "/config",
			Payload: string(jsonOf(t, m)),
			Retain:  true,
		}
	}
	kept := func(m car.Message) car.Message { m.Retain = false; return m }
	for _, test := range []struct {
		name     string
		messages []car.Message
		want     []string // one piece of each error
	}{
		{"sound", []car.Message{one("x", nil), one("y", nil)}, nil},
		{
			"one entity on two topics",
			[]car.Message{one("x", nil), one("y", object{"a.unique_id": "x"})},
			[]string{`unique_id: "x" is in`},
		},
		{
			"one entity id on two topics",
			[]car.Message{one("x", nil), one("y", object{"a.default_entity_id": "sensor.x"})},
			[]string{`default_entity_id: "sensor.x" is in`},
		},
		{
			"two identities", []car.Message{one("x", nil), one("y", object{"device.identifiers": "w_u"})},
			[]string{"two devices"},
		},
		{
			"two entities that are the device",
			[]car.Message{one("x", object{"a.name": nil}), one("y", object{"a.name": nil})},
			[]string{"is null, as in"},
		},
		{
			"one entity twice in a message",
			[]car.Message{one("x", object{"components.b": object{
				"platform": "sensor", "unique_id": "x", "state_topic": "w/t/b",
			}})},
			[]string{`b: unique_id: "x" is the one of a`},
		},
		{"not retained", []car.Message{kept(one("x", nil))}, []string{"is not retained"}},
		{"defect of one message", []car.Message{one("x", object{"a.icon": "x"})}, []string{"a: icon"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			errs := discovery.LintDevice(test.messages)
			if len(errs) != len(test.want) {
				t.Fatalf("want %d, got %v", len(test.want), errs)
			}
			for i, err := range errs {
				if !strings.Contains(err.Error(), test.want[i]) {
					t.Errorf("want %q in %v", test.want[i], err)
				}
			}
		})
	}
}

// Whatever arrives, the linter answers.
func TestLintNeverPanics(t *testing.T) {
	values := []any{nil, true, 1.5, -1, "", "x", []any{}, []any{nil}, object{}, object{"topic": nil}}
	keys := []string{"device", "origin", "components", "availability", "components.battery"}
	for key := range good {
		keys = append(keys, key+".platform", key+".options", key+".availability", key+".name")
	}
	rapid.Check(t, func(r *rapid.T) {
		m := sound(t)
		key := rapid.SampledFrom(keys).Draw(r, "key")
		value := rapid.SampledFrom(values).Draw(r, "value")
		set(m, key, value)
		payload := jsonOf(t, m)
		discovery.Lint(linted, payload)
		parts, _ := discovery.Components(payload)
		for _, c := range parts {
			_ = discovery.LintState(c, rapid.String().Draw(r, "payload"))
		}
		discovery.LintDevice([]car.Message{{Topic: linted, Payload: string(payload)}})
	})
}
