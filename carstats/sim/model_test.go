package sim_test

import (
	"bytes"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/carstats/sim"
)

var morning = date("2025-06-01T07:00:00Z")

// posts steps a car n times.
func posts(t testing.TB, o sim.Options, n int) (bodies []body, c *sim.Car) {
	t.Helper()
	if o.Start.IsZero() {
		o.Start = morning
	}
	c, err := sim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		bodies = append(bodies, parse(t, c.Step()))
	}
	return bodies, c
}

func TestSameSeedSameBytes(t *testing.T) {
	life := func(seed uint64) []byte {
		c, err := sim.New(sim.Options{Seed: seed, Start: morning, Script: sim.FastDay()})
		if err != nil {
			t.Fatal(err)
		}
		var all []byte
		for range 2000 {
			all = append(all, c.Step()...)
		}
		return all
	}
	if !bytes.Equal(life(7), life(7)) {
		t.Error("the same seed gave two lives")
	}
	if bytes.Equal(life(7), life(8)) {
		t.Error("two seeds gave one life")
	}
}

// Whatever the seed: the points sum up to what the car really did, and look
// like the app's.
func TestPointsAddUpToTheTruth(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		seed := rapid.Uint64().Draw(r, "seed")
		bodies, c := posts(t, sim.Options{Seed: seed, Script: sim.FastDay()}, 450)
		trips := c.Truth().Trips
		var n, last int64
		var sum car.Point
		for _, b := range bodies {
			for _, p := range b.Points {
				if p.At <= last {
					r.Fatalf("a point at %d after one at %d", p.At, last)
				}
				last = p.At
				sum.Distance, sum.Energy = sum.Distance+p.Distance, sum.Energy+p.Energy
				switch {
				case p.Marker == 1 && (p.Distance != 0 || p.Energy != 0):
					r.Fatalf("a drive begins with %+v", p)
				case p.Marker == 2:
					trip := trips[n]
					near(r, "distance", sum.Distance, trip.Distance, 0.01)
					near(r, "energy", sum.Energy, trip.Energy, 0.01)
					near(r, "end", float64(p.At), float64(trip.End.UnixMilli()), 1)
					sum, n = car.Point{}, n+1
				case p.Marker == 0 && (p.Distance < 100 || p.Distance > 102.5):
					r.Fatalf("a point after %g m", p.Distance)
				}
				near(r, "whole per cent", math.Round(p.SoC*100), p.SoC*100, 1e-4)
			}
		}
		if n < 1 || int(n) != len(trips) {
			r.Fatalf("%d drives in the posts, %d in truth", n, len(trips))
		}
	})
}

func near(t interface{ Fatalf(string, ...any) }, what string, got, want, within float64) {
	if !(math.Abs(got-want) <= within) {
		t.Fatalf("%s: %g, want %g", what, got, want)
	}
}

// An awake head unit measures a charge well.
func TestChargingSessionAddsUpToTheTruth(t *testing.T) {
	day := sim.Day{sim.Drive(1), sim.ChargeDC(0.85)}
	bodies, c := posts(t, sim.Options{Script: day}, 400)
	truth := c.Truth().Charges[0]
	for _, b := range bodies {
		if len(b.Sessions) == 0 {
			continue
		}
		s := b.Sessions[0]
		near(t, "energy", s.Energy, truth.Energy, 0.01)
		near(t, "soc", s.SoC, truth.SoCEnd-truth.SoCStart, 1e-6)
		near(t, "by soc", s.Energy, s.SoC*78e3, 780)
		if s.End-s.Start != s.Duration || s.ID != 1 || len(b.Sessions) != 1 {
			t.Errorf("session %d from %d to %d, %d ms", s.ID, s.Start, s.End, s.Duration)
		}
		first, last := s.Curve[0], s.Curve[len(s.Curve)-1]
		if first.Marker != 1 || last.Marker != 2 || first.Energy != 0 {
			t.Errorf("curve from %+v to %+v", first, last)
		}
		var sum float64
		for i, p := range s.Curve {
			sum -= p.Energy
			if i > 0 && (p.At-s.Curve[i-1].At > 5500 || p.At <= s.Curve[i-1].At) {
				t.Errorf("a gap at %d", p.At)
			}
			if p.Session != s.ID {
				t.Errorf("point of session %d", p.Session)
			}
		}
		near(t, "curve", sum, s.Energy, 0.01)
		if b.Plugged {
			t.Error("sent with the cable in")
		}
		return
	}
	t.Error("no session")
}

// Plugged in again within five minutes, the session goes on.
func TestSessionIsResumed(t *testing.T) {
	day := sim.Day{sim.ChargeAC(1, 2*time.Minute), sim.Park(time.Minute),
		sim.ChargeAC(1, time.Minute), sim.Drive(30)}
	bodies, _ := posts(t, sim.Options{Script: day}, 100)
	var versions []session
	for _, b := range bodies {
		versions = append(versions, b.Sessions...)
	}
	if len(versions) != 2 || versions[0].Start != versions[1].Start ||
		versions[0].ID != versions[1].ID {
		t.Fatalf("%d versions: %+v", len(versions), versions)
	}
	var markers []int
	for _, p := range versions[1].Curve {
		if p.Marker != 0 {
			markers = append(markers, p.Marker)
		}
	}
	if diff := cmp.Diff([]int{1, 2, 1, 2}, markers); diff != "" {
		t.Errorf("markers (-want +got):\n%s", diff)
	}
	both := cmp.Diff(versions[0].Curve, versions[1].Curve[:len(versions[0].Curve)])
	if both != "" {
		t.Errorf("the first half changed:\n%s", both)
	}
}

// A head unit that slept while charging measures nonsense, or sends nothing.
func TestNightsAreMeasuredBadly(t *testing.T) {
	bodies, c := posts(t, sim.Options{Script: sim.WorkingDay()}, 30000)
	var wrong, absurd, sent, idle, lone int
	for _, b := range bodies {
		if *b.Power == 0 {
			idle++
			if !math.Signbit(*b.Power) {
				t.Fatal("no power is 0.0, not -0.0")
			}
		}
		for _, s := range b.Sessions {
			sent++
			if by := s.SoC * 78e3; s.Energy < 0.75*by || s.Energy > 1.25*by {
				wrong++
				if s.Energy > 3*by {
					absurd++
				}
			}
			for _, p := range s.Curve {
				if p.Marker == 3 {
					lone++
				}
			}
			if s.Duration < 10*3600e3 {
				t.Errorf("a night of %d ms", s.Duration)
			}
		}
	}
	nights := len(c.Truth().Charges)
	if sent == 0 || sent >= nights || wrong < sent/2 || absurd == 0 || idle == 0 || lone == 0 {
		t.Errorf("%d nights, %d sent, %d of these wrong, %d absurd; %d ticks without power, %d lone",
			nights, sent, wrong, absurd, idle, lone)
	}
}

func TestCarWithoutPower(t *testing.T) {
	bodies, _ := posts(t, sim.Options{Script: sim.FastDay(), NoPower: true, NoTemperature: true}, 1000)
	points := 0
	for _, b := range bodies {
		if b.Power != nil || b.Outside != nil || len(b.Sessions) > 0 {
			t.Fatalf("power, temperature or a session: %+v", b)
		}
		for _, p := range b.Points {
			points++
			if p.Energy != 0 {
				t.Fatalf("energy %g", p.Energy)
			}
		}
	}
	if points == 0 {
		t.Error("no points")
	}
}

func TestLocationSwitchedOff(t *testing.T) {
	bodies, _ := posts(t, sim.Options{Script: sim.FastDay(), NoLocation: true}, 1200)
	sessions := 0
	for _, b := range bodies {
		if b.Lat != nil || b.Lon != nil || b.Alt != nil {
			t.Fatal("a position")
		}
		for _, p := range b.Points {
			if p.Lat != nil || p.Lon != nil || p.Alt != nil {
				t.Fatal("a point with a position")
			}
		}
		for _, s := range b.Sessions {
			sessions++
			if s.Lat != nil || s.Curve != nil || s.Duration != 0 || s.Energy == 0 {
				t.Errorf("session %+v", s)
			}
		}
	}
	if sessions == 0 {
		t.Error("no session")
	}
}

// Every version speaks its API, and no body has what it did not know yet.
func TestVersions(t *testing.T) {
	tests := map[string]struct {
		api    string
		points bool
		gains  bool // charged_soc is 0 before 0.27
	}{
		"0.25.0": {"2", false, false}, "0.25.1": {"2", false, false},
		"0.25.2": {`"2.1"`, true, false}, "0.26": {`"2.1"`, true, false},
		"0.27": {`"2.1"`, true, true}, "0.28": {`"2.1"`, true, true},
	}
	for version, tt := range tests {
		t.Run(version, func(t *testing.T) {
			bodies, c := posts(t, sim.Options{Version: version, Script: sim.FastDay()}, 900)
			points, sessions, gained := false, false, 0.0
			for _, b := range bodies {
				if string(b.API) != tt.api || b.App != c.Release().Version {
					t.Fatalf("apiVersion %s of %s", b.API, b.App)
				}
				points = points || len(b.Points) > 0
				for _, s := range b.Sessions {
					sessions = true
					gained += s.SoC
					if len(s.Curve) == 0 {
						t.Error("a session without points")
					}
				}
			}
			if points != tt.points || sessions != tt.points || gained > 0 != tt.gains {
				t.Errorf("points %v, sessions %v, charged_soc %g", points, sessions, gained)
			}
		})
	}
	c, err := sim.New(sim.Options{Version: "0.24", Start: morning})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Step(); !bytes.HasPrefix(got, []byte(`{"abrpPackage":"","alt":60.0,`)) {
		t.Errorf("API 1.0: %s", got)
	}
}

// The live values stay within what a car can do.
func TestLiveValuesArePlausible(t *testing.T) {
	bodies, _ := posts(t, sim.Options{Seed: 5, Script: sim.WorkingDay()}, 6000)
	var fastest, hardest, regen float64
	for _, b := range bodies {
		near(t, "level", *b.Level, *b.SoC*78e3, 1)
		near(t, "latitude", *b.Lat, 56.1, 0.08)
		near(t, "longitude", *b.Lon, 3.2, 0.14)
		fastest, hardest = max(fastest, *b.Speed), max(hardest, *b.Power)
		regen = min(regen, *b.Power)
		if *b.Speed < 0 || *b.Speed > 0 && b.Gear != "D" || b.Gear == "D" && b.Ignition != "Started" {
			t.Fatalf("speed %g in gear %s, ignition %s", *b.Speed, b.Gear, b.Ignition)
		}
	}
	if fastest*3.6 < 90 || fastest*3.6 > 135 || hardest < 4e7 || hardest > 1.6e8 || regen > -1e7 {
		t.Errorf("at most %g m/s and %g mW, at least %g mW", fastest, hardest, regen)
	}
}

// Positions advance as the odometer does, and the height belongs to the place.
func TestPositionsMatchTheOdometer(t *testing.T) {
	h := sim.History{Seed: 2, Days: 20}
	var before car.Point
	var way, odometer float64
	heights := map[[2]int]float64{}
	for p := range h.Points() {
		if p.Marker != car.Begin {
			north := (p.Lat - before.Lat) * 111_320
			east := (p.Lon - before.Lon) * 111_320 * math.Cos(p.Lat*math.Pi/180)
			way += math.Hypot(north, east)
			odometer += p.Distance
		}
		place := [2]int{int(p.Lat * 1e4), int(p.Lon * 1e4)}
		if alt, ok := heights[place]; ok && math.Abs(alt-p.Alt) > 4 {
			t.Fatalf("%g m and %g m at one place", alt, p.Alt)
		}
		heights[place] = p.Alt
		before = p
	}
	near(t, "way by coordinates over odometer", way/odometer, 1, 0.02)
}

// The charging power falls as the battery fills.
func TestChargingCurve(t *testing.T) {
	bodies, _ := posts(t, sim.Options{SoC: 0.1, Script: sim.Day{sim.ChargeDC(1)}}, 4000)
	var curve []chargePoint
	for _, b := range bodies {
		if len(b.Sessions) > 0 {
			curve = b.Sessions[0].Curve
			break
		}
	}
	if len(curve) < 200 {
		t.Fatalf("a curve of %d points", len(curve))
	}
	var peak float64
	power := map[int]float64{}
	for _, p := range curve[4 : len(curve)-1] {
		peak = min(peak, p.Power)
		power[int(math.Round(p.SoC*100))] = p.Power
	}
	near(t, "peak in kW", peak/1e6, -148, 2)
	for soc := 35; soc < 95; soc += 5 {
		if power[soc] > power[soc+5] {
			t.Errorf("%g kW at %d %%, more at %d %%", power[soc]/-1e6, soc, soc+5)
		}
	}
}

// An ABRP package is sent as it is, and only if the switch is on.
func TestABRP(t *testing.T) {
	secret := `{"token": "none"}`
	with, _ := posts(t, sim.Options{ABRP: &secret}, 3)
	without, _ := posts(t, sim.Options{}, 3)
	for i := range with {
		if with[i].ABRP == nil || *with[i].ABRP != secret || without[i].ABRP != nil {
			t.Errorf("with %v, without %v", with[i].ABRP, without[i].ABRP)
		}
	}
}
