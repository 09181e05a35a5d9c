package tesla

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// Spent is how often one call was answered in a month.
type Spent struct {
	Month    string // "2026-11", UTC
	Category Category
	Endpoint string
	VIN      string // "" for the account itself
	Status   int    // of HTTP; 0 where the answer was lost
	Calls    int64
}

// Ledger keeps what was spent over restarts. Spend adds the calls to those of the
// same month, category, endpoint, car and status, durably; Spending returns those
// sums of a month.
type Ledger interface {
	Spend(ctx context.Context, one Spent) error
	Spending(ctx context.Context, month string) ([]Spent, error)
}

// Meter counts what the calls of a month cost and says which may still be made.
// Every call passes it; it may be used from several goroutines. Its months are
// UTC's, like Tesla's.
type Meter struct {
	ledger Ledger
	budget Budget
	now    func() time.Time

	mu       sync.Mutex
	month    string
	sum      sum     // of this month
	before   float64 // USD, of the month before
	exceeded bool    // Tesla has cut us off, this month
	unsaved  []Spent // what the ledger did not take yet
}

// sum is how many calls cost something, of each category and car.
type sum map[spender]int64

type spender struct {
	category Category
	vin      string
}

func (s sum) cost(prices Prices) float64 {
	calls := make(map[Category]int64)
	for of, n := range s {
		calls[of.category] += n
	}
	total := 0.
	for category, n := range calls {
		total += float64(n) * prices[category]
	}
	return total
}

// billed says whether Tesla charges for an answer. It does for every one below 500;
// one that was lost on its way may have been.
func billed(status int) bool { return status < 500 }

// NewMeter reads what this month has cost so far, and the one before.
func NewMeter(ctx context.Context, ledger Ledger, budget Budget, now func() time.Time) (*Meter, error) {
	m := &Meter{ledger: ledger, budget: budget, now: now}
	return m, m.open(ctx, monthOf(now()))
}

// open takes up a month where the ledger left it.
func (m *Meter) open(ctx context.Context, begin time.Time) error {
	last, lastErr := m.read(ctx, label(begin.AddDate(0, -1, 0)))
	this, err := m.read(ctx, label(begin))
	m.month, m.sum, m.before, m.exceeded = label(begin), this, last.cost(m.budget.Prices), false
	return errors.Join(lastErr, err)
}

func (m *Meter) read(ctx context.Context, month string) (sum, error) {
	s := make(sum)
	spent, err := m.ledger.Spending(ctx, month)
	if err != nil {
		return s, fmt.Errorf("reading what Tesla calls cost in %s: %w", month, err)
	}
	for _, one := range spent {
		s.add(one)
	}
	return s, nil
}

func (s sum) add(one Spent) {
	if billed(one.Status) {
		s[spender{one.Category, one.VIN}] += one.Calls
	}
}

func label(month time.Time) string { return month.Format("2006-01") }

// turn begins a new month when there is one, and returns the time. It reads the
// ledger, because a clock that was set right may lead to a month that has begun.
func (m *Meter) turn() time.Time {
	now := m.now()
	if begin := monthOf(now); label(begin) != m.month {
		_ = m.open(context.Background(), begin) // without a ledger it begins at nothing
	}
	return now
}

// Allow says whether a call of the category may be made: a car.Refusal with the
// code over_budget if not. An order may use the reserve. What costs nothing is
// always allowed.
func (m *Meter) Allow(c Category, order bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.turn()
	if m.budget.Prices[c] <= 0 {
		return nil
	}
	next := monthOf(now).AddDate(0, 1, 0).Format("2 January")
	if m.exceeded {
		return car.Refuse(car.OverBudget, "%s (%s)", overLimit, next)
	}
	limit := m.budget.Hard
	if order {
		limit += m.budget.Reserve
	}
	if cost := m.sum.cost(m.budget.Prices); reached(cost, limit) {
		return car.Refuse(car.OverBudget, "this month's Tesla calls have cost %.2f USD and may cost %.2f: "+
			"it goes on on %s, or raise tesla.budget.hard", cost, limit, next)
	}
	return nil
}

// Count counts an answer, or a lost one with status 0. It is counted even if it
// cannot be stored: the error says so, and it is stored with a later one.
func (m *Meter) Count(ctx context.Context, e Endpoint, vin string, status int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turn()
	one := Spent{Month: m.month, Category: e.Category, Endpoint: e.Name, VIN: vin, Status: status, Calls: 1}
	m.sum.add(one)
	m.owe(one)
	return m.save(ctx)
}

// owe adds a call to what is to be stored: a row with the others of its kind, so
// that a ledger that is away for long costs no memory.
func (m *Meter) owe(one Spent) {
	for i, row := range m.unsaved {
		if row.Calls = one.Calls; row == one {
			m.unsaved[i].Calls += one.Calls
			return
		}
	}
	m.unsaved = append(m.unsaved, one)
}

// save stores what is not stored, the oldest first.
func (m *Meter) save(ctx context.Context) error {
	for len(m.unsaved) > 0 {
		if err := m.ledger.Spend(ctx, m.unsaved[0]); err != nil {
			return fmt.Errorf("storing what a Tesla call costs: %w", errors.Join(err, ctx.Err()))
		}
		m.unsaved = m.unsaved[1:]
	}
	return nil
}

// Exceeded notes that Tesla has cut the application off: nothing that costs is
// asked until the next month or a restart.
func (m *Meter) Exceeded() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turn()
	m.exceeded = true
}
