package tesla_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/tesla"
)

// later are the entities that the table does not have yet, and why.
var later = map[string]string{
	"doors":                    "obeys: lock and unlock",
	"charge_port_unlock":       "obeys",
	"climate":                  "obeys: modes, temperature, presets",
	"cabin_overheat":           "obeys",
	"trunk":                    "obeys",
	"frunk":                    "obeys",
	"charge_port_door":         "obeys",
	"windows":                  "obeys",
	"sunroof":                  "obeys",
	"charge":                   "obeys",
	"sentry":                   "obeys",
	"defrost":                  "obeys",
	"valet":                    "obeys",
	"auto_seat_left":           "obeys",
	"auto_seat_right":          "obeys",
	"auto_steering_wheel_heat": "obeys",
	"charge_limit":             "obeys: its range is the car's",
	"charge_current":           "obeys: its range is the car's",
	"speed_limit":              "obeys",
	"seat_heater_front_left":   "obeys",
	"seat_heater_front_right":  "obeys",
	"seat_heater_rear_left":    "obeys",
	"seat_heater_rear_center":  "obeys",
	"seat_heater_rear_right":   "obeys",
	"steering_wheel_heater":    "obeys",
	"wake":                     "obeys",
	"flash":                    "obeys",
	"honk":                     "obeys",
	"homelink":                 "obeys",
	"keyless":                  "obeys",
	"software":                 "obeys: installs what is downloaded; needs the platform update",
	"last_command":             "tells of orders",
	"command_result":           "tells of orders",
	"destination_send":         "obeys",
}

// The table is the recommended model, row by row, and nothing else.
func TestTableIsTheModel(t *testing.T) {
	var model []string
	for _, want := range rows(t, "entities.csv") {
		key := want["key"]
		if later[key] != "" {
			if _, there := tesla.Table.Field(key); there {
				t.Errorf("%s is there and not yet", key)
			}
			continue
		}
		model = append(model, key)
		f, ok := tesla.Table.Field(key)
		if !ok {
			t.Errorf("there is no %s", key)
			continue
		}
		same(t, key, map[string]string{
			"platform": string(f.Is.Platform), "name": f.Name, "device_class": f.Is.Class, "unit": f.Unit(),
			"state_class": f.Is.State, "category": diagnostic(f), "enabled_default": enabled(f), "options": options(f),
		}, map[string]string{
			"platform": want["platform"], "name": want["name"], "device_class": want["device_class"],
			"unit": want["unit"], "state_class": want["state_class"], "category": want["category"],
			"enabled_default": want["enabled_default"], "options": said(want["options_or_notes"]),
		})
	}
	for _, key := range tesla.Table.Keys() {
		if !slices.Contains(model, key) || slices.Contains(car.ReservedKeys, key) {
			t.Errorf("%s is not in the model", key)
		}
	}
}

func diagnostic(f car.Field) string {
	if f.Diagnostic {
		return "diagnostic"
	}
	return ""
}

func enabled(f car.Field) string {
	if f.Off {
		return "no"
	}
	return "yes"
}

func options(f car.Field) string { return strings.Join(f.Options, "|") }

// said are the options that a note of the model names.
func said(note string) string {
	_, list, ok := strings.Cut(note, "options: ")
	if !ok {
		return ""
	}
	list, _, _ = strings.Cut(list, " ")
	return list
}

// shown is a report as people read it, each known value by its key.
func shown(r car.Report) map[string]string {
	view := car.View{Get: func(path string) car.Value { return r.Values[path] }}
	all := make(map[string]string)
	for _, f := range tesla.Table.Fields {
		if payload := f.Payload(f.Evaluate(view)); payload != car.None {
			all[f.Key] = payload
		}
	}
	return all
}

func TestFixturesAsPeopleReadThem(t *testing.T) {
	parked := map[string]string{
		"battery": "62", "battery_usable": "61", "charging_state": "charging", "charge_energy_added": "7.42",
		"charger_power": "11", "charger_voltage": "230", "charger_current": "16", "charge_rate": "75",
		"range": "272", "range_estimated": "243", "range_ideal": "272", "time_full_charge": "2026-03-14T10:31:54Z",
		"odometer": "31281.3", "speed": "0", "power": "-10", "gear": "P", "inside_temperature": "14.6",
		"outside_temperature": "8.5", "last_seen": "2026-03-14T09:26:53Z", "online": "ON", "plugged_in": "ON",
		"charging": "ON", "user_present": "OFF", "battery_heater": "OFF", "preconditioning": "OFF",
		"scheduled_charging_pending": "OFF", "dashcam": "ON",
		"tire_pressure_front_left": "2.85", "tire_pressure_front_right": "2.88", "tire_pressure_rear_left": "2.9",
		"tire_pressure_rear_right": "2.88", "tire_warning_front_left": "OFF", "tire_warning_front_right": "OFF",
		"tire_warning_rear_left": "OFF", "tire_warning_rear_right": "OFF",
		"door_front_driver": "OFF", "door_front_passenger": "OFF", "door_rear_driver": "OFF", "door_rear_passenger": "OFF",
		"window_front_driver": "OFF", "window_front_passenger": "OFF", "window_rear_driver": "OFF", "window_rear_passenger": "OFF",
		"location": `{"latitude":52.123456,"longitude":4.654321,"heading":184}`,
	}
	same(t, "parked", shown(report(t, "vehicle_data.json")), parked)
	driving := shown(report(t, "vehicle_data_driving.json"))
	for key, want := range map[string]string{
		"battery": "74", "charging_state": "disconnected", "charger_power": "0", "speed": "100", "power": "21", "gear": "D",
		"plugged_in": "OFF", "charging": "OFF", "user_present": "ON", "time_full_charge": "",
		"arrival_time": "2026-03-14T10:05:19Z", "arrival_distance": "50.3", "arrival_soc": "58", "arrival_delay": "2",
		"destination": "Invented Harbour", "destination_location": `{"latitude":52.654321,"longitude":4.123456}`,
	} {
		if driving[key] != want {
			t.Errorf("driving: %s is %q, want %q", key, driving[key], want)
		}
	}
	same(t, "asleep", shown(report(t, "vehicle_asleep.json")), map[string]string{"online": "OFF"})
}

// rowOf evaluates a row over a body that may lack almost everything.
func rowOf(t *testing.T, key, body string, was car.Value) string {
	t.Helper()
	f, ok := tesla.Table.Field(key)
	if !ok {
		t.Fatalf("there is no %s", key)
	}
	r := decoded(t, body)
	return f.Payload(f.Evaluate(car.View{Was: was, Get: func(path string) car.Value { return r.Values[path] }}))
}

func TestRows(t *testing.T) {
	moment := func(s string) car.Value {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return car.Moment(at)
	}
	charge := func(more string) string { return `{"charge_state":{"timestamp":1773480413512` + more + `}}` }
	for _, c := range []struct {
		key, body string
		was       car.Value
		want      string
	}{
		{"charging_state", charge(`,"charging_state":"Calibrating"`), car.Text("charging"), "None"},
		{"charging_state", charge(`,"charging_state":"NoPower"`), car.Value{}, "no_power"},
		{"plugged_in", charge(`,"charging_state":null`), car.Bool(true), "None"},
		{"plugged_in", charge(`,"charging_state":"Complete"`), car.Value{}, "ON"},
		{"charging", charge(`,"charging_state":"Stopped"`), car.Value{}, "OFF"},

		// Whole kilowatts, refined by what else is known: one, three, and three phases that call themselves two.
		{"charger_power", charge(`,"charger_power":4,"charger_voltage":230,"charger_actual_current":16,"charger_phases":1`), car.Value{}, "3.7"},
		{"charger_power", charge(`,"charger_power":9,"charger_voltage":230,"charger_actual_current":13,"charger_phases":2`), car.Value{}, "9"},
		{"charger_power", charge(`,"charger_power":120,"charger_voltage":380,"charger_actual_current":0,"fast_charger_present":true`), car.Value{}, "120"},
		{"charger_power", charge(`,"charger_power":0,"charger_voltage":2,"charger_actual_current":0`), car.Value{}, "0"},
		{"charger_power", charge(`,"charger_power":7`), car.Value{}, "7"},

		// A full charge comes when it comes: four minutes more or less are none.
		{"time_full_charge", charge(`,"charging_state":"Charging","minutes_to_full_charge":60`), moment("2026-03-14T10:30:00Z"), "2026-03-14T10:30:00Z"},
		{"time_full_charge", charge(`,"charging_state":"Charging","minutes_to_full_charge":60`), moment("2026-03-14T10:20:00Z"), "2026-03-14T10:26:54Z"},
		{"time_full_charge", charge(`,"charging_state":"Charging","time_to_full_charge":1.5`), car.Value{}, "2026-03-14T10:56:54Z"},
		{"time_full_charge", charge(`,"charging_state":"Charging","time_to_full_charge":0`), moment("2026-03-14T10:20:00Z"), "None"},
		{"time_full_charge", charge(`,"charging_state":"Complete","minutes_to_full_charge":60`), moment("2026-03-14T10:20:00Z"), "None"},

		{"gear", `{"drive_state":{"timestamp":1773480413512,"shift_state":"R"}}`, car.Value{}, "R"},
		{"gear", `{"drive_state":{"timestamp":1773480413512}}`, car.Value{}, "P"},
		{"gear", `{"state":"asleep"}`, car.Value{}, "None"},
		{"speed", `{"state":"online","drive_state":{"timestamp":1773480413512,"shift_state":"D","speed":62}}`, car.Value{}, "100"},
		{"speed", `{"state":"offline","drive_state":{"timestamp":1773480413512,"shift_state":"D","speed":62}}`, car.Value{}, "None"},
		{"speed", `{"state":"asleep","drive_state":{"timestamp":1773480413512,"shift_state":null,"speed":null}}`, car.Value{}, "0"},

		// What a car that has just woken does not know, it knew before.
		{"inside_temperature", `{"climate_state":{"inside_temp":null}}`, car.Number(21.5), "21.5"},
		{"tire_pressure_rear_left", `{"vehicle_state":{"tpms_pressure_rl":2.4}}`, car.Number(2.9), "2.4"},
		{"tire_warning_rear_left", `{"vehicle_state":{"tpms_soft_warning_rl":false,"tpms_hard_warning_rl":true}}`, car.Value{}, "ON"},
		{"tire_warning_rear_left", `{"vehicle_state":{"tpms_soft_warning_rl":false}}`, car.Value{}, "OFF"},
		{"window_rear_driver", `{"vehicle_state":{"rd_window":1}}`, car.Value{}, "ON"},
		{"door_rear_driver", `{"vehicle_state":{"dr":false}}`, car.Value{}, "OFF"},
		{"dashcam", `{"vehicle_state":{"dashcam_state":"<Invalid>"}}`, car.Value{}, "None"},
		{"dashcam", `{"vehicle_state":{"dashcam_state":"Available"}}`, car.Value{}, "OFF"},

		// Without a route there is nothing to arrive at, though the car keeps the last place.
		{"destination_location", `{"drive_state":{"active_route_latitude":52.1,"active_route_longitude":4.1}}`, car.Value{}, "None"},
		{"arrival_delay", `{"drive_state":{"active_route_traffic_minutes_delay":0}}`, car.Value{}, "None"},
		{"arrival_time", `{"drive_state":{"timestamp":1773480413512}}`, moment("2026-03-14T10:20:00Z"), "None"},
		{"arrival_distance", `{"drive_state":{"timestamp":1773480413512}}`, car.Value{}, "None"},
		{"destination", `{"drive_state":{"active_route_minutes_to_arrival":3,"active_route_destination":"` + strings.Repeat("ü", 300) + `"}}`,
			car.Value{}, strings.Repeat("ü", 255)},

		{"location", `{"drive_state":{"latitude":52.1,"longitude":null}}`, car.Value{}, "None"},
		{"online", `{"state":"offline"}`, car.Value{}, "OFF"},
		{"online", `{"state":null}`, car.Value{}, "None"},
	} {
		if got := rowOf(t, c.key, c.body, c.was); got != c.want {
			t.Errorf("%s of %s after %v is %s, want %s", c.key, c.body, c.was, got, c.want)
		}
	}
}

// Nobody is told that a car is awake when nobody knows.
func TestSilence(t *testing.T) {
	get := func(path string) car.Value { return report(t, "vehicle_data_driving.json").Values[path] }
	for key, want := range map[string]string{"online": "OFF", "speed": "None", "battery": "74", "gear": "D"} {
		f, _ := tesla.Table.Field(key)
		if got := f.Payload(f.Evaluate(car.View{Silent: true, Get: get})); got != want {
			t.Errorf("%s is %s", key, got)
		}
	}
}

func TestExpose(t *testing.T) {
	fields, err := tesla.Expose([]string{
		"climate_state.is_front_defroster_on", "charge_state.est_battery_range", "vehicle_state.car_version",
		"charge_state.scheduled_departure_time", "charge_state.charger_phases", "climate_state.max_avail_temp",
		"charge_state.charge_limit_soc", "charge_state.est_battery_range",
	})
	if err != nil {
		t.Fatal(err)
	}
	r := report(t, "vehicle_data.json")
	got := make(map[string]string)
	for _, f := range fields {
		if !f.Diagnostic || f.Name == "" || f.Off {
			t.Errorf("%+v", f)
		}
		value := f.Evaluate(car.View{Get: func(path string) car.Value { return r.Values[path] }})
		got[f.Key+" ("+string(f.Is.Platform)+")"] = f.Payload(value) + f.Unit()
	}
	same(t, "exposed", got, map[string]string{
		"climate_state_is_front_defroster_on (binary_sensor)": "OFF",
		"charge_state_est_battery_range (sensor)":             "243.4km",
		"vehicle_state_car_version (sensor)":                  "2026.2.9 0123456789ab",
		"charge_state_scheduled_departure_time (sensor)":      "2026-03-15T06:00:00Z",
		"charge_state_charger_phases (sensor)":                "3",
		"climate_state_max_avail_temp (sensor)":               "28°C",
		"charge_state_charge_limit_soc (sensor)":              "80%",
	})
	if fields[0].Name != "Climate state is front defroster on" || len(fields) != 7 {
		t.Errorf("%q, %d fields", fields[0].Name, len(fields))
	}
	for path, want := range map[string]string{
		"battery_level":         "charge_state.battery_level",
		"climate.inside_temp":   "climate_state.inside_temp",
		"charge_state.invented": "no car has",
		"tokens":                "no car has",
		"":                      "no car has",
	} {
		_, err := tesla.Expose([]string{path})
		if car.CodeOf(err) != car.NoSuch || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", path, err)
		}
	}
}

// No exposed value can be taken for one of the table's.
func TestExposedKeysAreNew(t *testing.T) {
	for _, row := range rows(t, "vehicle_data_fields.csv") {
		path := strings.TrimPrefix(row["section"]+"."+row["field"], "top.")
		fields, err := tesla.Expose([]string{path})
		if err != nil {
			continue // see TestEveryFieldIsReachable
		}
		key := fields[0].Key
		if _, there := tesla.Table.Field(key); there || slices.Contains(car.ReservedKeys, key) {
			t.Errorf("%s is %s", path, key)
		}
	}
}
