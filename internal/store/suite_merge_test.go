package store_test

import (
	"errors"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/store"
)

// batch is what one write of the property test brings.
type batch struct {
	points   []car.Point
	curve    []car.ChargePoint
	sessions []car.Session
	fails    bool // rolled back after its records were put
}

// testAnyOrder sends random versions of few records, cut into batches anyhow,
// repeated and shuffled, some of them rolled back at first, and compares the
// store with what plain maps say.
func testAnyOrder(t *testing.T, open func(testing.TB) *store.Store) {
	s := open(t)
	rapid.Check(t, func(r *rapid.T) {
		if err := s.Forget(t.Context(), blue, true); err != nil {
			r.Fatal(err)
		}
		since := base + int64(rapid.IntRange(-5, 20).Draw(r, "since"))
		if err := s.Write(t.Context(), func(tx *store.Tx) error {
			return tx.MakeCar(blue, time.UnixMilli(since))
		}); err != nil {
			r.Fatal(err)
		}
		batches := rapid.SliceOfN(rapid.Custom(drawBatch), 1, 12).Draw(r, "batches")
		oracle := newOracle(since)
		var accepted []batch
		for _, b := range batches {
			if receipt := send(t, r, s, b); !b.fails {
				oracle.take(b, receipt)
				accepted = append(accepted, b)
			}
		}
		oracle.compare(r, s.Read(t.Context()))
		for _, b := range slices.Backward(accepted) {
			if again := send(t, r, s, b); again.New > 0 || again.Changed > 0 {
				r.Fatalf("a repetition brought something new: %+v", again)
			}
		}
		oracle.compare(r, s.Read(t.Context()))
	})
}

func drawBatch(r *rapid.T) batch {
	at := func() int64 { return base + int64(rapid.IntRange(0, 15).Draw(r, "at")) }
	marker := func() car.Marker { return car.Marker(rapid.IntRange(0, 3).Draw(r, "marker")) }
	point := rapid.Custom(func(r *rapid.T) car.Point {
		return car.Point{At: at(), Distance: maybe(r, 99.9996, 100.0004, 0, 2e6),
			Energy: maybe(r, -3.25, 20, 20.0001), SoC: maybe(r, 0.5, 0.51),
			Lat: maybe(r, 54, 55), Lon: maybe(r, 7, 8), Alt: maybe(r, -1, 3), Marker: marker()}
	})
	chargePoint := rapid.Custom(func(r *rapid.T) car.ChargePoint {
		return car.ChargePoint{At: at(), Energy: maybe(r, -5, -6), Power: maybe(r, -11000, -7000),
			SoC: maybe(r, 0.5, 0.51), Marker: marker()}
	})
	session := rapid.Custom(func(r *rapid.T) car.Session {
		start := base + 10_000*int64(rapid.IntRange(0, 3).Draw(r, "start"))
		end := rapid.SampledFrom([]int64{0, start + 50, start + 60}).Draw(r, "end")
		return car.Session{Start: start, End: end,
			ID: int64(rapid.IntRange(0, 2).Draw(r, "id")), Energy: maybe(r, 8000, 48752.06),
			SoC: maybe(r, 0, 0.3), Duration: int64(rapid.IntRange(0, 1).Draw(r, "duration")),
			Outside: maybe(r, 0, -3.5), Lat: maybe(r, 54, 91), Lon: maybe(r, 7),
			Points: rapid.IntRange(0, 2).Draw(r, "points")}
	})
	return batch{
		points:   rapid.SliceOfN(point, 0, 20).Draw(r, "points"),
		curve:    rapid.SliceOfN(chargePoint, 0, 8).Draw(r, "curve"),
		sessions: rapid.SliceOfN(session, 0, 4).Draw(r, "sessions"),
		fails:    rapid.IntRange(0, 9).Draw(r, "fails") == 0,
	}
}

// maybe draws one of the numbers, or none.
func maybe(r *rapid.T, numbers ...float64) float64 {
	return rapid.SampledFrom(append(numbers, car.Missing())).Draw(r, "number")
}

func send(t *testing.T, r *rapid.T, s *store.Store, b batch) (sum car.Receipt) {
	err := s.Write(t.Context(), func(tx *store.Tx) error {
		points, err1 := tx.PutPoints(blue, noon, b.points)
		for _, p := range points.Points { // as they are stored now
			equal(r, "changed point", []car.Point{p}, all(r, tx.Points(blue, p.At, p.At+1)))
		}
		curve, err2 := tx.PutChargePoints(blue, noon, b.curve)
		sessions, err3 := tx.PutSessions(blue, noon, b.sessions)
		for _, c := range []store.Change{points, curve, sessions} {
			sum.Add(c.Receipt)
		}
		if b.fails {
			return errStop
		}
		return errors.Join(err1, err2, err3)
	})
	if b.fails != errors.Is(err, errStop) || !b.fails && err != nil {
		r.Fatal(err)
	}
	return sum
}

// oracle is the store in plain Go: all versions, joined at the end.
type oracle struct {
	since    int64
	points   map[int64][]car.Point
	curve    map[int64][]car.ChargePoint
	sessions map[int64][]car.Session
	sent     int
	apart    int
	receipt  car.Receipt
}

func newOracle(since int64) *oracle {
	return &oracle{since: since, points: map[int64][]car.Point{},
		curve: map[int64][]car.ChargePoint{}, sessions: map[int64][]car.Session{}}
}

func (o *oracle) take(b batch, receipt car.Receipt) {
	o.receipt.Add(receipt)
	o.sent += len(b.points) + len(b.curve) + len(b.sessions)
	for _, p := range b.points {
		if p.Distance > 1e6 {
			o.apart++
			continue
		}
		if math.IsNaN(p.Lat) || math.IsNaN(p.Lon) {
			p.Lat, p.Lon = math.NaN(), math.NaN()
		}
		o.points[p.At] = append(o.points[p.At], p)
	}
	for _, p := range b.curve {
		o.curve[p.At] = append(o.curve[p.At], p)
	}
	for _, s := range b.sessions {
		if !(s.Lat < 90) || math.IsNaN(s.Lon) {
			s.Lat, s.Lon = math.NaN(), math.NaN()
		}
		o.sessions[s.Start] = append(o.sessions[s.Start], s)
	}
}

// largest returns the largest number that is given.
func largest[T any](versions []T, number func(T) float64) float64 {
	var given []float64
	for _, v := range versions {
		if x := number(v); !math.IsNaN(x) {
			given = append(given, x)
		}
	}
	if len(given) == 0 {
		return math.NaN()
	}
	return slices.Max(given)
}

func (o *oracle) point(at int64) car.Point {
	v := o.points[at]
	return car.Point{
		At:       at,
		Distance: largest(v, func(p car.Point) float64 { return p.Distance }),
		Energy:   largest(v, func(p car.Point) float64 { return p.Energy }),
		SoC:      largest(v, func(p car.Point) float64 { return p.SoC }),
		Lat:      largest(v, func(p car.Point) float64 { return p.Lat }),
		Lon:      largest(v, func(p car.Point) float64 { return p.Lon }),
		Alt:      largest(v, func(p car.Point) float64 { return p.Alt }),
		Marker:   car.Marker(largest(v, func(p car.Point) float64 { return float64(p.Marker) })),
	}
}

func (o *oracle) chargePoint(at int64) car.ChargePoint {
	v := o.curve[at]
	return car.ChargePoint{
		At:     at,
		Energy: largest(v, func(p car.ChargePoint) float64 { return p.Energy }),
		Power:  largest(v, func(p car.ChargePoint) float64 { return p.Power }),
		SoC:    largest(v, func(p car.ChargePoint) float64 { return p.SoC }),
		Marker: car.Marker(largest(v, func(p car.ChargePoint) float64 { return float64(p.Marker) })),
	}
}

func (o *oracle) compare(r *rapid.T, read store.Reader) {
	var points []car.Point
	var mm, mwh int64
	for _, at := range slices.Sorted(maps.Keys(o.points)) {
		p := o.point(at)
		points = append(points, p)
		if at < o.since {
			continue
		}
		if !math.IsNaN(p.Distance) {
			mm += int64(math.Round(p.Distance * 1000))
		}
		if !math.IsNaN(p.Energy) {
			mwh += int64(math.Round(p.Energy * 1000))
		}
	}
	equal(r, "points", points, all(r, read.Points(blue, 0, math.MaxInt64)))

	var curve []car.ChargePoint
	for _, at := range slices.Sorted(maps.Keys(o.curve)) {
		curve = append(curve, o.chargePoint(at))
	}
	var sessions []car.Session
	for _, start := range slices.Sorted(maps.Keys(o.sessions)) {
		sessions = append(sessions, car.MergeSessions(o.sessions[start]))
	}
	equal(r, "sessions", sessions, all(r, read.Sessions(blue, 0, math.MaxInt64)))
	if len(sessions) > 0 && sessions[0].Start == base {
		got, err := read.SessionPoints(blue, base)
		if err != nil {
			r.Fatal(err)
		}
		equal(r, "curve", curve, got)
	}
	gotMM, gotMWh, err := read.Totals(blue)
	if err != nil || gotMM != mm || gotMWh != mwh {
		r.Errorf("totals %d mm, %d mWh, %v; want %d, %d", gotMM, gotMWh, err, mm, mwh)
	}
	got := o.receipt
	if n := len(o.points) + len(o.curve) + len(o.sessions); got.New != n || got.Apart != o.apart ||
		got.New+got.Changed+got.Known+got.Apart != o.sent {
		r.Errorf("receipt %+v of %d records, %d different ones, %d apart", got, o.sent, n, o.apart)
	}
}
