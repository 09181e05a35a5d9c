package tesla_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/tesla"
	"github.com/wheelhouse-mqtt/wheelhouse/tesla/sim"
)

// browser opens an address and says where it is sent, if anywhere.
func browser(t testing.TB, over http.RoundTripper, address string) (status int, location string) {
	t.Helper()
	c := http.Client{Transport: over, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	response, err := c.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	return response.StatusCode, response.Header.Get("Location")
}

// TestOnboarding is a newcomer's way, against the simulated Tesla: make a key,
// register, sign in, pair, and keep it for a month.
func TestOnboarding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		theirs := sim.New(sim.Options{Now: time.Now, Fresh: true})
		places := theirs.Hosts("https://tesla.test")
		hosts := tesla.Hosts{Login: places.Login, Token: places.Token, Pair: places.Pair,
			API: map[tesla.Region]string{}}
		for region, base := range places.API {
			hosts.API[tesla.Region(region)] = base
		}
		over := &http.Client{Transport: theirs}
		v := &vault{}
		a, err := tesla.NewAccount(t.Context(), tesla.AccountOptions{
			Hosts: hosts, HTTP: over, Vault: v, Key: tesla.NewSealKey(), ClientID: sim.ClientID,
			ClientSecret: sim.ClientSecret, Domain: sim.Domain, Now: time.Now,
		})
		if err != nil {
			t.Fatal(err)
		}
		via := tesla.ClientOptions{Hosts: hosts, HTTP: over, Token: a.Token, Renew: a.Renew,
			Region: a.Region, Moved: a.Moved, Meter: freeMeter(t)}
		c := tesla.NewClient(via)
		key := newKey(t)

		if _, err := a.Register(t.Context(), via, &key.PublicKey); err == nil {
			t.Fatal("registered without a key on the domain")
		}
		theirs.Serve(sim.Domain, public(t, newKey(t)))
		if _, err := a.Register(t.Context(), via, &key.PublicKey); err == nil {
			t.Fatal("registered with another key on the domain")
		}
		theirs.Serve(sim.Domain, public(t, key))
		if all, err := a.Register(t.Context(), via, &key.PublicKey); err != nil {
			t.Fatal(all, err)
		}

		attempt := a.Begin("https://"+sim.Domain+"/tesla/callback", nil)
		_, final := browser(t, theirs, attempt.URL)
		if err := a.Finish(t.Context(), attempt, final); err != nil {
			t.Fatal(err)
		}
		if s := a.Status(); s.State != tesla.SignedIn || s.Region != tesla.Europe || len(s.Missing) != 0 {
			t.Fatalf("%+v", s)
		}

		cars, err := c.Vehicles(t.Context())
		if err != nil || len(cars) == 0 {
			t.Fatal(cars, err)
		}
		look := func(ctx context.Context) ([]tesla.Pairing, error) { return pairings(ctx, c, cars) }
		asked := 0
		err = tesla.AwaitPairing(t.Context(), 10*time.Second, look, func(now []tesla.Pairing, err error) {
			if err != nil {
				t.Error(err)
			}
			for _, one := range now {
				if asked > 1 && one.Required && !one.Paired {
					if status, _ := browser(t, theirs, tesla.PairURL(hosts, sim.Domain, one.VIN)); status >= 400 {
						t.Errorf("pairing answers %d", status)
					}
				}
			}
			asked++
		})
		if err != nil || asked < 3 {
			t.Fatal(asked, err)
		}

		for range 30 {
			<-time.After(24 * time.Hour) // a program that is started once a day
			if _, err := c.Vehicles(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		theirs.Revoke()
		<-time.After(7 * time.Hour)
		if _, err := c.Vehicles(t.Context()); !tesla.IsLoginRequired(err) || a.State() != tesla.LoginRequired {
			t.Fatal(a.State(), err)
		}
	})
}

func pairings(ctx context.Context, c *tesla.Client, cars []tesla.Vehicle) (all []tesla.Pairing, err error) {
	var vins []string
	for _, car := range cars {
		vins = append(vins, car.VIN)
	}
	status, err := c.FleetStatus(ctx, vins...)
	if err != nil {
		return nil, err
	}
	for vin, car := range status.Cars {
		one := tesla.Pairing{VIN: vin, Required: car.SigningRequired}
		for _, p := range status.Paired {
			one.Paired = one.Paired || p == vin
		}
		all = append(all, one)
	}
	return all, nil
}
