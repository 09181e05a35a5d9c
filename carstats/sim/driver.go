package sim

import (
	"math"
	"math/rand/v2"
	"time"
)

// driver takes the car along a way: stretch by stretch at the speed that suits,
// with stops at lights between some.
type driver struct {
	rng   *rand.Rand
	total float64 // m of the whole way
	left  float64 // m still to go
	here  stretch
	next  stretch
	wait  time.Duration // still to stand at a light
}

// stretch is a part of the way with one speed.
type stretch struct {
	left  float64 // m
	speed float64 // m/s
	stop  time.Duration
}

const (
	thrust  = 1.4  // m/s²
	maxPull = 60e3 // W for acceleration: a calm driver
	braking = 1.2  // m/s²
	creep   = 1.0  // m/s, the slowest the car rolls
)

func newDriver(rng *rand.Rand, metres float64) *driver {
	d := &driver{rng: rng, total: metres, left: metres}
	d.here = d.stretch(0)
	d.next = d.stretch(d.here.left)
	return d
}

// stretch makes the stretch that begins after the given metres: town at both
// ends of the way, then country, and a motorway in the middle of long ways.
func (d *driver) stretch(from float64) stretch {
	const kmh = 1 / 3.6
	left := d.total - from
	edge := min(from, left)
	length, speed, stops := 150+450*d.rng.Float64(), 30+20*d.rng.Float64(), 0.35
	switch {
	case edge > 6000:
		length, speed, stops = 1500+4000*d.rng.Float64(), 100+28*d.rng.Float64(), 0
	case edge > 1500:
		length, speed, stops = 600+1900*d.rng.Float64(), 62+30*d.rng.Float64(), 0.12
	}
	s := stretch{left: length, speed: speed * kmh}
	if d.rng.Float64() < stops {
		s.stop = 5*time.Second + upTo(d.rng, 35*time.Second)
	}
	if length >= left-50 {
		s.left, s.stop = max(left, 0), 0
	}
	return s
}

// done says whether the car has arrived.
func (d *driver) done() bool { return d.left <= 0 }

// steer sets the vehicle's speed and power for the time it returns: at most
// limit, and not beyond the given metres.
func (d *driver) steer(v *vehicle, limit time.Duration, metres float64) time.Duration {
	if d.wait > 0 {
		dt := min(limit, d.wait)
		d.wait -= dt
		v.speed, v.power = 0, auxiliary
		return dt
	}
	const breath = time.Second
	before := v.speed
	reach := func() time.Duration {
		way := min(d.here.left, metres) / max(v.speed, creep)
		return min(breath, limit, seconds(way))
	}
	pull := min(thrust, maxPull/(mass*max(before, creep)))
	v.speed = max(creep, min(before+pull*reach().Seconds(), d.allowed()))
	dt := reach()
	accel := min(max((v.speed-before)/dt.Seconds(), -braking), thrust)
	v.power = drivePower(v.speed, accel, slope(v.metres))
	d.moved(v.speed * dt.Seconds())
	if d.done() {
		d.left = 0
	}
	return dt
}

// allowed is the speed from which the car can still brake for what comes.
func (d *driver) allowed() float64 {
	exit := min(d.here.speed, d.next.speed)
	if d.here.stop > 0 || d.next.left == 0 {
		exit = 0
	}
	return min(d.here.speed, math.Sqrt(exit*exit+2*braking*d.here.left))
}

// moved counts the way down and goes on to the next stretch.
func (d *driver) moved(metres float64) {
	const close = 0.01 // m, lost in rounding to nanoseconds
	d.left -= metres
	d.here.left -= metres
	if d.here.left > close {
		return
	}
	if d.next.left == 0 {
		d.left = 0
		return
	}
	d.wait = d.here.stop
	d.here = d.next
	d.next = d.stretch(d.total - d.left + d.here.left)
}

// upTo is a random duration below d.
func upTo(rng *rand.Rand, d time.Duration) time.Duration {
	return time.Duration(rng.Int64N(int64(d)))
}

// seconds is a duration, rounded up so that time always passes.
func seconds(s float64) time.Duration {
	return time.Duration(math.Ceil(min(s, 3600) * float64(time.Second)))
}
