package tesla_test

import (
	"cmp"
	"context"
	"net/http"
	"path"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/tesla"
	"github.com/wheelhouse-mqtt/wheelhouse/tesla/sim"
)

const (
	bittern  = "5YJSA1E20FF000003"
	dotterel = "5YJ3E1EA0PF000004"
)

// ofData is how often a car was asked for its values and answered with a status.
func (g *garage) ofData(vin string, status int) (calls int) {
	for spent, n := range g.Spending() {
		if spent.Endpoint == "vehicle_data" && spent.VIN == vin && spent.Status == status {
			calls += n
		}
	}
	return calls
}

// inABubble runs a test in a garage whose time goes by as fast as anybody waits.
func inABubble(t *testing.T, granted []string, cars []sim.Spec, test func(t *testing.T, g *garage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newGarage(t, november, granted, cars...)) })
}

func nothing(time.Time) {}

// A house with a modern car, one that sleeps, an old one that is out of reach, and one
// in service.
func TestReaderReads(t *testing.T) {
	inABubble(t, scopes, nil, func(t *testing.T, g *garage) {
		g.watch(t, 24*time.Hour, time.Hour, nothing)
		g.leftAsleep(t)
		for vin, state := range map[string]string{nightjar: "", wagtail: "", bittern: "offline", dotterel: ""} {
			values, newest := g.newest(car.MakeID(vin))
			told := newest.Values["state"].Word()
			if told == "" || state != "" && told != state {
				t.Errorf("%s is %q", vin, told)
			}
			answers := vin == nightjar || vin == wagtail
			if _, whole := values.Values["charge_state.battery_level"]; whole != answers {
				t.Errorf("the values of %s: %v", vin, whole)
			}
			if _, ok := newest.Values["bill.month"].Float(); !ok {
				t.Errorf("nobody knows what %s costs", vin)
			}
		}
		if calls := g.ofData(dotterel, http.StatusMethodNotAllowed); calls > 0 {
			t.Errorf("the car in service was asked %d times", calls)
		}
	})
}

// Reports follow each other in time, and one poll makes one report.
func TestReportsInOrder(t *testing.T) {
	inABubble(t, scopes, []sim.Spec{reference(nightjar)}, func(t *testing.T, g *garage) {
		g.watch(t, 48*time.Hour, time.Hour, nothing)
		all := g.reports[car.MakeID(nightjar)]
		for i, r := range all[1:] {
			if !r.At.After(all[i].At) || r.At.Sub(all[i].At) < 30*time.Second {
				t.Errorf("%s after %s", r.At, all[i].At)
			}
		}
		if name := all[len(all)-1].Values["display_name"].Word(); name != nightjar {
			t.Errorf("the car is called %q", name)
		}
	})
}

// A car whose clock is behind is not taken for one that says old things.
func TestSlowClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 59*time.Minute+30*time.Second)
		defer cancel()
		begin := time.Now()
		now := func() time.Time { return november.Add(time.Since(begin)) }
		var all []car.Report
		r := tesla.NewReader(tesla.ReaderOptions{
			Client: over(t, func(r *http.Request) (*http.Response, error) {
				body := map[string]string{"vehicles": "vehicles.json", nightjar: "vehicle.json"}[path.Base(r.URL.Path)]
				return reply(200, example(t, cmp.Or(body, "vehicle_data_driving.json"))), nil
			}),
			Cars: func(vin string) car.ID {
				if vin != nightjar {
					return "" // left alone
				}
				return "nightjar"
			},
			Take: func(_ context.Context, b car.Batch) (car.Receipt, error) {
				all = append(all, *b.Report)
				return car.Receipt{}, nil
			},
			Now: now, Log: zerolog.Nop(),
		})
		if err := r.Run(ctx); err != nil || len(all) != 60 {
			t.Errorf("%v, %d reports", err, len(all))
		}
		for i, report := range all[1:] {
			if !report.At.After(all[i].At) {
				t.Errorf("%s after %s", report.At, all[i].At)
			}
		}
	})
}

func TestRefresh(t *testing.T) {
	inABubble(t, scopes, nil, func(t *testing.T, g *garage) {
		before := make(map[string]int)
		begin := g.now()
		g.watch(t, 10*time.Minute, time.Second, func(now time.Time) {
			switch now.Sub(begin) {
			case 4 * time.Minute:
				g.Car(nightjar).Wake()
				before[nightjar], before[bittern] = g.ofData(nightjar, 200), g.ofData(bittern, 408)
				for range 3 { // impatient people count once
					g.reader.Refresh(car.MakeID(nightjar))
					g.reader.Refresh(car.MakeID(bittern))
					g.reader.Refresh("nobody")
				}
			case 5 * time.Minute:
				if n := g.ofData(nightjar, 200) - before[nightjar]; n < 1 || n > 2 {
					t.Errorf("it was read %d times", n)
				}
			}
		})
		if g.ofData(bittern, 408) != before[bittern] {
			t.Error("a car out of reach was asked for its values")
		}
	})
}

// Nobody is asked while nobody is signed in, and it goes on by itself.
func TestLoginEnds(t *testing.T) {
	inABubble(t, scopes, []sim.Spec{reference(nightjar)}, func(t *testing.T, g *garage) {
		begin, calls := g.now(), 0
		all := func() (n int) {
			for _, count := range g.Spending() {
				n += count
			}
			return n
		}
		g.watch(t, 3*24*time.Hour, time.Minute, func(now time.Time) {
			switch now.Sub(begin) {
			case 20 * time.Hour:
				g.Revoke()
			case 30 * time.Hour: // by now the access token has expired as well
				calls = all()
				if state := g.account.State(); state != tesla.LoginRequired {
					t.Errorf("the account is %s", state)
				}
			case 50 * time.Hour:
				if n := all() - calls; n > 0 {
					t.Errorf("%d calls without a sign-in", n)
				}
				g.signIn(t, scopes)
			case 50*time.Hour + 2*time.Minute:
				if all() == calls {
					t.Error("it does not go on")
				}
			}
		})
	})
}

// Whoever signs in after the start sees the cars soon.
func TestLateSignIn(t *testing.T) {
	inABubble(t, scopes, nil, func(t *testing.T, g *garage) {
		if err := g.account.Logout(t.Context()); err != nil {
			t.Fatal(err)
		}
		begin := g.now()
		g.watch(t, 6*time.Hour, time.Minute, func(now time.Time) {
			if now.Sub(begin) == 5*time.Hour {
				g.signIn(t, scopes)
			}
			if _, told := g.newest(car.MakeID(nightjar)); now.Sub(begin) > 302*time.Minute && told.Values == nil {
				t.Fatal("nobody reads the cars")
			}
		})
	})
}

// Without the permission for the position, everything else is read.
func TestWithoutPosition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		few := []string{"openid", "offline_access", "vehicle_device_data"}
		g := newGarage(t, november, few, sim.Spec{VIN: nightjar})
		g.Fail("vehicle_data", sim.Fault{File: "403_missing_scopes"})
		g.watch(t, 5*time.Minute, time.Minute, nothing)
		values, _ := g.newest(car.MakeID(nightjar))
		if !values.Values["charge_state.battery_level"].Known() || values.Values["drive_state.latitude"].Known() {
			t.Error(len(values.Values))
		}
		if refused := g.ofData(nightjar, http.StatusForbidden); refused != 1 {
			t.Errorf("refused %d times", refused)
		}
	})
}

// What does not last is tried again, and what lasts is not tried often.
func TestTrouble(t *testing.T) {
	for _, c := range []struct {
		fault string
		calls int // of vehicle and vehicle_data, in two hours of trouble
	}{
		{"429_rate_limited", 125},
		{"500_internal", 60},
		{"423_locked", 4},
		{"451_legal", 4},
		{"403_exceeded_limit", 30},
	} {
		inABubble(t, scopes, []sim.Spec{{VIN: nightjar, Settings: sim.Settings{Sentry: true}}}, func(t *testing.T, g *garage) {
			begin := g.now()
			faults := make([]sim.Fault, 2000)
			for i := range faults {
				faults[i].File = c.fault
			}
			g.watch(t, 2*time.Hour, time.Second, func(now time.Time) {
				if now.Sub(begin) == 2*time.Minute {
					g.ForgetBill()
					g.Fail("vehicle", faults...)
					g.Fail("vehicle_data", faults...)
				}
			})
			if calls := 4000 - g.Pending(); calls > c.calls || calls < 1 {
				t.Errorf("%s: %d calls", c.fault, calls)
			}
		})
	}
}

// Three days with everything that goes wrong: tokens that expire, too many calls,
// servers that fail, connections that break, a car that does not answer.
func TestThreeDaysOfTrouble(t *testing.T) {
	begin := time.Now()
	inABubble(t, scopes, []sim.Spec{reference(nightjar), reference(wagtail)}, func(t *testing.T, g *garage) {
		faults := []sim.Fault{
			{File: "429_rate_limited"}, {File: "500_internal"}, {File: "401_token_expired"}, {Cut: true},
			{File: "408_upstream_timeout"}, {File: "504_gateway_timeout"}, {File: "408_vehicle_unavailable"},
			{File: "503_vehicle_not_available"}, {File: "540_device_unexpected"}, {Status: 200, Body: "<html>"},
		}
		n := 0
		g.watch(t, 72*time.Hour, 11*time.Minute, func(time.Time) {
			if g.Pending() == 0 {
				g.Fail([]string{"vehicle", "vehicle_data"}[n/len(faults)%2], faults[n%len(faults)])
				n++
			}
		})
		for _, vin := range []string{nightjar, wagtail} {
			values, state := g.newest(car.MakeID(vin))
			if old := g.now().Sub(state.At); old > time.Hour {
				t.Errorf("nothing was heard for %s", old)
			}
			if reads := g.ofData(vin, 200); reads < 100 || !values.Values["charge_state.battery_level"].Known() {
				t.Errorf("it was read %d times", reads)
			}
		}
		t.Logf("%d faults, %.2f USD", n, g.Cost())
		if g.account.State() != tesla.SignedIn {
			t.Errorf("the account is %s", g.account.State())
		}
	})
	if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("72 hours took %s", took)
	}
}
