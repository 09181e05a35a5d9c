package tesla

import (
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// online is Tesla's word for a car that answers. Of the others, asleep and offline,
// some cars use either when they sleep.
const online = "online"

// Intervals are how often a car is asked, before Load stretches them.
type Intervals struct {
	State         time.Duration // whether it is awake: this neither wakes it nor costs
	Idle          time.Duration // awake, and nothing happens
	Driving       time.Duration // shared: with two cars, twice as long
	ChargingAC    time.Duration
	ChargingACEnd time.Duration // shared; in the last 5 %, while the budget has room for it
	ChargingDC    time.Duration // shared
}

// DefaultIntervals keep a car's month, and two cars', within what Tesla does not
// charge.
func DefaultIntervals() Intervals {
	return Intervals{
		State: 10 * time.Minute, Idle: 10 * time.Minute,
		Driving: time.Minute, ChargingDC: time.Minute,
		ChargingAC: 5 * time.Minute, ChargingACEnd: time.Minute,
	}
}

// orDefault fills in the intervals that are none: a car must not be asked all the time.
func (i Intervals) orDefault() Intervals {
	or := func(d, instead time.Duration) time.Duration {
		if d <= 0 {
			return instead
		}
		return d
	}
	d := DefaultIntervals()
	return Intervals{
		State: or(i.State, d.State), Idle: or(i.Idle, d.Idle),
		Driving: or(i.Driving, d.Driving), ChargingDC: or(i.ChargingDC, d.ChargingDC),
		ChargingAC: or(i.ChargingAC, d.ChargingAC), ChargingACEnd: or(i.ChargingACEnd, d.ChargingACEnd),
	}
}

const (
	// proven is how long an answer shows that a car is awake: none falls asleep so
	// soon after it.
	proven = 150 * time.Second
	// rest is how long an old car is left alone, so that it falls asleep, once it
	// was read restAfter times without anything happening.
	rest      = 15 * time.Minute
	restAfter = 2
	// aboard is how long somebody who stays in the car after a drive is taken for
	// one who drives on.
	aboard = 5 * time.Minute
	// lastPart is how much of a charge, in per cent of the battery, is its end.
	lastPart = 5
)

// Doing is what a car does that decides how often it is worth being read.
type Doing uint8

// What a car does.
const (
	Idle Doing = iota
	Driving
	ChargingAC
	ChargingACEnd // nearly as full as it is to be
	ChargingDC
)

// Glance is what the poller wants to know of a report.
type Glance struct {
	Doing  Doing
	Aboard bool // somebody is in the car
	Busy   bool // something keeps it awake anyway
}

// GlanceAt reads what a car does off the values of vehicle_data.
func GlanceAt(values map[string]car.Value) Glance {
	on := func(path string) bool { yes, _ := values[path].On(); return yes }
	g := Glance{Aboard: on("vehicle_state.is_user_present")}
	keeper := values["climate_state.climate_keeper_mode"].Word()
	g.Busy = g.Aboard || on("climate_state.is_climate_on") || on("vehicle_state.sentry_mode") ||
		keeper != "" && keeper != "off" ||
		values["vehicle_state.software_update.status"].Word() == "installing"
	switch values[pathOfGear].Word() {
	case "D", "R", "N":
		g.Doing = Driving
		return g
	}
	switch values[pathOfCharging].Word() {
	case "Charging", "Starting":
		g.Doing = charger(values)
	}
	return g
}

func charger(values map[string]car.Value) Doing {
	level, okLevel := values["charge_state.battery_level"].Float()
	limit, okLimit := values["charge_state.charge_limit_soc"].Float()
	switch dc, _ := values["charge_state.fast_charger_present"].On(); {
	case dc:
		return ChargingDC
	case okLevel && okLimit && level >= limit-lastPart:
		return ChargingACEnd
	}
	return ChargingAC
}

// Load is what slows the reading of a car down.
type Load struct {
	Cars    int     // that are read, this one among them
	Stretch float64 // by the budget; 1 for not at all
	Room    bool    // the budget has room for what is only nice to have
}

// Ask is what to ask Tesla next.
type Ask uint8

// What can be asked.
const (
	AskNothing Ask = iota
	AskState       // whether the car is awake
	AskData        // its values
)

// Poller decides when one car is asked what. It has no clock, asks nobody and is told
// what came of it. It never asks for data unless the car has just shown to be awake,
// so that a sleeping car is left alone and a bill is not run up by refusals.
type Poller struct {
	Intervals Intervals
	// Shy is an old car, which stays awake as long as somebody reads it.
	Shy bool

	state   string    // Tesla's newest word; "" for not known
	proof   time.Time // when the car showed to be awake
	checked time.Time // when that was asked, or showed, last
	read    time.Time // when its values came; zero: they are wanted at once
	doing   Doing
	drove   time.Time // when it was last seen to drive
	busy    bool
	calm    int       // readings in a row in which nothing happened
	hold    time.Time // no call before
	pause   time.Time // no call for data before
	lost    int       // state checks in a row that missed a car in the middle of something
	refused int       // calls for data in a row that were not answered
	wanted  bool      // somebody asked for the values
}

// Next says what to ask at now, or until when nothing is to be asked.
func (p *Poller) Next(now time.Time, l Load) (Ask, time.Time) {
	if now.Before(p.hold) {
		return AskNothing, p.hold
	}
	at := p.checked.Add(p.patience())
	if p.state == online {
		data := p.due(l)
		if p.wanted || !data.After(now) {
			if now.Sub(p.proof) <= proven {
				return AskData, now
			}
			return AskState, now
		}
		at = earlier(at, data)
	}
	if p.wanted || !at.After(now) {
		return AskState, now
	}
	return AskNothing, at
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// patience is how long to wait between two state checks. A car that went out of reach
// in the middle of something is likely to be back soon.
func (p *Poller) patience() time.Duration {
	if p.lost == 0 {
		return p.Intervals.State
	}
	return min(p.Intervals.State, p.Intervals.Driving<<min(p.lost-1, 10))
}

// due is when an awake car's values are wanted next.
func (p *Poller) due(l Load) time.Time {
	if p.wanted || p.read.IsZero() {
		return p.pause
	}
	at := p.read.Add(p.every(l))
	if p.pause.After(at) {
		return p.pause
	}
	return at
}

// every is how old an awake car's values may become.
func (p *Poller) every(l Load) time.Duration {
	i, shared := p.Intervals, time.Duration(max(1, l.Cars))
	every := i.Idle
	switch p.doing {
	case Driving:
		every = i.Driving * shared
	case ChargingDC:
		every = i.ChargingDC * shared
	case ChargingAC:
		every = i.ChargingAC
	case ChargingACEnd:
		if every = i.ChargingAC; l.Room {
			every = min(every, i.ChargingACEnd*shared)
		}
	case Idle:
		if p.Shy && !p.busy && p.calm >= restAfter {
			every = max(every, rest)
		}
	}
	return time.Duration(float64(every) * max(1, l.Stretch))
}

// Told takes in Tesla's word for the car's connection, asked for at now.
func (p *Poller) Told(now time.Time, state string) {
	was := p.state
	p.state, p.checked = state, now
	if state == online {
		p.proof, p.lost = now, 0
		if was != online {
			p.read = time.Time{}
		}
		return
	}
	p.wanted, p.calm, p.refused = false, 0, 0
	switch {
	case state == "asleep":
		p.doing, p.lost = Idle, 0
	case p.doing != Idle:
		p.lost++
	}
}

// Read takes in what the values say that were asked for at now.
func (p *Poller) Read(now time.Time, g Glance) {
	switch {
	case g.Doing == Driving:
		p.drove = now
	case g.Doing == Idle && g.Aboard && !p.drove.IsZero() && now.Sub(p.drove) < aboard:
		g.Doing = Driving // a stop is not the end of a drive
	}
	if p.calm++; g.Doing != Idle {
		p.calm = 0
	}
	p.state, p.proof, p.checked, p.read = online, now, now, now
	p.doing, p.busy = g.Doing, g.Busy
	p.lost, p.refused, p.wanted, p.pause = 0, 0, false, time.Time{}
}

// Missed takes in that a car did not answer that was taken for awake: it is to be
// found out at once whether it is, and if so, it is given more and more time.
func (p *Poller) Missed(now time.Time) {
	p.state, p.proof, p.checked = "", time.Time{}, time.Time{}
	p.pause = now.Add(min(p.Intervals.State, time.Minute<<min(p.refused, 10)))
	p.wanted = false
	p.refused++
}

// Hold keeps from any call for a while, Pause only from those for data.
func (p *Poller) Hold(now time.Time, wait time.Duration) { p.hold = now.Add(wait) }

// Pause keeps from calls for data for a while. What somebody wants is forgotten.
func (p *Poller) Pause(now time.Time, wait time.Duration) {
	p.pause, p.wanted = now.Add(wait), false
}

// Want asks for the values once, as soon as that may be. A car that sleeps is not
// asked.
func (p *Poller) Want() {
	p.wanted, p.pause = true, time.Time{}
}

// isShy says whether a car of that VIN is of before 2021. Those stay awake as long as
// their values are read (developer.tesla.com, "best practices"). The tenth character
// is the model year.
func isShy(vin string) bool { return len(vin) == 17 && vin[9] >= 'A' && vin[9] <= 'L' }
