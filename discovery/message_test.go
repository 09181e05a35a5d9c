package discovery_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/discovery"
)

const (
	sensors  = "homeassistant/device/wheelhouse_polestar/sensor/config"
	binaries = "homeassistant/device/wheelhouse_polestar/binary_sensor/config"
	trackers = "homeassistant/device/wheelhouse_polestar/device_tracker/config"
	events   = "homeassistant/device/wheelhouse_polestar/event/config"
	statuses = "homeassistant/device/wheelhouse_bridge/binary_sensor/config"
	counters = "homeassistant/device/wheelhouse_bridge/sensor/config"
	buttons  = "homeassistant/device/wheelhouse_bridge/button/config"
)

type object = map[string]any

func TestMessagesOfEveryKindOfRow(t *testing.T) {
	all := wanted(t, sample(), bridge(), polestar())
	up := []any{object{"topic": "wheelhouse/status"}}
	for _, test := range []struct {
		topic, key string
		want       object
	}{
		{sensors, "device", object{
			"identifiers": "wheelhouse_polestar", "name": "Polestar 2", "manufacturer": "Polestar",
			"model": "2", "serial_number": "VIN1", "via_device": "wheelhouse_bridge",
		}},
		{buttons, "device", object{
			"identifiers": "wheelhouse_bridge", "name": "Wheelhouse", "sw_version": "1.2.3",
		}},
		{sensors, "battery", object{
			"platform": "sensor", "name": "Battery", "unique_id": "wheelhouse_polestar_battery",
			"default_entity_id": "sensor.polestar_battery", "device_class": "battery",
			"unit_of_measurement": "%", "state_class": "measurement",
			"suggested_display_precision": 1.0, "state_topic": "wheelhouse/polestar/battery",
			"availability": up, "availability_mode": "all",
		}},
		{sensors, "capacity", object{
			"platform": "sensor", "name": "Capacity", "unique_id": "wheelhouse_polestar_capacity",
			"default_entity_id": "sensor.polestar_capacity", "device_class": "energy_storage",
			"unit_of_measurement": "kWh", "state_class": "measurement",
			"suggested_display_precision": 1.0, "state_topic": "wheelhouse/polestar/capacity",
			"entity_category": "diagnostic", "enabled_by_default": false,
			"availability": up, "availability_mode": "all",
		}},
		{sensors, "gear", object{
			"platform": "sensor", "name": "Gear", "unique_id": "wheelhouse_polestar_gear",
			"default_entity_id": "sensor.polestar_gear", "device_class": "enum",
			"options": []any{"P", "D"}, "icon": "mdi:cog", "state_topic": "wheelhouse/polestar/gear",
			"availability": up, "availability_mode": "all",
		}},
		{trackers, "location", object{
			"platform": "device_tracker", "name": "Location",
			"unique_id":         "wheelhouse_polestar_location",
			"default_entity_id": "device_tracker.polestar_location", "source_type": "gps",
			"json_attributes_topic": "wheelhouse/polestar/location",
			"availability":          up, "availability_mode": "all",
		}},
		{events, "activity", object{
			"platform": "event", "name": "Activity", "unique_id": "wheelhouse_polestar_activity",
			"default_entity_id": "event.polestar_activity", "event_types": []any{"left", "came"},
			"state_topic":  "wheelhouse/polestar/event",
			"availability": up, "availability_mode": "all",
		}},
		{statuses, "connected", object{
			"platform": "binary_sensor", "name": "Connected",
			"unique_id":         "wheelhouse_bridge_connected",
			"default_entity_id": "binary_sensor.wheelhouse_connected",
			"device_class":      "connectivity", "entity_category": "diagnostic",
			"state_topic": "wheelhouse/status", "payload_on": "online", "payload_off": "offline",
		}},
		{counters, "requests", object{
			"platform": "sensor", "name": "Requests", "unique_id": "wheelhouse_bridge_requests",
			"default_entity_id": "sensor.wheelhouse_requests", "unit_of_measurement": "requests",
			"state_class": "total_increasing", "suggested_display_precision": 0.0,
			"entity_category": "diagnostic", "enabled_by_default": false,
			"state_topic":  "wheelhouse/bridge/requests",
			"availability": up, "availability_mode": "all",
		}},
		{buttons, "republish", object{
			"platform": "button", "name": "Republish discovery",
			"unique_id":         "wheelhouse_bridge_republish",
			"default_entity_id": "button.wheelhouse_republish",
			"command_topic":     "wheelhouse/bridge/republish/set", "payload_press": "PRESS",
			"qos": 1.0, "entity_category": "diagnostic",
			"availability": up, "availability_mode": "all",
		}},
	} {
		t.Run(test.key, func(t *testing.T) {
			if diff := cmp.Diff(test.want, object(part(t, all[test.topic], test.key))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	want := []string{statuses, buttons, counters, binaries, trackers, events, sensors}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(all))); diff != "" {
		t.Errorf("topics (-want +got)\n%s", diff)
	}
}

func TestMessagesAreAcceptedAndDeterministic(t *testing.T) {
	for _, d := range []car.Device{bridge(), polestar(), {ID: "x", Fields: table.Fields}} {
		first, errs := discovery.Messages(sample(), d)
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		if errs := discovery.LintDevice(first); len(errs) > 0 {
			t.Errorf("%s: %v", d.ID, errs)
		}
		for range 20 {
			again, _ := discovery.Messages(sample(), d)
			if !slices.Equal(first, again) {
				t.Fatalf("%s: another result for the same device", d.ID)
			}
		}
	}
}

// A car whose values go while it is silent must still say that it is silent,
// and a car that never says so would never be available.
func TestUnavailableWhenOffline(t *testing.T) {
	cfg := sample()
	cfg.UnavailableWhenOffline = true
	program := object{"topic": "wheelhouse/status"}
	itself := object{
		"topic": "wheelhouse/polestar/online", "payload_available": "ON", "payload_not_available": "OFF",
	}
	for _, test := range []struct {
		name, topic, key string
		device           car.Device
		want             []any
	}{
		{"a value", sensors, "battery", polestar(), []any{program, itself}},
		{"online", binaries, "online", polestar(), []any{program}},
		{"a car without online", sensors, "battery", with(polestar(), "battery"), []any{program}},
		{"the program", counters, "requests", bridge(), []any{program}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := part(t, wanted(t, cfg, test.device)[test.topic], test.key)["availability"]
			if diff := cmp.Diff(any(test.want), got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// What needs a value of the car is unavailable while there is none.
func TestUnavailableWithout(t *testing.T) {
	d := polestar()
	d.Fields = []car.Field{
		{Key: "arrival", Name: "Arrival", Is: car.ToGo}, {Key: "route", Name: "Route", Is: car.Position, Needs: "arrival"},
	}
	got := part(t, wanted(t, sample(), d)[trackers], "route")["availability"]
	want := any([]any{
		object{"topic": "wheelhouse/status"},
		object{
			"topic":          "wheelhouse/polestar/arrival",
			"value_template": "{{ 'offline' if value == 'None' else 'online' }}",
		},
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// The account hangs on the program, as cars do.
func TestAccountDevice(t *testing.T) {
	account := car.Device{ID: car.AccountID, Name: "Tesla account", Fields: []car.Field{
		{Key: "cost_month", Name: "Cost this month", Is: car.Money},
		{Key: "over_budget", Name: "Over budget", Is: car.Problem},
	}}
	all := wanted(t, sample(), bridge(), account)
	const topic = "homeassistant/device/wheelhouse_account/sensor/config"
	if via := part(t, all[topic], "device")["via_device"]; via != "wheelhouse_bridge" {
		t.Errorf("it hangs on %v", via)
	}
	cost := part(t, all[topic], "cost_month")
	if cost["device_class"] != "monetary" || cost["unit_of_measurement"] != "USD" || cost["state_class"] != nil {
		t.Errorf("the cost is %v", cost)
	}
	if id := cost["default_entity_id"]; id != "sensor.wheelhouse_account_cost_month" {
		t.Errorf("the cost asks for %v", id)
	}
}

func TestIDsOfAnyPrefix(t *testing.T) {
	for _, test := range []struct{ prefix, topic, unique, entity string }{
		{"wheelhouse", "wheelhouse_bridge", "wheelhouse_bridge_requests", "sensor.wheelhouse_requests"},
		{"home/Cars", "home_Cars_bridge", "home_Cars_bridge_requests", "sensor.home_cars_requests"},
		{"Büro 2", "B_ro_2_bridge", "B_ro_2_bridge_requests", "sensor.b_ro_2_requests"},
		{"車", "__bridge", "__bridge_requests", "sensor.bridge_requests"},
	} {
		t.Run(test.prefix, func(t *testing.T) {
			cfg := sample()
			cfg.Topics.Prefix = test.prefix
			all := wanted(t, cfg, bridge())
			c := part(t, all["homeassistant/device/"+test.topic+"/sensor/config"], "requests")
			if c["unique_id"] != test.unique || c["default_entity_id"] != test.entity {
				t.Errorf("got %v", c)
			}
		})
	}
}

// A device always has a name, and no key without a value.
func TestDeviceOfFewWords(t *testing.T) {
	d := with(polestar(), "battery")
	d.Name, d.Manufacturer, d.Model, d.Serial = " ", " ", "", "\t"
	want := object{
		"identifiers": "wheelhouse_polestar", "name": "polestar", "via_device": "wheelhouse_bridge",
	}
	got := object(part(t, wanted(t, sample(), d)[sensors], "device"))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// One bad row must cost nobody else anything.
func TestBadRowsAreLeftOut(t *testing.T) {
	for _, test := range []struct {
		name string
		bad  car.Field
		want string // in the error
		left []string
	}{
		{
			"unit that does not fit", car.Field{Key: "bad", Name: "Bad", Is: car.Battery, Symbol: "km"},
			`bad: unit_of_measurement: "km" is no unit of battery: %`, []string{"battery", "gear"},
		},
		{
			"option that means nothing",
			car.Field{Key: "bad", Name: "Bad", Is: car.Word, Options: []string{"None"}},
			`bad: options: "None" cannot be told`, []string{"battery", "gear"},
		},
		{
			"icon", car.Field{Key: "bad", Name: "Bad", Is: car.Speed, Icon: "car"},
			"bad: icon: car is no icon", []string{"battery", "gear"},
		},
		{
			"key that no entity id can have", car.Field{Key: "Bad Key", Name: "Bad", Is: car.Speed},
			"Bad Key: default_entity_id", []string{"battery", "gear"},
		},
		{
			"no name", car.Field{Key: "bad", Is: car.Quantity{Platform: "valve"}},
			`bad: platform: "valve"`, []string{"battery", "gear"},
		},
		{
			"key twice", car.Field{Key: "gear", Name: "Gear", Is: car.Speed},
			`two fields have the key "gear"`, []string{"battery", "gear"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := with(polestar(), "battery", "gear")
			d.Fields = append(d.Fields, test.bad)
			messages, errs := discovery.Messages(sample(), d)
			if len(errs) == 0 || !strings.Contains(errs[0].Error(), test.want) {
				t.Errorf("errors %v, want %q", errs, test.want)
			}
			if len(messages) != 1 || messages[0].Topic != sensors {
				t.Fatalf("messages: %v", messages)
			}
			parts, err := discovery.Components([]byte(messages[0].Payload))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.left, slices.Sorted(maps.Keys(parts))); diff != "" {
				t.Errorf("components (-want +got)\n%s", diff)
			}
		})
	}
}

// What is wrong with the whole message leaves nothing to send.
func TestBadProgramSendsNothing(t *testing.T) {
	cfg := sample()
	cfg.Program.URL = "nowhere"
	messages, errs := discovery.Messages(cfg, polestar())
	if len(messages) > 0 || len(errs) != 4 {
		t.Errorf("messages %v, errors %v", messages, errs)
	}
}
