package sim

import (
	"math"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// Doing is what the app takes the car to be doing.
type Doing uint8

// The app's three states, in the numbers of API 1.0's driveState.
const (
	Parked Doing = iota
	Driving
	Charging
)

func (d Doing) String() string { return [...]string{"parked", "driving", "charging"}[d] }

// doingOf is the app's rule: the cable wins, then ignition and gear.
func doingOf(s State) Doing {
	switch {
	case s.Plugged:
		return Charging
	case s.Ignition == "Started", s.Ignition == "On" && s.Gear == "D":
		return Driving
	}
	return Parked
}

// The physics of a heavy electric saloon.
const (
	mass        = 2300.0 // kg
	rolling     = 0.009  // rolling resistance as a share of the weight
	dragArea    = 0.65   // m², drag coefficient times frontal area
	airDensity  = 1.22   // kg/m³
	gravity     = 9.81   // m/s²
	auxiliary   = 650.0  // W for everything but the motor
	traction    = 0.9    // share of the battery's power that reaches the wheels
	recovery    = 0.7    // share of the wheels' power that reaches the battery
	maxRecovery = 90e3   // W; the rest heats the brakes
)

// drivePower is what the battery gives, in W, at speed v in m/s, acceleration
// a in m/s² and slope as a ratio. It is negative with regeneration.
func drivePower(v, a, slope float64) float64 {
	force := mass*(gravity*(rolling+slope)+a) + airDensity/2*dragArea*v*v
	if wheels := force * v; wheels >= 0 {
		return auxiliary + wheels/traction
	} else {
		return auxiliary + max(wheels*recovery, -maxRecovery)
	}
}

// The road is a ring in the North Sea, so that no simulated car is anywhere
// near a house, and every place has one height.
const (
	centreLat  = 56.1
	centreLon  = 3.2
	radius     = 8000.0    // m
	degree     = 111_320.0 // m per degree of latitude
	ringLength = 2 * math.Pi * radius
)

// place is where the ring is after the given metres, in degrees and m.
func place(metres float64) (lat, lon, alt float64) {
	angle := metres / radius
	lat = centreLat + radius*math.Cos(angle)/degree
	lon = centreLon + radius*math.Sin(angle)/(degree*math.Cos(centreLat*math.Pi/180))
	return lat, lon, 60 + 35*math.Sin(4*angle) + 15*math.Sin(15*angle)
}

// slope is the ring's slope as a ratio, driven forwards.
func slope(metres float64) float64 {
	angle := metres / radius
	return (4*35*math.Cos(4*angle) + 15*15*math.Cos(15*angle)) / radius
}

// vehicle is the car itself: where it is, how fast, what the battery holds.
type vehicle struct {
	now      time.Time
	metres   float64 // driven, ever
	speed    float64 // m/s
	power    float64 // W, positive = consumption
	stored   float64 // Wh in the battery
	capacity float64 // Wh
	outside  float64 // °C
	ignition string
	gear     string
	plugged  bool
	asleep   bool // the head unit, and with it the app

	polled        time.Time // when the app last asked for the position
	lat, lon, alt float64   // what it was told
}

// positionAge is how often the app polls the position.
const positionAge = 5 * time.Second

// pass lets time go by at the present speed and power and returns the energy
// taken out of the battery, in Wh.
func (v *vehicle) pass(dt time.Duration) (used float64) {
	used = v.power * dt.Hours()
	v.now = v.now.Add(dt)
	v.metres += v.speed * dt.Seconds()
	v.stored = min(max(v.stored-used, 0), v.capacity)
	if !v.asleep && v.now.Sub(v.polled) >= positionAge {
		v.polled = v.now
		v.lat, v.lon, v.alt = place(v.metres)
	}
	return used
}

// fill is how full the battery really is, 0..1.
func (v *vehicle) fill() float64 { return v.stored / v.capacity }

// soc is how full the car says it is: in whole per cent.
func (v *vehicle) soc() float64 { return math.Round(v.fill()*100) / 100 }

// reading is the power as the app has it: the car's own with the sign turned,
// so that none at all is -0.
func (v *vehicle) reading() float64 {
	if v.power == 0 {
		return math.Copysign(0, -1)
	}
	return v.power
}

// state is what the app knows now.
func (v *vehicle) state() State {
	return State{
		Timestamp: v.now.UnixMilli(),
		Speed:     v.speed,
		Power:     v.reading(),
		Gear:      v.gear,
		Ignition:  v.ignition,
		Plugged:   v.plugged,
		Level:     math.Round(v.soc() * v.capacity),
		SoC:       v.soc(),
		Outside:   v.outside,
		Lat:       v.lat, Lon: v.lon, Alt: v.alt,
	}
}

// point is a driving point here and now.
func (v *vehicle) point(distance, energy float64, marker car.Marker) car.Point {
	return car.Point{
		At: v.now.UnixMilli(), Distance: distance, Energy: energy, SoC: v.soc(),
		Lat: v.lat, Lon: v.lon, Alt: v.alt, Marker: marker,
	}
}

// acceptance is the most a battery takes from a fast charger, in W, by how
// full it is.
func acceptance(fill float64) float64 {
	curve := [...]struct{ fill, watts float64 }{
		{0, 95e3}, {0.08, 148e3}, {0.32, 148e3}, {0.5, 105e3}, {0.7, 68e3},
		{0.8, 45e3}, {0.9, 22e3}, {1, 3e3},
	}
	for i := 1; i < len(curve); i++ {
		a, b := curve[i-1], curve[i]
		if fill <= b.fill {
			return a.watts + (b.watts-a.watts)*(fill-a.fill)/(b.fill-a.fill)
		}
	}
	return curve[len(curve)-1].watts
}
