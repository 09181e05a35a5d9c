package sim_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/tesla/sim"
)

// read is a fixture, its numbers as they are written.
func read(t *testing.T, name string) (v any) {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// like says where an answer has not the shape of the fixture: a key that is
// missing or of another kind. What is null in one of them fits everything.
func like(path string, want, is any) []string {
	switch want := want.(type) {
	case nil:
		return nil
	case map[string]any:
		o, ok := is.(map[string]any)
		if !ok {
			break
		}
		var all []string
		for key, v := range want {
			if _, ok := o[key]; !ok {
				all = append(all, path+"."+key+" is missing")
				continue
			}
			all = append(all, like(path+"."+key, v, o[key])...)
		}
		return all
	case []any:
		list, ok := is.([]any)
		if !ok {
			break
		}
		if len(want) == 0 || len(list) == 0 {
			return nil
		}
		return like(path+"[0]", want[0], list[0])
	default:
		if is == nil || fmt.Sprintf("%T", want) == fmt.Sprintf("%T", is) {
			return nil
		}
	}
	if is == nil {
		return nil
	}
	return []string{fmt.Sprintf("%s is %T, want %T", path, is, want)}
}

// Every endpoint answers in the shape of its fixture.
func TestShapes(t *testing.T) {
	w := newWorld(t, sim.Options{Business: true})
	w.Car(dotterel).Set(func(s *sim.Settings) { s.Alerts, s.StreamError = []string{"APP_w224"}, "lost" })
	w.Car(wagtail).Wake()
	w.Car(nightjar).Do(sim.Charge(0, 3))
	w.wait(time.Minute)
	config := string(mustRead(t, "fleet_telemetry_config_create_request.json"))
	one := "/vehicles/" + nightjar
	for _, c := range []struct{ fixture, method, path, body string }{
		{"user_me", "GET", "/users/me", ""},
		{"user_region", "GET", "/users/region", ""},
		{"user_orders", "GET", "/users/orders", ""},
		{"user_feature_config", "GET", "/users/feature_config", ""},
		{"charging_history", "GET", "/dx/charging/history", ""},
		{"charging_sessions", "GET", "/dx/charging/sessions", ""},
		{"vehicles", "GET", "/vehicles", ""},
		{"products", "GET", "/products", ""},
		{"vehicle", "GET", one, ""},
		{"fleet_status", "POST", "/vehicles/fleet_status",
			`{"vins":["` + nightjar + `","` + wagtail + `","` + bittern + `"]}`},
		{"fleet_status_single", "POST", "/vehicles/fleet_status", `{"vins":["` + bittern + `"]}`},
		{"vehicle_data", "GET", one + "/vehicle_data" + all, ""},
		{"vehicle_data", "GET", "/vehicles/" + wagtail + "/vehicle_data" + all, ""},
		{"nearby_charging_sites", "GET", one + "/nearby_charging_sites", ""},
		{"mobile_enabled", "GET", one + "/mobile_enabled", ""},
		{"recent_alerts", "GET", "/vehicles/" + dotterel + "/recent_alerts", ""},
		{"release_notes", "GET", one + "/release_notes", ""},
		{"service_data", "GET", "/vehicles/" + dotterel + "/service_data", ""},
		{"wake_up_first", "POST", one + "/wake_up", ""},
		{"drivers", "GET", one + "/drivers", ""},
		{"invitation_created", "POST", one + "/invitations", ""},
		{"invitations", "GET", one + "/invitations", ""},
		{"subscriptions_eligibility_uncertain", "GET",
			"/dx/vehicles/subscriptions/eligibility?vin=" + nightjar, ""},
		{"upgrades_eligibility_uncertain", "GET", "/dx/vehicles/upgrades/eligibility?vin=" + nightjar, ""},
		{"options_uncertain", "GET", "/dx/vehicles/options?vin=" + nightjar, ""},
		{"warranty_details", "GET", "/dx/warranty/details?vin=" + nightjar, ""},
		{"fleet_telemetry_config_get_none", "GET", one + "/fleet_telemetry_config", ""},
		{"fleet_telemetry_config_create", "POST", "/vehicles/fleet_telemetry_config", config},
		{"fleet_telemetry_config_get", "GET", one + "/fleet_telemetry_config", ""},
		{"fleet_telemetry_config_delete", "DELETE", one + "/fleet_telemetry_config", ""},
		{"fleet_telemetry_errors", "GET", "/vehicles/" + dotterel + "/fleet_telemetry_errors", ""},
		{"energy_live_status", "GET", "/energy_sites/9900000001/live_status", ""},
	} {
		a := w.call(c.method, "/eu/api/1"+c.path, c.body).want(t, 200, "")
		for _, wrong := range like("", read(t, c.fixture), any(a.json(t))) {
			t.Errorf("%s %s: %s", c.method, c.path, wrong)
		}
	}
	w.Car(nightjar).Do(sim.Drive(0, 20*time.Minute, 15))
	w.Car(nightjar).Set(func(s *sim.Settings) { s.Route = "Invented Harbour" })
	w.wait(5 * time.Minute)
	for _, wrong := range like("", read(t, "vehicle_data_driving"), any(w.data(nightjar).json(t))) {
		t.Errorf("while it drives: %s", wrong)
	}
}

func TestWrappedHistory(t *testing.T) {
	w := newWorld(t, sim.Options{Wrapped: true})
	a := w.get("/dx/charging/history")
	for _, wrong := range like("", read(t, "charging_history_wrapped"), any(a.json(t))) {
		t.Error(wrong)
	}
}

func mustRead(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Every row of the list of endpoints is answered by something else than "not
// found", for the categories that Wheelhouse speaks.
func TestEveryEndpointIsThere(t *testing.T) {
	w := newWorld(t, sim.Options{})
	rows, err := csv.NewReader(bytes.NewReader(mustRead(t, "endpoints.csv"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		category, method, path := row[0], row[1], row[2]
		switch category {
		case "user", "charging", "vehicle", "telemetry", "partner":
		default:
			continue
		}
		w.wait(time.Minute)
		if strings.Contains(row[3], "partner token") {
			w.token = w.PartnerToken("vehicle_specs")
		} else {
			w.token, _ = w.Tokens(every...)
		}
		names := strings.NewReplacer("{vehicle_tag}", nightjar, "{vin}", nightjar, "{name}", "honk_horn")
		w.call(method, "/eu"+names.Replace(path), "{}")
	}
	if n := w.Calls("unknown", ""); n > 0 {
		t.Errorf("%d endpoints are not there", n)
	}
}

// Without "endpoints" there is no position and no schedule; with it there is what
// was asked for, and the position only with its scope.
func TestParts(t *testing.T) {
	w := newWorld(t, sim.Options{})
	plain := w.get("/vehicles/"+nightjar+"/vehicle_data").want(t, 200, "vehicle_config")
	if plain.at(t, "response", "drive_state", "latitude") != nil ||
		plain.at(t, "response", "charge_schedule_data") != nil {
		t.Error("a plain reading has a position or a schedule")
	}
	one := w.get("/vehicles/"+nightjar+"/vehicle_data?endpoints=charge_state").want(t, 200, "charge_state")
	if one.at(t, "response", "climate_state") != nil {
		t.Error("more than was asked for")
	}
	only := w.get("/vehicles/" + nightjar + "/vehicle_data?endpoints=location_data")
	if lat := only.number(t, "response", "drive_state", "latitude"); lat < 55 || lat > 58 {
		t.Errorf("latitude %f", lat)
	}
	w.get("/vehicles/"+nightjar+"/vehicle_data?endpoints=nonsense").want(t, 400, "invalid_field")
	w.token, _ = w.Tokens("vehicle_device_data")
	if w.data(nightjar).at(t, "response", "drive_state", "latitude") != nil {
		t.Error("a position without its scope")
	}
	strict := newWorld(t, sim.Options{StrictLocation: true})
	strict.token, _ = strict.Tokens("vehicle_device_data")
	strict.data(nightjar).want(t, 403, "missing scopes")
}

// What the API tells is what the car does, in Tesla's units.
func TestReadingTellsTheTruth(t *testing.T) {
	w := newWorld(t, sim.Options{Cars: []sim.Spec{
		{VIN: nightjar, Odometer: 1609344}, {VIN: wagtail, Model: sim.ModelY}}})
	car := w.Car(nightjar)
	first := w.data(nightjar)
	if first.number(t, "response", "vehicle_state", "odometer") != 1000 ||
		first.at(t, "response", "charge_state", "fast_charger_type") != "<invalid>" ||
		first.at(t, "response", "charge_state", "charging_state") != "Disconnected" ||
		first.at(t, "response", "drive_state", "shift_state") != nil {
		t.Error("a parked car tells something else")
	}
	car.Do(sim.Drive(0, 30*time.Minute, 24))
	w.wait(15 * time.Minute)
	is, a := car.Snapshot(), w.data(nightjar)
	mph := a.number(t, "response", "drive_state", "speed")
	if math.Abs(is.Speed/1.609344-mph) > 0.51 {
		t.Errorf("%f mph at %f km/h", mph, is.Speed)
	}
	if a.at(t, "response", "drive_state", "shift_state") != "D" {
		t.Error("drives in no gear")
	}
	w.wait(15 * time.Minute)
	if km := car.Snapshot().Odometer; km < 1609.344+23.999 || km > 1609.344+24.001 {
		t.Errorf("%f km after a way of 24", km)
	}
	car.Do(sim.Charge(0, 3))
	w.wait(30 * time.Minute)
	a = w.data(nightjar)
	if kw, added := a.number(t, "response", "charge_state", "charger_power"),
		a.number(t, "response", "charge_state", "charge_energy_added"); kw != 11 || added < 4.9 || added > 5.1 {
		t.Errorf("%f kW, %f kWh after half an hour", kw, added)
	}
	w.Car(wagtail).Do(sim.Charge(0, 3))
	w.wait(time.Minute)
	if n := w.data(wagtail).number(t, "response", "charge_state", "charger_phases"); n != 2 {
		t.Errorf("a Model Y tells %v phases", n)
	}
}

// A charge at a Supercharger appears in the history, later as paid and with an
// invoice.
func TestSuperchargerHistory(t *testing.T) {
	w := newWorld(t, alone(nil))
	path := "/dx/charging/history?pageSize=1&vin=" + nightjar
	count := func() int { return strings.Count(w.get("/dx/charging/history").Body, "sessionId") }
	before := count()
	w.Car(nightjar).Do(sim.Supercharge(0.8))
	w.wait(50 * time.Minute)
	if count() != before {
		t.Error("in the history at once")
	}
	w.wait(time.Hour)
	w.get(path).want(t, 200, `"status":"PENDING"`).want(t, 200, `"invoices":[]`)
	w.wait(6 * time.Hour)
	a := w.get(path).want(t, 200, `"isPaid":true`)
	session := a.at(t, "data").([]any)[0].(map[string]any)
	id := session["invoices"].([]any)[0].(map[string]any)["contentId"].(string)
	pdf := w.get("/dx/charging/invoice/"+id).want(t, 200, "%PDF")
	if kind := pdf.Header.Get("Content-Type"); kind != "application/pdf" {
		t.Errorf("the invoice is %s", kind)
	}
	if count() != before+1 {
		t.Errorf("%d sessions after %d", count(), before)
	}
	w.get("/dx/charging/invoice/nonsense").want(t, 404, "not_found")
	w.get("/dx/charging/sessions").want(t, 403, "")
}
