package store_test

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/store"
)

func testSessions(t *testing.T, s *store.Store) {
	newCar(t, s, blue)
	first, next := base-10*hour, base-5*hour
	putChargePoints(t, s, blue, // before their session is known
		car.ChargePoint{At: first - 5001}, car.ChargePoint{At: first - 5000},
		car.ChargePoint{At: next - 5001}, car.ChargePoint{At: next - 5000}, car.ChargePoint{At: base})
	c := putSessions(t, s, blue,
		car.Session{Start: next, Points: 2}, car.Session{Start: first, Points: 2})
	equal(t, "change", store.Change{Receipt: car.Receipt{New: 2}, First: first, Last: next}, c)

	read := s.Read(t.Context())
	for at, want := range map[int64]int64{
		first - 5001: 0, first - 5000: first, next - 5001: first, next - 5000: next,
		base: next, math.MaxInt64: next,
	} {
		start, ok, err := read.SessionAt(blue, at)
		if start != want || ok != (want != 0) || err != nil {
			t.Errorf("SessionAt(%d) = %d, %v, %v; want %d", at-base, start, ok, err, want)
		}
	}
	for start, want := range map[int64][]car.ChargePoint{
		first: {{At: first - 5000}, {At: next - 5001}},
		next:  {{At: next - 5000}, {At: base}},
	} {
		got, err := read.SessionPoints(blue, start)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "points of a session", want, got)
	}

	better := car.Session{Start: first, End: first + hour, Points: 1}
	c = putSessions(t, s, blue, better, better, car.Session{Start: first})
	equal(t, "better, same, worse",
		store.Change{Receipt: car.Receipt{Changed: 1, Known: 2}, First: first, Last: first}, c)
	got, ok, err := read.Session(blue, first)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	equal(t, "merged", car.Session{Start: first, End: first + hour, Points: 2}, got)
}

func testManySessions(t *testing.T, s *store.Store) {
	newCar(t, s, blue)
	var sessions []car.Session
	for i := range int64(300) {
		start := base - (300-i)*hour
		for v := range i % 4 {
			sessions = append(sessions, car.Session{Start: start, Points: int(v)})
		}
		sessions = append(sessions, car.Session{Start: start, End: start + i + 1})
	}
	putSessions(t, s, blue, sessions...)
	got := all(t, s.Read(t.Context()).Sessions(blue, base-299*hour, base-hour))
	if len(got) != 298 {
		t.Fatalf("%d sessions, want 298", len(got))
	}
	for i, session := range got {
		start := base - 299*hour + int64(i)*hour
		n := int64(i + 1)
		want := car.Session{Start: start, End: start + n + 1, Points: int(max(0, n%4-1))}
		equal(t, "session", want, session)
	}
}

func testSetSince(t *testing.T, s *store.Store) {
	newCar(t, s, blue)
	c := putPoints(t, s, blue, manyPoints(base-5000, 10)...)
	equal(t, "receipt", car.Receipt{New: 10}, c.Receipt)
	equal(t, "from the start", int64(500_000), oneCar(t, s, blue).DistanceMM)
	write(t, s, func(tx *store.Tx) error { return tx.MakeCar(blue, noon.Add(-time.Hour)) }) // no-op
	equal(t, "since", noon, oneCar(t, s, blue).Since)

	later := noon.Add(2 * time.Second)
	write(t, s, func(tx *store.Tx) error {
		if err := tx.SetSince(blue, later); err != nil {
			return err
		}
		mm, mwh, err := tx.Totals(blue)
		equal(t, "totals inside", []int64{300_000, 60_000}, []int64{mm, mwh})
		return err
	})
	putPoints(t, s, blue, point(base+1999), point(base+2001))
	got := oneCar(t, s, blue)
	equal(t, "later", store.Car{ID: blue, Since: later, DistanceMM: 400_000, EnergyMWh: 80_000}, got)
	write(t, s, func(tx *store.Tx) error { return tx.SetSince(blue, noon.Add(-time.Hour)) })
	equal(t, "earlier", int64(1_200_000), oneCar(t, s, blue).DistanceMM)
}

func testForget(t *testing.T, s *store.Store) {
	newCar(t, s, blue)
	putPoints(t, s, blue, manyPoints(base, 10)...)
	write(t, s, func(tx *store.Tx) error {
		if err := tx.PutState(blue, []byte("{}")); err != nil {
			return err
		}
		return tx.PutSeen(blue, []string{"battery"})
	})
	if err := s.Forget(t.Context(), blue, false); err != nil {
		t.Fatal(err)
	}
	cars, err := s.Read(t.Context()).Cars()
	if len(cars) != 0 || err != nil {
		t.Fatalf("still there: %v, %v", cars, err)
	}
	if len(allPoints(t, s, blue)) != 10 {
		t.Error("its points went too")
	}
	write(t, s, func(tx *store.Tx) error { return tx.MakeCar(blue, noon.Add(time.Hour)) })
	equal(t, "come back", store.Car{ID: blue, Since: noon,
		DistanceMM: 1_000_000, EnergyMWh: 200_000}, oneCar(t, s, blue))
	c := putPoints(t, s, blue, manyPoints(base, 11)...)
	equal(t, "receipt", car.Receipt{New: 1, Known: 10}, c.Receipt)
}

func testForgetData(t *testing.T, s *store.Store) {
	newCar(t, s, blue)
	putPoints(t, s, blue, manyPoints(base, 5000)...)
	putPoints(t, s, blue, point(5))
	putChargePoints(t, s, blue, car.ChargePoint{At: base})
	putSessions(t, s, blue, car.Session{Start: base})
	write(t, s, func(tx *store.Tx) error {
		if err := tx.PutUnknown(blue, noon, "?"); err != nil {
			return err
		}
		return tx.PutCharge(blue, base, []byte("{}"))
	})
	if err := s.Forget(t.Context(), blue, true); err != nil {
		t.Fatal(err)
	}
	newCar(t, s, blue)
	read := s.Read(t.Context())
	equal(t, "car", store.Car{ID: blue, Since: noon}, oneCar(t, s, blue))
	equal(t, "points", nil, allPoints(t, s, blue))
	equal(t, "sessions", nil, all(t, read.Sessions(blue, 0, math.MaxInt64)))
	equal(t, "charges", nil, all(t, read.Charges(blue)))
	equal(t, "apart", nil, all(t, read.ApartRecords(blue)))
	curve, err := read.SessionPoints(blue, base)
	equal(t, "charging points", nil, curve)
	bodies, err2 := read.Unknown(blue)
	equal(t, "unknown", nil, bodies)
	if err != nil || err2 != nil {
		t.Error(err, err2)
	}
	c := putPoints(t, s, blue, point(base))
	equal(t, "receipt", car.Receipt{New: 1}, c.Receipt)
}

// testForgetHalf has a car come back before all its records were erased.
func testForgetHalf(t *testing.T, s *store.Store) {
	newCar(t, s, blue)
	putPoints(t, s, blue, manyPoints(base, 100)...)
	prune(t, s, 10_000)
	if err := s.ForgetHalf(t.Context(), blue); err != nil {
		t.Fatal(err)
	}
	later := noon.Add(95 * time.Second)
	write(t, s, func(tx *store.Tx) error { return tx.MakeCar(blue, later) })
	want := store.Car{ID: blue, Since: later, DistanceMM: 500_000, EnergyMWh: 100_000}
	equal(t, "car", want, oneCar(t, s, blue))
	if err := s.ForgetRest(t.Context(), blue); err != nil {
		t.Fatal(err)
	}
	equal(t, "the erasing ends", want, oneCar(t, s, blue))
	equal(t, "points", manyPoints(base+10_000, 90), allPoints(t, s, blue))
}

// chargedWh reads the summaries of these tests: a number of Wh.
func chargedWh(summary []byte) (wh float64) {
	_ = json.Unmarshal(summary, &wh)
	return wh
}

// prune removes what is older than base + offset.
func prune(t *testing.T, s *store.Store, offset int64) int {
	t.Helper()
	n, err := s.Prune(t.Context(), blue, time.UnixMilli(base+offset), chargedWh)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func testPrune(t *testing.T, s *store.Store) {
	newCar(t, s, blue)
	points := manyPoints(base-2000_000, 6000) // a third of them before the totals' start
	for at := 0; at < len(points); at += 1000 {
		putPointsLate(t, s, points[at:at+1000]...)
	}
	for i, start := range []int64{base - hour, base + 1000_000, base + 3000_000} {
		putSessions(t, s, blue, car.Session{Start: start, End: start + 1000})
		write(t, s, func(tx *store.Tx) error {
			return tx.PutCharge(blue, start, fmt.Append(nil, 1000*(i+1)))
		})
	}
	putPoints(t, s, blue, point(5))
	before := oneCar(t, s, blue)
	equal(t, "distance", int64(4000*100_000), before.DistanceMM)

	removed := prune(t, s, 2000_000)
	equal(t, "removed", 4000+2+1, removed)
	after := before
	after.Horizon, after.KeptChargedWh = base+2000_000, 2000
	equal(t, "car", after, oneCar(t, s, blue))
	equal(t, "points", points[4000:], allPoints(t, s, blue))
	read := s.Read(t.Context())
	equal(t, "sessions", 1, len(all(t, read.Sessions(blue, 0, math.MaxInt64))))
	equal(t, "charges", []store.Charge{{Start: base + 3000_000, Summary: []byte("3000")}},
		all(t, read.Charges(blue)))
	equal(t, "apart", nil, all(t, read.ApartRecords(blue)))

	c := putPointsLate(t, s, points[3990:4010]...)
	equal(t, "sent again", store.Change{Receipt: car.Receipt{Known: 20}}, c)
	c = putSessions(t, s, blue, car.Session{Start: base + 1000_000, End: base + 1001_000})
	equal(t, "session again", store.Change{Receipt: car.Receipt{Known: 1}}, c)
	equal(t, "pruned again", 0, prune(t, s, 2000_000))
	equal(t, "pruned less", 0, prune(t, s, 0))
	equal(t, "car at last", after, oneCar(t, s, blue))

	write(t, s, func(tx *store.Tx) error { return tx.SetSince(blue, noon.Add(time.Hour)) })
	equal(t, "counted anew", store.Car{ID: blue, Since: noon.Add(time.Hour), Horizon: after.Horizon,
		DistanceMM: 400 * 100_000, EnergyMWh: 400 * 20_000}, oneCar(t, s, blue))
}

// putPointsLate stores points of the hours after noon.
func putPointsLate(t *testing.T, s *store.Store, points ...car.Point) (c store.Change) {
	t.Helper()
	write(t, s, func(tx *store.Tx) (err error) {
		c, err = tx.PutPoints(blue, noon.Add(6*time.Hour), points)
		return err
	})
	return c
}

func testPruneAcross(t *testing.T, s *store.Store) {
	tests := []struct {
		name    string
		session car.Session
		curve   []car.ChargePoint
		whole   bool
	}{
		{"ends later", car.Session{Start: base + 1000, End: base + 90_000}, nil, true},
		{"open, with a later point", car.Session{Start: base + 1000},
			[]car.ChargePoint{{At: base + 1000}, {At: base + 60_000}}, true},
		{"begins within the lead", car.Session{Start: base + 64_000, End: base + 90_000},
			[]car.ChargePoint{{At: base + 59_500}}, true},
		{"over", car.Session{Start: base + 1000, End: base + 2000}, nil, false},
		{"open and old", car.Session{Start: base + 1000}, []car.ChargePoint{{At: base + 3000}}, false},
		{"its lead is old", car.Session{Start: base + 62_000}, nil, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			newCar(t, s, blue)
			putSessions(t, s, blue, test.session)
			putChargePoints(t, s, blue, test.curve...)
			write(t, s, func(tx *store.Tx) error {
				return tx.PutCharge(blue, test.session.Start, []byte("1"))
			})
			prune(t, s, 60_000)
			c := putSessions(t, s, blue, test.session)
			equal(t, "sent again", car.Receipt{Known: 1}, c.Receipt)
			want := base + 60_000
			if test.whole {
				want = min(want, test.session.Start-5000)
			}
			equal(t, "horizon", want, oneCar(t, s, blue).Horizon)
			equal(t, "charge kept", !test.whole, oneCar(t, s, blue).KeptChargedWh == 1)
			read := s.Read(t.Context())
			_, ok, err := read.Session(blue, test.session.Start)
			if ok != test.whole || err != nil {
				t.Errorf("session there: %v, %v; want %v", ok, err, test.whole)
			}
			curve, err := read.SessionPoints(blue, test.session.Start)
			if test.whole && len(curve) != len(test.curve) || !test.whole && len(curve) > 0 || err != nil {
				t.Errorf("its points: %v, %v", curve, err)
			}
			if err := s.Forget(t.Context(), blue, true); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func testCharges(t *testing.T, s *store.Store) {
	newCar(t, s, blue)
	var want []store.Charge
	for i := range int64(200) {
		want = append(want, store.Charge{Start: base + i, Summary: fmt.Append(nil, i)})
	}
	write(t, s, func(tx *store.Tx) error {
		for i := len(want) - 1; i >= 0; i-- {
			if err := tx.PutCharge(blue, want[i].Start, want[i].Summary); err != nil {
				return err
			}
		}
		return nil
	})
	want[7].Summary = []byte("new")
	write(t, s, func(tx *store.Tx) error { return tx.PutCharge(blue, base+7, []byte("new")) })
	equal(t, "charges", want, all(t, s.Read(t.Context()).Charges(blue)))
}
