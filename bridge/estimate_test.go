package bridge_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// ticks reports a drive as an app without points does, every 5 s from now on:
// the speeds in m/s, then standing.
func ticks(h *home, speeds ...float64) {
	for i, speed := range speeds {
		h.report(clock(), Values{"speed": speed, "power": speed * 1000, "gear": "D",
			"soc": 0.5 - float64(i)/100, "lat": 56.0, "lon": 3.0, "plug": false})
		h.pass(5 * time.Second)
	}
	h.report(clock(), Values{"speed": 0, "power": 300, "gear": "P",
		"soc": 0.4, "lat": 56.1, "lon": 3.0, "plug": false})
}

// A car that sends no points gets its trips from its reports.
func TestEstimatedTrip(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "test.db")
		h := move(t, atOnce)
		h.restart(path)
		h.report(clock(), Values{"speed": 0, "power": 300, "gear": "P", "soc": 0.5})
		h.pass(5 * time.Second)
		ticks(h, 0, 20, 40, 40, 20)
		// 50, 150, 200, 150 and 50 m
		want := map[string]string{"trip_distance": "0.6", "trip_start": "2026-05-01T12:00:05Z",
			"trip_end": "2026-05-01T12:00:30Z", "trip_energy": "0.17", "total_distance": ""}
		h.expect(want)
		last := map[string]any{
			"start": "2026-05-01T12:00:05Z", "end": "2026-05-01T12:00:30Z",
			"duration_min": 0.4, "distance_km": 0.6, "average_speed_kmh": 86.4,
			"energy_kwh": 0.17, "regenerated_kwh": 0.0, "consumption_kwh_100km": 27.8,
			"battery_start": 50.0, "battery_end": 40.0, "battery_used": 10.0,
			"ascent_m": 0.0, "descent_m": 0.0,
			"start_latitude": 56.0, "start_longitude": 3.0, "end_latitude": 56.1, "end_longitude": 3.0,
			"points": 6.0, "approximate": true,
		}
		if diff := cmp.Diff(last, decode(t, h.value("last_trip"))); diff != "" {
			t.Error(diff)
		}
		h.broker.retained = map[string]string{}
		h.restart(path)
		h.expect(want)
		if diff := cmp.Diff(last, decode(t, h.value("last_trip"))); diff != "" {
			t.Error("a restart changes", diff)
		}

		// The points come later, and count instead.
		at := func(seconds float64, marker car.Marker) car.Point {
			return nowPoint(noon, seconds, marker)
		}
		h.take(car.Batch{Last: true, Points: []car.Point{at(5, car.Begin), at(20, 0), at(30, car.End)}})
		h.expect(map[string]string{"trip_distance": "0.3", "trip_start": "2026-05-01T12:00:05Z"})
		if got := decode(t, h.value("last_trip")); got["points"] != 3.0 || got["approximate"] != false {
			t.Errorf("last_trip: %v", got)
		}
	})
}

// Where nothing was reported for a while nothing is guessed.
func TestEstimateHasHoles(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := move(t, atOnce)
		drive := Values{"speed": 20, "power": 9000, "gear": "D"}
		for _, wait := range []time.Duration{15 * time.Second, 15*time.Second + time.Millisecond, 0} {
			h.report(clock(), drive)
			h.report(clock(), drive) // and once more
			h.report(clock().Add(-time.Minute), drive)
			h.pass(wait)
		}
		h.expect(map[string]string{"trip_distance": "0.3"})
	})
}

// Where points come nothing is guessed, not even before their first one is
// stored.
func TestNoEstimateBesidePoints(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := move(t, atOnce)
		drive := Values{"speed": 20, "power": 9000, "gear": "D"}
		h.report(clock(), Values{"speed": 0, "gear": "P"})
		h.pass(time.Hour)
		for i := range 4 {
			now := clock()
			marker := car.NoMarker
			if i == 0 {
				marker = car.Begin
			}
			h.take(car.Batch{Last: true, Points: []car.Point{nowPoint(now, -2, marker)},
				Report: drive.Report(now)})
			h.expect(map[string]string{"trip_start": "2026-05-01T12:59:58Z"})
			h.pass(5 * time.Second)
		}
		h.pass(30 * time.Minute)
		if got := decode(t, h.value("last_trip")); got["points"] != 4.0 || got["approximate"] != false {
			t.Errorf("last_trip: %v", got)
		}
	})
}
