package store_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/store"
)

const (
	blue = car.ID("blue")
	red  = car.ID("red")
)

// noon is our clock's time in most tests, base the same in epoch ms.
var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

var base = noon.UnixMilli()

const hour = int64(time.Hour / time.Millisecond)

// suite is what every engine of the store promises. open returns an empty
// store, which the test closes.
func suite(t *testing.T, open func(testing.TB) *store.Store) {
	tests := []struct {
		name string
		run  func(*testing.T, *store.Store)
	}{
		{"points come back in order", testPoints},
		{"a loop may end early and write", testLoops},
		{"two cars do not mix", testTwoCars},
		{"a rollback leaves no trace", testRollback},
		{"a failed statement cannot be committed", testFailedStatement},
		{"a begun write is finished", testContext},
		{"nonsense is set apart", testApart},
		{"positions off the earth are missing", testPositions},
		{"sessions and their points", testSessions},
		{"many sessions with versions", testManySessions},
		{"a car must be made first", testNoCar},
		{"totals from another time", testSetSince},
		{"forget and come back", testForget},
		{"forget with data", testForgetData},
		{"forget and come back in between", testForgetHalf},
		{"prune keeps totals", testPrune},
		{"prune keeps a session whole", testPruneAcross},
		{"charges", testCharges},
		{"state and seen", testState},
		{"settings", testSettings},
		{"spending", testSpending},
		{"unknown bodies", testUnknown},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
	t.Run("any order gives the same", func(t *testing.T) { testAnyOrder(t, open) })
}

// write runs f in one transaction that must succeed.
func write(t testing.TB, s *store.Store, f func(*store.Tx) error) {
	t.Helper()
	if err := s.Write(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

// newCar makes a car whose totals count from base on.
func newCar(t testing.TB, s *store.Store, id car.ID) {
	t.Helper()
	write(t, s, func(tx *store.Tx) error { return tx.MakeCar(id, noon) })
}

func putPoints(t testing.TB, s *store.Store, id car.ID, points ...car.Point) (c store.Change) {
	t.Helper()
	write(t, s, func(tx *store.Tx) (err error) {
		c, err = tx.PutPoints(id, noon, points)
		return err
	})
	return c
}

func putChargePoints(
	t testing.TB, s *store.Store, id car.ID, points ...car.ChargePoint,
) (c store.Change) {
	t.Helper()
	write(t, s, func(tx *store.Tx) (err error) {
		c, err = tx.PutChargePoints(id, noon, points)
		return err
	})
	return c
}

func putSessions(t testing.TB, s *store.Store, id car.ID, all ...car.Session) (c store.Change) {
	t.Helper()
	write(t, s, func(tx *store.Tx) (err error) {
		c, err = tx.PutSessions(id, noon, all)
		return err
	})
	return c
}

// tester is what testing.T and rapid.T have in common.
type tester interface {
	Helper()
	Errorf(string, ...any)
	Fatal(...any)
}

// all collects what an iterator yields.
func all[T any](t tester, rows iter.Seq2[T, error]) (list []T) {
	t.Helper()
	for row, err := range rows {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, row)
	}
	return list
}

func allPoints(t testing.TB, s *store.Store, id car.ID) []car.Point {
	t.Helper()
	return all(t, s.Read(t.Context()).Points(id, 0, math.MaxInt64))
}

// oneCar returns the row of a car, which must be there.
func oneCar(t testing.TB, s *store.Store, id car.ID) store.Car {
	t.Helper()
	cars, err := s.Read(t.Context()).Cars()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cars {
		if c.ID == id {
			return c
		}
	}
	t.Fatalf("no car %s in %v", id, cars)
	return store.Car{}
}

// equal compares with NaN equal to NaN and nil to empty.
func equal[T any](t tester, what string, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateNaNs(), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// point is a driving point of 100 m and 20 Wh.
func point(at int64) car.Point {
	return car.Point{At: at, Distance: 100, Energy: 20, SoC: 0.5,
		Lat: car.Missing(), Lon: car.Missing(), Alt: car.Missing()}
}

func manyPoints(from int64, n int) []car.Point {
	points := make([]car.Point, n)
	for i := range points {
		points[i] = point(from + int64(i)*1000)
	}
	return points
}

func testPoints(t *testing.T, s *store.Store) {
	newCar(t, s, blue)
	points := manyPoints(base, 3000)
	for i := range points {
		points[i].At = base + int64(i) // as close as can be
	}
	for i := len(points) - 500; i >= 0; i -= 500 { // the latest first
		c := putPoints(t, s, blue, points[i:i+500]...)
		equal(t, "change", store.Change{Receipt: car.Receipt{New: 500},
			First: points[i].At, Last: points[i+499].At, Points: points[i : i+500]}, c)
	}
	equal(t, "forward", points, allPoints(t, s, blue))
	read := s.Read(t.Context())
	equal(t, "range", points[10:20], all(t, read.Points(blue, points[10].At, points[20].At)))
	backwards := all(t, read.PointsBackwards(blue, points[2500].At))
	if len(backwards) != 2500 {
		t.Fatalf("%d points backwards, want 2500", len(backwards))
	}
	for i, p := range backwards {
		if p.At != points[2499-i].At {
			t.Fatalf("backwards %d is %d, want %d", i, p.At, points[2499-i].At)
		}
	}
}

func testLoops(t *testing.T, s *store.Store) {
	newCar(t, s, blue)
	putPoints(t, s, blue, manyPoints(base, 300)...)
	for range 20 { // more often than there are connections
		for _, err := range s.Read(t.Context()).PointsBackwards(blue, math.MaxInt64) {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	seen := 0
	write(t, s, func(tx *store.Tx) error {
		for p, err := range tx.Points(blue, base, base+300_000) {
			if err != nil {
				return err
			}
			seen++
			p.Alt = 7
			if _, err := tx.PutPoints(blue, noon, []car.Point{p}); err != nil {
				return err
			}
		}
		return nil
	})
	if seen != 300 {
		t.Errorf("saw %d points, want 300", seen)
	}
	for _, p := range allPoints(t, s, blue) {
		if p.Alt != 7 {
			t.Fatalf("point %d was not written: %+v", p.At, p)
		}
	}
}

func testTwoCars(t *testing.T, s *store.Store) {
	newCar(t, s, blue)
	newCar(t, s, red)
	putPoints(t, s, blue, point(base))
	putChargePoints(t, s, blue, car.ChargePoint{At: base})
	putSessions(t, s, blue, car.Session{Start: base})
	read := s.Read(t.Context())
	if _, ok, err := read.SessionAt(red, base); ok || err != nil {
		t.Errorf("red has blue's session (%v)", err)
	}
	equal(t, "red's points", nil, all(t, read.Points(red, 0, math.MaxInt64)))
	c := putPoints(t, s, red, point(base))
	equal(t, "red's change", car.Receipt{New: 1}, c.Receipt)
	if err := s.Forget(t.Context(), red, true); err != nil {
		t.Fatal(err)
	}
	equal(t, "blue's points", []car.Point{point(base)}, allPoints(t, s, blue))
	equal(t, "blue's distance", int64(100_000), oneCar(t, s, blue).DistanceMM)
}

var errStop = errors.New("stop")

func testRollback(t *testing.T, s *store.Store) {
	newCar(t, s, blue)
	putPoints(t, s, blue, point(base))
	err := s.Write(t.Context(), func(tx *store.Tx) error {
		for _, err := range []error{
			tx.MakeCar(red, noon),
			tx.SetSince(blue, noon.Add(24*time.Hour)),
			second(tx.PutPoints(blue, noon, manyPoints(base, 100))),
			second(tx.PutPoints(red, noon, manyPoints(base, 100))),
			second(tx.PutSessions(blue, noon, []car.Session{{Start: base}})),
		} {
			if err != nil {
				return err
			}
		}
		return errStop
	})
	if !errors.Is(err, errStop) {
		t.Fatalf("Write: %v", err)
	}
	equal(t, "points", []car.Point{point(base)}, allPoints(t, s, blue))
	// What the failed write remembered must not shape the next one.
	c := putPoints(t, s, blue, manyPoints(base, 10)...)
	equal(t, "receipt", car.Receipt{New: 9, Known: 1}, c.Receipt)
	equal(t, "distance", int64(10*100_000), oneCar(t, s, blue).DistanceMM)
	err = s.Write(t.Context(), func(tx *store.Tx) error {
		return second(tx.PutPoints(red, noon, []car.Point{point(base)}))
	})
	if !errors.Is(err, store.ErrNoCar) {
		t.Errorf("red was rolled back, yet: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

func testFailedStatement(t *testing.T, s *store.Store) {
	newCar(t, s, blue)
	err := s.Write(t.Context(), func(tx *store.Tx) error {
		if err := tx.PutState(blue, []byte("{}")); err != nil {
			return err
		}
		_ = tx.Fail() // the caller does not look
		return nil
	})
	if err == nil {
		t.Error("a write with a failed statement was committed")
	}
	equal(t, "state", nil, oneCar(t, s, blue).State)
}

func testContext(t *testing.T, s *store.Store) {
	newCar(t, s, blue)
	ctx, cancel := context.WithCancel(t.Context())
	err := s.Write(ctx, func(tx *store.Tx) error {
		cancel()
		return second(tx.PutPoints(blue, noon, []car.Point{point(base)}))
	})
	if err != nil {
		t.Errorf("cancelled in its middle: %v", err)
	}
	err = s.Write(ctx, func(*store.Tx) error { t.Error("begun although cancelled"); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: %v", err)
	}
	equal(t, "points", []car.Point{point(base)}, allPoints(t, s, blue))
	for _, err := range s.Read(ctx).Points(blue, 0, math.MaxInt64) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled read: %v", err)
		}
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("Ping: %v", err)
	}
}

func testApart(t *testing.T, s *store.Store) {
	newCar(t, s, blue)
	tomorrow := base + 25*hour
	far, hot := point(base), point(base+1)
	far.Distance, hot.Energy = 1e6+1, math.Inf(-1)
	for range 2 { // the second time stores nothing more
		c := putPoints(t, s, blue, point(1000), point(tomorrow), far, hot, point(base+2), point(-5))
		equal(t, "apart points", 5, c.Apart)
		c = putChargePoints(t, s, blue, car.ChargePoint{At: tomorrow},
			car.ChargePoint{At: base, Energy: -1e7})
		equal(t, "charging points", store.Change{Receipt: car.Receipt{Apart: 2}}, c)
		c = putSessions(t, s, blue, car.Session{Start: 0, End: base},
			car.Session{Start: base, End: tomorrow}, car.Session{Start: base - hour, Energy: 1e9})
		equal(t, "apart sessions", 2, c.Apart)
	}
	equal(t, "points", []car.Point{point(base + 2)}, allPoints(t, s, blue))
	equal(t, "distance", int64(100_000), oneCar(t, s, blue).DistanceMM)
	var kinds []string
	for _, a := range all(t, s.Read(t.Context()).ApartRecords(blue)) {
		kinds = append(kinds, fmt.Sprint(a.Kind, " ", a.At-base))
		equal(t, "received", base, a.Received)
	}
	equal(t, "apart", []string{
		fmt.Sprint("charge_point ", 0), fmt.Sprint("charge_point ", 25*hour),
		fmt.Sprint("point ", -5-base), fmt.Sprint("point ", 1000-base),
		"point 0", "point 1", fmt.Sprint("point ", 25*hour),
		fmt.Sprint("session ", -base), "session 0",
	}, kinds)
	first := all(t, s.Read(t.Context()).ApartRecords(blue))[2]
	equal(t, "JSON", `{"at":-5,"distance":100,"energy":20,"marker":0,"soc":0.5}`, string(first.JSON))
}

func testPositions(t *testing.T, s *store.Store) {
	newCar(t, s, blue)
	good, bad, half := point(base), point(base+1), point(base+2)
	good.Lat, good.Lon = -90, 180
	bad.Lat, bad.Lon = 54, 180.1
	half.Lat = 54
	putPoints(t, s, blue, good, bad, half)
	equal(t, "points", []car.Point{good, point(base + 1), point(base + 2)}, allPoints(t, s, blue))
}

func testNoCar(t *testing.T, s *store.Store) {
	writes := map[string]func(*store.Tx) error{
		"points": func(tx *store.Tx) error {
			return second(tx.PutPoints(blue, noon, manyPoints(base, 1)))
		},
		"sessions": func(tx *store.Tx) error {
			return second(tx.PutSessions(blue, noon, make([]car.Session, 1)))
		},
		"state":   func(tx *store.Tx) error { return tx.PutState(blue, nil) },
		"seen":    func(tx *store.Tx) error { return tx.PutSeen(blue, nil) },
		"charge":  func(tx *store.Tx) error { return tx.PutCharge(blue, base, nil) },
		"since":   func(tx *store.Tx) error { return tx.SetSince(blue, noon) },
		"unknown": func(tx *store.Tx) error { return tx.PutUnknown(blue, noon, "") },
	}
	for name, f := range writes {
		if err := s.Write(t.Context(), f); !errors.Is(err, store.ErrNoCar) {
			t.Errorf("%s: %v, want ErrNoCar", name, err)
		}
	}
	if err := s.Forget(t.Context(), blue, true); err != nil {
		t.Errorf("Forget: %v", err)
	}
}

func testState(t *testing.T, s *store.Store) {
	newCar(t, s, red)
	newCar(t, s, blue)
	write(t, s, func(tx *store.Tx) error {
		return errors.Join(tx.PutState(blue, []byte(`{"a":1}`)), tx.PutSeen(blue, []string{"b", "a"}))
	})
	cars, err := s.Read(t.Context()).Cars()
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "cars", []store.Car{
		{ID: blue, Since: noon, Seen: []string{"b", "a"}, State: []byte(`{"a":1}`)},
		{ID: red, Since: noon},
	}, cars)
	write(t, s, func(tx *store.Tx) error {
		return errors.Join(tx.PutState(blue, []byte(`{}`)), tx.PutSeen(blue, nil))
	})
	equal(t, "blue", store.Car{ID: blue, Since: noon, State: []byte(`{}`)}, oneCar(t, s, blue))
}

func testSettings(t *testing.T, s *store.Store) {
	ctx := t.Context()
	if _, ok, err := s.Setting(ctx, "id"); ok || err != nil {
		t.Errorf("before: %v, %v", ok, err)
	}
	_, made, err := s.OnceSetting(ctx, "id", func() (string, error) { return "x", errStop })
	if made || !errors.Is(err, errStop) {
		t.Errorf("failed make: made %v, %v", made, err)
	}
	for i, want := range []bool{true, false} {
		make := func() (string, error) { return fmt.Sprint(i), nil }
		value, made, err := s.OnceSetting(ctx, "id", make)
		if value != "0" || made != want || err != nil {
			t.Errorf("once: %q, %v, %v", value, made, err)
		}
	}
	if err := s.SetSetting(ctx, "id", "new"); err != nil {
		t.Fatal(err)
	}
	if value, ok, err := s.Setting(ctx, "id"); value != "new" || !ok || err != nil {
		t.Errorf("set: %q, %v, %v", value, ok, err)
	}
}

func testUnknown(t *testing.T, s *store.Store) {
	newCar(t, s, blue)
	newCar(t, s, red)
	var want []string
	for i := range 130 {
		body := fmt.Sprintf("body\x00\xff %d", i)
		if i >= 30 {
			want = append(want, body)
		}
		write(t, s, func(tx *store.Tx) error { return tx.PutUnknown(blue, noon, body) })
	}
	write(t, s, func(tx *store.Tx) error { return tx.PutUnknown(red, noon, "red") })
	got, err := s.Read(t.Context()).Unknown(blue)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "bodies", want, got)
}
