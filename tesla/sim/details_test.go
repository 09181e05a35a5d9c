package sim_test

import (
	"crypto/elliptic"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/tesla/sim"
)

// A way out and the way back end at home, wherever the car was meanwhile.
func TestWayOutAndBack(t *testing.T) {
	w := newWorld(t, alone(nil))
	car := w.Car(nightjar)
	home := car.Snapshot()
	heading := func() float64 { return w.data(nightjar).number(t, "response", "drive_state", "heading") }
	car.Do(sim.Drive(0, 20*time.Minute, 15))
	w.wait(10 * time.Minute)
	out := heading()
	w.wait(11 * time.Minute)
	away := car.Snapshot()
	east := (away.Lon - home.Lon) * math.Cos(home.Lat*math.Pi/180)
	if km := math.Hypot(away.Lat-home.Lat, east) * 111.32; km < 14.9 || km > 15.1 {
		t.Errorf("%f km from home after a way of 15", km)
	}
	if away.Lat < home.Lat {
		t.Error("went south on a road to the north")
	}
	car.Do(sim.Activity{Do: sim.Driving, Metres: -15e3}) // as long as it takes
	w.wait(10 * time.Minute)
	if back := heading(); math.Abs(back-out) != 180 {
		t.Errorf("heading %f out and %f back", out, back)
	}
	w.wait(10 * time.Minute)
	if is := car.Snapshot(); is.Lat != home.Lat || is.Lon != home.Lon || is.Doing != sim.Parked {
		t.Errorf("%s at %f %f, home is %f %f", is.Doing, is.Lat, is.Lon, home.Lat, home.Lon)
	}
}

// Waking again does not begin anew, and an offline car hears nothing.
func TestWakingTwice(t *testing.T) {
	w := newWorld(t, sim.Options{Cars: []sim.Spec{{VIN: wagtail, Asleep: true, WakesIn: 10 * time.Second}}})
	car := w.Car(wagtail)
	wake := func() { w.post("/vehicles/"+wagtail+"/wake_up", "").want(t, 200, wagtail) }
	car.Set(func(s *sim.Settings) { s.Offline = true })
	wake()
	w.wait(time.Minute)
	car.Set(func(s *sim.Settings) { s.Offline = false })
	if s := car.Snapshot(); s.State != sim.Asleep {
		t.Errorf("%s though nobody could reach it", s.State)
	}
	wake()
	w.wait(7 * time.Second)
	wake()
	w.wait(3 * time.Second)
	if s := car.Snapshot(); s.State != sim.Online || s.Lived.Wakes != 3 {
		t.Errorf("%s after ten seconds, woken %d times", s.State, s.Lived.Wakes)
	}
}

// The energy of a charge begins at nothing, and stays after unplugging.
func TestEnergyAdded(t *testing.T) {
	w := newWorld(t, alone(nil))
	car := w.Car(nightjar)
	for range 2 {
		car.Do(sim.Activity{Do: sim.Charging, For: 10 * time.Minute})
		w.wait(10 * time.Minute)
		charged := car.Snapshot().Added
		car.Do(sim.Drive(0, 10*time.Minute, 6))
		w.wait(time.Minute)
		if kwh := car.Snapshot().Added; kwh < 1.6 || kwh > 1.8 || kwh != charged {
			t.Errorf("%f kWh in ten minutes at 11 kW", kwh)
		}
	}
}

// The token that was used last is good for a day after its first use.
func TestGraceBeginsOnce(t *testing.T) {
	w := newWorld(t, sim.Options{})
	_, first := w.Tokens(every...)
	w.refresh(first).want(t, 200, "")
	w.now = w.now.Add(23 * time.Hour)
	w.refresh(first).want(t, 200, "")
	w.now = w.now.Add(time.Hour)
	w.refresh(first).want(t, 401, "login_required")
}

func TestRegisteredRedirects(t *testing.T) {
	w := newWorld(t, sim.Options{Redirects: []string{redirect}})
	if w.signIn().Get("code") == "" {
		t.Error("no code for a registered redirect")
	}
	if got := w.signIn("redirect_uri", "http://localhost:1/").Get("page"); got == "" {
		t.Error("sent people to a place that is not registered")
	}
}

// All instants of a reading are now, and all places are in the sea.
func TestInstantsAndPlaces(t *testing.T) {
	w := newWorld(t, sim.Options{})
	w.wait(time.Minute)
	a := w.data(nightjar)
	for part := range strings.FieldsSeq(
		"charge_state climate_state drive_state gui_settings vehicle_config vehicle_state") {
		if ms := a.number(t, "response", part, "timestamp"); int64(ms) != w.now.UnixMilli() {
			t.Errorf("%s at %f", part, ms)
		}
	}
	if s := a.number(t, "response", "charge_schedule_data", "timestamp", "seconds"); int64(s) != w.now.Unix() {
		t.Errorf("schedules at %f", s)
	}
	if strings.Contains(a.Body, "52.123") {
		t.Error("a place on land")
	}
}

// An old car tells less, and is offered less.
func TestOldCar(t *testing.T) {
	w := newWorld(t, sim.Options{})
	w.Car(bittern).Set(func(s *sim.Settings) { s.Offline = false })
	w.data(bittern).want(t, 200, "sun_roof_state").want(t, 200, "smart_preconditioning")
	body := w.data(bittern).Body
	if strings.Contains(body, "energy_remaining") || strings.Contains(body, "schedules") {
		t.Error("an old car tells what only new ones know")
	}
	orders, charges := w.get("/users/orders").Body, w.get("/dx/charging/history").Body
	if strings.Contains(orders, bittern) || strings.Contains(charges, bittern) {
		t.Error("an order or a charge of a car that is somebody else's")
	}
	w.send("GET", "/_ak/"+sim.Domain, "", nil).want(t, 200, "Key added")
	a := w.post("/vehicles/fleet_status", `{"vins":["`+bittern+`","`+wagtail+`"]}`)
	a.want(t, 200, `"unpaired_vins":["`+bittern+`"]`)
	if strings.Contains(a.Body, "discounted_device_data") {
		t.Error("a discount though two cars were asked for")
	}
	w.token, _ = w.Tokens("vehicle_device_data")
	if strings.Contains(w.get("/products").Body, "energy_site_id") {
		t.Error("a house without its scope")
	}
}

// A configuration reaches a car when it is online; errors are told of one car, or
// of all.
func TestConfigurationReachesACarThatWakes(t *testing.T) {
	w := newWorld(t, sim.Options{})
	w.Car(wagtail).Set(func(s *sim.Settings) { s.Paired = true })
	w.post("/vehicles/fleet_telemetry_config", `{"vins":["`+wagtail+`"],"config":{`+
		`"hostname":"telemetry.example.org","port":443,"fields":{"Soc":{"interval_seconds":60}}}}`).
		want(t, 200, `"updated_vehicles":1`)
	w.get("/vehicles/"+wagtail+"/fleet_telemetry_config").want(t, 200, `"synced":false`)
	w.Car(wagtail).Wake()
	w.get("/vehicles/"+wagtail+"/fleet_telemetry_config").want(t, 200, `"synced":true`)
	w.Car(dotterel).Set(func(s *sim.Settings) { s.StreamError = "no connection" })
	w.get("/vehicles/"+wagtail+"/fleet_telemetry_errors").want(t, 200, `"fleet_telemetry_errors":[]`)
}

// A plan that is given at noon begins with the afternoon, and goes on with its
// second day; a day may begin at midnight.
func TestPlanBeginsNow(t *testing.T) {
	w := newWorld(t, alone(nil))
	w.now = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	car := w.Car(nightjar)
	morning := sim.Drive(8*time.Hour, time.Hour, 10)
	evening := sim.Drive(18*time.Hour, time.Hour, 10)
	car.Follow(sim.Plan{
		{morning, sim.Stay(time.Hour), evening}, {sim.Drive(0, time.Hour, 20), sim.Stay(time.Hour)}})
	drove := func(d time.Duration) float64 {
		before := car.Snapshot().Odometer
		w.wait(d)
		return math.Round(car.Snapshot().Odometer - before)
	}
	for i, want := range []float64{0, 10, 20, 0, 10, 10} { // to 17:59, midnight, noon, midnight, noon, midnight
		d := 12 * time.Hour
		switch i {
		case 0:
			d = 6*time.Hour - time.Minute
		case 1:
			d = 6*time.Hour + time.Minute
		}
		if km := drove(d); km != want {
			t.Errorf("step %d: %.0f km, want %.0f", i, km, want)
		}
	}
}

// What was asked for is done even if Tesla answers that it was not.
func TestFaultAfterwards(t *testing.T) {
	w := newWorld(t, sim.Options{})
	w.Fail("create_invitation",
		sim.Fault{File: "504_gateway_timeout", After: true}, sim.Fault{File: "500_internal"})
	path := "/vehicles/" + nightjar + "/invitations"
	w.post(path, "").want(t, 504, "html")
	w.post(path, "").want(t, 500, "upstream")
	if n := w.get(path).number(t, "count"); n != 1 {
		t.Errorf("%v invitations", n)
	}
}

func TestHistoryPages(t *testing.T) {
	w := newWorld(t, alone(nil))
	ids := func(query string) int { return strings.Count(w.get("/dx/charging/history"+query).Body, "sessionId") }
	for query, want := range map[string]int{
		"": 2, "?pageSize=1": 1, "?pageSize=1&pageNo=2": 1, "?pageSize=1&pageNo=3": 0, "?vin=" + wagtail: 0,
		"?startTime=2026-10-20T00:00:00Z": 1, "?endTime=2026-10-20T00:00:00Z": 1,
	} {
		if n := ids(query); n != want {
			t.Errorf("%q: %d sessions, want %d", query, n, want)
		}
	}
	newest, oldest := w.get("/dx/charging/history"), w.get("/dx/charging/history?sortOrder=ASC")
	if newest.Body == oldest.Body {
		t.Error("the order is not what was asked for")
	}
}

// A new key may be registered for a domain that has one.
func TestNewKey(t *testing.T) {
	w := newWorld(t, sim.Options{})
	w.token = w.PartnerToken("openid")
	key := func() string {
		s, _ := w.get("/partner_accounts/public_key?domain="+sim.Domain).at(t, "response", "public_key").(string)
		return s
	}
	old := key()
	w.Serve(sim.Domain, publicKey(t, elliptic.P256()))
	w.post("/partner_accounts", `{"domain":"`+sim.Domain+`"}`).want(t, 200, sim.Domain)
	if key() == old {
		t.Error("still the old key")
	}
}
