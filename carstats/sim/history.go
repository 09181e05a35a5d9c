package sim

import (
	"cmp"
	"iter"
	"math/rand/v2"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// History is a car's past, as the app's database holds it. It is made while it
// is read, so that its length costs time but no memory, and is the same each
// time. With the zero values a year of 365 days has about 14 200 km, 142 000
// points and 250 sessions, which app 0.28 uploads in 819 requests of together
// 28 MB. A million points are 2 568 days.
type History struct {
	Seed       uint64
	Start      time.Time // first midnight; zero: 2024-01-01 UTC
	Days       int
	Kilometres float64 // a day, on average; 0: 38.9
	Sessions   float64 // a day, on average; 0: 250 in 365 days
}

// Points are the driving points, oldest first.
func (h History) Points() iter.Seq[car.Point] {
	return func(yield func(car.Point) bool) {
		h.each(func(m made) bool { return m.what != aPoint || yield(m.point) })
	}
}

// ChargingSessions are the charging sessions, oldest first.
func (h History) ChargingSessions() iter.Seq[Session] {
	return func(yield func(Session) bool) {
		h.each(func(m made) bool {
			return m.what != aSession && m.what != anOrphan || yield(m.session)
		})
	}
}

// Truth is what the car really did in all that time.
func (h History) Truth() Truth { return h.each(func(made) bool { return true }).truth.Truth }

// each lives through the history.
func (h History) each(yield func(made) bool) *life {
	h.Kilometres = cmp.Or(h.Kilometres, 38.9)
	h.Sessions = cmp.Or(h.Sessions, 250.0/365)
	if h.Start.IsZero() {
		h.Start = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	v := vehicle{now: h.Start, capacity: 78e3, stored: 0.8 * 78e3, outside: 11}
	l := newLife(h.Seed, v, false, h.diary())
	for {
		m := l.step(l.now.Add(24 * time.Hour))
		if m.what == theEnd || m.what != nothing && !yield(m) {
			return l
		}
	}
}

// diary is the script of a history: out in the morning, back in the evening,
// and on many evenings a charge.
func (h History) diary() func(*life) (Activity, bool) {
	var today []Activity
	day, swing := -1, 0.0
	return func(l *life) (Activity, bool) {
		if len(today) == 0 {
			day++
			if day >= h.Days {
				return Activity{}, false
			}
			swing = h.swing(l.rng, day, swing)
			today = h.day(l.rng, day, 1+swing, l.now)
		}
		next := today[0]
		today = today[1:]
		return next, true
	}
}

// swing is how much more than on average is driven on a day. Two days make up
// for each other, so that the length of a history does not depend on its seed.
func (h History) swing(rng *rand.Rand, day int, yesterday float64) float64 {
	switch {
	case day%2 == 1:
		return -yesterday
	case day == h.Days-1:
		return 0
	}
	return 0.4 * (2*rng.Float64() - 1)
}

func (h History) day(rng *rand.Rand, day int, share float64, now time.Time) []Activity {
	leave := h.Start.AddDate(0, 0, day).Add(6*time.Hour + upTo(rng, 2*time.Hour))
	km := h.Kilometres * share / 2
	plan := []Activity{
		Park(max(leave.Sub(now), time.Minute)), Drive(km), Park(8 * time.Hour), Drive(km),
	}
	before, after := int(h.Sessions*float64(day)+1e-9), int(h.Sessions*float64(day+1)+1e-9)
	for n := before; n < after; n++ {
		plan = append(plan, Park(10*time.Minute), h.charge(n))
	}
	return plan
}

// charge is the nth charge: every fifth at a fast charger.
func (h History) charge(n int) Activity {
	if n%5 == 4 {
		return ChargeDC(0.8)
	}
	night := ChargeAC(0.8, 4*time.Hour)
	night.Asleep = true
	return night
}
