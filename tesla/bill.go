package tesla

import "time"

// Prices is what one call of a category costs, in USD (developer.tesla.com,
// "billing and limits").
type Prices map[Category]float64

// DefaultPrices are Tesla's own. Those of State are not published and believed to
// be nothing.
func DefaultPrices() Prices {
	return Prices{Data: 1. / 500, Command: 1. / 1000, Wake: 1. / 50, State: 0, Free: 0, Specs: 0.10}
}

// Budget is what a month may cost, in USD.
type Budget struct {
	Free    float64 // what Tesla does not charge
	Soft    float64 // from here on, reading is slowed so that the month lasts
	Hard    float64 // from here on, nothing that costs is read
	Reserve float64 // what orders may use beyond Hard
	Prices  Prices
}

// DefaultBudget stays within what Tesla does not charge: 10 USD a month, the last
// one of them for orders.
func DefaultBudget() Budget {
	return Budget{Free: 10, Soft: 5, Hard: 9, Reserve: 1, Prices: DefaultPrices()}
}

// Bill is what a month costs so far, in USD.
type Bill struct {
	Month    string  // "2026-11", UTC
	Cost     float64 // so far
	Forecast float64 // at the month's end, if it goes on like this
	FreeLeft float64 // of what Tesla does not charge
	Calls    map[Category]int64
	ByVIN    map[string]float64 // "" is the account itself
	Soft     bool               // the soft limit is reached: reading is slowed
	Hard     bool               // the hard limit is reached, or Tesla has cut us off
}

// Bill returns the bill of this month.
func (m *Meter) Bill() Bill {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.turn()
	cost := m.sum.cost(m.budget.Prices)
	b := Bill{
		Month: m.month, Cost: cost,
		Forecast: cost + m.pace(now, cost)*left(now).Hours(),
		FreeLeft: max(0, m.budget.Free-cost),
		Calls:    make(map[Category]int64), ByVIN: make(map[string]float64),
		Soft: reached(cost, m.budget.Soft), Hard: m.exceeded || reached(cost, m.budget.Hard),
	}
	for of, calls := range m.sum {
		b.Calls[of.category] += calls
		b.ByVIN[of.vin] += float64(calls) * m.budget.Prices[of.category]
	}
	return b
}

// slowest is the largest factor that Stretch asks for: beyond it, nothing at all is
// more honest.
const slowest = 20

// Stretch is the factor that polling intervals are to be multiplied by: 1 below the
// soft limit, and beyond it as much as it takes for the hard limit not to be
// reached before the month ends. So a month that fits is not slowed at all, and one
// that does not is slowed evenly.
func (m *Meter) Stretch() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.turn()
	cost := m.sum.cost(m.budget.Prices)
	if !reached(cost, m.budget.Soft) {
		return 1
	}
	if reached(cost, m.budget.Hard) {
		return slowest
	}
	need := max(m.pace(now, cost), m.unslowed(now, cost)) * left(now).Hours()
	return min(max(1, need/(m.budget.Hard-cost)), slowest)
}

// unslowed is what an hour cost before the soft limit was reached, in USD. When that
// was is not stored: it follows from what was spent since, if that was spent evenly.
// If it was not (somebody has lowered the limit, say), a quarter of the month so far
// is a fair guess.
func (m *Meter) unslowed(now time.Time, cost float64) float64 {
	gone := max(1, now.Sub(monthOf(now)).Hours())
	whole := gone + left(now).Hours()
	share := (cost - m.budget.Soft) / (m.budget.Hard - m.budget.Soft)
	slowedAt := max((gone-share*whole)/(1-share), gone/4)
	return m.budget.Soft / slowedAt
}

// firstDays is how long the last month's pace still counts: a new month's first
// calls say little.
const firstDays = 3 * 24 * time.Hour

// pace is what an hour costs, in USD: this month's average, of three days at least,
// whose missing part is like the last month.
func (m *Meter) pace(now time.Time, cost float64) float64 {
	begin := monthOf(now)
	gone := now.Sub(begin)
	if gone >= firstDays {
		return cost / gone.Hours()
	}
	before := m.before / begin.Sub(begin.AddDate(0, -1, 0)).Hours()
	return (cost + before*(firstDays-gone).Hours()) / firstDays.Hours()
}

// monthOf is when the month of t began, by the clock that Tesla bills by.
func monthOf(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}

func left(now time.Time) time.Duration { return monthOf(now).AddDate(0, 1, 0).Sub(now) }

// reached compares sums of many small numbers: a millionth of a dollar is nothing.
func reached(cost, limit float64) bool { return cost > limit-1e-6 }
