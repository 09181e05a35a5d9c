package sim_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wheelhouse-mqtt/wheelhouse/tesla/sim"
)

func alone(plan sim.Plan) sim.Options {
	return sim.Options{Cars: []sim.Spec{{VIN: nightjar, Name: "Nightjar", Plan: plan, Odometer: 1e6}}}
}

// Whoever reads, and however often: what the car does is the same.
func TestLifeDoesNotDependOnReaders(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		seed := rapid.Uint64().Draw(r, "seed")
		steps := rapid.SliceOfN(rapid.Int64Range(1, int64(3*time.Hour)), 1, 60).Draw(r, "steps")
		life := func(watched bool) sim.Snapshot {
			o := alone(sim.WorkingWeek())
			o.Seed = seed
			w := newWorld(t, o)
			for _, d := range steps {
				w.wait(time.Duration(d))
				if watched {
					w.Car(nightjar).Snapshot()
				}
			}
			return w.Car(nightjar).Snapshot()
		}
		a, b := life(true), life(false)
		near := func(x, y float64) bool { return math.Abs(x-y) < 1e-6 }
		same := near(a.Odometer, b.Odometer) && near(a.Stored, b.Stored)
		if a.Doing != b.Doing || a.State != b.State || !same {
			r.Fatalf("watched %+v\nalone %+v", a, b)
		}
	})
}

// A driving car's odometer never falls, a charging car's level never falls, and
// the sums fit: what is in the battery is what was, less what was used.
func TestLifeIsConsistent(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		plans := []sim.Plan{sim.WorkingWeek(), sim.ReferenceMonth(), sim.Busy()}
		o := alone(plans[rapid.IntRange(0, 2).Draw(r, "plan")])
		o.Seed = rapid.Uint64().Draw(r, "seed")
		w := newWorld(t, o)
		car := w.Car(nightjar)
		was := car.Snapshot()
		for range 300 {
			w.wait(time.Duration(rapid.Int64Range(1, int64(20*time.Minute)).Draw(r, "step")))
			is := car.Snapshot()
			if err := follows(was, is); err != nil {
				r.Fatal(err)
			}
			was = is
		}
	})
}

func follows(was, is sim.Snapshot) error {
	moved, lived := is.Odometer-was.Odometer, is.Lived
	switch {
	case moved < 0:
		return fmt.Errorf("odometer from %f to %f", was.Odometer, is.Odometer)
	case is.Fill < 0.1 || is.Fill > 1:
		return fmt.Errorf("the battery is filled to %f", is.Fill)
	case is.Doing == sim.Driving && (is.State != sim.Online || is.Plugged):
		return fmt.Errorf("drives while %s, plugged %v", is.State, is.Plugged)
	case is.Doing != sim.Driving && is.Speed != 0:
		return fmt.Errorf("%s at %f km/h", is.Doing, is.Speed)
	case is.Speed > 160:
		return fmt.Errorf("%f km/h", is.Speed)
	case lived.Drove == was.Lived.Drove && moved != 0:
		return fmt.Errorf("moved %f km without driving", moved)
	}
	still := was.Doing == is.Doing && lived.Drove == was.Lived.Drove && is.Added >= was.Added
	if still && is.Doing == sim.Charging && is.Fill < was.Fill {
		return fmt.Errorf("charges, and falls from %f to %f", was.Fill, is.Fill)
	}
	charged := (lived.Loaded - was.Lived.Loaded - lived.Used + was.Lived.Used) / 1e3
	idle := (lived.Idle - was.Lived.Idle + lived.Slept - was.Lived.Slept).Hours() * 0.2
	if rest := is.Stored - was.Stored - charged; rest > 1e-6 || rest < -idle-1e-6 {
		return fmt.Errorf("stored %f after %f with %f in between", is.Stored, was.Stored, charged)
	}
	return nil
}

func TestSameSeedSameLife(t *testing.T) {
	life := func(seed uint64) string {
		w := newWorld(t, sim.Options{Seed: seed})
		w.wait(100 * time.Minute) // in the middle of the way to work
		w.wait(23 * time.Minute)
		return w.data(nightjar).want(t, 200, "drive_state").Body + w.token
	}
	one, again, other := life(1), life(1), life(2)
	if one != again {
		t.Error("the same seed gave two lives")
	}
	if one == other {
		t.Error("two seeds gave one life")
	}
}

// The reference month is what bills are compared by: every day an hour of driving
// in two trips, about two hours of AC, three hours idle, the rest asleep.
func TestReferenceMonth(t *testing.T) {
	w := newWorld(t, alone(sim.ReferenceMonth()))
	w.now = w.now.Truncate(24 * time.Hour)
	car := w.Car(nightjar)
	before := car.Snapshot()
	const days = 30
	w.wait(days * 24 * time.Hour)
	is := car.Snapshot()
	a, b := before.Lived, is.Lived
	perDay := func(a, b time.Duration) time.Duration { return (b - a) / days }
	drove, charged := perDay(a.Drove, b.Drove), perDay(a.Charged, b.Charged)
	idle, slept := perDay(a.Idle, b.Idle), perDay(a.Slept, b.Slept)
	t.Logf("a day: drove %v and %.1f km, charged %v, idle %v, slept %v; %.1f Wh/km; full to %.2f",
		drove, (is.Odometer-before.Odometer)/days, charged, idle, slept,
		(b.Used-a.Used)/(is.Odometer-before.Odometer), is.Fill)
	around := func(is, want, by time.Duration) bool { return is > want-by && is < want+by }
	if drove != time.Hour || !around(charged, 2*time.Hour, 10*time.Minute) ||
		!around(idle, 3*time.Hour, 2*time.Minute) {
		t.Error("that is not the reference month")
	}
	if b.Wakes != 0 || is.State != sim.Asleep {
		t.Errorf("woken %d times, %s in the end", b.Wakes, is.State)
	}
}

// A car that is asleep wakes slowly when it is asked to, stays awake for a while,
// and longer if somebody reads it; asking for its state does not keep it awake.
func TestSleep(t *testing.T) {
	w := newWorld(t, sim.Options{Cars: []sim.Spec{{VIN: wagtail, Asleep: true, Model: sim.ModelY}}})
	state := func() string { s, _ := w.get("/vehicles/"+wagtail).at(t, "response", "state").(string); return s }
	w.data(wagtail).want(t, 408, "vehicle unavailable")
	if s := w.post("/vehicles/"+wagtail+"/wake_up", "").at(t, "response", "state"); s != "asleep" {
		t.Errorf("just woken: %v", s)
	}
	w.wait(2900 * time.Millisecond)
	if state() != "asleep" {
		t.Error("awake within three seconds")
	}
	w.wait(27200 * time.Millisecond)
	if state() != "online" {
		t.Error("not awake after thirty seconds")
	}
	for range 4 { // readings keep it awake
		w.wait(8 * time.Minute)
		w.data(wagtail).want(t, 200, "charge_state")
	}
	for range 4 { // states do not
		w.wait(2 * time.Minute)
		if state() != "online" {
			t.Error("asleep too early")
		}
	}
	w.wait(2 * time.Minute)
	if state() != "asleep" {
		t.Error("a state check keeps the car awake")
	}
	w.data(wagtail).want(t, 408, "offline or asleep")
}

// A reading every ten minutes does not keep a modern car awake; an old one it does.
func TestOldCarsCannotSleepWhileTheyAreRead(t *testing.T) {
	w := newWorld(t, sim.Options{Cars: []sim.Spec{{VIN: nightjar}, {VIN: bittern, Model: sim.OldS}}})
	for range 12 {
		w.data(nightjar)
		w.data(bittern).want(t, 200, "charge_state")
		w.wait(10 * time.Minute)
	}
	w.data(nightjar).want(t, 408, "")
}

func TestSettingsKeepACarAwake(t *testing.T) {
	for name, set := range map[string]func(*sim.Settings){
		"sentry":  func(s *sim.Settings) { s.Sentry = true },
		"climate": func(s *sim.Settings) { s.Climate = true },
		"user":    func(s *sim.Settings) { s.UserPresent = true },
		"door":    func(s *sim.Settings) { s.Doors = map[string]bool{"df": true} },
	} {
		w := newWorld(t, alone(nil))
		car := w.Car(nightjar)
		car.Set(set)
		w.wait(3 * time.Hour)
		if s := car.Snapshot().State; s != sim.Online {
			t.Errorf("%s: %s", name, s)
		}
		car.Set(func(s *sim.Settings) { *s = sim.Settings{} })
		w.wait(10 * time.Minute)
		if s := car.Snapshot().State; s != sim.Asleep {
			t.Errorf("%s is over: %s", name, s)
		}
	}
}
