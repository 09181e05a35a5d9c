package car

import (
	"math"
	"slices"
)

// Missing is a number that a record did not bring. A value always beats it.
func Missing() float64 { return math.NaN() }

// Given says whether a record's number was there.
func Given(x float64) bool { return !math.IsNaN(x) }

// Marker says what a point means for the trip or charge it belongs to.
type Marker int8

// The markers, in the order in which they win over one another.
const (
	NoMarker Marker = iota
	Begin           // first point of a drive, or of a charge after a gap
	End             // last point of a drive, or of a charge before a gap
	Lone            // both (charging only)
)

// Point is one driving point: what happened since the point before it. Its key
// is the car and At. Numbers may be Missing.
type Point struct {
	At       int64   // epoch ms by the car's clock
	Distance float64 // m since the point before
	Energy   float64 // Wh since the point before, negative with regeneration
	SoC      float64 // 0..1
	Lat, Lon float64 // degrees
	Alt      float64 // m above sea level
	Marker   Marker
}

// Merge joins two versions of one point. The result does not depend on their
// order or repetition: a value beats none, of two numbers the larger stays,
// and marker End beats Begin beats none.
func (p Point) Merge(q Point) Point {
	return Point{
		At:       p.At,
		Distance: larger(p.Distance, q.Distance),
		Energy:   larger(p.Energy, q.Energy),
		SoC:      larger(p.SoC, q.SoC),
		Lat:      larger(p.Lat, q.Lat),
		Lon:      larger(p.Lon, q.Lon),
		Alt:      larger(p.Alt, q.Alt),
		Marker:   max(p.Marker, q.Marker),
	}
}

// Same says whether two versions of a point hold the same.
func (p Point) Same(q Point) bool {
	return p.At == q.At && p.Marker == q.Marker && same(p.Distance, q.Distance) &&
		same(p.Energy, q.Energy) && same(p.SoC, q.SoC) && same(p.Lat, q.Lat) &&
		same(p.Lon, q.Lon) && same(p.Alt, q.Alt)
}

// Plausible says whether the point may count in averages: the app writes a
// point about every 100 m.
func (p Point) Plausible() bool {
	return !(math.Abs(p.Energy) > 1500 || p.Distance > 1000 || p.Distance < 0)
}

// ChargePoint is one point of a charging curve, about every 5 s. Its key is the
// car and At; it belongs to the session that had begun last at that time.
type ChargePoint struct {
	At     int64   // epoch ms by the car's clock
	Energy float64 // Wh since the point before, negative while charging
	Power  float64 // W, negative while charging
	SoC    float64 // 0..1
	Marker Marker
}

// Merge joins two versions of one charging point by the rules of Point.Merge.
func (p ChargePoint) Merge(q ChargePoint) ChargePoint {
	return ChargePoint{
		At:     p.At,
		Energy: larger(p.Energy, q.Energy),
		Power:  larger(p.Power, q.Power),
		SoC:    larger(p.SoC, q.SoC),
		Marker: max(p.Marker, q.Marker),
	}
}

// Same says whether two versions of a charging point hold the same.
func (p ChargePoint) Same(q ChargePoint) bool {
	return p.At == q.At && p.Marker == q.Marker && same(p.Energy, q.Energy) &&
		same(p.Power, q.Power) && same(p.SoC, q.SoC)
}

// Session is one version of a charging session as a request brought it. Its key
// is the car and Start. Numbers may be Missing.
type Session struct {
	Start    int64   // epoch ms by the car's clock; never changes
	End      int64   // epoch ms; 0 while open
	ID       int64   // the app's own number, an attribute only: it restarts with a new database
	Energy   float64 // Wh as the app measured it, positive = charged; can be absurd
	SoC      float64 // fraction gained; 0 before app 0.27
	Duration int64   // ms of wall time, gaps included; 0 = unknown
	Outside  float64 // °C at the start; 0 also means unknown
	Lat, Lon float64 // degrees
	Points   int     // how many charging points this version had
}

// MergeSessions joins all versions of one session, in any order and repetition,
// to one: the version with the later end wins, then the one with more points,
// then the larger energy; what it lacks comes from the next best. It needs at
// least one version.
func MergeSessions(versions []Session) Session {
	sorted := slices.SortedFunc(slices.Values(versions), func(a, b Session) int {
		switch {
		case a.Before(b):
			return -1
		case b.Before(a):
			return 1
		}
		return 0
	})
	best := sorted[0]
	for _, next := range sorted[1:] {
		best = best.fill(next)
	}
	return best
}

// fill takes from a worse version what s lacks.
func (s Session) fill(t Session) Session {
	if s.End == 0 {
		s.End = t.End
	}
	if s.ID == 0 {
		s.ID = t.ID
	}
	if s.Duration == 0 {
		s.Duration = t.Duration
	}
	s.Energy = either(s.Energy, t.Energy, false)
	s.SoC = either(s.SoC, t.SoC, true)
	s.Outside = either(s.Outside, t.Outside, true)
	s.Lat = either(s.Lat, t.Lat, false)
	s.Lon = either(s.Lon, t.Lon, false)
	s.Points = max(s.Points, t.Points)
	return s
}

// Before says whether s is the better version of the same session.
func (s Session) Before(t Session) bool {
	switch {
	case s.End != t.End:
		return s.End > t.End
	case s.Points != t.Points:
		return s.Points > t.Points
	case !same(s.Energy, t.Energy):
		return !Given(t.Energy) || s.Energy > t.Energy
	}
	return s.tie(t)
}

// tie orders versions that are equally good, so that the merge of any set of
// them is one result.
func (s Session) tie(t Session) bool {
	if s.Duration != t.Duration {
		return s.Duration > t.Duration
	}
	if s.ID != t.ID {
		return s.ID > t.ID
	}
	for _, pair := range [][2]float64{{s.SoC, t.SoC}, {s.Outside, t.Outside}, {s.Lat, t.Lat}, {s.Lon, t.Lon}} {
		if !same(pair[0], pair[1]) {
			return !Given(pair[1]) || pair[0] > pair[1]
		}
	}
	return false
}

// either is x, or y where x is missing (or 0, if that also means missing).
func either(x, y float64, zeroIsMissing bool) float64 {
	if !Given(x) || zeroIsMissing && x == 0 && Given(y) {
		return y
	}
	return x
}

func larger(x, y float64) float64 {
	if !Given(x) || y > x {
		return y
	}
	return x
}

func same(x, y float64) bool { return x == y || !Given(x) && !Given(y) }

// Over returns p with what it lacks taken from q, the point before it: the
// newest known state of charge, place and altitude.
func (p Point) Over(q Point) Point {
	if !Given(p.SoC) {
		p.SoC = q.SoC
	}
	if !Given(p.Lat) || !Given(p.Lon) {
		p.Lat, p.Lon = q.Lat, q.Lon
	}
	if !Given(p.Alt) {
		p.Alt = q.Alt
	}
	return p
}
