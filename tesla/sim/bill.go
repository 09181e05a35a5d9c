package sim

import (
	"maps"
	"slices"
	"time"
)

// Category is what an answer is billed as.
type Category string

// The categories. Those without a price are told apart so that a test can say
// how often a client asked.
const (
	Data    Category = "data"    // a reading of a car
	Command Category = "command" // an order to a car
	Wake    Category = "wake"    // waking a car
	State   Category = "state"   // whether a car is awake, and the lists
	Specs   Category = "specs"   // what a partner pays to be told of a car
	Free    Category = "free"    // sign-in, registration, the account itself
)

// price is what a call costs in USD (developer.tesla.com, "pricing").
func (c Category) price() float64 {
	switch c {
	case Data:
		return 1. / 500
	case Command:
		return 1. / 1000
	case Wake:
		return 1. / 50
	case Specs:
		return 1. / 10
	}
	return 0
}

// Spent says of which answers a Tesla keeps count.
type Spent struct {
	Category Category
	Endpoint string // as in endpoints.go
	VIN      string // "" for a call about no car, or more than one
	Status   int
}

// Spending is how often each answer was given, those from 500 on included, which
// are not billed.
func (t *Tesla) Spending() map[Spent]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.bill)
}

// Bill is how many answers are billed as what: all below 500.
func (t *Tesla) Bill() map[Category]int {
	sum := map[Category]int{}
	for s, n := range t.Spending() {
		if s.Status < 500 {
			sum[s.Category] += n
		}
	}
	return sum
}

// Cost is the bill in USD.
func (t *Tesla) Cost() float64 {
	var sum float64
	for c, n := range t.Bill() {
		sum += float64(n) * c.price()
	}
	return sum
}

// Calls is how often an endpoint was called for a car; "" is any car.
func (t *Tesla) Calls(endpoint, vin string) int {
	var sum int
	for s, n := range t.Spending() {
		if s.Endpoint == endpoint && (vin == "" || s.VIN == vin) {
			sum += n
		}
	}
	return sum
}

// ForgetBill begins to count anew, as a month does.
func (t *Tesla) ForgetBill() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.bill)
}

// ExceedLimit says that the billing limit is reached, or no longer: then every
// call to the API is refused.
func (t *Tesla) ExceedLimit(reached bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = reached
}

// DefaultLimits are Tesla's: calls a minute for each car.
func DefaultLimits() map[Category]int { return map[Category]int{Data: 60, Command: 30, Wake: 3} }

// bucket is what a rate limit holds for.
type bucket struct {
	category Category
	vin      string
}

// take says how long a call must wait for its turn; zero: it is its turn now.
func (t *Tesla) take(b bucket, now time.Time) time.Duration {
	limit := t.options.Limits[b.category]
	if limit == 0 {
		return 0
	}
	const window = time.Minute
	recent := slices.DeleteFunc(t.recent[b], func(at time.Time) bool { return now.Sub(at) >= window })
	var wait time.Duration
	if len(recent) >= limit {
		wait = window - now.Sub(recent[0])
	} else {
		recent = append(recent, now)
	}
	t.recent[b] = recent
	return wait
}
