package bridge

import (
	"encoding/json"
	"iter"
	"math"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

const (
	// tripGap ends a trip: the app writes a point every 100 m.
	tripGap = 20 * time.Minute
	// enough is how far one must have driven before a consumption means
	// anything, in m.
	enough = 500
)

// Trip is what a row of driving points adds up to. Sums are exact integers, so
// that they do not depend on the order of adding.
type Trip struct {
	Start, End int64 // At of the first and the last point, epoch ms
	Closed     bool  // the last point said so
	Points     int

	Approximate bool // guessed from reports: the app sent no points

	distance, energy    int64 // mm, mWh, of all points
	plausible, consumed int64 // mm, mWh, of those that count in averages
	regained            int64 // mWh won back, positive
	ascent, descent     int64 // mm
	powered             bool  // any point had energy: a car without power readings writes 0

	first, last car.Point // last also remembers the newest known altitude and place
}

// Begins says whether p, the next point after the trip so far, opens a new one.
func (t Trip) Begins(p car.Point) bool {
	return t.Points == 0 || t.Closed || p.Marker == car.Begin || p.Marker == car.Lone ||
		time.Duration(p.At-t.End)*time.Millisecond > tripGap
}

// Add returns the trip with its next point. The point must not begin a new one.
func (t Trip) Add(p car.Point) Trip {
	if p.SoC == 0 {
		p.SoC = car.Missing() // the app writes 0 where it knows none
	}
	if t.Points == 0 {
		t.Start, t.first, t.last = p.At, p, p
	}
	t.Points++
	t.End = p.At
	t.Closed = p.Marker == car.End || p.Marker == car.Lone
	distance, energy := milli(p.Distance), milli(p.Energy)
	t.distance += distance
	t.energy += energy
	if p.Plausible() {
		t.plausible += distance
		t.consumed += energy
	}
	if energy < 0 {
		t.regained -= energy
	}
	t.powered = t.powered || energy != 0
	t.climb(p)
	t.last = p.Over(t.last)
	if !car.Given(t.first.SoC) {
		t.first.SoC = p.SoC
	}
	if !car.Given(t.first.Lat) {
		t.first.Lat, t.first.Lon = p.Lat, p.Lon
	}
	return t
}

func (t *Trip) climb(p car.Point) {
	if !car.Given(p.Alt) || !car.Given(t.last.Alt) {
		return
	}
	switch up := milli(p.Alt - t.last.Alt); {
	case up > 0:
		t.ascent += up
	default:
		t.descent -= up
	}
}

// Open says whether the trip may still go on at now.
func (t Trip) Open(now time.Time) bool {
	return t.Points > 0 && !t.Closed && now.Sub(time.UnixMilli(t.End)) <= tripGap
}

// Distance is in m.
func (t Trip) Distance() float64 { return float64(t.distance) / 1000 }

// Energy is in Wh, regeneration subtracted; unknown for a car that does not
// tell its power.
func (t Trip) Energy() car.Value {
	if !t.powered {
		return car.Value{}
	}
	return car.Number(float64(t.energy) / 1000)
}

// Consumption is in kWh/100km, from 500 m on.
func (t Trip) Consumption() car.Value {
	if !t.powered || t.plausible < enough*1000 {
		return car.Value{}
	}
	return car.Number(float64(t.consumed) / float64(t.plausible) * 100)
}

// Duration is from the first to the last point.
func (t Trip) Duration() time.Duration { return time.Duration(t.End-t.Start) * time.Millisecond }

// Speed is the average in m/s, stops included.
func (t Trip) Speed() car.Value {
	if t.End == t.Start {
		return car.Value{}
	}
	return car.Number(float64(t.plausible) / float64(t.End-t.Start))
}

// values are the trip's computed paths. A trip that has not begun has none.
func (t Trip) values(now time.Time) map[string]car.Value {
	if t.Points == 0 {
		return nil
	}
	end := car.Value{}
	if !t.Open(now) {
		end = car.Moment(time.UnixMilli(t.End))
	}
	return map[string]car.Value{
		car.OfTripDistance:    car.Number(t.Distance()),
		car.OfTripEnergy:      t.Energy(),
		car.OfTripConsumption: t.Consumption(),
		car.OfTripDuration:    car.Number(float64(t.End - t.Start)),
		car.OfTripSpeed:       t.Speed(),
		car.OfTripStart:       car.Moment(time.UnixMilli(t.Start)),
		car.OfTripEnd:         end,
	}
}

// tripJSON is the retained last_trip.
type tripJSON struct {
	Start        string    `json:"start"`
	End          string    `json:"end"`
	Duration     roundedTo `json:"duration_min"`
	Distance     roundedTo `json:"distance_km"`
	Energy       roundedTo `json:"energy_kwh"`
	Regenerated  roundedTo `json:"regenerated_kwh"`
	Consumption  roundedTo `json:"consumption_kwh_100km"`
	AverageSpeed roundedTo `json:"average_speed_kmh"`
	SoCStart     roundedTo `json:"battery_start"`
	SoCEnd       roundedTo `json:"battery_end"`
	SoCUsed      roundedTo `json:"battery_used"`
	Ascent       roundedTo `json:"ascent_m"`
	Descent      roundedTo `json:"descent_m"`
	StartLat     roundedTo `json:"start_latitude"`
	StartLon     roundedTo `json:"start_longitude"`
	EndLat       roundedTo `json:"end_latitude"`
	EndLon       roundedTo `json:"end_longitude"`
	Points       int       `json:"points"`
	Approximate  bool      `json:"approximate"`
}

// JSON is the trip as it is published in last_trip; what is unknown is null.
func (t Trip) JSON() string {
	regained := car.Value{}
	if t.powered {
		regained = car.Number(float64(t.regained) / 1e6)
	}
	return document(tripJSON{
		Start:        stamp(t.Start),
		End:          stamp(t.End),
		Duration:     rounded(t.Duration().Minutes(), 1),
		Distance:     rounded(t.Distance()/1000, 2),
		Energy:       roundedValue(t.Energy(), 1e-3, 2),
		Regenerated:  roundedValue(regained, 1, 2),
		Consumption:  roundedValue(t.Consumption(), 1, 1),
		AverageSpeed: roundedValue(t.Speed(), 3.6, 1),
		SoCStart:     rounded(t.first.SoC*100, 1),
		SoCEnd:       rounded(t.last.SoC*100, 1),
		SoCUsed:      rounded((t.first.SoC-t.last.SoC)*100, 1),
		Ascent:       rounded(float64(t.ascent)/1000, 0),
		Descent:      rounded(float64(t.descent)/1000, 0),
		StartLat:     rounded(t.first.Lat, 6),
		StartLon:     rounded(t.first.Lon, 6),
		EndLat:       rounded(t.last.Lat, 6),
		EndLon:       rounded(t.last.Lon, 6),
		Points:       t.Points,
		Approximate:  t.Approximate,
	})
}

// Trips cuts points, which come in ascending order, into trips.
func Trips(points iter.Seq2[car.Point, error]) iter.Seq2[Trip, error] {
	return func(yield func(Trip, error) bool) {
		var t Trip
		for p, err := range points {
			if err != nil {
				yield(Trip{}, err)
				return
			}
			if t.Points > 0 && t.Begins(p) {
				if !yield(t, nil) {
					return
				}
				t = Trip{}
			}
			t = t.Add(p)
		}
		if t.Points > 0 {
			yield(t, nil)
		}
	}
}

// trips are the newest trip of a car and the one before it, folded as points
// come in.
type trips struct{ current, before Trip }

// add appends a point that is newer than all before it.
func (t *trips) add(p car.Point) {
	if t.current.Points > 0 && t.current.Begins(p) {
		t.before, t.current = t.current, Trip{}
	}
	t.current = t.current.Add(p)
}

// last is the newest trip that has ended at now.
func (t *trips) last(now time.Time) Trip {
	if t.current.Points > 0 && !t.current.Open(now) {
		return t.current
	}
	return t.before
}

// touchedBy says whether a record changed at `at` may change what the two
// trips are.
func (t *trips) touchedBy(at int64) bool {
	start := t.before.Start
	if t.before.Points == 0 {
		return true
	}
	return at >= start-tripGap.Milliseconds()
}

// newestTrips finds the newest two trips in the records: backwards to where
// they begin, then forwards to fold them, so that a trip of any length takes no
// memory.
func newestTrips(r points) (trips, error) {
	var next car.Point
	starts := 0
	for p, err := range r.PointsBackwards(math.MaxInt64) {
		if err != nil {
			return trips{}, err
		}
		before := Trip{Points: 1, End: p.At, Closed: closes(p)}
		if next.At != 0 && before.Begins(next) {
			if starts++; starts == 2 {
				break
			}
		}
		next = p
	}
	var t trips
	for p, err := range r.Points(next.At, math.MaxInt64) {
		if err != nil {
			return trips{}, err
		}
		t.add(p)
	}
	return t, nil
}

// points are one car's driving points in the store.
type points struct {
	Points          func(from, to int64) iter.Seq2[car.Point, error]
	PointsBackwards func(before int64) iter.Seq2[car.Point, error]
}

func closes(p car.Point) bool { return p.Marker == car.End || p.Marker == car.Lone }

// milli is a number in thousandths, 0 if it is missing.
func milli(x float64) int64 {
	if !car.Given(x) {
		return 0
	}
	return int64(math.Round(x * 1000))
}

// roundedTo is a number in a JSON document, null if unknown.
type roundedTo string

func (r roundedTo) MarshalJSON() ([]byte, error) { return []byte(r), nil }

func rounded(x float64, digits int) roundedTo {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return "null"
	}
	return roundedTo(car.Format(x, digits))
}

func roundedValue(v car.Value, factor float64, digits int) roundedTo {
	x, ok := v.Float()
	if !ok {
		return "null"
	}
	return rounded(x*factor, digits)
}

func stamp(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }

// document writes a JSON document whose parts cannot fail to be written.
func document(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "{}"
	}
	return string(b)
}
