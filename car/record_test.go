package car_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

func someNumber() *rapid.Generator[float64] {
	return rapid.SampledFrom([]float64{car.Missing(), -100, -1, 0, 0.5, 1, 100})
}

func somePoint() *rapid.Generator[car.Point] {
	return rapid.Custom(func(t *rapid.T) car.Point {
		x := func(name string) float64 { return someNumber().Draw(t, name) }
		return car.Point{At: 1, Distance: x("d"), Energy: x("e"), SoC: x("s"), Lat: x("lat"), Lon: x("lon"), Alt: x("alt"),
			Marker: car.Marker(rapid.IntRange(0, 3).Draw(t, "marker"))}
	})
}

// Merging is order, repetition and grouping away from nothing but the set of
// versions: commutative, idempotent and associative.
func TestPointsMergeInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := somePoint().Draw(t, "a"), somePoint().Draw(t, "b"), somePoint().Draw(t, "c")
		if !a.Merge(b).Same(b.Merge(a)) || !a.Merge(a).Same(a) || !a.Merge(b).Merge(c).Same(a.Merge(b.Merge(c))) {
			t.Fatalf("%+v %+v %+v", a, b, c)
		}
		for _, pair := range [][3]float64{{a.Lat, b.Lat, a.Merge(b).Lat}, {a.Energy, b.Energy, a.Merge(b).Energy}} {
			if car.Given(pair[0]) && !(pair[2] >= pair[0]) || car.Given(pair[1]) && !(pair[2] >= pair[1]) {
				t.Fatalf("%v: a value was lost", pair)
			}
		}
		if got := a.Merge(b).Marker; got != max(a.Marker, b.Marker) {
			t.Fatalf("marker %d of %d and %d", got, a.Marker, b.Marker)
		}
	})
}

func someSession() *rapid.Generator[car.Session] {
	return rapid.Custom(func(t *rapid.T) car.Session {
		x := func(name string) float64 { return someNumber().Draw(t, name) }
		n := func(name string) int64 { return rapid.Int64Range(0, 2).Draw(t, name) }
		return car.Session{Start: 1, End: n("end"), ID: n("id"), Duration: n("duration"), Points: int(n("points")),
			Energy: x("e"), SoC: x("soc"), Outside: x("out"), Lat: x("lat"), Lon: x("lon")}
	})
}

func sameSession(a, b car.Session) bool {
	eq := func(x, y float64) bool { return x == y || !car.Given(x) && !car.Given(y) }
	return a.End == b.End && a.ID == b.ID && a.Duration == b.Duration && a.Points == b.Points && eq(a.Energy, b.Energy) &&
		eq(a.SoC, b.SoC) && eq(a.Outside, b.Outside) && eq(a.Lat, b.Lat) && eq(a.Lon, b.Lon)
}

func TestSessionsMergeInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		versions := rapid.SliceOfN(someSession(), 1, 5).Draw(t, "versions")
		want := car.MergeSessions(versions)
		again := append(slices.Clone(versions), versions...)
		shuffled := rapid.Permutation(again).Draw(t, "order")
		if got := car.MergeSessions(shuffled); !sameSession(got, want) {
			t.Fatalf("%+v, in another order %+v", want, got)
		}
		for _, v := range versions {
			switch {
			case v.End > want.End, v.Points > want.Points:
				t.Fatalf("%+v is better than %+v", v, want)
			case car.Given(v.Energy) && !car.Given(want.Energy), v.Duration != 0 && want.Duration == 0,
				car.Given(v.Lat) && !car.Given(want.Lat), v.SoC > 0 && !(want.SoC != 0):
				t.Fatalf("%+v lacks what %+v has", want, v)
			}
		}
	})
}

func TestLaterEndWins(t *testing.T) {
	none := car.Missing()
	open := car.Session{Start: 1, Energy: 500, SoC: 0, Outside: 0, Lat: 56.1, Lon: 3.2}
	closed := car.Session{Start: 1, End: 9, Energy: 300, SoC: 0.1, Outside: 12, Lat: none, Lon: none, Points: 4}
	got := car.MergeSessions([]car.Session{open, closed})
	if got.End != 9 || got.Energy != 300 || got.SoC != 0.1 || got.Lat != 56.1 || got.Outside != 12 {
		t.Errorf("%+v", got)
	}
}

func TestPlausible(t *testing.T) {
	for _, c := range []struct {
		point car.Point
		want  bool
	}{
		{car.Point{Distance: 100, Energy: 20}, true}, {car.Point{Distance: 1000, Energy: -1500}, true},
		{car.Point{Distance: 1001}, false}, {car.Point{Distance: -1}, false}, {car.Point{Energy: 1501}, false},
		{car.Point{Energy: -1501}, false}, {car.Point{Distance: car.Missing(), Energy: car.Missing()}, true},
	} {
		if got := c.point.Plausible(); got != c.want {
			t.Errorf("%+v: %v", c.point, got)
		}
	}
}
