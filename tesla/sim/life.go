package sim

import (
	"math"
	"time"
)

// life is where a car is, what it does, and how full its battery is. It has been
// lived as far as now; advance lives on.
type life struct {
	now    time.Time
	cursor cursor
	doing  Activity
	since  time.Time // when that began
	speeds []float64 // of a drive, m/s for each second
	past   Lived

	asleep bool
	wakes  time.Time // when it will be awake; zero: nobody woke it
	woke   time.Time // when it was awake at last
	calm   time.Time // when something happened last

	metres  float64 // driven, ever
	away    float64 // m from home on the road
	bearing float64 // of the road, in degrees
	speed   float64 // m/s
	power   float64 // W out of the battery
	stored  float64 // Wh in the battery
	full    float64 // Wh in a full one
	rated   float64 // mi that a full one is rated for
	inside  float64 // °C

	plugged bool
	fast    bool    // it is a DC charger that is plugged in, or was at last
	added   float64 // Wh into the battery since it was plugged in at last
}

// forever is later than everything.
var forever = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// advance lives until now, from one thing that happens to the next.
func (c *Car) advance(now time.Time) {
	for c.now.Before(now) {
		for {
			a, at, ok := c.cursor.next()
			if !ok || at.IsZero() && c.doing.Do != Parked || at.After(c.now) {
				break
			}
			c.cursor.index++
			c.begin(a)
		}
		c.pass(earliest(now, c.turning()))
		c.settle()
	}
}

// turning is when something may change by itself, at the latest.
func (c *Car) turning() time.Time {
	t := forever
	if _, at, ok := c.cursor.next(); ok && !at.IsZero() {
		t = at
	}
	if c.doing.For > 0 {
		t = earliest(t, c.since.Add(c.doing.For))
	}
	switch grid := c.now.Sub(c.since); {
	case c.doing.Do == Driving:
		t = earliest(t, c.since.Add(grid.Truncate(time.Second)+time.Second))
	case c.charging():
		t = earliest(t, c.since.Add(grid.Truncate(10*time.Second)+10*time.Second))
		need := (c.until()*c.full - c.stored) / math.Max(-c.chargePower(), 1) * 3600
		t = earliest(t, c.now.Add(time.Duration(math.Max(need, 0.001)*float64(time.Second))))
	case c.doing.Do == Parked && !c.asleep && !c.busy():
		t = earliest(t, c.calm.Add(c.spec.SleepsAfter))
	}
	if !c.wakes.IsZero() {
		t = earliest(t, c.wakes)
	}
	return t
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// pass lets time go by until then, in which nothing changes but numbers.
func (c *Car) pass(until time.Time) {
	dt := until.Sub(c.now)
	c.speed, c.power = 0, c.idles()
	warm := outside(c.now)
	switch {
	case c.doing.Do == Driving:
		c.roll(dt)
		warm = 21
	case c.charging():
		c.power = c.chargePower()
	case c.settings.Climate:
		warm = 21
	}
	c.note(dt)
	used := c.power * dt.Hours()
	if c.charging() {
		c.added -= used
	}
	c.stored = min(max(c.stored-used, 0), c.full)
	c.inside += (warm - c.inside) * (1 - math.Exp(-dt.Minutes()/25))
	c.now = until
}

// roll moves the car that drives.
func (c *Car) roll(dt time.Duration) {
	i := min(int(c.now.Sub(c.since)/time.Second), len(c.speeds)-1)
	c.speed = math.Abs(c.speeds[i])
	next := 0.
	if i+1 < len(c.speeds) {
		next = math.Abs(c.speeds[i+1])
	}
	c.power += cabin + drivePower(c.speed, next-c.speed)
	c.metres += c.speed * dt.Seconds()
	c.away += c.speeds[i] * dt.Seconds()
}

// idles is what a car uses that does nothing, in W.
func (c *Car) idles() float64 {
	if c.asleep {
		return asleepUses
	}
	w := standby
	if c.settings.Sentry {
		w += sentryUses
	}
	if c.settings.Climate {
		w += climating
	}
	return w
}

// note keeps the account of what the car lived.
func (c *Car) note(dt time.Duration) {
	switch {
	case c.doing.Do == Driving:
		c.past.Drove += dt
		c.past.Used += c.power * dt.Hours()
	case c.doing.Do == Charging:
		c.past.Charged += dt
		c.past.Loaded -= c.power * dt.Hours()
	case c.doing.Do == Supercharging:
		c.past.Supercharged += dt
		c.past.Loaded -= c.power * dt.Hours()
	case c.asleep:
		c.past.Slept += dt
	default:
		c.past.Idle += dt
	}
}

// settle ends what is over, and lets the car wake or fall asleep.
func (c *Car) settle() {
	over := c.doing.For > 0 && !c.now.Before(c.since.Add(c.doing.For))
	if full := c.charging() && c.until()*c.full-c.stored < 0.01; over || full {
		c.end()
	}
	if !c.wakes.IsZero() && !c.now.Before(c.wakes) {
		c.rouse()
	}
	if c.busy() {
		c.calm = c.now
	}
	if !c.asleep && !c.now.Before(c.calm.Add(c.spec.SleepsAfter)) {
		c.asleep = true
	}
}

// unhurried is how fast a car drives that is told a way and no time, in m/s.
const unhurried = 15.

// begin ends what the car does and begins something else.
func (c *Car) begin(a Activity) {
	c.end()
	c.rouse()
	c.doing, c.since = a, c.now
	switch a.Do {
	case Driving:
		c.unplug()
		if a.For == 0 {
			c.doing.For = time.Duration(math.Abs(a.Metres)/unhurried*float64(time.Second)) + time.Second
		}
		c.speeds = trip(c.rng, c.doing.For, a.Metres)
	case Charging, Supercharging:
		c.plugged, c.fast, c.added = true, a.Do == Supercharging, 0
		c.settle() // it may be full already
	}
}

// end parks the car.
func (c *Car) end() {
	if c.doing.Do == Supercharging && c.added > 0 {
		c.sessions = append(c.sessions, c.session())
	}
	if math.Abs(c.away) < 5 {
		c.away = 0 // what rounding left of the way home
	}
	c.doing, c.since = Activity{Do: Parked}, c.now
	c.speed, c.power, c.speeds = 0, c.idles(), nil
	c.calm = c.now
}

func (c *Car) unplug() {
	if c.plugged && c.fast && len(c.sessions) > 0 {
		c.sessions[len(c.sessions)-1].unlatch = c.now
	}
	c.plugged = false
}

// rouse has the car awake.
func (c *Car) rouse() {
	if c.asleep {
		c.asleep, c.woke = false, c.now
	}
	c.wakes, c.calm = time.Time{}, c.now
}

// disturb is what a reading does: the car stays awake a while longer.
func (c *Car) disturb(now time.Time) { c.calm = now }

// wakeUp asks a sleeping car to wake; it takes its time.
func (c *Car) wakeUp() {
	c.past.Wakes++
	if !c.asleep || c.settings.Offline || !c.wakes.IsZero() {
		return
	}
	takes := c.spec.WakesIn
	if takes == 0 {
		takes = 3*time.Second + time.Duration(c.rng.Int64N(int64(27*time.Second)))
	}
	c.wakes = c.now.Add(takes)
}

func (c *Car) busy() bool { return c.doing.Do != Parked || c.settings.awake() }

func (c *Car) charging() bool { return c.doing.Do == Charging || c.doing.Do == Supercharging }

// state is the car's connection as Tesla tells it.
func (c *Car) state() Connection {
	switch {
	case c.settings.Offline:
		return Offline
	case c.asleep:
		return Asleep
	}
	return Online
}

// until is how full the battery is to be, 0..1.
func (c *Car) until() float64 {
	if c.doing.Do == Supercharging && c.doing.To > 0 {
		return c.doing.To
	}
	return c.settings.limit()
}

// current is what AC brings: volts, amperes a phase, and phases.
func (c *Car) current() (volts, amps float64, phases int) {
	volts, amps, phases = gridVolts, 16, 3
	if c.doing.Amps > 0 {
		amps = c.doing.Amps
	}
	if c.doing.Phases > 0 {
		phases = c.doing.Phases
	}
	return volts, amps, phases
}

// chargePower is what goes out of the battery while it charges, in W: less than
// nothing.
func (c *Car) chargePower() float64 {
	if c.doing.Do == Supercharging {
		return -acceptance(c.stored / c.full)
	}
	volts, amps, phases := c.current()
	return standby - volts*amps*float64(phases)*charger
}

// left is how far a drive still goes, in m.
func (c *Car) left() (metres float64) {
	if c.doing.Do != Driving {
		return 0
	}
	for _, v := range c.speeds[min(int(c.now.Sub(c.since)/time.Second), len(c.speeds)):] {
		metres += math.Abs(v)
	}
	return metres
}
