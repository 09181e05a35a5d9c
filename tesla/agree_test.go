package tesla_test

import (
	"context"
	"maps"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/tesla"
	"github.com/wheelhouse-mqtt/wheelhouse/tesla/sim"
)

// account is a client of an account that lives elsewhere than it believes.
func account(t *testing.T, theirs *sim.Tesla, ledger tesla.Ledger) *tesla.Client {
	access, _ := theirs.Tokens("openid", "user_data", "vehicle_device_data", "vehicle_location",
		"vehicle_cmds", "vehicle_charging_cmds")
	partner := theirs.PartnerToken("vehicle_device_data", "vehicle_specs")
	region := tesla.NorthAmerica
	return over(t, nil, func(o *tesla.ClientOptions) {
		o.HTTP = &http.Client{Transport: theirs}
		o.Meter = newMeter(t, ledger, tesla.DefaultBudget(), time.Now)
		o.Region = func() tesla.Region { return region }
		o.Moved = func(_ context.Context, to tesla.Region) error { region = to; return nil }
		o.Hosts.API = make(map[tesla.Region]string)
		for name, base := range theirs.Hosts("https://tesla.invalid").API {
			o.Hosts.API[tesla.Region(name)] = base
		}
		o.Token = func(_ context.Context, as tesla.Identity) (string, error) {
			if as == tesla.Partner {
				return partner, nil
			}
			return access, nil
		}
	})
}

// TestEveryEndpointOfTheSimulatedTesla reads each answer of a Tesla that was
// written without a look at this package, and holds the meter against its bill.
func TestEveryEndpointOfTheSimulatedTesla(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		theirs := sim.New(sim.Options{Now: time.Now, Seed: 1, Business: true})
		theirs.Serve(sim.Domain, public(t, newKey(t)))
		for _, c := range theirs.Cars() {
			c.Wake()
		}
		time.Sleep(time.Minute)
		ledger := &book{}
		c := account(t, theirs, ledger)
		for name, call := range calls(t, c) {
			if err := call(t.Context()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		billed := make(map[tesla.Spent]int64)
		for one, n := range theirs.Spending() {
			billed[tesla.Spent{Month: "2000-01", Category: tesla.Category(one.Category), Endpoint: one.Endpoint,
				VIN: one.VIN, Status: one.Status}] = int64(n)
		}
		same(t, "the bill", ledger.rows, billed)
	})
}

// calls are the methods with arguments that mean something.
func calls(t *testing.T, c *tesla.Client) map[string]func(context.Context) error {
	all := make(map[string]func(context.Context) error)
	for name, method := range methods {
		all[name] = func(ctx context.Context) error { return invoke(ctx, valueOf(c, method)) }
	}
	maps.Copy(all, map[string]func(context.Context) error{})
	return all
}
