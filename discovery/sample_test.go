package discovery_test

import (
	"encoding/json"
	"testing"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/discovery"
)

// sample is a configuration as the program has it by default.
func sample() discovery.Config {
	return discovery.Config{
		Enabled: true,
		Prefix:  "homeassistant",
		Birth:   "homeassistant/status",
		Topics:  car.Topics{Prefix: "wheelhouse"},
		Program: discovery.Program{
			Name: "Wheelhouse", Version: "1.2.3", URL: "https://example.org/wheelhouse",
		},
	}
}

// table has a row of every kind.
var table = car.Table{Fields: []car.Field{
	{Key: "battery", Name: "Battery", Is: car.Battery, From: "stateOfCharge", In: car.Ratio},
	{Key: "capacity", Name: "Capacity", Is: car.Capacity, Diagnostic: true, Off: true},
	{Key: "gear", Name: "Gear", Is: car.Word, Options: []string{"P", "D"}, Icon: "mdi:cog"},
	{Key: "last_seen", Name: "Last update", Is: car.LastSeen, From: "a.b", Diagnostic: true},
	{Key: "app", Name: "App | version", Is: car.FreeText, From: "appVersion", Diagnostic: true},
	{Key: "plugged_in", Name: "Plugged in", Is: car.Plug, From: "plug"},
	{Key: "online", Name: "Receiving data", Is: car.Connectivity, Diagnostic: true},
	{Key: "location", Name: "Location", Is: car.Position},
	{Key: "activity", Name: "Activity", Is: car.Activity, Options: []string{"left", "came"}},
	{Key: "consumption", Name: "Consumption", Is: car.Consumption},
	{Key: "distance", Name: "Distance", Is: car.TotalDistance},
}}

var bridgeTable = car.Table{Fields: []car.Field{
	{Key: "connected", Name: "Connected", Is: car.Connectivity, Diagnostic: true, IsStatus: true},
	{
		Key: "requests", Name: "Requests", Is: car.Counter, Symbol: "requests",
		Diagnostic: true, Off: true,
	},
	{Key: "republish", Name: "Republish discovery", Is: car.Press, Diagnostic: true},
}}

func polestar() car.Device {
	return car.Device{
		ID: "polestar", Name: "Polestar 2", Manufacturer: "Polestar", Model: "2",
		Serial: "VIN1", Fields: table.Fields,
	}
}

func bridge() car.Device {
	return car.Device{ID: car.BridgeID, Name: "Wheelhouse", Fields: bridgeTable.Fields}
}

// with is a device with only the fields of the keys.
func with(d car.Device, keys ...string) car.Device {
	all := car.Table{Fields: d.Fields}
	d.Fields = nil
	for _, key := range keys {
		f, ok := all.Field(key)
		if !ok {
			panic("no field " + key)
		}
		d.Fields = append(d.Fields, f)
	}
	return d
}

// wanted is what the broker should hold for devices, by topic.
func wanted(t testing.TB, cfg discovery.Config, devices ...car.Device) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, d := range devices {
		messages, errs := discovery.Messages(cfg, d)
		if len(errs) > 0 {
			t.Fatalf("%s: %v", d.ID, errs)
		}
		for _, m := range messages {
			all[m.Topic] = m.Payload
		}
	}
	return all
}

// part decodes one component of a message, or its device with the key "device".
func part(t testing.TB, payload, key string) map[string]any {
	t.Helper()
	var m struct {
		Device     map[string]any
		Components map[string]map[string]any
	}
	if err := json.Unmarshal([]byte(payload), &m); err != nil {
		t.Fatal(err)
	}
	if key == "device" {
		return m.Device
	}
	return m.Components[key]
}
