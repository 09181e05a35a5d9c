package tesla_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/tesla"
)

var received = time.Date(2026, 3, 14, 9, 26, 55, 0, time.UTC)

// report decodes what Tesla's example says.
func report(t testing.TB, name string) car.Report {
	t.Helper()
	var body struct {
		Response json.RawMessage `json:"response"`
	}
	if err := json.Unmarshal([]byte(example(t, name)), &body); err != nil {
		t.Fatal(err)
	}
	r, err := tesla.Decode(body.Response, received)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func decoded(t testing.TB, body string) car.Report {
	t.Helper()
	r, err := tesla.Decode([]byte(body), received)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// unkept are the rows of the list that are no value: keys of a closed service, and
// objects whose members have rows of their own.
var unkept = map[string]bool{
	"tokens": true, "backseat_token": true, "backseat_token_updated_at": true, "granular_access": true,
	"vehicle_state.media_info": true, "vehicle_state.media_state": true,
	"vehicle_state.software_update": true, "vehicle_state.speed_limit_mode": true,
}

// Every value that Tesla is known to tell is reachable by its path, whatever the car
// sends, and can be made an entity.
func TestEveryFieldIsReachable(t *testing.T) {
	list := rows(t, "vehicle_data_fields.csv")
	if len(list) != 310 {
		t.Fatalf("%d rows", len(list))
	}
	for _, row := range list {
		path := strings.TrimPrefix(row["section"]+"."+row["field"], "top.")
		_, exposed := tesla.Expose([]string{path})
		if unkept[path] {
			if exposed == nil {
				t.Errorf("%s can be an entity", path)
			}
			continue
		}
		if exposed != nil {
			t.Error(exposed)
		}
		body, want := sample(path, row["type"], row["unit_or_values"])
		parts := strings.Split(path, ".")
		for _, name := range slices.Backward(parts) {
			body = `{"` + name + `":` + body + `}`
		}
		got := decoded(t, body).Values[path]
		if text, err := json.Marshal(got); err != nil || string(text) != want {
			t.Errorf("%s is %s, want %s", body, text, want)
		}
	}
}

// sample is a value of a type of the list, and what is made of it.
func sample(path, kind, unit string) (body, want string) {
	kind, _, _ = strings.Cut(kind, "/")
	switch {
	case kind == "object" && strings.HasSuffix(path, ".timestamp"):
		return `{"seconds":1773480413,"nanos":512000000}`, `{"ms":1773480413000}`
	case kind == "object":
		return `{"id":1}`, `"{\"id\":1}"`
	case path == "id", strings.HasSuffix(path, "_id"):
		return "9223372036854775807", `"9223372036854775807"`
	case unit == "ms (epoch)":
		return "1773480413512", `{"ms":1773480413512}`
	case unit == "s (epoch)":
		return "1773480413", `{"ms":1773480413000}`
	case kind == "bool":
		return "true", "true"
	case kind == "string":
		return `"Word"`, `"Word"`
	case kind == "array":
		return `[{"id":1}]`, `"[{\"id\":1}]"`
	}
	return "3", "3"
}

func TestDecode(t *testing.T) {
	r := report(t, "vehicle_data.json")
	if want := time.UnixMilli(1773480413512); !r.At.Equal(want) {
		t.Errorf("it is of %s", r.At)
	}
	for path, want := range map[string]car.Value{
		"vin": car.Text(nightjar), "state": car.Text("online"), "id": car.Text("1493000000000001"),
		"granular_access.hide_private":               car.Bool(false),
		"charge_state.charge_port_color":             {},
		"charge_state.not_enough_power_to_heat":      {},
		"charge_state.battery_level":                 car.Number(62),
		"drive_state.active_route_destination":       {}, // missing: there is no route
		"vehicle_state.software_update.version":      car.Text("2026.2.10"),
		"vehicle_state.media_info.now_playing_title": {},
		"charge_schedule_data.timestamp":             car.Moment(time.Unix(1773480413, 0)),
		"timestamp":                                  car.Moment(r.At),
		"vehicle_config.sun_roof_installed":          {},
	} {
		if got, ok := r.Values[path]; !ok || got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	if schedule := r.Values["charge_schedule_data.charge_schedules"].Word(); !json.Valid([]byte(schedule)) {
		t.Error(schedule)
	}
	for path, v := range r.Values {
		if strings.Contains(v.Word(), "a1b2c3d4") {
			t.Errorf("%s holds a token", path)
		}
	}
}

// A section that did not come says nothing, and an answer without one is of now.
func TestDecodeState(t *testing.T) {
	r := report(t, "vehicle_asleep.json")
	told := r.Values["state"].Word() + " " + r.Values["display_name"].Word()
	if !r.At.Equal(received) || told != "asleep Wagtail" {
		t.Errorf("%+v", r)
	}
	for _, path := range []string{"timestamp", "charge_state.battery_level"} {
		if _, there := r.Values[path]; there {
			t.Errorf("%s is told", path)
		}
	}
}

func TestDecodeIsTolerant(t *testing.T) {
	for body, want := range map[string]car.Value{
		`{"a":1}`: car.Number(1), `{"a":"x"}`: car.Text("x"), `{"a":" "}`: {}, `{"a":"<Invalid>"}`: {},
		`{"a":12345678901234567890}`: car.Text("12345678901234567890"), `{"a":1e400}`: {},
		`{"a":[]}`:   car.Text("[]"),
		`{"a":null}`: {}, `{"a":true}`: car.Bool(true), `{"a":"` + strings.Repeat("x", 9000) + `"}`: {},
	} {
		if got := decoded(t, body).Values["a"]; got != want {
			t.Errorf("%.60s is %v", body, got)
		}
	}
	for body, want := range map[string]car.Value{
		`"62"`: car.Number(62), `62.5`: car.Number(62.5), `true`: car.Number(1), `"?"`: {}, `{}`: {}, `null`: {},
		`"NaN"`: {},
	} {
		r := decoded(t, `{"charge_state":{"battery_level":`+body+`}}`)
		if got := r.Values["charge_state.battery_level"]; got != want {
			t.Errorf("a battery at %s is %v", body, got)
		}
	}
	for body, want := range map[string]car.Value{`1`: car.Bool(true), `0`: car.Bool(false), `"yes"`: {}, `[]`: {}} {
		r := decoded(t, `{"vehicle_state":{"locked":`+body+`}}`)
		if got := r.Values["vehicle_state.locked"]; got != want {
			t.Errorf("locked %s is %v", body, got)
		}
	}
	for body, want := range map[string]car.Value{
		`0`: {}, `-5`: {}, `1e30`: {}, `"soon"`: {}, `{}`: {},
		`"2026-03-14T09:26:53Z"`: car.Moment(time.Unix(1773480413, 0)),
	} {
		r := decoded(t, `{"drive_state":{"gps_as_of":`+body+`}}`)
		if got := r.Values["drive_state.gps_as_of"]; got != want {
			t.Errorf("the time %s is %v", body, got)
		}
	}
	for _, body := range []string{"", "[]", "null", "true", "{", `"online"`} {
		if _, err := tesla.Decode([]byte(body), received); car.CodeOf(err) != car.Invalid {
			t.Errorf("%q: %v", body, err)
		}
	}
}

// A clock that cannot be right counts for nothing.
func TestDecodeWrongClock(t *testing.T) {
	for _, stamp := range []string{"1000", "4102444800000"} {
		r := decoded(t, `{"charge_state":{"timestamp":`+stamp+`}}`)
		if at, _ := r.Values["timestamp"].Time(); !r.At.Equal(received) || !at.Equal(received) {
			t.Errorf("%s: %s, %s", stamp, r.At, at)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, name := range []string{"vehicle_data.json", "vehicle_data_driving.json", "vehicle.json"} {
		f.Add([]byte(example(f, name)))
	}
	f.Add([]byte(`{"charge_state":{"timestamp":{"seconds":1e300}},"drive_state":null,"a":{"b":{"c":[1,"\ud800"]}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := tesla.Decode(body, received)
		if err != nil {
			return
		}
		if car.ClockWrong(r.At, received) || len(r.Values) > 2500 {
			t.Errorf("%s with %d values", r.At, len(r.Values))
		}
		view := car.View{Get: func(path string) car.Value { return r.Values[path] }}
		for _, row := range tesla.Table.Fields {
			row.Payload(row.Evaluate(view))
		}
		for path, v := range r.Values {
			if len(v.Word()) > 10_000 || strings.HasPrefix(path, "tokens") {
				t.Errorf("%.50s is %d bytes", path, len(v.Word()))
			}
		}
		tesla.GlanceAt(r.Values)
	})
}
