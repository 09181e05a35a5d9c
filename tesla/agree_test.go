package tesla_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/tesla"
	"github.com/wheelhouse-mqtt/wheelhouse/tesla/sim"
)

// away makes a client of an account that lives elsewhere than it believes.
func away(t *testing.T, theirs *sim.Tesla, ledger tesla.Ledger) *tesla.Client {
	tokens := make(map[tesla.Identity]string)
	tokens[tesla.Owner], _ = theirs.Tokens("openid", "user_data", "vehicle_device_data", "vehicle_location",
		"vehicle_cmds", "vehicle_charging_cmds")
	tokens[tesla.Partner] = theirs.PartnerToken("vehicle_device_data", "vehicle_specs")
	region := tesla.NorthAmerica
	return over(t, nil, func(o *tesla.ClientOptions) {
		o.HTTP = &http.Client{Transport: theirs}
		o.Meter = newMeter(t, ledger, tesla.DefaultBudget(), time.Now)
		o.Region = func() tesla.Region { return region }
		o.Moved = func(_ context.Context, to tesla.Region) error { region = to; return nil }
		o.Token = func(_ context.Context, as tesla.Identity) (string, error) { return tokens[as], nil }
		o.Hosts.API = make(map[tesla.Region]string)
		for name, base := range theirs.Hosts("https://tesla.invalid").API {
			o.Hosts.API[tesla.Region(name)] = base
		}
	})
}

// meant are the calls whose arguments have to mean something.
func meant(t *testing.T, c *tesla.Client, ctx context.Context) map[string]func() error {
	sessions, err := c.ChargingHistory(ctx, tesla.HistoryQuery{})
	if err != nil || len(sessions) == 0 {
		t.Fatalf("%d sessions: %v", len(sessions), err)
	}
	var invited [2]tesla.Invitation
	for i := range invited {
		if invited[i], err = c.CreateInvitation(ctx, nightjar); err != nil {
			t.Fatal(err)
		}
	}
	config := tesla.TelemetryConfig{Hostname: "telemetry.example.org", Port: 4443,
		Fields: map[string]tesla.TelemetryField{"Soc": {Interval: 60}}}
	return map[string]func() error{
		"charging_invoice": func() error {
			_, err := c.ChargingInvoice(ctx, sessions[0].Invoices[0].Content)
			return err
		},
		"revoke_invitation":  func() error { return c.RevokeInvitation(ctx, nightjar, invited[0].ID) },
		"redeem_invitation":  func() error { _, err := c.RedeemInvitation(ctx, invited[1].Code); return err },
		"fleet_status":       func() error { _, err := c.FleetStatus(ctx, nightjar, wagtail); return err },
		"name_key":           func() error { return c.NameKey(ctx, tesla.KeyName{PublicKey: "04ab"}) },
		"register_partner":   func() error { _, err := c.RegisterPartner(ctx, sim.Domain); return err },
		"partner_public_key": func() error { _, err := c.PartnerPublicKey(ctx, sim.Domain); return err },
		"create_fleet_telemetry_config": func() error {
			_, err := c.CreateFleetTelemetryConfig(ctx, config, nightjar)
			return err
		},
		"send_fleet_telemetry_config": func() error { // signed by nobody
			var refused *tesla.Error
			if _, err := c.SendFleetTelemetryConfig(ctx, "x", nightjar); !errors.As(err, &refused) {
				return fmt.Errorf("was not refused: %w", err)
			}
			return nil
		},
	}
}

// TestEveryEndpointOfTheSimulatedTesla makes every call to a Tesla that was written
// without a look at this package, reads the answers, and holds the meter against
// its bill.
func TestEveryEndpointOfTheSimulatedTesla(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		theirs := sim.New(sim.Options{Now: time.Now, Seed: 1, Business: true})
		theirs.Serve(sim.Domain, public(t, newKey(t)))
		for _, c := range theirs.Cars() {
			c.Wake()
		}
		time.Sleep(time.Minute)
		theirs.ForgetBill()
		ledger := &book{}
		c := away(t, theirs, ledger)
		special := meant(t, c, t.Context())
		for _, e := range tesla.Endpoints() {
			call, ok := special[e.Name]
			if !ok {
				method := reflect.ValueOf(c).MethodByName(methods[e.Name])
				call = func() error { return invoke(t.Context(), method) }
			}
			if err := call(); err != nil {
				t.Errorf("%s: %v", e.Name, err)
			}
		}
		// Which car a call was about is told apart by us only where the query says it.
		ours, billed := make(map[tesla.Spent]int64), make(map[tesla.Spent]int64)
		for one, n := range ledger.rows {
			one.VIN = ""
			ours[one] += n
		}
		for one, n := range theirs.Spending() {
			billed[tesla.Spent{Month: "2000-01", Category: tesla.Category(one.Category),
				Endpoint: one.Endpoint, Status: one.Status}] += int64(n)
		}
		same(t, "the bill", ours, billed)
		near(t, "the cost", c.Meter.Bill().Cost, theirs.Cost())
	})
}
