package bridge_test

import (
	"testing"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/bridge"
	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// charge is a session of some minutes after a time, with what the app says was
// gained.
func charge(from time.Time, minutes, gain float64) car.Session {
	ms := from.UnixMilli()
	s := car.Session{Start: ms, SoC: gain, Energy: car.Missing(), Outside: car.Missing(),
		Lat: car.Missing(), Lon: car.Missing()}
	if minutes > 0 {
		s.End = ms + int64(minutes*60_000)
	}
	return s
}

// plugged is a charging point some minutes after a time.
func plugged(from time.Time, minutes, soc float64) car.ChargePoint {
	return car.ChargePoint{At: from.UnixMilli() + int64(minutes*60_000), SoC: soc}
}

func capacity(wh float64) func(*bridge.Options) {
	return func(o *bridge.Options) { o.Profiles = map[car.ID]bridge.Profile{blue: {Capacity: wh}} }
}

// A session that comes late takes its points from the one before it.
func TestSessionBetweenOthers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := move(t, atOnce, capacity(100_000))
		now := clock()
		hour := func(n int) time.Time { return now.Add(time.Duration(n) * time.Hour) }
		first, third := charge(hour(0), 0, 0), charge(hour(2), 30, 0)
		h.take(car.Batch{Last: true, Sessions: []car.Session{first, third}})
		var points []car.ChargePoint
		for i := range 3 {
			points = append(points, plugged(hour(i), 0, 0.5), plugged(hour(i), 30, 0.6+float64(i)/10))
		}
		h.take(car.Batch{Last: true, ChargePoints: points})
		// 20 and 30 kWh
		h.expect(map[string]string{"total_energy_charged": "50", "last_charge_energy": "30"})
		h.take(car.Batch{Last: true, Sessions: []car.Session{charge(hour(1), 30, 0)}})
		// 10, 20 and 30
		h.expect(map[string]string{"total_energy_charged": "60", "last_charge_energy": "30"})
	})
}

// The point that the app writes when the cable comes out may be a little late.
func TestPointsAfterTheEnd(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := move(t, atOnce, capacity(100_000))
		now := clock()
		h.take(car.Batch{Last: true, Sessions: []car.Session{charge(now, 10, 0)},
			ChargePoints: []car.ChargePoint{
				plugged(now, 0, 0.5), plugged(now, 10+5.0/60, 0.6), plugged(now, 10+5.001/60, 0.7)}})
		h.expect(map[string]string{"last_charge_energy": "10"})
	})
}

// The charge that ended last is the last one, whichever came first.
func TestLastCharge(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := move(t, atOnce, capacity(100_000))
		now := clock()
		sessions := []car.Session{charge(now, 10, 0.1), charge(now.Add(5*time.Minute), 5, 0.2),
			charge(now, 0, 0.3)}
		for i, order := range [][]int{{0, 1}, {1, 0}, {1, 2, 0}} {
			id := car.ID("car" + string(rune('a'+i)))
			for _, n := range order {
				h.take(car.Batch{Car: id, Last: true, Sessions: sessions[n : n+1]})
			}
			// The one that began later, as both ended at once.
			if got := decode(t, h.values(id)["last_charge"])["start"]; got != "2026-05-01T12:05:00Z" {
				t.Errorf("order %v: the last charge began at %v", order, got)
			}
		}
	})
}

// What is counted begins with the first request.
func TestChargedSince(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := move(t, atOnce, capacity(100_000))
		now := clock()
		h.take(car.Batch{Last: true, Sessions: []car.Session{
			charge(now.Add(-time.Millisecond), 1, 0.1), charge(now, 1, 0.2)}})
		h.expect(map[string]string{"total_energy_charged": "20"})
	})
}

// Charges are computed anew when the capacity becomes known.
func TestCapacityBecomesKnown(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := move(t, atOnce)
		now := clock()
		h.take(car.Batch{Last: true, Sessions: []car.Session{charge(now, 1, 0.1)}})
		h.expect(map[string]string{"last_charge_energy": "", "total_energy_charged": "",
			"last_charge_end": "2026-05-01T12:01:00Z"})
		h.report(now, Values{"soc": 0.5, "level": 34_000})
		h.expect(map[string]string{"last_charge_energy": "6.8", "total_energy_charged": "6.8"})
		h.report(now.Add(time.Second), Values{"soc": 0.5, "level": 40_000})
		h.expect(map[string]string{"last_charge_energy": "8", "total_energy_charged": "8"})
		// A car's numbers are not exact: the same battery must stay the same.
		h.report(now.Add(2*time.Second), Values{"soc": 0.5, "level": 34_025})
		want := h.value("total_energy_charged")
		for i, level := range []float64{45_593.498, 45_593.502} {
			h.report(now.Add(time.Duration(3+i)*time.Second), Values{"soc": 0.67, "level": level})
			h.expect(map[string]string{"total_energy_charged": want})
		}
	})
}

// A charge whose records are gone is known no more, but stays counted.
func TestPrunedCharge(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const day = 24 * time.Hour
		h := move(t, atOnce, capacity(100_000), func(o *bridge.Options) { o.Keep = 10 * day })
		h.take(car.Batch{Last: true, Sessions: []car.Session{charge(clock(), 10, 0.1)}})
		h.pass(5 * day)
		h.take(car.Batch{Last: true, Points: []car.Point{nowPoint(clock(), 0, car.Begin),
			nowPoint(clock(), 1, car.End)}})
		h.pass(20 * day)
		h.take(car.Batch{Last: true})
		h.expect(map[string]string{"last_charge_energy": "None", "total_energy_charged": "10",
			"trip_start": "2026-05-06T12:00:00Z"})
	})
}
