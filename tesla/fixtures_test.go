package tesla_test

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-mqtt/wheelhouse/tesla"
)

// read calls a method on Tesla's example answer.
func read[T any](t *testing.T, name string, call func(*tesla.Client, context.Context) (T, error)) T {
	t.Helper()
	got, err := call(with(t, 200, example(t, name)), t.Context())
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return got
}

// readCar is read for a method that is about a car.
func readCar[T any](
	t *testing.T, name string, call func(*tesla.Client, context.Context, string) (T, error),
) T {
	t.Helper()
	return read(t, name, func(c *tesla.Client, ctx context.Context) (T, error) { return call(c, ctx, nightjar) })
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s:\n%s", what, diff)
	}
}

func TestVehicles(t *testing.T) {
	all := read(t, "vehicles.json", (*tesla.Client).Vehicles)
	if len(all) != 3 {
		t.Fatalf("%d cars", len(all))
	}
	same(t, "the first", all[0], tesla.Vehicle{ID: 1493000000000001, VehicleID: 2200000001, VIN: nightjar,
		Name: "Nightjar", Access: "OWNER", State: "online", APIVersion: 84})
	same(t, "awake", []bool{all[0].Online(), all[1].Online(), all[2].Online()}, []bool{true, false, false})

	for _, name := range []string{"vehicle.json", "vehicle_asleep.json"} {
		v := readCar(t, name, (*tesla.Client).Vehicle)
		same(t, name, v.Online(), name == "vehicle.json")
	}
	for _, name := range []string{"wake_up_first.json", "wake_up_online.json"} {
		v := readCar(t, name, (*tesla.Client).WakeUp)
		same(t, name, v.Online(), name == "wake_up_online.json")
	}
}

func TestProducts(t *testing.T) {
	p := read(t, "products.json", (*tesla.Client).Products)
	var signing []string
	for _, v := range p.Vehicles {
		signing = append(signing, v.Signing)
	}
	same(t, "signing", signing, []string{"required", "required", "off"})
	same(t, "energy sites", len(p.Sites), 1)
}

// TestBigNumbers: a car's number may be larger than a float64 holds exactly.
func TestBigNumbers(t *testing.T) {
	v, err := with(t, 200, `{"response":{"id":9007199254740993}}`).Vehicle(t.Context(), nightjar)
	if err != nil || v.ID != 1<<53+1 {
		t.Errorf("%d, %v", v.ID, err)
	}
}

func TestVehicleData(t *testing.T) {
	for _, name := range []string{"vehicle_data.json", "vehicle_data_driving.json"} {
		data := read(t, name, func(c *tesla.Client, ctx context.Context) (json.RawMessage, error) {
			return c.VehicleData(ctx, nightjar, tesla.PartCharge, tesla.PartLocation)
		})
		var got map[string]json.RawMessage
		if json.Unmarshal(data, &got) != nil || got["charge_state"] == nil || got["response"] != nil {
			t.Errorf("%s: %.80s", name, data)
		}
	}
}

func TestFleetStatus(t *testing.T) {
	status := func(c *tesla.Client, ctx context.Context) (tesla.FleetStatus, error) {
		return c.FleetStatus(ctx, nightjar)
	}
	s := read(t, "fleet_status.json", status)
	keys := 4
	same(t, "paired", s.Paired, []string{nightjar})
	same(t, "the car", s.Cars[nightjar], tesla.CarStatus{Firmware: "2026.2.9", SigningRequired: true,
		Telemetry: "1.2.0", Keys: &keys})
	s = read(t, "fleet_status_single.json", status)
	same(t, "discounted", s.Cars["5YJSA1E20FF000003"].Discounted, true)
}

func TestChargingHistory(t *testing.T) {
	history := func(c *tesla.Client, ctx context.Context) ([]tesla.ChargingSession, error) {
		return c.ChargingHistory(ctx, tesla.HistoryQuery{VIN: nightjar})
	}
	plain := read(t, "charging_history.json", history)
	same(t, "in an envelope", read(t, "charging_history_wrapped.json", history), plain)
	same(t, "empty", len(read(t, "charging_history_empty.json", history)), 0)

	first := plain[0]
	same(t, "energy", first.Energy(), 38.)
	same(t, "cost", first.Cost(), map[string]float64{"EUR": 15.58})
	same(t, "invoice", first.Invoices[0].Content, "11111111-2222-4333-8444-555555555555")
	if want := time.Date(2026, 3, 8, 13, 2, 11, 0, time.UTC); !first.Start.Equal(want) {
		t.Errorf("started %v", first.Start)
	}
}

// TestTiers: a tier counts if it has a rate; a free charge has none at all.
func TestTiers(t *testing.T) {
	fee := func(f tesla.Fee) tesla.ChargingSession { return tesla.ChargingSession{Fees: []tesla.Fee{f}} }
	for name, test := range map[string]struct {
		fee  tesla.Fee
		want float64
	}{
		"Tesla's own example": {tesla.Fee{Type: "CHARGING", Unit: "kwh", RateBase: .5, UsageBase: 40,
			UsageTier2: 24}, 40},
		"two rates": {tesla.Fee{Type: "CHARGING", Unit: "kWh", RateBase: .5, UsageBase: 40,
			RateTier1: .6, UsageTier1: 2, RateTier2: .7, UsageTier2: 3, RateTier3: .8, UsageTier3: 4,
			RateTier4: .9, UsageTier4: 5}, 54},
		"free":       {tesla.Fee{Type: "CHARGING", Unit: "kwh", UsageBase: 20}, 20},
		"by minutes": {tesla.Fee{Type: "CHARGING", Unit: "min", RateBase: 1, UsageBase: 20}, 0},
		"parking":    {tesla.Fee{Type: "PARKING", Unit: "min", RateBase: 1, UsageBase: 20}, 0},
	} {
		if got := fee(test.fee).Energy(); math.Abs(got-test.want) > 1e-9 {
			t.Errorf("%s: %v kWh", name, got)
		}
	}
}

func TestUser(t *testing.T) {
	me := read(t, "user_me.json", (*tesla.Client).Me)
	same(t, "mail", me.Email, "owner@example.org")
	home := read(t, "user_region.json", (*tesla.Client).UserRegion)
	same(t, "region", home.Region, tesla.Europe)
	orders := read(t, "user_orders.json", (*tesla.Client).Orders)
	same(t, "order", []string{orders[0].Reference, orders[0].Status}, []string{"RN000000001", "BOOKED"})
	raw := read(t, "user_feature_config.json", (*tesla.Client).FeatureConfig)
	same(t, "features", strings.Contains(string(raw), `"signaling"`), true)
}

func TestCare(t *testing.T) {
	nearby := func(c *tesla.Client, ctx context.Context) (tesla.NearbySites, error) {
		return c.NearbyChargingSites(ctx, nightjar, tesla.SitesQuery{})
	}
	sites := read(t, "nearby_charging_sites.json", nearby)
	first := sites.Superchargers[0]
	same(t, "stalls", []int{first.Available, first.Total, len(sites.Destinations)}, []int{9, 16, 1})
	same(t, "place", first.Place.Lon, 4.702)
	alerts := readCar(t, "recent_alerts.json", (*tesla.Client).RecentAlerts)
	same(t, "alert", []any{alerts[0].Text, alerts[0].At.UnixMilli()}, []any{"Cruise control unavailable",
		int64(1773423612345)})
	service := readCar(t, "service_data.json", (*tesla.Client).ServiceData)
	same(t, "service", []any{service.Status, service.Until.IsZero()}, []any{"in_service", false})
	w := readCar(t, "warranty_details.json", (*tesla.Client).WarrantyDetails)
	same(t, "warranty", []any{len(w.Active), w.Active[1].Odometer, w.Active[1].Unit}, []any{2, 160000, "KM"})
}

func TestReleaseNotes(t *testing.T) {
	body := example(t, "release_notes.json")
	for name, body := range map[string]string{"plain": body, "nested": `{"response":` + body + `}`} {
		notes, err := with(t, 200, body).ReleaseNotes(t.Context(), nightjar, false, 0)
		if err != nil || len(notes) != 1 || notes[0].Version != "2026.2.9" {
			t.Errorf("%s: %v, %v", name, notes, err)
		}
	}
}

func TestMobileEnabled(t *testing.T) {
	for body, want := range map[string]bool{
		example(t, "mobile_enabled.json"):                   true,
		`{"response":true}`:                                 true,
		`{"response":false}`:                                false,
		`{"response":{"reason":"switched","result":false}}`: false,
	} {
		on, reason, err := with(t, 200, body).MobileEnabled(t.Context(), nightjar)
		if err != nil || on != want || strings.Contains(body, "switched") != (reason != "") {
			t.Errorf("%s: %v %q %v", body, on, reason, err)
		}
	}
}

func TestSharing(t *testing.T) {
	drivers := readCar(t, "drivers.json", (*tesla.Client).Drivers)
	same(t, "driver", []any{drivers[0].ID, drivers[0].FirstName}, []any{int64(800001), "Ada"})
	open := readCar(t, "invitations.json", (*tesla.Client).Invitations)
	made := readCar(t, "invitation_created.json", (*tesla.Client).CreateInvitation)
	same(t, "invitation", open, []tesla.Invitation{made})
	same(t, "its times", []bool{made.Expires.IsZero(), made.Revoked.IsZero()}, []bool{false, true})
}

func TestTelemetryConfig(t *testing.T) {
	request := example(t, "fleet_telemetry_config_create_request.json")
	var asked struct{ Config tesla.TelemetryConfig }
	if err := json.Unmarshal([]byte(request), &asked); err != nil {
		t.Fatal(err)
	}
	got := readCar(t, "fleet_telemetry_config_get.json", (*tesla.Client).FleetTelemetryConfig)
	same(t, "configuration", got, tesla.TelemetryState{Synced: true, Paired: true, Config: &asked.Config})
	got = readCar(t, "fleet_telemetry_config_get_none.json", (*tesla.Client).FleetTelemetryConfig)
	same(t, "none", got.Config, (*tesla.TelemetryConfig)(nil))
	create := func(c *tesla.Client, ctx context.Context) (tesla.TelemetryResult, error) {
		return c.CreateFleetTelemetryConfig(ctx, asked.Config, nightjar)
	}
	made := read(t, "fleet_telemetry_config_create_skipped.json", create)
	same(t, "skipped", []any{made.Updated, made.Skipped.MissingKey}, []any{1, []string{wagtail}})
	for _, name := range []string{"fleet_telemetry_config_create.json", "fleet_telemetry_config_delete.json"} {
		made := readCar(t, name, (*tesla.Client).DeleteFleetTelemetryConfig)
		same(t, name, made.Updated, 1)
	}
	wrong := readCar(t, "fleet_telemetry_errors.json", (*tesla.Client).FleetTelemetryErrors)
	same(t, "error", wrong[0].VIN, nightjar)
}

func TestPartner(t *testing.T) {
	register := func(c *tesla.Client, ctx context.Context) (tesla.PartnerAccount, error) {
		return c.RegisterPartner(ctx, domain)
	}
	account := read(t, "partner_account.json", register)
	key := read(t, "partner_public_key.json", func(c *tesla.Client, ctx context.Context) (string, error) {
		return c.PartnerPublicKey(ctx, domain)
	})
	same(t, "account", []string{account.Domain, account.PublicKey}, []string{domain, key})
}

// TestCost: what is to be paid counts, not what it would have been.
func TestCost(t *testing.T) {
	s := tesla.ChargingSession{Fees: []tesla.Fee{{Currency: "EUR", TotalDue: 20, NetDue: 15},
		{Currency: "EUR", NetDue: 1}, {Currency: "CHF", NetDue: 2}}}
	same(t, "cost", s.Cost(), map[string]float64{"EUR": 16, "CHF": 2})
}

// TestFreeForm: what nobody knows the shape of is handed on as it is.
func TestFreeForm(t *testing.T) {
	type ofCar = func(*tesla.Client, context.Context, string) (json.RawMessage, error)
	for name, call := range map[string]ofCar{
		"options_uncertain.json":                   (*tesla.Client).Options,
		"subscriptions_eligibility_uncertain.json": (*tesla.Client).SubscriptionsEligibility,
		"upgrades_eligibility_uncertain.json":      (*tesla.Client).UpgradesEligibility,
		"charging_sessions.json": func(c *tesla.Client, ctx context.Context, vin string) (json.RawMessage, error) {
			return c.ChargingSessions(ctx, vin, time.Time{}, time.Time{}, 1, 0)
		},
	} {
		if got := readCar(t, name, call); !json.Valid(got) || len(got) < 50 {
			t.Errorf("%s: %s", name, got)
		}
	}
}
