package bridge_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// maybe is a generator of one of some numbers, or none.
func maybe(numbers ...float64) *rapid.Generator[float64] {
	return rapid.SampledFrom(append(numbers, car.Missing()))
}

// drives draws points of some drives, in order: times from some hours before our
// clock's to an hour after it, markers as an app may lose them.
func drives(rt *rapid.T, now time.Time) (points []car.Point) {
	const minute = 60_000
	gap := rapid.SampledFrom([]int64{
		5000, 5000, 5000, 30_000, 20*minute - 1, 20 * minute, 20*minute + 1, 3 * 60 * minute,
	})
	at := now.UnixMilli() - rapid.Int64Range(-60, 600).Draw(rt, "minutes ago")*minute
	for range rapid.IntRange(1, 30).Draw(rt, "points") {
		at += gap.Draw(rt, "gap")
		if car.ClockWrong(time.UnixMilli(at), now) {
			break // it would be set apart
		}
		points = append(points, car.Point{
			At:       at,
			Distance: maybe(0, 100, 100.3, 101.9, 17.7, 999.99, 1000.5, -5).Draw(rt, "distance"),
			Energy:   maybe(0, 25.778, -12.3, 130, 1499, -1501).Draw(rt, "energy"),
			SoC:      maybe(0, 0.64, 0.63, 0.05).Draw(rt, "soc"),
			Lat:      maybe(56, 56.1).Draw(rt, "lat"), Lon: 3,
			Alt:    maybe(0, 41, 43.5, -3).Draw(rt, "alt"),
			Marker: rapid.SampledFrom([]car.Marker{0, 0, 0, 0, 1, 2, 3}).Draw(rt, "marker"),
		})
	}
	return points
}

// worse draws an earlier version of a point, which lacks something or has less.
func worse(rt *rapid.T, p car.Point) car.Point {
	if rapid.Bool().Draw(rt, "no position") {
		p.Lat, p.Lon = car.Missing(), car.Missing()
	}
	if rapid.Bool().Draw(rt, "no marker") {
		p.Marker = 0
	}
	if rapid.Bool().Draw(rt, "less") {
		p.Distance -= 7
		p.Energy -= 3
	}
	return p
}

// deliveries draws requests that bring every point in the end: in any order and
// cut, repeated, and some of them in an earlier version too.
func deliveries(rt *rapid.T, points []car.Point) (requests [][]car.Point) {
	sent := slices.Clone(points)
	for _, p := range points {
		if rapid.IntRange(0, 3).Draw(rt, "copies") == 0 {
			sent = append(sent, worse(rt, p), p)
		}
	}
	sent = rapid.Permutation(sent).Draw(rt, "order")
	if rapid.Bool().Draw(rt, "in order") {
		slices.SortStableFunc(sent, func(p, q car.Point) int { return int(max(-1, min(p.At-q.At, 1))) })
	}
	for len(sent) > 0 {
		n := rapid.IntRange(1, min(len(sent), 12)).Draw(rt, "points of a request")
		requests, sent = append(requests, sent[:n]), sent[n:]
	}
	return requests
}

// The oracle: plain lists, plain sums, no folding.

func number(x float64) float64 {
	if math.IsNaN(x) {
		return 0
	}
	return x
}

// split cuts points into trips by looking at each pair of neighbours.
func split(points []car.Point) (trips [][]car.Point) {
	from := 0
	for i := 1; i <= len(points); i++ {
		if i < len(points) {
			p, q := points[i-1], points[i]
			ends := p.Marker == 2 || p.Marker == 3
			begins := q.Marker == 1 || q.Marker == 3
			if !ends && !begins && q.At-p.At <= 1_200_000 {
				continue
			}
		}
		trips = append(trips, points[from:i])
		from = i
	}
	return trips
}

// known are the numbers of points that are there, in order.
func known(points []car.Point, of func(car.Point) float64) (numbers []float64) {
	for _, p := range points {
		if x := of(p); !math.IsNaN(x) {
			numbers = append(numbers, x)
		}
	}
	return numbers
}

// expected are the numbers of one trip, by key of last_trip. NaN is unknown.
func expected(trip []car.Point) map[string]float64 {
	want := map[string]float64{"points": float64(len(trip)),
		"duration_min": float64(trip[len(trip)-1].At-trip[0].At) / 60_000}
	var plausible, used float64
	powered := false
	for _, p := range trip {
		d, e := number(p.Distance), number(p.Energy)
		want["distance_km"] += d / 1000
		want["energy_kwh"] += e / 1000
		want["regenerated_kwh"] += math.Max(0, -e/1000)
		powered = powered || e != 0
		if math.Abs(e) <= 1500 && d <= 1000 && d >= 0 {
			plausible, used = plausible+d, used+e
		}
	}
	want["consumption_kwh_100km"] = used / plausible * 100
	if plausible < 500 {
		want["consumption_kwh_100km"] = math.NaN()
	}
	if !powered {
		want["energy_kwh"], want["regenerated_kwh"] = math.NaN(), math.NaN()
		want["consumption_kwh_100km"] = math.NaN()
	}
	want["average_speed_kmh"] = plausible / (want["duration_min"] * 60) * 3.6
	if want["duration_min"] == 0 {
		want["average_speed_kmh"] = math.NaN()
	}
	ends := func(key string, numbers []float64, factor float64) {
		want[key+"_start"], want[key+"_end"] = math.NaN(), math.NaN()
		if len(numbers) > 0 {
			want[key+"_start"], want[key+"_end"] = numbers[0]*factor, numbers[len(numbers)-1]*factor
		}
	}
	ends("battery", slices.DeleteFunc(known(trip, func(p car.Point) float64 { return p.SoC }),
		func(x float64) bool { return x == 0 }), 100)
	want["battery_used"] = want["battery_start"] - want["battery_end"]
	heights := known(trip, func(p car.Point) float64 { return p.Alt })
	want["ascent_m"], want["descent_m"] = 0, 0
	for i := 1; i < len(heights); i++ {
		want["ascent_m"] += math.Max(0, heights[i]-heights[i-1])
		want["descent_m"] += math.Max(0, heights[i-1]-heights[i])
	}
	return want
}

// over says whether a trip has ended at now.
func over(trip []car.Point, now time.Time) bool {
	last := trip[len(trip)-1]
	return last.Marker >= 2 || now.UnixMilli()-last.At > 1_200_000
}

// near compares a published number with what the oracle says: both are rounded,
// and the oracle adds floating point numbers.
func near(t *rapid.T, what string, got any, want, step float64) {
	t.Helper()
	x, is := got.(float64)
	if text, ok := got.(string); ok && text != car.None && text != "" {
		var err error
		if x, err = strconv.ParseFloat(text, 64); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		is = true
	}
	if is == math.IsNaN(want) || is && math.Abs(x-want) > step*0.51 {
		t.Errorf("%s is %v, want about %v", what, got, want)
	}
}

// Whatever way points come in, the trips and totals are the same, and right.
func TestTripsInAnyOrder(t *testing.T) {
	h := move(t, atOnce, standing)
	cars := 0
	rapid.Check(t, func(rt *rapid.T) {
		points := drives(rt, noon)
		var twins [2]map[string]string
		for i := range twins {
			cars++
			id := car.ID(fmt.Sprintf("c%d", cars))
			h.take(car.Batch{Car: id, Last: true})
			for _, request := range deliveries(rt, points) {
				h.take(car.Batch{Car: id, Last: rapid.Bool().Draw(rt, "last"), Points: request})
			}
			twins[i] = h.values(id)
			checkTrips(rt, points, twins[i], noon)
		}
		if diff := cmp.Diff(lasting(twins[0], points), lasting(twins[1], points)); diff != "" {
			rt.Error(diff)
		}
	})
}

// lasting leaves out what depends on the way: what requests there were, topics
// that say nothing but once did, totals of nothing, and the last trip while the
// current one may have been told as it.
func lasting(values map[string]string, points []car.Point) map[string]string {
	delete(values, "diagnostics")
	if trips := split(points); !over(trips[len(trips)-1], noon) {
		delete(values, "last_trip")
	}
	maps.DeleteFunc(values, func(key, payload string) bool {
		return payload == car.None || payload == "0" && strings.HasPrefix(key, "total_")
	})
	return values
}

func checkTrips(rt *rapid.T, points []car.Point, got map[string]string, now time.Time) {
	rt.Helper()
	trips := split(points)
	current := trips[len(trips)-1]
	want := expected(current)
	near(rt, "trip_distance", got["trip_distance"], want["distance_km"], 0.1)
	near(rt, "trip_energy", got["trip_energy"], want["energy_kwh"], 0.01)
	near(rt, "trip_consumption", got["trip_consumption"], want["consumption_kwh_100km"], 0.1)
	near(rt, "trip_duration", got["trip_duration"], want["duration_min"], 1)
	near(rt, "trip_average_speed", got["trip_average_speed"], want["average_speed_kmh"], 1)
	stamp := func(p car.Point) string { return time.UnixMilli(p.At).UTC().Format(time.RFC3339) }
	if got["trip_start"] != stamp(current[0]) {
		rt.Errorf("trip_start is %s, want %s", got["trip_start"], stamp(current[0]))
	}
	end := got["trip_end"]
	if ended := over(current, now); ended && end != stamp(current[len(current)-1]) ||
		!ended && end != car.None && end != "" {
		rt.Errorf("trip_end is %q; the trip has ended: %v", end, ended)
	}

	var metres, wh float64
	for _, p := range points {
		if p.At >= now.UnixMilli() {
			metres, wh = metres+number(p.Distance), wh+number(p.Energy)
		}
	}
	if got["total_distance"] != "" || metres > 1 {
		near(rt, "total_distance", got["total_distance"], metres/1000, 0.1)
	}
	if got["total_energy_used"] != "" || math.Abs(wh) > 1 {
		near(rt, "total_energy_used", got["total_energy_used"], wh/1000, 0.01)
	}

	if !over(current, now) {
		if trips = trips[:len(trips)-1]; len(trips) == 0 {
			return
		}
	}
	last := trips[len(trips)-1]
	doc := decode(rt, got["last_trip"])
	if told, _ := doc["end"].(string); !over(current, now) && told > stamp(last[len(last)-1]) {
		return // the current trip was told as ended before a late point opened it again
	}
	if doc["start"] != stamp(last[0]) || doc["end"] != stamp(last[len(last)-1]) {
		rt.Errorf("last_trip is from %v to %v, want %s", doc["start"], doc["end"], stamp(last[0]))
	}
	steps := map[string]float64{"points": 0.1, "distance_km": 0.01,
		"energy_kwh": 0.01, "regenerated_kwh": 0.01, "ascent_m": 1, "descent_m": 1}
	for key, x := range expected(last) {
		step, ok := steps[key]
		if !ok {
			step = 0.1
		}
		near(rt, key, doc[key], x, step)
	}
}
