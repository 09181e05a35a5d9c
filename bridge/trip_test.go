package bridge_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wheelhouse-mqtt/wheelhouse/bridge"
	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// minute0 is when the points of the tests begin, in epoch ms.
var minute0 = time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC).UnixMilli()

// at is a driving point some seconds after minute0: 100 m, 20 Wh.
func at(seconds float64, marker car.Marker) car.Point {
	return car.Point{
		At: minute0 + int64(seconds*1000), Distance: 100, Energy: 20, Marker: marker,
		SoC: car.Missing(), Lat: car.Missing(), Lon: car.Missing(), Alt: car.Missing(),
	}
}

// with changes a point.
func with(p car.Point, change func(*car.Point)) car.Point {
	change(&p)
	return p
}

func TestTripsOfFixtures(t *testing.T) {
	type sums struct {
		Distance, Energy float64
		Points           int
		Duration         time.Duration
		Closed           bool
	}
	tests := []struct {
		name string
		want []sums
	}{
		{"drivepoints", []sums{{12_000, 2502.97, 121, 780_496 * time.Millisecond, true}}},
		{"drivepoints-missing-end", []sums{
			{1105.39, 248.13, 12, 107_440 * time.Millisecond, false},
			{1000.0, 6.94, 11, 238_539 * time.Millisecond, true},
		}},
		{"drivepoints-nolocation", []sums{{1000.0, 6.94, 11, 238_539 * time.Millisecond, true}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []sums
			for _, trip := range all(t, bridge.Trips(each(fixture(t, test.name).Points))) {
				wh, _ := trip.Energy().Float()
				got = append(got, sums{trip.Distance(), wh, trip.Points, trip.Duration(), trip.Closed})
			}
			if diff := cmp.Diff(test.want, got, cmpopts.EquateApprox(0, 0.006)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTripJSON(t *testing.T) {
	trips := all(t, bridge.Trips(each(fixture(t, "drivepoints").Points)))
	want := map[string]any{
		"start": "2025-06-01T07:30:00Z", "end": "2025-06-01T07:43:00Z", "duration_min": 13.0,
		"distance_km": 12.0, "energy_kwh": 2.5, "regenerated_kwh": 0.15,
		"consumption_kwh_100km": 20.9, "average_speed_kmh": 55.3,
		"battery_start": 64.0, "battery_end": 61.0, "battery_used": 3.0,
		"ascent_m": 152.0, "descent_m": 39.0, "points": 121.0, "approximate": false,
		"start_latitude": 56.1, "start_longitude": 3.2,
		"end_latitude": 56.20181, "end_longitude": 3.242276,
	}
	if diff := cmp.Diff(want, decode(t, trips[0].JSON())); diff != "" {
		t.Error(diff)
	}
}

// Where a trip ends and the next begins. want is how many points each has.
func TestTripsBegin(t *testing.T) {
	const gap = 20 * 60
	tests := []struct {
		name   string
		points []car.Point
		want   []int
	}{
		{"none", nil, nil},
		{"markers at both ends", []car.Point{at(0, car.Begin), at(5, 0), at(9, car.End)}, []int{3}},
		{"no end", []car.Point{at(0, car.Begin), at(5, 0), at(60, car.Begin), at(65, 0)}, []int{2, 2}},
		{"no begin", []car.Point{at(0, car.End), at(5, 0), at(9, 0)}, []int{1, 2}},
		{"no markers", []car.Point{at(0, 0), at(5, 0)}, []int{2}},
		{"lone end after an end", []car.Point{at(0, car.Begin), at(5, car.End), at(9, car.End)},
			[]int{2, 1}},
		{"begin inside a trip", []car.Point{at(0, 0), at(5, car.Begin), at(9, car.End)}, []int{1, 2}},
		{"two begins", []car.Point{at(0, car.Begin), at(5, car.Begin)}, []int{1, 1}},
		{"a lone point is a trip", []car.Point{at(0, 0), at(5, car.Lone), at(9, 0)}, []int{1, 1, 1}},
		{"20 minutes are no gap", []car.Point{at(0, 0), at(gap, 0)}, []int{2}},
		{"a millisecond more is one", []car.Point{at(0, 0), at(gap+0.001, 0)}, []int{1, 1}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []int
			for _, trip := range all(t, bridge.Trips(each(test.points))) {
				got = append(got, trip.Points)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// trip folds points that are one trip.
func trip(t testing.TB, points ...car.Point) bridge.Trip {
	t.Helper()
	trips := all(t, bridge.Trips(each(points)))
	if len(trips) != 1 {
		t.Fatalf("%d trips, want one", len(trips))
	}
	return trips[0]
}

// Points that the app cannot mean are kept in the sums and left out of the
// averages.
func TestImplausiblePoints(t *testing.T) {
	good := []car.Point{at(0, 0), at(10, 0), at(20, 0), at(30, 0), at(40, 0), at(50, 0)}
	tests := []struct {
		name             string
		distance, energy float64
	}{
		{"far", 1001, 20}, {"backwards", -1, 20}, {"much", 100, 1501}, {"much regained", 100, -1501},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bad := with(at(60, 0), func(p *car.Point) { p.Distance, p.Energy = test.distance, test.energy })
			got := trip(t, append(good[:6:6], bad)...)
			wh, _ := got.Energy().Float()
			kWh, _ := got.Consumption().Float()
			speed, _ := got.Speed().Float()
			want := []float64{600 + test.distance, 120 + test.energy, 20, 10}
			if diff := cmp.Diff(want, []float64{got.Distance(), wh, kWh, speed}); diff != "" {
				t.Error(diff)
			}
		})
	}
	edge := with(at(60, 0), func(p *car.Point) { p.Distance, p.Energy = 1000, 1500 })
	if kWh, _ := trip(t, append(good, edge)...).Consumption().Float(); kWh != 101.25 {
		t.Errorf("the largest plausible point gives %v kWh/100km, want 101.25", kWh)
	}
}

func TestUnknownNumbersOfTrips(t *testing.T) {
	powerless := func(p car.Point) car.Point { p.Energy = 0; return p }
	tests := []struct {
		name   string
		points []car.Point
		want   map[string]any // of the JSON
	}{
		{"no power", []car.Point{powerless(at(0, 0)), powerless(at(10, 0)), powerless(at(20, 0)),
			powerless(at(30, 0)), powerless(at(40, 0)), powerless(at(50, 0))},
			map[string]any{"energy_kwh": nil, "regenerated_kwh": nil, "consumption_kwh_100km": nil,
				"distance_km": 0.6, "average_speed_kmh": 43.2}},
		{"under 500 m", []car.Point{at(0, 0), at(10, 0), at(20, 0), at(30, 0)},
			map[string]any{"energy_kwh": 0.08, "consumption_kwh_100km": nil}},
		{"500 m", []car.Point{at(0, 0), at(10, 0), at(20, 0), at(30, 0), at(40, 0)},
			map[string]any{"consumption_kwh_100km": 20.0}},
		{"one point", []car.Point{at(0, 0)},
			map[string]any{"average_speed_kmh": nil, "duration_min": 0.0}},
		{"nothing else", []car.Point{at(0, 0), at(10, 0)},
			map[string]any{"battery_start": nil, "battery_end": nil, "battery_used": nil,
				"start_latitude": nil, "end_longitude": nil, "ascent_m": 0.0, "descent_m": 0.0}},
		{"first and last known", []car.Point{
			at(0, 0),
			with(at(10, 0), func(p *car.Point) { p.SoC, p.Lat, p.Lon, p.Alt = 0.5, 56, 3, 10 }),
			with(at(20, 0), func(p *car.Point) { p.SoC, p.Lat, p.Lon, p.Alt = 0.45, 57, 4, 25 }),
			at(30, 0),
			with(at(40, 0), func(p *car.Point) { p.Alt = 20 }),
		}, map[string]any{"battery_start": 50.0, "battery_end": 45.0, "battery_used": 5.0,
			"start_latitude": 56.0, "start_longitude": 3.0, "end_latitude": 57.0, "end_longitude": 4.0,
			"ascent_m": 15.0, "descent_m": 5.0}},
		{"0 is how the app writes an unknown charge", []car.Point{
			with(at(0, 0), func(p *car.Point) { p.SoC = 0 }),
			with(at(10, 0), func(p *car.Point) { p.SoC = 0.5 }),
			with(at(20, 0), func(p *car.Point) { p.SoC = 0 }),
		}, map[string]any{"battery_start": 50.0, "battery_end": 50.0, "battery_used": 0.0}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := decode(t, trip(t, test.points...).JSON())
			for key, want := range test.want {
				if got[key] != want {
					t.Errorf("%s: got %v, want %v", key, got[key], want)
				}
			}
		})
	}
}

func TestTripOpen(t *testing.T) {
	last := time.UnixMilli(minute0).Add(10 * time.Second)
	driving, parked := trip(t, at(0, car.Begin), at(10, 0)), trip(t, at(0, car.Begin), at(10, car.End))
	if !driving.Open(last.Add(20*time.Minute)) || driving.Open(last.Add(20*time.Minute+1)) {
		t.Error("a trip without an end is over 20 minutes after its last point, and not before")
	}
	if parked.Open(last) || (bridge.Trip{}).Open(last) {
		t.Error("a trip that has ended, or none, is open")
	}
}

// Whole numbers make the sums the same in any order.
func TestTripSumsAreExact(t *testing.T) {
	tenth := func(p car.Point) car.Point { p.Distance, p.Energy = 0.1, -0.1; return p }
	points := make([]car.Point, 1000)
	for i := range points {
		points[i] = tenth(at(float64(i), 0))
	}
	got := trip(t, points...)
	if wh, _ := got.Energy().Float(); got.Distance() != 100 || math.Abs(wh+100) > 0 {
		t.Errorf("got %v m, %v Wh, want exactly 100 and -100", got.Distance(), wh)
	}
}
