package bridge

import (
	"cmp"
	"iter"
	"maps"
	"slices"

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
	doubtful bool             // trips could not be read
	tally    tally            // what charged has summed up
}

// tally is a sum over all charges, which holds until one of them changes.
type tally struct {
	wh, capacity float64
	counted      bool
}

// load computes everything from the store.
func (r *records) load(from store.Reader, row store.Car) error {
	r.since, r.kept = row.Since.UnixMilli(), row.KeptChargedWh
	r.totals = totals{row.DistanceMM, row.EnergyMWh}
	r.charges, r.last, r.tally = map[int64]Charge{}, Charge{}, tally{}
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
	return r.count(from)
}

// count computes the newest trips from the store.
func (r *records) count(from store.Reader) (err error) {
	r.trips, err = newestTrips(r.points(from))
	r.doubtful = err != nil
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
	slices.SortFunc(c.rows, func(p, q car.Point) int { return cmp.Compare(p.At, q.At) })
	for _, p := range c.rows {
		switch {
		case r.doubtful:
			return r.count(from)
		case p.At > r.trips.current.End:
			r.trips.add(p)
		case r.trips.touchedBy(p.At):
			return r.count(from)
		}
	}
	return nil
}

// take puts a charge in the place of its older version.
func (r *records) take(c Charge) {
	if r.charges == nil {
		r.charges = map[int64]Charge{}
	}
	r.charges[c.Start], r.tally = c, tally{}
	if c.End > r.last.End || c.End == r.last.End && c.Start >= r.last.Start {
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
	if r.tally.counted && r.tally.capacity == capacity {
		return r.tally.wh
	}
	sum := r.kept
	for _, start := range slices.Sorted(maps.Keys(r.charges)) {
		if start >= r.since {
			best, _ := r.charges[start].Best(capacity)
			wh, _ := best.Float()
			sum += wh
		}
	}
	r.tally = tally{sum, capacity, true}
	return sum
}

// values are the computed paths of charges and totals. seenCapacity is what the
// car takes its battery for, in Wh. Totals of which nothing was ever seen are
// left out: a car that sends no points gets no zero.
func (r *records) values(seenCapacity float64, seen map[string]bool) map[string]car.Value {
	capacity := r.size(seenCapacity)
	out := map[string]car.Value{}
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

// lastCharge is the session that ended last as JSON, "" for none.
func (r *records) lastCharge(seenCapacity float64) string {
	if r.last.End == 0 {
		return ""
	}
	return r.last.JSON(r.size(seenCapacity))
}
