package bridge

import (
	"encoding/json"
	"math"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// longestTick is how far apart two reports may be for what lies between them to
// be guessed: the app sends one every 5 s.
const longestTick = 15 * time.Second

// glance is what a report says of the drive.
type glance struct {
	at      int64   // epoch ms by the car's clock
	speed   float64 // m/s, Missing if unknown
	power   float64 // W, Missing if unknown
	driving bool
}

// glance looks at the newest report.
func (l *live) glance() glance {
	driving, _ := l.valueNow("driving").On()
	return glance{
		at: l.Newest, speed: l.numberNow("speed") / 3.6, power: l.numberNow("power") * 1000, driving: driving,
	}
}

// valueNow is a row's value at the newest report, whatever the clock says.
func (l *live) valueNow(key string) car.Value {
	f, ok := l.table.Field(key)
	if !ok {
		return car.Value{}
	}
	v := l.view(time.UnixMilli(l.Fresh))
	v.Was = l.Was[key]
	return f.Evaluate(v)
}

func (l *live) numberNow(key string) float64 {
	x, ok := l.valueNow(key).Float()
	if !ok {
		return car.Missing()
	}
	return x
}

// estimate guesses a driving point from two reports in a row. It serves cars
// whose app sends no points (telemetry type "real time"); where points come, or
// come later, they count instead. before is the report before the newest.
func (v *vehicle) estimate(before glance) {
	now := v.glance()
	step := now.at - before.at
	near := before.driving && step <= longestTick.Milliseconds()
	// A car that stands long after it was last seen driving has not just driven.
	if step <= 0 || !now.driving && !near || v.sums.trips.current.End > now.at-tripGap.Milliseconds() {
		return
	}
	p := car.Point{
		At: now.at, Distance: 0, Energy: 0, SoC: v.numberNow("battery") / 100,
		Alt: v.numberNow("altitude"), Lat: car.Missing(), Lon: car.Missing(),
	}
	var place struct{ Latitude, Longitude *float64 }
	if json.Unmarshal([]byte(v.valueNow("location").Word()), &place) == nil &&
		place.Latitude != nil && place.Longitude != nil {
		p.Lat, p.Lon = *place.Latitude, *place.Longitude
	}
	if near {
		seconds := float64(step) / 1000
		p.Distance = mean(before.speed, now.speed) * seconds
		p.Energy = mean(before.power, now.power) * seconds / 3600
	}
	switch {
	case !now.driving:
		p.Marker = car.End
	case !before.driving:
		p.Marker = car.Begin
	}
	v.Guess.add(p)
}

func mean(x, y float64) float64 { return (x + y) / 2 }

// guessed says whether a guessed trip counts: one beside which points have come
// does not.
func (v *vehicle) guessed(t Trip) bool {
	return t.Start > v.sums.trips.current.End+tripGap.Milliseconds()
}

// current is the trip under way, or else the last one.
func (v *vehicle) current() Trip {
	if v.guessed(v.Guess.current) {
		return v.Guess.current
	}
	return v.sums.trips.current
}

// lastTrip is the newest trip that has ended at now.
func (v *vehicle) lastTrip(now time.Time) Trip {
	if t := v.Guess.last(now); v.guessed(t) {
		t.Approximate = true
		return t
	}
	return v.sums.trips.last(now)
}

// lastTripJSON is the newest ended trip as it is published, "" for none. A late
// point may open a trip again that was told as ended: then it stays told, and no
// older one takes its place.
func (v *vehicle) lastTripJSON(now time.Time) string {
	t := v.lastTrip(now)
	if t.Points == 0 || t.End < v.toldTrip {
		return ""
	}
	v.toldTrip = t.End
	return t.JSON()
}

// tripEnds says whether the current trip has ended by the clock since the
// values were last computed.
func (v *vehicle) tripEnds(now time.Time) bool { return !v.ended && !v.current().Open(now) }

// tripEndsAt is when the current trip ends if nothing more comes, zero for
// never.
func (v *vehicle) tripEndsAt() time.Time {
	if v.ended {
		return time.Time{}
	}
	return time.UnixMilli(v.current().End).Add(tripGap + time.Millisecond)
}

// keptTrip is a guessed trip as the store keeps it: there are no points that it
// could be computed from again.
type keptTrip struct {
	Start, End int64
	Closed     bool
	Points     int
	Powered    bool
	Sums       [7]int64
	First      [4]*float64
	Last       [4]*float64
}

// MarshalJSON writes what UnmarshalJSON reads.
func (t trips) MarshalJSON() ([]byte, error) {
	return json.Marshal([2]keptTrip{t.current.kept(), t.before.kept()})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (t *trips) UnmarshalJSON(data []byte) error {
	var kept [2]keptTrip
	if err := json.Unmarshal(data, &kept); err != nil {
		return err
	}
	t.current, t.before = kept[0].trip(), kept[1].trip()
	return nil
}

func (t Trip) kept() keptTrip {
	return keptTrip{
		Start: t.Start, End: t.End, Closed: t.Closed, Points: t.Points, Powered: t.powered,
		Sums:  [7]int64{t.distance, t.energy, t.plausible, t.consumed, t.regained, t.ascent, t.descent},
		First: keptPlace(t.first), Last: keptPlace(t.last),
	}
}

func (k keptTrip) trip() Trip {
	return Trip{
		Start: k.Start, End: k.End, Closed: k.Closed, Points: k.Points, powered: k.Powered,
		distance: k.Sums[0], energy: k.Sums[1], plausible: k.Sums[2], consumed: k.Sums[3],
		regained: k.Sums[4], ascent: k.Sums[5], descent: k.Sums[6],
		first: place(k.Start, k.First), last: place(k.End, k.Last),
	}
}

func keptPlace(p car.Point) [4]*float64 {
	return [4]*float64{given(p.SoC), given(p.Lat), given(p.Lon), given(p.Alt)}
}

func place(at int64, x [4]*float64) car.Point {
	number := func(p *float64) float64 {
		if p == nil {
			return math.NaN()
		}
		return *p
	}
	return car.Point{At: at, SoC: number(x[0]), Lat: number(x[1]), Lon: number(x[2]), Alt: number(x[3])}
}
