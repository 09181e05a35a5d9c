package bridge

import (
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/store"
)

// totals are sums since total_since, exact: mm and mWh.
type totals struct{ distance, energy int64 }

// records are what a car's stored records add up to: a cache of the store.
type records struct {
	id       car.ID
	capacity float64 // Wh by the configuration, 0 for none
	since    int64   // total_since, epoch ms
	kept     float64 // Wh of sessions since then that retention has removed
	totals   totals
	trips    trips
	charges  map[int64]Charge // by start
	last     Charge           // the one that ended last; End 0 for none
	ended    bool             // the current trip was last seen as over
}

// load computes everything from the store.
func (r *records) load(from store.Reader, row store.Car) error {
	r.since, r.kept = row.Since.UnixMilli(), row.KeptChargedWh
	r.totals = totals{row.DistanceMM, row.EnergyMWh}
	r.charges, r.last = map[int64]Charge{}, Charge{}
	for kept, err := range from.Charges(r.id) {
		if err != nil {
			return err
		}
		c, err := ReadCharge(kept.Summary)
		if err != nil {
			return err
		}
		r.take(c)
	}
	var err error
	r.trips, err = newestTrips(r.points(from))
	return err
}

// reload is load after the store has changed by itself.
func (r *records) reload(from store.Reader) error {
	rows, err := from.Cars()
	if err != nil {
		return err
	}
	for _, row := range rows {
		if row.ID == r.id {
			return r.load(from, row)
		}
	}
	return nil
}

func (r *records) points(from store.Reader) points {
	return points{
		Points: func(a, b int64) iter.Seq2[car.Point, error] { return from.Points(r.id, a, b) },
		PointsBackwards: func(before int64) iter.Seq2[car.Point, error] {
			return from.PointsBackwards(r.id, before)
		},
	}
}

// settle takes a transaction's changes in. Points newer than all before are
// folded; anything else that may touch the newest trips computes them anew.
func (r *records) settle(from store.Reader, c changes) error {
	if c.touched {
		r.totals = c.totals
	}
	for _, charge := range c.charges {
		r.take(charge)
	}
	slices.SortFunc(c.rows, func(p, q car.Point) int { return int(p.At - q.At) })
	for _, p := range c.rows {
		switch {
		case p.At > r.trips.current.End:
			r.trips.add(p)
		case r.trips.touchedBy(p.At):
			var err error
			r.trips, err = newestTrips(r.points(from))
			return err
		}
	}
	return nil
}

// take puts a charge in the place of its older version.
func (r *records) take(c Charge) {
	if r.charges == nil {
		r.charges = map[int64]Charge{}
	}
	r.charges[c.Start] = c
	if c.End > r.last.End || c.End == r.last.End && c.Start >= r.last.Start || c.Start == r.last.Start {
		r.last = c
	}
}

// size is the battery's capacity in Wh: the configured one, else what the car
// takes it for.
func (r *records) size(seen float64) float64 {
	if r.capacity > 0 {
		return r.capacity
	}
	return seen
}

// charged is the energy in Wh of all sessions since total_since.
func (r *records) charged(capacity float64) float64 {
	sum := r.kept
	for _, start := range slices.Sorted(maps.Keys(r.charges)) {
		if start >= r.since {
			best, _ := r.charges[start].Best(capacity)
			wh, _ := best.Float()
			sum += wh
		}
	}
	return sum
}

// energyOf returns how much a summary counts in the total, in Wh.
func (r *records) energyOf(seen float64) func([]byte) float64 {
	return func(summary []byte) float64 {
		c, err := ReadCharge(summary)
		if err != nil {
			return 0
		}
		best, _ := c.Best(r.size(seen))
		wh, _ := best.Float()
		return wh
	}
}

// values are the computed paths at now. seenCapacity is what the car takes its
// battery for, in Wh. Totals of which nothing was ever seen are left out: a car
// that sends no points gets no zero.
func (r *records) values(now time.Time, seenCapacity float64, seen map[string]bool) map[string]car.Value {
	capacity := r.size(seenCapacity)
	r.ended = !r.trips.current.Open(now)
	out := r.trips.current.values(now)
	if out == nil {
		out = map[string]car.Value{}
	}
	if r.last.End != 0 {
		maps.Copy(out, r.last.values(capacity))
	}
	if r.totals.distance != 0 || seen["total_distance"] {
		out[car.TotalOfDistance] = car.Number(float64(r.totals.distance) / 1000)
	}
	if r.totals.energy != 0 || seen["total_energy_used"] {
		out[car.TotalOfUsed] = car.Number(float64(r.totals.energy) / 1000)
	}
	if wh := r.charged(capacity); wh != 0 || seen["total_energy_charged"] {
		out[car.TotalOfCharged] = car.Number(wh)
	}
	return out
}

// tripEnds says whether the current trip has ended by the clock since the
// values were last computed.
func (r *records) tripEnds(now time.Time) bool { return !r.ended && !r.trips.current.Open(now) }

// next is when the current trip ends if nothing more comes, zero for never.
func (r *records) next() time.Time {
	if r.ended {
		return time.Time{}
	}
	return time.UnixMilli(r.trips.current.End).Add(tripGap + time.Millisecond)
}

// lastTrip is the newest ended trip as JSON, "" for none.
func (r *records) lastTrip(now time.Time) string {
	if t := r.trips.last(now); t.Points > 0 {
		return t.JSON()
	}
	return ""
}

// lastCharge is the session that ended last as JSON, "" for none.
func (r *records) lastCharge(seenCapacity float64) string {
	if r.last.End == 0 {
		return ""
	}
	return r.last.JSON(r.size(seenCapacity))
}
