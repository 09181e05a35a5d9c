//go:build homeassistant

package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// newest is the release of Home Assistant that everything is tried with.
const newest = "2026.11.0"

// scenario is one row of the matrix.
type scenario struct {
	id       string
	sentence string
	play     func(*house)
	places   []place  // nil: the newest release, a metric home, the embedded broker
	settings []string // of the program
}

var (
	embedded = place{newest, metric, false}
	external = place{newest, metric, true}
	american = place{newest, us, false}
	older    = place{"2026.9.4", metric, true}
	oldest   = place{"2026.2.3", metric, true} // on Python 3.13

	outside     = []place{external}
	bothBrokers = []place{embedded, external}
	bothHomes   = []place{embedded, american}
	everywhere  = []place{embedded, external, american, {newest, us, true}, older, oldest}
	withOlder   = []place{embedded, external, older, oldest}
)

// matrix is what is tried.
var matrix = []scenario{
	{"E2E-01", "a car appears with all it has, where Home Assistant was first", cleanStart, everywhere, nil},
	{"E2E-01b", "two cars keep apart", twoCars, nil, nil},
	{"E2E-01c", "a program that knows its car tells a home that does not", allAtOnce, outside, nil},
	{"E2E-02", "Home Assistant starts after the program", lateHome, bothBrokers, nil},
	{"E2E-03", "Home Assistant restarts while the program runs", homeRestarts, withOlder, nil},
	{"E2E-07", "new messages come while Home Assistant starts with old ones", updateRace, outside, nil},
	{"E2E-08", "what a car sends is what people read, in their units", everyValue, append(bothHomes, older), nil},
	{"E2E-09", "missing, null, NaN, huge and other wrong values", wrongValues, nil, nil},
	{"E2E-10", "words that are no options, texts that are too long", wrongWords, nil, nil},
	{"E2E-11", "home, work, away, no fix, late points", whereabouts, nil, nil},
	{"E2E-11b", "what happens is an event, told once", happenings, nil, nil},
	{"E2E-13b", "forwarded bodies wait for the program", forwarded, outside, nil},
	{"E2E-16", "a field appears later", newField, nil, nil},
	{"E2E-17", "a car is forgotten", forgotten, []place{embedded, external, older}, nil},
	{"E2E-17b", "a field is removed", fieldRemoved, []place{embedded, older}, nil},
	{"E2E-18", "the user deletes the device", deviceDeleted, withOlder, nil},
	{"E2E-18b", "the user deletes one entity", entityDeleted, nil, nil},
	{"E2E-19", "the user's names, ids and areas survive new names of ours", customised, withOlder, nil},
	{"E2E-21", "the discovery prefix and the birth topic are the user's", ownPrefix, nil,
		[]string{"DISCOVERY__PREFIX=my_home", "DISCOVERY__BIRTH_TOPIC=my_home/birth"}},
	{"E2E-25", "a whole database of 100 000 points is uploaded", wholeDatabase, bothBrokers,
		[]string{"MQTT__MIN_INTERVAL=30s"}},
	{"E2E-26", "Home Assistant speaks MQTT 5 and 3.1.1 to the embedded broker", protocols, nil, nil},
	{"ways/blueprint", "bodies come by a webhook of Home Assistant and the blueprint", forwardedByHome,
		[]place{embedded, oldest}, nil},
	{"E2E-28", "rows in Home Assistant's recorder for one hour of driving", hourOfDriving, nil,
		[]string{"MQTT__MIN_INTERVAL=30s"}},
	{"tesla/appears", "a Tesla appears with all it has; its account too", teslaAppears, everywhere, nil},
}

// outages are the scenarios in which something is away for a while.
var outages = []scenario{
	{"E2E-04", "the program is killed and starts again", powerCut, withOlder, nil},
	{"E2E-05", "the broker restarts, with its data and without", brokerRestarts, outside, nil},
	{"E2E-06", "the program stops in peace", goodbye, bothBrokers, nil},
	{"E2E-13", "retained orders are none", retainedOrders, bothBrokers, nil},
	{"E2E-27", "a wrong password, and a broker that is not there", closedDoors, outside, nil},
}

// patient are the scenarios that wait for Home Assistant's own timers.
var patient = []scenario{
	{"E2E-22", "statistics and the energy dashboard find nothing wrong; the device page (E2E-23, E2E-30)", statistics, nil,
		[]string{"CARS__POLESTAR__NAME=Polestar 2", "CARS__POLESTAR__MANUFACTURER=Polestar", "CARS__POLESTAR__MODEL=Polestar 2"}},
}

// The lanes go on beside each other: Home Assistant mostly waits.

func TestHomeAssistant(t *testing.T) {
	t.Parallel()
	try(t, matrix, isNewest)
}

func TestOutages(t *testing.T) {
	t.Parallel()
	try(t, outages, isNewest)
}

func TestPatient(t *testing.T) {
	t.Parallel()
	try(t, patient, isNewest)
}

// TestOlder leaves the newest release, which three lanes wait for, to be made first.
func TestOlder(t *testing.T) {
	t.Parallel()
	installed(t, newest)
	try(t, slices.Concat(matrix, outages), isOlder)
}

func isNewest(p place) bool { return p.version == newest }

func isOlder(p place) bool { return !isNewest(p) }

// try plays scenarios one after the other, in the places of a kind, and prints what
// came of it.
func try(t *testing.T, scenarios []scenario, kind func(place) bool) {
	t.Helper()
	w := newWorkshop(t)
	defer w.figures.print(os.Stdout)
	for _, s := range scenarios {
		for _, p := range s.where() {
			if kind(p) {
				t.Run(s.id+"/"+p.String(), func(t *testing.T) { w.play(t, s, p) })
			}
		}
	}
}

// where is where a scenario is played.
func (s scenario) where() []place {
	if s.places == nil {
		return []place{embedded}
	}
	return s.places
}

// workshop has what scenarios share: the program's binary, and a Home Assistant of
// each kind that was settled once.
type workshop struct {
	dir       string
	binary    string
	templates map[place]*instance
	figures   *figures
}

func newWorkshop(t *testing.T) *workshop {
	t.Helper()
	w := &workshop{dir: t.TempDir(), templates: map[place]*instance{}, figures: &figures{}}
	w.binary = filepath.Join(w.dir, "wheelhouse")
	if err := build(w.binary); err != nil {
		t.Fatal(err)
	}
	return w
}

// build makes the program's binary.
func build(binary string, flags ...string) error {
	args := append(append([]string{"build"}, flags...), "-o", binary, "../../cmd/wheelhouse")
	out, err := exec.Command("go", args...).CombinedOutput()
	if err != nil {
		return errors.New(string(out))
	}
	return nil
}

// installed makes a release of Home Assistant, or skips the test where none can be.
func installed(t *testing.T, version string) {
	t.Helper()
	err := install(version)
	var none unavailable
	if errors.As(err, &none) {
		t.Skip("no Home Assistant: ", none)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// template is a Home Assistant to be copied. It does not run.
func (w *workshop) template(t *testing.T, p place) *instance {
	t.Helper()
	key := place{version: p.version, home: p.home}
	if ha := w.templates[key]; ha != nil {
		return ha
	}
	began := time.Now()
	installed(t, p.version)
	w.figures.measured(p.version, "made or found", time.Since(began).Round(time.Second), "-")
	began = time.Now()
	ha, err := settle(p.version, filepath.Join(w.dir, p.version+"-"+p.home.units), p.home)
	if err != nil {
		t.Fatal(err)
	}
	if err := ha.stop(); err != nil {
		t.Fatal(err)
	}
	if err := ha.forgetHistory(); err != nil {
		t.Fatal(err)
	}
	w.figures.measured(p.version+" "+p.home.units, "settled", time.Since(began).Round(time.Millisecond), "-")
	w.templates[key] = ha
	return ha
}

// play plays a scenario in one place.
func (w *workshop) play(t *testing.T, s scenario, p place) {
	template := w.template(t, p)
	began := time.Now()
	t.Cleanup(func() {
		verdict := "pass"
		if t.Failed() {
			verdict = "FAIL"
		} else if t.Skipped() {
			verdict = "skipped"
		}
		w.figures.ended(s.id+" "+p.String(), s.sentence, verdict, time.Since(began))
	})
	h := furnish(t, p, template, w.binary, s.settings...)
	h.figures = w.figures
	s.play(h)
}
