package sim

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"time"
)

// Activity is one thing a car does.
type Activity struct {
	Do       Doing
	Distance float64       // m to drive
	For      time.Duration // how long to park; how long the cable is in, 0: until To
	To       float64       // how full the battery is to be charged, 0..1
	Power    float64       // W the charging station gives
	Asleep   bool          // the head unit falls asleep while charging
}

// Day is a script that a car repeats for ever.
type Day []Activity

// Drive drives the given kilometres.
func Drive(km float64) Activity { return Activity{Do: Driving, Distance: km * 1e3} }

// Park stands still. After five minutes the head unit falls asleep.
func Park(d time.Duration) Activity { return Activity{Do: Parked, For: d} }

// ChargeDC charges at a fast charger.
func ChargeDC(to float64) Activity { return Activity{Do: Charging, To: to, Power: 150e3} }

// ChargeAC charges at a wallbox, to the given fill, with the cable in for d.
func ChargeAC(to float64, d time.Duration) Activity {
	return Activity{Do: Charging, To: to, Power: 10.5e3, For: d}
}

// WorkingDay is a day as most are: to work, back, and on the cable at night,
// which the head unit sleeps through.
func WorkingDay() Day {
	night := ChargeAC(0.8, 11*time.Hour)
	night.Asleep = true
	return Day{Drive(19), Park(9 * time.Hour), Drive(19), Park(time.Hour), night}
}

// FastDay is for people who watch: something happens every few minutes of the
// car's time.
func FastDay() Day {
	return Day{
		Drive(6), Park(90 * time.Second), Drive(9), Park(time.Minute), ChargeDC(0.75),
		Park(time.Minute), Drive(12), Park(time.Minute), ChargeAC(0.8, 8*time.Minute),
	}
}

// Check says what is wrong with the script.
func (d Day) Check() error {
	for i, a := range d {
		switch {
		case a.Do == Driving && !(a.Distance > 0 && a.Distance <= 1e7):
			return fmt.Errorf("activity %d: a drive needs a distance of up to 10 000 km", i)
		case a.Do == Parked && a.For <= 0:
			return fmt.Errorf("activity %d: parking needs a duration", i)
		case a.Do == Charging && !(a.Power > 0 && a.To > 0 && a.To <= 1):
			return fmt.Errorf("activity %d: charging needs a power, and a fill of up to 1", i)
		case a.Do > Charging:
			return fmt.Errorf("activity %d: no such thing to do", i)
		}
	}
	return nil
}

// stage is a part of an activity in which nothing changes but numbers.
type stage struct {
	ignition, gear string
	plugged        bool
	asleep         bool
	lasts          time.Duration // 0: until the way or the charge is done
	metres         float64       // way to drive
	watts          float64       // what the charging station gives
	to             float64       // fill at which charging ends
}

// How long a head unit stays awake.
const (
	awakeParked   = 5 * time.Minute
	awakeCharging = 10 * time.Minute
	nightCharge   = 8 * time.Hour // cable time of an Asleep charge without For
)

// stages spells an activity out. A car that is full enough already parks for a
// moment instead of charging.
func (a Activity) stages(rng *rand.Rand, fill float64) []stage {
	pause := func() time.Duration { return 8*time.Second + upTo(rng, 9*time.Second) }
	stand := stage{ignition: "On", gear: "P", lasts: pause()}
	switch {
	case a.Do == Driving:
		return []stage{
			stand,
			{ignition: "Started", gear: "P", lasts: pause()},
			{ignition: "Started", gear: "D", metres: a.Distance},
			{ignition: "Started", gear: "P", lasts: pause()},
			stand,
		}
	case a.Do == Charging && (a.For > 0 || a.Asleep || a.To > fill):
		return append(append([]stage{stand}, a.cable(rng)...), stand)
	}
	awake := stage{ignition: "Accessory", gear: "P", lasts: min(max(a.For, stand.lasts), awakeParked)}
	if a.For <= awakeParked {
		return []stage{awake}
	}
	return []stage{awake, {ignition: "Off", gear: "P", asleep: true, lasts: a.For - awakeParked}}
}

// cable is the time with the cable in. A head unit that slept through it wakes
// up shortly before the cable comes out, or only afterwards; some wake up for a
// moment in the night.
func (a Activity) cable(rng *rand.Rand) []stage {
	if a.Asleep {
		a.For = cmp.Or(a.For, nightCharge)
	}
	begin := stage{ignition: "Accessory", gear: "P", plugged: true, lasts: 10 * time.Second}
	charge := begin
	charge.lasts, charge.watts, charge.to = a.For, a.Power, a.To
	if !a.Asleep || a.For <= awakeCharging {
		return []stage{begin, charge}
	}
	night := charge
	night.asleep = true
	night.lasts = a.For - awakeCharging
	charge.lasts = awakeCharging
	morning := charge
	morning.lasts = 20 * time.Second
	switch rng.IntN(4) {
	case 0:
		return []stage{begin, charge, night}
	case 1:
		morning.to = 1 // tops up for the climate, which the app takes for the whole night's power
	case 2:
		half, blink := night, charge
		half.lasts /= 2
		blink.lasts = 3 * time.Second // time for one charging point
		return []stage{begin, charge, half, blink, half, morning}
	}
	return []stage{begin, charge, night, morning}
}
