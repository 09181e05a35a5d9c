package tesla

import (
	"sync"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// perMinute is how many calls a minute Tesla takes of a car and an account
// (developer.tesla.com, "billing and limits"); those of State are not published.
func perMinute(c Category) int {
	switch c {
	case Wake:
		return 3
	case Command:
		return 30
	case Data, State:
		return 60
	}
	return 0 // without a limit
}

// patience is how long a call waits for its turn before it is refused.
const patience = 10 * time.Second

// limiter keeps calls within Tesla's limits and remembers when Tesla asked for a
// pause. Its zero value is ready.
type limiter struct {
	mu      sync.Mutex
	recent  map[spender][]time.Time // of the last minute, the oldest first
	resumes map[spender]time.Time
}

// take says how long to wait before a call, which counts as made then; or refuses
// it, if that is too long.
func (l *limiter) take(now time.Time, c Category, vin string) (time.Duration, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	who := spender{c, vin}
	at := now
	if resumes := l.resumes[who]; resumes.After(at) {
		at = resumes
	}
	limit := perMinute(c)
	recent := since(l.recent[who], now.Add(-time.Minute))
	if limit > 0 && len(recent) >= limit {
		if free := recent[len(recent)-limit].Add(time.Minute); free.After(at) {
			at = free
		}
	}
	if wait := at.Sub(now); wait > patience {
		return 0, car.Refuse(car.Limited, "Tesla takes no more calls of this kind for %s: wait a little",
			wait.Round(time.Second))
	}
	if limit > 0 {
		if l.recent == nil {
			l.recent = make(map[spender][]time.Time)
		}
		l.recent[who] = append(recent, at)
	}
	return at.Sub(now), nil
}

// pause notes that Tesla wants no calls of a kind before a time.
func (l *limiter) pause(c Category, vin string, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.resumes == nil {
		l.resumes = make(map[spender]time.Time)
	}
	l.resumes[spender{c, vin}] = until
}

// since cuts off what is older than begin.
func since(times []time.Time, begin time.Time) []time.Time {
	for len(times) > 0 && !times[0].After(begin) {
		times = times[1:]
	}
	return times
}
