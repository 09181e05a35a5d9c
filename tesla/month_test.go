package tesla_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/tesla"
	"github.com/wheelhouse-mqtt/wheelhouse/tesla/sim"
)

// garage is a house with cars that are read, on a clock of its own. It is made in a
// bubble, whose time goes by as fast as anybody waits.
type garage struct {
	*sim.Tesla
	account *tesla.Account
	meter   *tesla.Meter
	reader  *tesla.Reader
	begin   time.Time // by the bubble's clock
	day     time.Time // what day that is

	mu      sync.Mutex
	reports map[car.ID][]car.Report
}

// scopes are what the garage's people agreed to.
var scopes = []string{"openid", "offline_access", "user_data", "vehicle_device_data", "vehicle_location",
	"vehicle_cmds", "vehicle_charging_cmds"}

func newGarage(t *testing.T, day time.Time, granted []string, cars ...sim.Spec) *garage {
	t.Helper()
	g := &garage{begin: time.Now(), day: day, reports: make(map[car.ID][]car.Report)}
	g.Tesla = sim.New(sim.Options{Now: g.now, Seed: 1, Cars: cars})
	at := g.Hosts("http://tesla.invalid")
	hosts := tesla.Hosts{Login: at.Login, Token: at.Token, Pair: at.Pair, API: make(map[tesla.Region]string)}
	for region, base := range at.API {
		hosts.API[tesla.Region(region)] = base
	}
	account, err := tesla.NewAccount(t.Context(), tesla.AccountOptions{
		Hosts: hosts, HTTP: &http.Client{Transport: g.Tesla}, Vault: &vault{}, Key: [32]byte{1},
		ClientID: sim.ClientID, ClientSecret: sim.ClientSecret, Domain: sim.Domain, Now: g.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	g.account = account
	g.signIn(t, granted)
	g.meter = newMeter(t, &book{}, tesla.DefaultBudget(), g.now)
	client := tesla.NewClient(tesla.ClientOptions{
		Hosts: hosts, HTTP: &http.Client{Transport: g.Tesla}, Token: account.Token, Renew: account.Renew,
		Region: account.Region, Moved: account.Moved, Meter: g.meter, Agent: "wheelhouse/test", Log: zerolog.Nop(),
	})
	g.reader = tesla.NewReader(tesla.ReaderOptions{
		Client: client, Take: g.take, Cars: func(vin string) car.ID { return car.MakeID(vin) },
		Now: g.now, Log: zerolog.Nop(),
	})
	return g
}

func (g *garage) signIn(t *testing.T, granted []string) {
	t.Helper()
	_, refresh := g.Tokens(granted...)
	if err := g.account.LoginWithRefreshToken(t.Context(), refresh); err != nil {
		t.Fatal(err)
	}
}

func (g *garage) now() time.Time { return g.day.Add(time.Since(g.begin)) }

func (g *garage) take(_ context.Context, b car.Batch) (car.Receipt, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.reports[b.Car] = append(g.reports[b.Car], *b.Report)
	return car.Receipt{}, nil
}

// watch reads the cars for a while, and looks at them every few seconds.
func (g *garage) watch(t *testing.T, d, every time.Duration, look func(now time.Time)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() {
		if err := g.reader.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	for ticker := time.NewTicker(every); ; {
		select {
		case <-ctx.Done():
			ticker.Stop()
			return
		case <-ticker.C:
			look(g.now())
		}
	}
}

// newest is what was told last of a car with its values, and what of its state.
func (g *garage) newest(id car.ID) (values, state car.Report) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := len(g.reports[id]) - 1; i >= 0; i-- {
		r := g.reports[id][i]
		if state.Values == nil {
			state = r
		}
		if _, whole := r.Values["charge_state.timestamp"]; whole {
			return r, state
		}
	}
	return values, state
}

var november = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// The reference month, of 30 days: what it costs with the default settings, and how
// old the values become.
func TestReferenceMonth(t *testing.T) {
	for name, c := range map[string]struct {
		cars  []sim.Spec
		most  float64 // USD
		drive time.Duration
	}{
		"one car":  {[]sim.Spec{reference(nightjar)}, 7, time.Minute},
		"two cars": {[]sim.Spec{reference(nightjar), reference(wagtail)}, 10, 2 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := newGarage(t, november, scopes, c.cars...)
				oldest := make(map[sim.Doing]time.Duration)
				awake := make(map[string]time.Time)
				g.watch(t, 30*24*time.Hour-time.Minute, 29*time.Second, func(now time.Time) {
					for _, spec := range c.cars {
						g.look(t, now, spec.VIN, awake, oldest)
					}
				})
				for range 30 {
					for _, spec := range c.cars {
						spendOn(t, g.meter, "signed_command", spec.VIN, 5)
					}
				}
				bill := g.meter.Bill()
				t.Logf("%.2f USD: %v; driving at most %s old, charging %s",
					bill.Cost, bill.Calls, oldest[sim.Driving], oldest[sim.Charging])
				if bill.Cost >= c.most || bill.Hard {
					t.Errorf("the month costs %.2f USD", bill.Cost)
				}
				if oldest[sim.Driving] > c.drive || oldest[sim.Charging] > 5*time.Minute {
					t.Errorf("values of %v", oldest)
				}
				g.leftAsleep(t)
			})
		})
	}
}

func reference(vin string) sim.Spec { return sim.Spec{VIN: vin, Name: vin, Plan: sim.ReferenceMonth()} }

// look compares what is known of a car with what is true.
func (g *garage) look(
	t *testing.T, now time.Time, vin string, awake map[string]time.Time, oldest map[sim.Doing]time.Duration,
) {
	is := g.Car(vin).Snapshot()
	told, _ := g.newest(car.MakeID(vin))
	switch {
	case is.State != sim.Online:
		awake[vin] = time.Time{}
	case awake[vin].IsZero():
		awake[vin] = now
	}
	known := is.Doing == sim.Driving && told.Values["drive_state.shift_state"].Word() == "D" ||
		is.Doing == sim.Charging && told.Values["charge_state.charging_state"].Word() == "Charging"
	if known {
		oldest[is.Doing] = max(oldest[is.Doing], now.Sub(told.At))
	} else if is.Doing == sim.Driving && now.Sub(awake[vin]) > 10*time.Minute {
		t.Fatalf("%s: nobody knows that the car drives", now)
	}
}

// leftAsleep says that no sleeping car was asked for its values, nor woken.
func (g *garage) leftAsleep(t *testing.T) {
	t.Helper()
	for spent, calls := range g.Spending() {
		refused := spent.Endpoint == "vehicle_data" && spent.Status == http.StatusRequestTimeout
		if refused || spent.Category == sim.Wake {
			t.Errorf("%d times %+v", calls, spent)
		}
	}
}

// spendOn counts calls of a car.
func spendOn(t *testing.T, m *tesla.Meter, name, vin string, calls int) {
	t.Helper()
	for range calls {
		if err := m.Count(t.Context(), tesla.Endpoint{Name: name, Category: tesla.Command}, vin, 200); err != nil {
			t.Fatal(err)
		}
	}
}

// A month of an old car, which stays awake as long as somebody reads it: it sleeps.
func TestOldCarSleeps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGarage(t, november, scopes, sim.Spec{VIN: bittern, Model: sim.OldS, Plan: sim.ReferenceMonth()})
		g.watch(t, 30*24*time.Hour-time.Minute, time.Hour, func(time.Time) {})
		g.leftAsleep(t)
		lived := g.Car(bittern).Snapshot().Lived
		t.Logf("%+v, %.2f USD", lived, g.Cost())
		if lived.Slept < 14*30*time.Hour {
			t.Errorf("it slept for %s", lived.Slept)
		}
	})
}
