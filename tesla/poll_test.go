package tesla_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wheelhouse-mqtt/wheelhouse/tesla"
)

// alone is a car that shares its budget with no other, and has plenty of it.
var alone = tesla.Load{Cars: 1, Stretch: 1, Room: true}

// spell is a time in which a car is one thing.
type spell struct {
	state  string
	glance tesla.Glance
	lasts  time.Duration
}

// lifeOf draws a month of a car: it sleeps, wakes by itself or to drive, charges, is
// out of reach for a while.
func lifeOf(t *rapid.T) (life []spell) {
	for spent := time.Duration(0); spent < 30*24*time.Hour; {
		s := spell{state: "online", lasts: time.Duration(rapid.IntRange(11, 200).Draw(t, "minutes")) * time.Minute}
		switch rapid.IntRange(0, 6).Draw(t, "what") {
		case 0:
			// No car falls asleep from one minute to the next.
			life = append(life, spell{state: "online", lasts: 3 * time.Minute})
			s.state = "asleep"
			s.lasts *= 5
		case 1:
			s.state = "offline"
			s.lasts /= 8
		default:
			s.glance.Doing = tesla.Doing(rapid.IntRange(0, int(tesla.ChargingDC)).Draw(t, "doing"))
			s.glance.Busy = rapid.Bool().Draw(t, "busy")
		}
		spent += s.lasts
		life = append(life, s)
	}
	return life
}

// through returns what a car is at an instant, and since when it is awake. Instants
// come in their order.
func through(life []spell, begin time.Time) func(now time.Time) (is spell, awake time.Time) {
	var awake time.Time
	return func(now time.Time) (spell, time.Time) {
		for {
			is, end := life[0], begin.Add(life[0].lasts)
			if is.state != "online" {
				awake = time.Time{}
			} else if awake.IsZero() {
				awake = begin
			}
			if len(life) == 1 || end.After(now) {
				return is, awake
			}
			life, begin = life[1:], end
		}
	}
}

// A month of any car: nothing is asked of it while it sleeps, it is asked often enough
// and no more often, and what it does is known in time.
func TestAnyMonth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		begin := november
		at := through(lifeOf(t), begin)
		p := tesla.Poller{Intervals: tesla.DefaultIntervals(), Shy: rapid.Bool().Draw(t, "shy")}
		var read, checked time.Time
		known, calls := spell{state: "online"}, 0
		for now := begin; now.Before(begin.Add(30 * 24 * time.Hour)); {
			is, awake := at(now)
			ask, until := p.Next(now, alone)
			if ask != tesla.AskNothing {
				calls++
			}
			switch ask {
			case tesla.AskState:
				if checked = now; is.state != "online" {
					known = spell{state: is.state}
				}
				p.Told(now, is.state)
			case tesla.AskData:
				if is.state == "asleep" {
					t.Fatalf("%s: a sleeping car is asked for its values", now)
				}
				if now.Sub(read) < time.Minute {
					t.Fatalf("%s: asked again after %s", now, now.Sub(read))
				}
				if is.state == "offline" {
					p.Missed(now)
					break
				}
				read, checked, known = now, now, is
				p.Read(now, is.glance)
			default:
				if !until.After(now) || until.Sub(now) > 15*time.Minute {
					t.Fatalf("%s: nothing until %s", now, until)
				}
				now = until
				continue
			}
			if now.Sub(checked) > 10*time.Minute+time.Second {
				t.Fatalf("%s: not asked since %s", now, checked)
			}
			unseen := is.state == "online" && is.glance.Doing == tesla.Driving && known.glance.Doing != tesla.Driving
			if unseen && !p.Shy && now.Sub(awake) > 10*time.Minute+time.Second && now.Sub(read) > 10*time.Minute+time.Second {
				t.Fatalf("%s: awake since %s, and nobody knows that it drives", now, awake)
			}
		}
		if calls > 40_000 {
			t.Fatalf("%d calls", calls)
		}
	})
}

// reading lets a poller read a car of a state that answers, from now on for a while,
// and returns how many seconds after the beginning its values came.
func reading(p *tesla.Poller, l tesla.Load, g tesla.Glance, d time.Duration) (seconds []int) {
	for now := november; now.Before(november.Add(d)); {
		ask, until := p.Next(now, l)
		switch ask {
		case tesla.AskState:
			p.Told(now, "online")
		case tesla.AskData:
			seconds = append(seconds, int(now.Sub(november)/time.Second))
			p.Read(now, g)
		default:
			now = until
		}
	}
	return seconds
}

func TestIntervals(t *testing.T) {
	two, stretched := tesla.Load{Cars: 2, Stretch: 1, Room: true}, tesla.Load{Cars: 1, Stretch: 1.5, Room: true}
	for _, c := range []struct {
		name string
		is   tesla.Glance
		load tesla.Load
		shy  bool
		want []int // seconds
	}{
		{"idle", tesla.Glance{}, alone, false, []int{0, 600, 1200}},
		{"idle, an old car", tesla.Glance{}, alone, true, []int{0, 600, 1500}},
		{"an old car that is busy", tesla.Glance{Busy: true}, alone, true, []int{0, 600, 1200}},
		{"driving", tesla.Glance{Doing: tesla.Driving}, alone, false, []int{0, 60, 120}},
		{"driving, two cars", tesla.Glance{Doing: tesla.Driving}, two, false, []int{0, 120, 240}},
		{"driving, slowed", tesla.Glance{Doing: tesla.Driving}, stretched, false, []int{0, 90, 180}},
		{"driving, a load of nothing", tesla.Glance{Doing: tesla.Driving}, tesla.Load{}, false, []int{0, 60, 120}},
		{"AC", tesla.Glance{Doing: tesla.ChargingAC}, alone, false, []int{0, 300, 600}},
		{"AC, two cars", tesla.Glance{Doing: tesla.ChargingAC}, two, false, []int{0, 300, 600}},
		{"the end of AC", tesla.Glance{Doing: tesla.ChargingACEnd}, alone, false, []int{0, 60, 120}},
		{"the end of AC, no room", tesla.Glance{Doing: tesla.ChargingACEnd}, tesla.Load{Cars: 1, Stretch: 1}, false, []int{0, 300, 600}},
		{"DC", tesla.Glance{Doing: tesla.ChargingDC}, alone, false, []int{0, 60, 120}},
		{"DC, two cars", tesla.Glance{Doing: tesla.ChargingDC}, two, false, []int{0, 120, 240}},
	} {
		p := &tesla.Poller{Intervals: tesla.DefaultIntervals(), Shy: c.shy}
		got := reading(p, c.load, c.is, time.Hour)
		same(t, c.name, got[:len(c.want)], c.want)
	}
}

// next lets time go by until something is asked, and returns what and after how long.
func next(p *tesla.Poller, now time.Time) (ask tesla.Ask, after time.Duration) {
	for at := now; ; {
		ask, until := p.Next(at, alone)
		if ask != tesla.AskNothing {
			return ask, at.Sub(now)
		}
		at = until
	}
}

func expect(t *testing.T, what string, p *tesla.Poller, now time.Time, want tesla.Ask, after time.Duration) time.Time {
	t.Helper()
	if ask, waited := next(p, now); ask != want || waited != after {
		t.Errorf("%s: %d after %s, want %d after %s", what, ask, waited, want, after)
	}
	return now.Add(after)
}

// A car that goes out of reach while it drives is looked for soon, and less and less.
func TestLostCar(t *testing.T) {
	p, now := &tesla.Poller{Intervals: tesla.DefaultIntervals()}, november
	p.Told(now, "online")
	p.Read(now, tesla.Glance{Doing: tesla.Driving})
	now = expect(t, "it drives", p, now, tesla.AskData, time.Minute)
	p.Missed(now)
	now = expect(t, "is it there?", p, now, tesla.AskState, 0)
	for _, wait := range []time.Duration{1, 2, 4, 8, 10, 10} {
		p.Told(now, "offline")
		now = expect(t, "and now?", p, now, tesla.AskState, wait*time.Minute)
	}
	p.Told(now, "online")
	expect(t, "it is back", p, now, tesla.AskData, 0)
	p.Told(now, "asleep")
	expect(t, "it sleeps", p, now, tesla.AskState, 10*time.Minute)
}

// A car that says that it is awake and does not answer costs little.
func TestDeafCar(t *testing.T) {
	p, now := &tesla.Poller{Intervals: tesla.DefaultIntervals()}, november
	calls := 0
	for now.Before(november.Add(24 * time.Hour)) {
		ask, until := p.Next(now, alone)
		switch ask {
		case tesla.AskState:
			p.Told(now, "online")
		case tesla.AskData:
			calls++
			p.Missed(now)
		default:
			now = until
		}
	}
	if calls > 24*6+6 {
		t.Errorf("%d calls on a day", calls)
	}
}

func TestWant(t *testing.T) {
	p, now := &tesla.Poller{Intervals: tesla.DefaultIntervals()}, november
	p.Told(now, "asleep")
	p.Want()
	now = expect(t, "wanted of a sleeping car", p, now.Add(time.Second), tesla.AskState, 0)
	p.Told(now, "asleep")
	now = expect(t, "and that is all", p, now, tesla.AskState, 10*time.Minute)
	p.Told(now, "online")
	p.Read(now, tesla.Glance{})
	p.Want()
	now = expect(t, "wanted of one that was just read", p, now.Add(time.Second), tesla.AskData, 0)
	p.Read(now, tesla.Glance{})
	expect(t, "once", p, now, tesla.AskState, 10*time.Minute)
	p.Want()
	now = expect(t, "wanted later", p, now.Add(5*time.Minute), tesla.AskState, 0)
	p.Told(now, "online")
	expect(t, "and it is awake", p, now, tesla.AskData, 0)
	p.Hold(now, time.Hour)
	expect(t, "but Tesla wants no calls", p, now, tesla.AskState, time.Hour)
}

func TestPause(t *testing.T) {
	p, now := &tesla.Poller{Intervals: tesla.DefaultIntervals()}, november
	p.Told(now, "online")
	p.Pause(now, 25*time.Minute)
	for _, wait := range []time.Duration{10, 10, 5} {
		now = expect(t, "whether it is awake", p, now, tesla.AskState, wait*time.Minute)
		p.Told(now, "online")
	}
	now = expect(t, "its values", p, now, tesla.AskData, 0)
	p.Read(now, tesla.Glance{Doing: tesla.Driving})
	p.Pause(now, 5*time.Minute)
	expect(t, "while it drives", p, now, tesla.AskState, 5*time.Minute)
}

// A stop of a few minutes is not the end of a drive.
func TestStop(t *testing.T) {
	p, now := &tesla.Poller{Intervals: tesla.DefaultIntervals()}, november
	p.Told(now, "online")
	p.Read(now, tesla.Glance{Doing: tesla.Driving})
	for range 4 {
		now = expect(t, "somebody waits", p, now, tesla.AskData, time.Minute)
		p.Read(now, tesla.Glance{Aboard: true})
	}
	now = expect(t, "still", p, now, tesla.AskData, time.Minute)
	p.Read(now, tesla.Glance{Aboard: true})
	expect(t, "they sit there", p, now, tesla.AskState, 10*time.Minute)
}

func TestGlance(t *testing.T) {
	for body, want := range map[string]tesla.Glance{
		`{}`: {},
		`{"drive_state":{"shift_state":"R"},"vehicle_state":{"is_user_present":true}}`:                  {Doing: tesla.Driving, Aboard: true, Busy: true},
		`{"drive_state":{"shift_state":"P"},"climate_state":{"climate_keeper_mode":"dog"}}`:             {Busy: true},
		`{"climate_state":{"climate_keeper_mode":"off","is_climate_on":false}}`:                         {},
		`{"vehicle_state":{"software_update":{"status":"installing"}}}`:                                 {Busy: true},
		`{"charge_state":{"charging_state":"Charging"}}`:                                                {Doing: tesla.ChargingAC},
		`{"charge_state":{"charging_state":"Starting","battery_level":75,"charge_limit_soc":80}}`:       {Doing: tesla.ChargingACEnd},
		`{"charge_state":{"charging_state":"Charging","battery_level":74,"charge_limit_soc":80}}`:       {Doing: tesla.ChargingAC},
		`{"charge_state":{"charging_state":"Charging","battery_level":79,"fast_charger_present":true}}`: {Doing: tesla.ChargingDC},
		`{"charge_state":{"charging_state":"Complete","battery_level":80,"charge_limit_soc":80}}`:       {},
	} {
		if got := tesla.GlanceAt(decoded(t, body).Values); got != want {
			t.Errorf("%s: %+v", body, got)
		}
	}
}
