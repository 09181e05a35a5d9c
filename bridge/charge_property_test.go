package bridge_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wheelhouse-mqtt/wheelhouse/bridge"
	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

const battery = 68_000 // Wh, of the properties' car

// plugs draws charging sessions in order, some of them open, and points in and
// around them. Times are from before our clock's to after it.
func plugs(rt *rapid.T, now time.Time) (sessions []car.Session, points []car.ChargePoint) {
	at := now.UnixMilli() - rapid.SampledFrom([]int64{0, 0, 1, 3}).Draw(rt, "hours ago")*3_600_000
	step := rapid.SampledFrom([]int64{5000, 5000, 5005, 5500, 5501, 60_000, 150_000})
	for range rapid.IntRange(1, 4).Draw(rt, "sessions") {
		at += rapid.Int64Range(0, 60).Draw(rt, "pause")*60_000 + 20_000
		s := car.Session{
			Start: at, Energy: maybe(0, 1200, 6800, 48_752, -50, 80_000).Draw(rt, "energy"),
			SoC:      rapid.SampledFrom([]float64{0, 0.02, 0.1}).Draw(rt, "gain"),
			Duration: rapid.SampledFrom([]int64{0, 600_000}).Draw(rt, "chargeTime"),
			Outside:  car.Missing(), Lat: car.Missing(), Lon: car.Missing(),
		}
		at += rapid.SampledFrom([]int64{-4999, 0, 18}).Draw(rt, "first point")
		soc := 0.5
		for range rapid.IntRange(0, 12).Draw(rt, "points") {
			soc += rapid.SampledFrom([]float64{0, 0.01, 0.02, -0.01}).Draw(rt, "more")
			points = append(points, car.ChargePoint{At: at,
				SoC:    rapid.SampledFrom([]float64{soc, soc, soc, 0, car.Missing()}).Draw(rt, "soc"),
				Power:  maybe(0, -2700, -11_001, 500).Draw(rt, "power"),
				Energy: -15, Marker: rapid.SampledFrom([]car.Marker{0, 0, 1, 2, 3}).Draw(rt, "marker")})
			at += step.Draw(rt, "step")
		}
		s.Points = len(points)
		if rapid.IntRange(0, 2).Draw(rt, "open") > 0 {
			late := rapid.SampledFrom([]int64{-6, 0, 4990, 5001, 30_000}).Draw(rt, "points after the end")
			s.End = s.Start + 1
			if len(points) > 0 {
				s.End = max(s.End, points[len(points)-1].At-late)
			}
			at = max(at, s.End)
		}
		sessions = append(sessions, s)
	}
	return sessions, points
}

// plugRequests draws requests that bring all sessions and points in the end, in
// any order and cut; some sessions in earlier versions too.
func plugRequests(
	rt *rapid.T, sessions []car.Session, points []car.ChargePoint,
) (batches []car.Batch) {
	for _, s := range sessions {
		batches = append(batches, car.Batch{Sessions: []car.Session{s}, Last: true})
		if rapid.Bool().Draw(rt, "earlier version") {
			s.End, s.Energy, s.Points = 0, car.Missing(), 0
			batches = append(batches, car.Batch{Sessions: []car.Session{s}, Last: true})
		}
	}
	for _, p := range points {
		n := len(batches) - 1
		if len(batches) == 0 || batches[n].Sessions != nil || rapid.IntRange(0, 2).Draw(rt, "cut") == 0 {
			batches, n = append(batches, car.Batch{}), n+1
		}
		batches[n].ChargePoints = append(batches[n].ChargePoints, p)
	}
	batches = rapid.Permutation(batches).Draw(rt, "order")
	return append(batches, batches[:rapid.IntRange(0, len(batches)).Draw(rt, "repeated")]...)
}

// The oracle: every session with its own points, summed up anew.

// its are the points of a session, the next of which begins at next.
func its(s car.Session, next int64, points []car.ChargePoint) (own []car.ChargePoint) {
	for _, p := range points {
		if p.At >= s.Start-5000 && p.At < next-5000 && (s.End == 0 || p.At <= s.End+5000) {
			own = append(own, p)
		}
	}
	return own
}

// bestOf is a session's best energy in Wh, NaN for unknown.
func bestOf(s car.Session, own []car.ChargePoint) float64 {
	var socs []float64
	var awake, unplugged float64
	for i, p := range own {
		if p.SoC > 0 {
			socs = append(socs, p.SoC)
		}
		if i == 0 {
			continue
		}
		before := own[i-1]
		seconds := float64(p.At-before.At) / 1000
		between := before.Marker >= 2 && (p.Marker == 1 || p.Marker == 3)
		switch {
		case seconds <= 5.5:
			awake += seconds
		case between && !(p.SoC > before.SoC):
			unplugged += seconds
		}
	}
	gain := s.SoC
	if len(socs) > 1 {
		gain = socs[len(socs)-1] - socs[0]
	} else if s.SoC == 0 {
		gain = math.NaN()
	}
	end := s.End
	if len(own) > 0 {
		end = max(end, own[len(own)-1].At)
	}
	plugged := float64(end-s.Start)/1000 - unplugged
	bySoC := gain * battery
	if math.IsNaN(bySoC) {
		if s.Energy < 0 || s.Energy > 1.1*battery {
			return math.NaN()
		}
		return s.Energy
	}
	close := math.Abs(s.Energy-bySoC) <= 1500 || math.Abs(s.Energy-bySoC) <= math.Abs(bySoC)/4
	if close && plugged > 0 && awake/plugged > 0.9 {
		return s.Energy
	}
	return bySoC
}

// Whatever way sessions and their points come in, the last charge and the total
// are the same, and right.
func TestChargesInAnyOrder(t *testing.T) {
	cars := 0
	h := move(t, atOnce, standing, func(o *bridge.Options) {
		o.Profiles = map[car.ID]bridge.Profile{}
		for i := range 10_000 {
			o.Profiles[car.ID(fmt.Sprintf("c%d", i))] = bridge.Profile{Capacity: battery}
		}
	})
	rapid.Check(t, func(rt *rapid.T) {
		sessions, points := plugs(rt, noon)
		var last car.Session
		var total float64
		var lastBest float64
		for i, s := range sessions {
			next := int64(math.MaxInt64)
			if i+1 < len(sessions) {
				next = sessions[i+1].Start
			}
			best := bestOf(s, its(s, next, points))
			if s.Start >= noon.UnixMilli() {
				total += number(best)
			}
			if s.End != 0 && s.End >= last.End {
				last, lastBest = s, best
			}
		}
		var twins [2]map[string]string
		for i := range twins {
			cars++
			id := car.ID(fmt.Sprintf("c%d", cars))
			h.take(car.Batch{Car: id, Last: true})
			for _, b := range plugRequests(rt, slices.Clone(sessions), points) {
				b.Car = id
				h.take(b)
			}
			got := h.values(id)
			if got["total_energy_charged"] != "" || math.Abs(total) > 1 {
				near(rt, "total_energy_charged", got["total_energy_charged"], total/1000, 0.01)
			}
			if last.End != 0 {
				near(rt, "last_charge_energy", got["last_charge_energy"], lastBest/1000, 0.01)
				if end := stamped(last.End); got["last_charge_end"] != end {
					rt.Errorf("last_charge_end is %s, want %s", got["last_charge_end"], end)
				}
			} else if got["last_charge"] != "" {
				rt.Errorf("an open session is the last one: %s", got["last_charge"])
			}
			twins[i] = lasting(got, []car.Point{at(0, car.End)})
		}
		if diff := cmp.Diff(twins[0], twins[1]); diff != "" {
			rt.Error(diff)
		}
	})
}

func stamped(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }
