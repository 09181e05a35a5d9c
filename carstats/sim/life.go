package sim

import (
	"math/rand/v2"
	"time"
)

// life is a car living its script, with the app on board. It knows no clock
// and no network: it goes as far as it is let.
type life struct {
	vehicle
	rng    *rand.Rand
	next   func(*life) (Activity, bool) // the script
	stages []stage                      // of the present activity
	since  time.Time                    // begin of stages[0]
	driver *driver                      // while there is a way to go
	app    recorder
	truth  witness
}

func newLife(seed uint64, v vehicle, powerless bool, next func(*life) (Activity, bool)) *life {
	rng := rand.New(rand.NewPCG(seed, 0))
	v.ignition, v.gear = "On", "P"
	v.lat, v.lon, v.alt = place(v.metres)
	l := &life{vehicle: v, rng: rng, next: next, app: recorder{rng: rng, powerless: powerless}}
	l.turn()
	return l
}

// repeat is a script that goes through a day again and again.
func (d Day) repeat() func(*life) (Activity, bool) {
	i := -1
	return func(*life) (Activity, bool) {
		i++
		return d[i%len(d)], true
	}
}

// step lives on, at most to limit, and at most until something was recorded.
func (l *life) step(limit time.Time) made {
	if len(l.stages) == 0 || l.over(l.stages[0]) {
		if !l.turn() {
			return made{what: theEnd}
		}
		return l.seen(0, 0)
	}
	before := l.metres
	used := l.pass(l.act(l.stages[0], limit.Sub(l.now)))
	return l.seen(l.metres-before, used)
}

// seen lets witness and app look at the car.
func (l *life) seen(moved, used float64) made {
	l.truth.see(&l.vehicle, used)
	return l.app.watch(&l.vehicle, moved, used)
}

// turn begins the next stage; it says no at the end of the script.
func (l *life) turn() bool {
	if len(l.stages) > 0 {
		l.stages = l.stages[1:]
	}
	for len(l.stages) == 0 {
		activity, ok := l.next(l)
		if !ok {
			return false
		}
		l.stages = activity.stages(l.rng, l.fill())
	}
	s := l.stages[0]
	l.since = l.now
	l.ignition, l.gear, l.plugged, l.asleep = s.ignition, s.gear, s.plugged, s.asleep
	l.speed, l.power, l.driver = 0, l.demand(s), nil
	if s.metres > 0 {
		l.driver = newDriver(l.rng, s.metres)
	}
	return true
}

func (l *life) over(s stage) bool {
	switch {
	case l.driver != nil:
		return l.driver.done()
	case s.lasts > 0:
		return l.now.Sub(l.since) >= s.lasts
	}
	return l.fill() >= s.to
}

// act sets speed and power for the time it returns, at most limit.
func (l *life) act(s stage, limit time.Duration) time.Duration {
	if l.driver != nil {
		return l.driver.steer(&l.vehicle, limit, l.app.ahead())
	}
	l.speed, l.power = 0, l.demand(s)
	if s.lasts > 0 {
		limit = min(limit, s.lasts-l.now.Sub(l.since))
	}
	if s.watts > 0 {
		limit = min(limit, time.Minute) // the power changes as the battery fills
	}
	if until := l.app.due.Sub(l.now); l.plugged && !l.asleep && until > 0 {
		limit = min(limit, until)
	}
	return limit
}

// demand is the power of a car that stands, in W.
func (l *life) demand(s stage) float64 {
	switch {
	case s.watts > 0 && l.fill() < s.to:
		return -min(s.watts, acceptance(l.fill())) * (0.99 + 0.01*l.rng.Float64())
	case s.watts > 0 || s.asleep:
		return 0
	}
	return auxiliary * (0.95 + 0.1*l.rng.Float64())
}
