package sim

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// recorder is the part of the app that watches the car and writes its
// database: a driving point every 100 m, a charging point every 5 s.
type recorder struct {
	rng       *rand.Rand
	powerless bool // the car reports no power: no energy, no charging sessions
	doing     Doing

	moved, used float64 // m and Wh since the last driving point
	target      float64 // m at which the next one is written

	session *Session // being charged
	closed  *Session // the last one
	lastID  int64
	from    float64   // state of charge at the session's start
	charged float64   // Wh out of the battery since the last charging point
	due     time.Time // next charging point
}

// made is what the recorder has written, at most one thing at a time.
type made struct {
	what    what
	point   car.Point
	session Session
}

type what uint8

const (
	nothing  what = iota
	aPoint        // a driving point
	aSession      // a charging session that ended
	anOrphan      // a session the app found ended: in its database, never sent live
	theEnd        // the script is over
)

// What the app does by itself.
const (
	pointEvery  = 100.0                   // m
	sampleGap   = 0.055                   // s between two looks at the odometer, at most
	chargeEvery = 5 * time.Second         // between two charging points
	chargeGap   = 5500 * time.Millisecond // more is a gap in the curve
	resumeIn    = 5 * time.Minute         // plugged in again within this: the same session
)

// watch takes note of the car as it is now, after it moved and used so much.
func (r *recorder) watch(v *vehicle, moved, used float64) made {
	if v.asleep {
		return made{}
	}
	if r.powerless {
		used = 0
	}
	was, is := r.doing, doingOf(v.state())
	r.doing = is
	r.moved, r.used, r.charged = r.moved+moved, r.used+used, r.charged+used
	switch {
	case was == Charging && is != Charging:
		return r.unplugged(v)
	case was == Driving && is != Driving:
		return r.point(v, car.End)
	case is == Driving && was != Driving:
		r.moved, r.used = 0, 0
		return r.point(v, car.Begin)
	case is == Driving && r.moved >= r.target:
		return r.point(v, car.NoMarker)
	case is == Charging && !r.powerless:
		r.charging(v)
	}
	return made{}
}

func (r *recorder) point(v *vehicle, marker car.Marker) made {
	p := v.point(r.moved, r.used, marker)
	r.moved, r.used = 0, 0
	r.target = pointEvery + sampleGap*r.rng.Float64()*v.speed
	return made{what: aPoint, point: p}
}

// ahead is how far the car may go before the recorder must look again.
func (r *recorder) ahead() float64 { return max(r.target-r.moved, 0.001) }

// charging opens a session where none is open, and writes its curve.
func (r *recorder) charging(v *vehicle) {
	if r.session == nil {
		r.plugged(v)
	}
	if !v.now.Before(r.due) {
		r.chargePoint(v, car.NoMarker)
	}
}

// plugged opens a session, or the last one again if it only just ended.
func (r *recorder) plugged(v *vehicle) {
	now := v.now.UnixMilli()
	r.due, r.charged = v.now, 0
	if r.closed != nil && now-r.closed.End <= resumeIn.Milliseconds() {
		r.session, r.closed = r.closed, nil
		return
	}
	r.lastID++
	r.from = v.soc()
	r.session = &Session{Session: car.Session{
		Start: now - 1 - r.rng.Int64N(20), ID: r.lastID, Outside: v.outside,
		Lat: v.lat, Lon: v.lon, SoC: 0,
	}}
}

// chargePoint appends to the curve. After a gap (the head unit slept) the app
// multiplies the present power by all of it, and marks both sides.
func (r *recorder) chargePoint(v *vehicle, marker car.Marker) {
	p := car.ChargePoint{At: v.now.UnixMilli(), Energy: r.charged, Power: v.reading(), SoC: v.soc(),
		Marker: marker}
	curve := r.session.Curve
	switch last := len(curve) - 1; {
	case last < 0:
		p.Energy, p.Marker = 0, car.Begin
	case p.At-curve[last].At > chargeGap.Milliseconds():
		if curve[last].Marker != car.End {
			p.Energy = v.power * float64(p.At-curve[last].At) / 3.6e6
		}
		curve[last].Marker = ending(curve[last].Marker)
		p.Marker = car.Begin
		if marker == car.End {
			p.Marker = car.Lone
		}
	}
	r.session.Curve = append(curve, p)
	r.charged = 0
	r.due = v.now.Add(chargeEvery + upTo(r.rng, 20*time.Millisecond))
}

// ending is the marker of a point that turns out to be the last before a gap.
func ending(m car.Marker) car.Marker {
	if m == car.Begin || m == car.Lone {
		return car.Lone
	}
	return car.End
}

// unplugged closes the session: with a last point if the app was awake, at the
// last point there is if it slept until the cable was out.
func (r *recorder) unplugged(v *vehicle) made {
	s := r.session
	r.session = nil
	if s == nil {
		return made{}
	}
	r.closed = s
	result := made{what: aSession}
	last := s.Curve[len(s.Curve)-1]
	if slept := v.now.UnixMilli()-last.At > chargeGap.Milliseconds(); slept {
		result.what = anOrphan
		s.Curve[len(s.Curve)-1].Marker = ending(last.Marker)
		s.End = last.At
	} else {
		r.session = s
		r.chargePoint(v, car.End)
		r.session = nil
		s.End = v.now.UnixMilli() + 6
	}
	s.sum(r.from)
	result.session = *s
	return result
}

// sum fills in what the app computes from the curve.
func (s *Session) sum(from float64) {
	s.Points = len(s.Curve)
	s.Duration = s.End - s.Start
	s.SoC = math.Round((s.Curve[len(s.Curve)-1].SoC-from)*100) / 100
	s.Energy = 0
	for _, p := range s.Curve {
		s.Energy -= p.Energy
	}
}
