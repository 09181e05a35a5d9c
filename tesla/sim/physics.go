package sim

import (
	"math"
	"math/rand/v2"
	"time"
)

// The physics of an electric saloon.
const (
	mass       = 1900.0 // kg
	rolling    = 0.011  // rolling resistance as a share of the weight
	dragArea   = 0.55   // m², drag coefficient times frontal area
	airDensity = 1.22   // kg/m³
	gravity    = 9.81   // m/s²
	traction   = 0.9    // share of the battery's power that reaches the wheels
	recovery   = 0.6    // share of the wheels' power that reaches the battery
	charger    = 0.92   // share of AC that reaches the battery
	standby    = 180.0  // W of a car that is awake
	cabin      = 900.0  // W of one that drives, besides
	asleepUses = 8.0    // W
	sentryUses = 250.0  // W
	climating  = 1200.0 // W
	gridVolts  = 230.0
)

// drivePower is what the battery gives, in W, at speed v in m/s with acceleration
// a in m/s²; negative with regeneration.
func drivePower(v, a float64) float64 {
	force := mass*(gravity*rolling+a) + airDensity/2*dragArea*v*v
	if wheels := force * v; wheels >= 0 {
		return wheels / traction
	} else {
		return max(wheels*recovery, -60e3)
	}
}

// trip is a way in a time: the speed in m/s for each of its seconds. Town at both
// ends, country between them, and a stop here and there; all of it as fast as the
// metres demand.
func trip(rng *rand.Rand, d time.Duration, metres float64) []float64 {
	const pull = 1.2 // m/s² at most, before it is made to fit
	speeds := make([]float64, max(int(d/time.Second), 2))
	var v, want float64
	left := 0
	for i := range speeds {
		if left--; left <= 0 {
			edge := min(i, len(speeds)-i)
			left = 30 + rng.IntN(90)
			switch {
			case rng.Float64() < 0.12:
				want, left = 0, 5+rng.IntN(20)
			case edge < len(speeds)/7:
				want = 7 + 7*rng.Float64()
			default:
				want = 15 + 14*rng.Float64()
			}
		}
		v = min(max(want, v-pull), v+pull, pull*float64(len(speeds)-1-i))
		speeds[i] = v
	}
	var sum float64
	for _, v := range speeds {
		sum += v
	}
	for i := range speeds {
		if sum == 0 { // too short to get going
			speeds[i] = metres / float64(len(speeds))
			continue
		}
		speeds[i] *= metres / sum
	}
	return speeds
}

// acceptance is the most a battery takes from a fast charger, in W, by how full
// it is.
func acceptance(fill float64) float64 {
	curve := [...]struct{ fill, watts float64 }{
		{0, 90e3}, {0.08, 150e3}, {0.3, 150e3}, {0.5, 100e3}, {0.7, 65e3}, {0.8, 45e3}, {0.9, 22e3}, {1, 3e3},
	}
	for i := 1; i < len(curve); i++ {
		a, b := curve[i-1], curve[i]
		if fill <= b.fill {
			return a.watts + (b.watts-a.watts)*(fill-a.fill)/(b.fill-a.fill)
		}
	}
	return curve[len(curve)-1].watts
}

// The road leads straight from home through the North Sea, so that no simulated
// car is anywhere near a house.
const (
	homeLat = 56.1
	homeLon = 3.2
	degree  = 111_320.0 // m per degree of latitude
)

// place is where a car is that went so many metres from home on a bearing in
// degrees.
func place(metres, bearing float64) (lat, lon float64) {
	sin, cos := math.Sincos(bearing * math.Pi / 180)
	return homeLat + metres*cos/degree, homeLon + metres*sin/(degree*math.Cos(homeLat*math.Pi/180))
}

// outside is the air's temperature, in °C: coldest at four in the morning.
func outside(at time.Time) float64 {
	hours := at.UTC().Sub(at.UTC().Truncate(24 * time.Hour)).Hours()
	return 9 - 4*math.Cos((hours-4)/24*2*math.Pi)
}
