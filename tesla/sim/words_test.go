package sim_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/tesla/sim"
)

func (w *world) charging(vin string) any {
	return w.data(vin).at(w.t, "response", "charge_state", "charging_state")
}

// The words of a charge come in their order.
func TestWordsOfACharge(t *testing.T) {
	w := newWorld(t, alone(nil))
	car := w.Car(nightjar)
	for _, c := range []struct {
		do   sim.Activity
		wait time.Duration
		want string
	}{
		{sim.Charge(0, 3), time.Second, "Starting"},
		{sim.Stay(time.Minute), time.Second, "Stopped"},
		{sim.Charge(0, 3), time.Minute, "Charging"},
		{sim.Supercharge(0.9), time.Minute, "Charging"},
		{sim.Supercharge(0.9), time.Hour, "Complete"},
		{sim.Drive(0, time.Minute, 0.5), 2 * time.Second, "Disconnected"},
	} {
		car.Do(c.do)
		w.wait(c.wait)
		car.Wake()
		w.wait(5 * time.Second)
		if is := w.charging(nightjar); is != c.want {
			t.Errorf("%s for %v: %v, want %s", c.do.Do, c.wait, is, c.want)
		}
	}
}

// A fast charge is told as one, and a car that just woke knows little.
func TestFastChargeAndFirstSeconds(t *testing.T) {
	w := newWorld(t, alone(nil))
	car := w.Car(nightjar)
	car.Do(sim.Supercharge(0.8))
	w.wait(time.Minute)
	a := w.data(nightjar)
	state := func(key string) any { return a.at(t, "response", "charge_state", key) }
	if state("fast_charger_present") != true || state("charger_phases") != nil ||
		a.number(t, "response", "charge_state", "charger_power") < 50 {
		t.Errorf("fast %v, %v kW", state("fast_charger_present"), state("charger_power"))
	}
	car.Do(sim.Stay(time.Minute))
	w.wait(time.Hour)
	car.Wake()
	dazed := w.data(nightjar)
	if dazed.at(t, "response", "climate_state", "inside_temp") != nil || w.charging(nightjar) != nil {
		t.Error("a car that just woke knows everything")
	}
	w.wait(5 * time.Second)
	if w.data(nightjar).at(t, "response", "climate_state", "inside_temp") == nil {
		t.Error("it still does not know its temperatures")
	}
}

// What a test sets is what the car tells.
func TestSettingsAreTold(t *testing.T) {
	w := newWorld(t, alone(nil))
	w.Car(nightjar).Set(func(s *sim.Settings) {
		s.Unlocked, s.Sentry, s.Climate, s.UserPresent, s.ChargeLimit = true, true, true, true, 90
		s.Doors, s.Windows = map[string]bool{"ft": true}, map[string]int{"fd_window": 2}
		s.Update = "2026.2.10"
	})
	a := w.data(nightjar)
	for path, want := range map[string]string{
		"vehicle_state locked": "false", "vehicle_state sentry_mode": "true", "climate_state is_climate_on": "true",
		"vehicle_state ft": "1", "vehicle_state df": "0", "vehicle_state fd_window": "2",
		"vehicle_state is_user_present": "true", "drive_state shift_state": "P",
		"charge_state charge_limit_soc":         "90",
		"vehicle_state software_update version": "2026.2.10", "vehicle_state software_update status": "available",
	} {
		if is := a.at(t, append([]string{"response"}, strings.Fields(path)...)...); word(is) != want {
			t.Errorf("%s is %v, want %s", path, is, want)
		}
	}
	w.get("/vehicles/"+nightjar+"/release_notes?staged=true").want(t, 200, "2026.2.10")
	w.Car(nightjar).Set(func(s *sim.Settings) { *s = sim.Settings{} })
	w.get("/vehicles/"+nightjar+"/release_notes?staged=true").want(t, 200, `"release_notes":[]`)
	w.get("/vehicles/"+nightjar+"/service_data").want(t, 200, `{"response":{}}`)
	if v := w.data(nightjar).at(t, "response", "vehicle_state", "software_update", "version"); v != " " {
		t.Errorf("version %q of no update", v)
	}
}

func word(v any) string {
	switch v := v.(type) {
	case bool:
		if v {
			return "true"
		}
		return "false"
	case string:
		return v
	case interface{ String() string }:
		return v.String()
	}
	return ""
}

// A plan may be given, and a car be put to sleep.
func TestFollow(t *testing.T) {
	w := newWorld(t, alone(nil))
	car := w.Car(nightjar)
	car.Sleep()
	if s := car.Snapshot(); s.State != sim.Asleep {
		t.Errorf("%v is %s", car, s.State)
	}
	w.now = time.Date(2026, 11, 2, 7, 29, 0, 0, time.UTC)
	car.Follow(sim.ReferenceMonth())
	w.wait(2 * time.Minute)
	if s := car.Snapshot(); s.Doing != sim.Driving || s.State != sim.Online {
		t.Errorf("%s and %s at half past seven", s.Doing, s.State)
	}
	w.wait(24 * time.Hour)
	if s := car.Snapshot(); s.Doing != sim.Driving || s.Lived.Drove < time.Hour {
		t.Errorf("%s a day later, drove %v", s.Doing, s.Lived.Drove)
	}
	if strings.Contains(car.String(), nightjar) || len(w.Cars()) != 1 {
		t.Error("a car's name shows its whole VIN")
	}
}

// A signed configuration is taken apart; it must be meant for streaming.
func TestSignedConfiguration(t *testing.T) {
	w := newWorld(t, sim.Options{})
	sign := func(alg, audience string) string {
		enc := base64.RawURLEncoding.EncodeToString
		header := enc([]byte(`{"alg":"` + alg + `","typ":"JWT"}`))
		claims := enc([]byte(`{"hostname":"telemetry.example.org","port":4443,` +
			`"fields":{"Soc":{"interval_seconds":60}},"iss":"key","aud":"` + audience + `"}`))
		vins := strings.Join([]string{nightjar, wagtail, bittern}, `","`)
		return `{"vins":["` + vins + `"],"token":"` + header + "." + claims + `.c2ln"}`
	}
	const path, audience = "/vehicles/fleet_telemetry_config_jws", "com.tesla.fleet.TelemetryClient"
	a := w.post(path, sign("Tesla.SS256", audience)).want(t, 200, `"updated_vehicles":1`)
	a.want(t, 200, `"missing_key":["`+wagtail+`"]`).want(t, 200, `"unsupported_hardware":["`+bittern+`"]`)
	w.post(path, sign("RS256", audience)).want(t, 400, "invalid_field")
	w.post(path, sign("Tesla.SS256", "somebody")).want(t, 400, "invalid_field")
	w.post(path, `{"vins":["`+nightjar+`"],"token":"nonsense"}`).want(t, 400, "no JWS")
	is := w.get("/vehicles/" + nightjar + "/fleet_telemetry_config")
	is.want(t, 200, `"synced":true`).want(t, 200, "telemetry.example.org")
	w.post("/vehicles/fleet_telemetry_config", `{"vins":["`+nightjar+`"]}`).want(t, 400, "invalid_field")
}

// The rest of the endpoints do what they say.
func TestTheRest(t *testing.T) {
	w := newWorld(t, sim.Options{})
	w.get("/users/backup_key").want(t, 200, "backup_key")
	w.post("/users/keys", "{}").want(t, 400, "public_key")
	w.post("/users/keys", `{"public_key":"04ab"}`).want(t, 200, "true")
	w.post("/subscriptions", `{"vehicle_ids":[1,2]}`).want(t, 200, "[1,2]")
	w.get("/vehicle_subscriptions").want(t, 200, "[1,2]")
	one := "/vehicles/" + nightjar
	w.call("DELETE", "/eu/api/1"+one+"/drivers", "").want(t, 400, "share_user_id")
	w.call("DELETE", "/eu/api/1"+one+"/drivers?share_user_id=1", "").want(t, 200, "ok")
	w.get("/dx/warranty/details").want(t, 404, "")
	w.get("/dx/charging/history?startTime=yesterday").want(t, 400, "no time")
	w.get("/dx/charging/history?startTime="+"2030-01-01T00:00:00Z").want(t, 200, `{"data":[]}`)
	const metadata = "/oauth2/v3/thirdparty/.well-known/openid-configuration"
	w.send("GET", metadata, "", nil).want(t, 200, "token_endpoint")
	w.Car(dotterel).Set(func(s *sim.Settings) { s.StreamError = "no connection" })
	w.token = w.PartnerToken("openid")
	w.get("/partner_accounts/fleet_telemetry_error_vins").want(t, 200, dotterel)
	w.get("/partner_accounts/fleet_telemetry_errors").want(t, 200, "no connection")
	w.get("/vehicles/"+nightjar+"/specs").want(t, 403, "missing scopes")
	w.token = w.PartnerToken("vehicle_specs")
	w.get("/vehicles/"+nightjar+"/specs").want(t, 200, "model3")
	if w.Bill()[sim.Specs] != 2 {
		t.Error("specifications are not on the bill")
	}
}
