package sim

import "time"

// Doing is what a car is doing.
type Doing string

// What cars do.
const (
	Parked        Doing = "parked"
	Driving       Doing = "driving"
	Charging      Doing = "charging"      // with AC
	Supercharging Doing = "supercharging" // with DC
	Staying       Doing = "staying"       // awake without a reason that could be seen
)

// Activity is one thing that a car does.
type Activity struct {
	At     time.Duration // after midnight UTC; 0: when what came before is over
	Do     Doing
	For    time.Duration // how long; 0: as long as a way takes, or until the battery is full enough
	Metres float64       // of a drive; negative: towards home
	Amps   float64       // of AC, per phase; 0: 16
	Phases int           // of AC; 0: three
	To     float64       // how full a DC charge makes the battery, 0..1; 0: 0.8
}

// Day is what a car does from midnight to midnight. Between its activities it
// parks, and falls asleep.
type Day []Activity

// Plan is a car's days, again and again; the day on which it is given is the
// first. Without one the car stays where it is.
type Plan []Day

// Drive drives a way in a time, from an instant of the day on; negative
// kilometres lead towards home.
func Drive(at, d time.Duration, km float64) Activity {
	return Activity{At: at, Do: Driving, For: d, Metres: km * 1e3}
}

// Charge charges with AC until the charge limit: 230 V, 16 A.
func Charge(at time.Duration, phases int) Activity {
	return Activity{At: at, Do: Charging, Phases: phases}
}

// Supercharge charges with DC as soon as what came before is over, up to a fill
// of 0..1.
func Supercharge(to float64) Activity { return Activity{Do: Supercharging, To: to} }

// Stay keeps the car awake as soon as what came before is over.
func Stay(d time.Duration) Activity { return Activity{Do: Staying, For: d} }

// clock is a time of day.
func clock(hours, minutes int) time.Duration {
	return time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
}

// ReferenceMonth is the month by which bills are compared: every day an hour of
// driving in two trips, about two hours of charging with AC, and three hours
// awake and idle if nobody asks: three times 51 minutes, and the nine after each
// until a car sleeps. For the rest the car sleeps.
func ReferenceMonth() Plan {
	idle := Stay(51 * time.Minute)
	return Plan{{
		Drive(clock(7, 30), 30*time.Minute, 24), idle,
		Drive(clock(16, 30), 30*time.Minute, -24), idle,
		Charge(clock(18, 30), 1), idle,
	}}
}

// WorkingWeek goes to work and back on five days and charges at night; on one of
// the other two it goes far and supercharges on its way home.
func WorkingWeek() Plan {
	work := Day{
		Drive(clock(6, 40), 35*time.Minute, 31), Stay(10 * time.Minute),
		Drive(clock(15, 50), 40*time.Minute, -31), Stay(25 * time.Minute),
		Charge(clock(21, 0), 3),
	}
	far := Day{
		Drive(clock(9, 10), 75*time.Minute, 118), Stay(20 * time.Minute),
		Drive(clock(17, 0), 20*time.Minute, -28), Supercharge(0.8),
		Drive(0, 55*time.Minute, -90), Charge(0, 3),
	}
	rest := Day{Drive(clock(11, 0), 15*time.Minute, 6), Drive(clock(13, 0), 15*time.Minute, -6)}
	return Plan{work, work, work, work, work, far, rest}
}

// Busy is for people who watch: every hour has a drive, a return and a charge.
func Busy() Plan {
	var day Day
	for hour := range 24 {
		out := Drive(clock(hour, 0), 8*time.Minute, 6)
		day = append(day, out, Stay(2*time.Minute), Drive(0, 8*time.Minute, -6), Stay(time.Minute))
		if hour%4 == 3 {
			day = append(day, Supercharge(0.85))
			continue
		}
		day = append(day, Activity{Do: Charging, For: 20 * time.Minute})
	}
	return Plan{day}
}

// cursor is how far a car is in its plan.
type cursor struct {
	plan     Plan
	midnight time.Time // of the day it is in
	day      int       // of the plan
	index    int       // of the next activity in it
}

// newCursor begins with what a plan has after now; the day of now is its first.
func newCursor(plan Plan, now time.Time) cursor {
	c := cursor{plan: plan, midnight: now.UTC().Truncate(24 * time.Hour)}
	if len(plan) == 0 {
		return c
	}
	for i, a := range plan[0] {
		begun := a.At > 0 && c.midnight.Add(a.At).Before(now)
		follows := a.At == 0 && c.index == i && now.After(c.midnight) // on what is left out as well
		if begun || follows {
			c.index = i + 1
		}
	}
	return c
}

// next is the next activity and when it begins; no time means as soon as the
// present one is over.
func (c *cursor) next() (a Activity, at time.Time, ok bool) {
	if len(c.plan) == 0 {
		return Activity{}, time.Time{}, false
	}
	for range len(c.plan) + 1 {
		if day := c.plan[c.day]; c.index < len(day) {
			a = day[c.index]
			switch {
			case a.At > 0:
				at = c.midnight.Add(a.At)
			case c.index == 0:
				at = c.midnight
			}
			return a, at, true
		}
		c.midnight = c.midnight.Add(24 * time.Hour)
		c.day, c.index = (c.day+1)%len(c.plan), 0
	}
	return Activity{}, time.Time{}, false
}
