package tesla_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/tesla"
)

func endpoint(t testing.TB, name string) tesla.Endpoint {
	t.Helper()
	e, ok := tesla.EndpointOf(name)
	if !ok {
		t.Fatalf("no endpoint %q", name)
	}
	return e
}

// spend counts n calls of an endpoint.
func spend(t testing.TB, m *tesla.Meter, name string, n int) {
	t.Helper()
	for range n {
		if err := m.Count(t.Context(), endpoint(t, name), nightjar, 200); err != nil {
			t.Fatal(err)
		}
	}
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-6 {
		t.Errorf("%s is %v, not %v", what, got, want)
	}
}

// TestPrices holds Tesla's price list: calls for one dollar.
func TestPrices(t *testing.T) {
	calls := map[tesla.Category]float64{tesla.Data: 500, tesla.Command: 1000, tesla.Wake: 50}
	for category, calls := range calls {
		near(t, string(category), tesla.DefaultPrices()[category]*calls, 1)
	}
}

// TestBillIsTheSum holds the bill against a sum made beside it, over months,
// restarts, cars, categories and every kind of answer.
func TestBillIsTheSum(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ledger, budget := &book{}, tesla.DefaultBudget()
		time := &clock{at: start}
		m := newMeter(t, ledger, budget, time.now)
		var cost float64
		calls, cars := make(map[tesla.Category]int64), make(map[string]float64)
		month := "2026-03"
		rt.Repeat(map[string]func(*rapid.T){
			"call": func(rt *rapid.T) {
				e := rapid.SampledFrom(tesla.Endpoints()).Draw(rt, "endpoint")
				vin := rapid.SampledFrom([]string{"", nightjar, wagtail}).Draw(rt, "vin")
				status := rapid.SampledFrom([]int{0, 200, 401, 408, 429, 499, 500, 503, 540}).Draw(rt, "status")
				if err := m.Count(t.Context(), e, vin, status); err != nil {
					rt.Fatal(err)
				}
				if status < 500 {
					price := budget.Prices[e.Category]
					cost += price
					calls[e.Category]++
					cars[vin] += price
				}
			},
			"time passes": func(rt *rapid.T) {
				time.pass(timeOf(rapid.IntRange(0, 20*24).Draw(rt, "hours")))
				if now := time.now().Format("2006-01"); now != month {
					month, cost = now, 0
					clear(calls)
					clear(cars)
				}
			},
			"restart": func(*rapid.T) { m = newMeter(t, ledger, budget, time.now) },
			"": func(rt *rapid.T) {
				b := m.Bill()
				if math.Abs(b.Cost-cost) > 1e-6 || b.Month != month || b.Forecast < b.Cost-1e-9 {
					rt.Fatalf("the bill is %+v, not %v in %s", b, cost, month)
				}
				for category, n := range calls {
					if b.Calls[category] != n {
						rt.Fatalf("%s: %d calls, not %d", category, b.Calls[category], n)
					}
				}
				for vin, sum := range cars {
					if math.Abs(b.ByVIN[vin]-sum) > 1e-6 {
						rt.Fatalf("car %q: %v, not %v", vin, b.ByVIN[vin], sum)
					}
				}
				if left := max(0, 10-cost); math.Abs(b.FreeLeft-left) > 1e-6 {
					rt.Fatalf("%v left, not %v", b.FreeLeft, left)
				}
			},
		})
	})
}

func timeOf(hours int) time.Duration { return time.Duration(hours) * time.Hour }

func TestLimitsOfTheBudget(t *testing.T) {
	m := newMeter(t, &book{}, tesla.DefaultBudget(), (&clock{at: start}).now)
	allowed := func(c tesla.Category, order bool) bool {
		err := m.Allow(c, order)
		if err != nil && (car.CodeOf(err) != car.OverBudget || !strings.Contains(err.Error(), "1 April")) {
			t.Errorf("%s: %v", c, err)
		}
		return err == nil
	}
	for _, step := range []struct {
		calls                            int // of data
		soft, hard                       bool
		data, command, wake, state, free bool
	}{
		{2499, false, false, true, true, true, true, true},
		{1, true, false, true, true, true, true, true},
		{1999, true, false, true, true, true, true, true},
		{1, true, true, false, true, true, true, true},
		{499, true, true, false, true, true, true, true},
		{1, true, true, false, false, false, true, true},
	} {
		spend(t, m, "vehicle_data", step.calls)
		b := m.Bill()
		got := []bool{b.Soft, b.Hard, allowed(tesla.Data, false), allowed(tesla.Command, true),
			allowed(tesla.Wake, true), allowed(tesla.State, false), allowed(tesla.Free, false)}
		want := []bool{step.soft, step.hard, step.data, step.command, step.wake, step.state, step.free}
		same(t, fmt.Sprintf("at %.3f USD", b.Cost), got, want)
	}
}

// TestNewMonth: what was forbidden is allowed again at midnight UTC, wherever the
// house is.
func TestNewMonth(t *testing.T) {
	berlin := time.FixedZone("", 2*3600)
	now := time.Date(2026, 4, 1, 1, 59, 59, 0, berlin)
	m := newMeter(t, &book{}, tesla.DefaultBudget(), func() time.Time { return now })
	spend(t, m, "vehicle_data", 5000)
	m.Exceeded()
	if b := m.Bill(); b.Month != "2026-03" || !b.Hard || m.Allow(tesla.Wake, true) == nil {
		t.Errorf("%+v", b)
	}
	now = now.Add(time.Second)
	if b := m.Bill(); b.Month != "2026-04" || b.Hard || b.Cost != 0 || m.Allow(tesla.Data, false) != nil {
		t.Errorf("%+v", b)
	}
}

// TestClockSetRight: a computer without a clock begins in the past; the month it
// comes to has been paid for in part.
func TestClockSetRight(t *testing.T) {
	ledger := &book{}
	spend(t, newMeter(t, ledger, tesla.DefaultBudget(), (&clock{at: start}).now), "vehicle_data", 4500)
	now := &clock{at: time.Unix(0, 0)}
	m := newMeter(t, ledger, tesla.DefaultBudget(), now.now)
	near(t, "the cost in 1970", m.Bill().Cost, 0)
	now.pass(start.Sub(now.now()))
	near(t, "the cost now", m.Bill().Cost, 9)
}

func TestExceeded(t *testing.T) {
	m := newMeter(t, &book{}, tesla.DefaultBudget(), (&clock{at: start}).now)
	m.Exceeded()
	for category, want := range map[tesla.Category]bool{tesla.Data: false, tesla.Wake: false,
		tesla.Command: false, tesla.State: true, tesla.Free: true} {
		if got := m.Allow(category, true) == nil; got != want {
			t.Errorf("%s: %v", category, got)
		}
	}
	if !m.Bill().Hard {
		t.Error("the bill does not say so")
	}
}

func TestForecast(t *testing.T) {
	day := 24 * time.Hour
	april := time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		before, calls int // of data
		gone          time.Duration
		want          float64
	}{
		"nothing yet":            {0, 0, 0, 0},
		"the first call of all":  {0, 1, time.Minute, .002 + .002/72*(30*24-1./60)},
		"day one after a month":  {3100, 100, day, .2 + (.2+.2*2)/3*29},
		"three days":             {0, 300, 3 * day, 6},
		"half of it":             {3100, 1500, 15 * day, 6},
		"the end":                {0, 3000, 30*day - time.Second, 6},
		"midnight after a month": {3100, 0, 0, 6},
	} {
		ledger, now := &book{}, &clock{at: april.Add(-day)}
		spend(t, newMeter(t, ledger, tesla.DefaultBudget(), now.now), "vehicle_data", test.before)
		now.pass(day + test.gone)
		m := newMeter(t, ledger, tesla.DefaultBudget(), now.now)
		spend(t, m, "vehicle_data", test.calls)
		if got := m.Bill().Forecast; math.Abs(got-test.want) > 1e-4 {
			t.Errorf("%s: %v, not %v", name, got, test.want)
		}
	}
}

// TestStretch lives through months of polling at a pace, slowed as asked: one that
// fits is not slowed at all, one that does not lasts to its end.
func TestStretch(t *testing.T) {
	for _, test := range []struct {
		day         float64 // USD, unslowed
		least, most float64 // USD in the month
		slowest     float64
	}{
		{.05, 1.4, 1.6, 1},
		{.214, 6.3, 6.6, 1},  // one car, as most people drive
		{.3, 8.6, 9, 1.1},    // at the limit
		{.428, 8.9, 9, 2},    // two such cars: half as often
		{.65, 8.9, 9, 3.7},   // three
		{1, 8.9, 9, 20},      // far too much
		{10, 8.9, 9.003, 20}, // the soft limit on the first day
	} {
		now := &clock{at: time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)}
		m := newMeter(t, &book{}, tesla.DefaultBudget(), now.now)
		slowest := 1.
		for b := m.Bill(); b.Month == "2026-04"; b = m.Bill() {
			if m.Allow(tesla.Data, false) == nil {
				spend(t, m, "vehicle_data", 1)
			}
			stretch := m.Stretch()
			b = m.Bill()
			if now.now().Day() < 30 { // the very last call has next to no room
				slowest = max(slowest, stretch)
			}
			if stretch < 1 || !b.Soft && stretch > 1 {
				t.Errorf("%v USD a day: stretched by %v at %v USD", test.day, stretch, b.Cost)
			}
			if b.Cost > test.most {
				t.Fatalf("%v USD a day cost %v", test.day, b.Cost)
			}
			if left := now.now().AddDate(0, 0, 1); left.Month() == time.May && b.Cost > test.least {
				test.least = 0
			}
			now.pass(time.Duration(float64(24*time.Hour) * .002 / test.day * stretch))
		}
		if test.least > 0 || slowest > test.slowest {
			t.Errorf("%v USD a day: not %v USD, stretched by %v", test.day, test.least, slowest)
		}
	}
}

// TestStretchAfterAChange: whoever lowers the limit in the middle of a month gets
// what is left of it evenly, and at the limit there is nothing to divide.
func TestStretchAfterAChange(t *testing.T) {
	for name, test := range map[string]struct {
		soft, hard, cost float64
		least, most      float64
	}{
		"lowered":        {5, 9, 7.1, 3.5, 11},
		"no soft limit":  {0, 9, 3, 1, 1},
		"one limit":      {9, 9, 9, 20, 20},
		"turned around":  {9, 5, 9.5, 20, 20},
		"no money":       {0, 0, 0, 20, 20},
		"much of it":     {5, 9, 8.999, 20, 20},
		"almost nothing": {0, 9, .01, 1, 1},
	} {
		budget := tesla.DefaultBudget()
		budget.Soft, budget.Hard = test.soft, test.hard
		now := &clock{at: time.Date(2026, 4, 16, 0, 0, 0, 0, time.UTC)}
		m := newMeter(t, &book{}, budget, now.now)
		spend(t, m, "vehicle_data", int(math.Round(test.cost*500)))
		if s := m.Stretch(); !(s >= test.least && s <= test.most) {
			t.Errorf("%s: stretched by %v", name, s)
		}
	}
}

// TestLedgerAway: what could not be stored is counted, and stored later.
func TestLedgerAway(t *testing.T) {
	ledger := &book{}
	m := newMeter(t, ledger, tesla.DefaultBudget(), (&clock{at: start}).now)
	ledger.fail = errors.New("disk full")
	for range 3 {
		if err := m.Count(t.Context(), endpoint(t, "wake_up"), nightjar, 200); !errors.Is(err, ledger.fail) {
			t.Error(err)
		}
	}
	near(t, "the cost", m.Bill().Cost, .06)
	if _, err := tesla.NewMeter(t.Context(), ledger, tesla.DefaultBudget(), time.Now); err == nil {
		t.Error("a meter without its ledger")
	}
	_ = m.Count(t.Context(), endpoint(t, "vehicle_data"), nightjar, 200)
	ledger.fail = nil
	spend(t, m, "wake_up", 1)
	near(t, "the cost after a restart", newMeter(t, ledger, tesla.DefaultBudget(),
		(&clock{at: start}).now).Bill().Cost, .082)
	if len(ledger.rows) != 2 {
		t.Errorf("stored %v", ledger.rows)
	}
}
