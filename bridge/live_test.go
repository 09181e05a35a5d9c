package bridge

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// start is when the tests of live begin, by the car's clock and ours.
var start = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// stage is one car's live state, and what was published of it.
type stage struct {
	*live
	topics map[string]string   // retained, by key
	said   map[string][]string // everything published, by key
	events []string
	now    time.Time
}

func newStage(calm time.Duration) *stage {
	return &stage{
		live: newLive("blue", Sample, car.Topics{Prefix: "w"}, calm, 3*time.Minute),
		now:  start, topics: map[string]string{}, said: map[string][]string{},
	}
}

func (s *stage) publish(out []car.Message) {
	for _, m := range out {
		key := strings.TrimPrefix(m.Topic, "w/blue/")
		if !m.Retain {
			s.events = append(s.events, m.Payload)
			continue
		}
		s.topics[key] = m.Payload
		s.said[key] = append(s.said[key], m.Payload)
	}
}

// report applies a report that arrives now and was made some seconds after the
// start.
func (s *stage) report(seconds float64, values Values) {
	at := start.Add(time.Duration(math.Round(seconds*1000)) * time.Millisecond)
	s.take(car.Batch{Car: "blue", Received: s.now, Report: values.Report(at), Last: true})
}

func (s *stage) take(b car.Batch) {
	c := s.clone()
	c.apply(b)
	s.live = c
	s.publish(s.live.publish(s.now))
}

// until lets time pass to some seconds after the start, and does what becomes
// due meanwhile.
func (s *stage) until(seconds float64) {
	end := start.Add(time.Duration(seconds * float64(time.Second)))
	for {
		next := s.next()
		if next.IsZero() || next.After(end) {
			break
		}
		s.now = later(s.now, next)
		s.publish(s.tick(s.now))
	}
	s.now = end
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (s *stage) expect(t *testing.T, want map[string]string) {
	t.Helper()
	for key, payload := range want {
		if s.topics[key] != payload {
			t.Errorf("%s is %q, want %q", key, s.topics[key], payload)
		}
	}
}

// told is everything that was said on a key's topic.
func (s *stage) told(t *testing.T, key string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, s.said[key]); diff != "" {
		t.Errorf("%s: %s", key, diff)
	}
}

// kinds are the events so far.
func (s *stage) kinds() (kinds []string) {
	for _, e := range s.events {
		kinds = append(kinds, strings.Split(e, `"`)[3])
	}
	return kinds
}

func TestUnchangedIsNotSaidTwice(t *testing.T) {
	s := newStage(0)
	for i := range 5 {
		s.report(float64(i), Values{"soc": 0.5, "gear": "P"})
		s.now = s.now.Add(time.Second)
	}
	s.report(9, Values{"soc": 0.50004, "gear": "P"}) // the same as it is published
	s.told(t, "battery", "50")
	s.told(t, "gear", "P")
	s.told(t, "last_seen", "2026-05-01T12:00:00Z")
}

func TestNeverBackInTime(t *testing.T) {
	s := newStage(0)
	s.report(10, Values{"soc": 0.5, "gear": "D", "lat": 56.0, "lon": 3.0})
	s.report(0, Values{"soc": 0.7, "gear": "P", "lat": 50.0, "lon": 3.0, "outside": 20})
	s.expect(t, map[string]string{
		"battery": "50", "gear": "D", "location": `{"latitude":56,"longitude":3}`,
		"outside_temperature": "20", // nothing newer is known
	})
	s.report(5, Values{"outside": 21})
	s.report(2, Values{"outside": 22})
	s.told(t, "outside_temperature", "20", "21")
	s.told(t, "battery", "50")
	if len(s.events) > 0 {
		t.Errorf("old reports told of %v", s.kinds())
	}
}

// An instantaneous value that the newest report lacks is unknown, whether an
// older report comes before it or after.
func TestMissingInTheNewest(t *testing.T) {
	tests := []struct {
		name    string
		reports []float64
	}{{"in order", []float64{0, 5}}, {"reversed", []float64{5, 0}}}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newStage(0)
			for _, at := range test.reports {
				if at == 0 {
					s.report(at, Values{"speed": 10, "soc": 0.5})
				} else {
					s.report(at, Values{"gear": "P"})
				}
			}
			if got := s.topics["speed"]; got != car.None && got != "" {
				t.Errorf("speed is %q", got)
			}
			s.expect(t, map[string]string{"battery": "50"})
		})
	}
}

func TestSilence(t *testing.T) {
	s := newStage(30 * time.Second)
	s.report(0, Values{"soc": 0.5, "speed": 20, "power": 14_400, "gear": "D", "plug": false,
		"outside": 20, "lat": 56.0, "lon": 3.0})
	s.expect(t, map[string]string{"online": "ON", "driving": "ON", "speed": "72", "power": "14.4",
		"consumption_now": "20", "charging_power": "0", "charging": "OFF"})
	s.report(5, Values{"soc": 0.49, "speed": 20, "power": 14_400, "gear": "D", "plug": false,
		"lat": 56.0001, "lon": 3.0}) // 11 m on
	s.told(t, "location", `{"latitude":56,"longitude":3}`)
	s.until(179)
	s.expect(t, map[string]string{"online": "ON", "speed": "72"})
	s.until(181)
	s.expect(t, map[string]string{
		"online": "OFF", "driving": "OFF", "speed": "None", "power": "None", "charging_power": "None",
		"consumption_now": "None", "charging": "None",
		"battery": "49", "gear": "D", "plugged_in": "OFF", "outside_temperature": "20",
		"location": `{"latitude":56.0001,"longitude":3}`, // where it fell silent
	})
	if len(s.events) > 0 {
		t.Errorf("silence told of %v", s.kinds())
	}
	if next := s.next(); !next.IsZero() {
		t.Errorf("a silent car has something to do at %v", next)
	}
	s.report(181, Values{"soc": 0.49, "speed": 10, "power": 7_200, "gear": "D", "plug": false})
	s.expect(t, map[string]string{"online": "ON", "driving": "ON", "speed": "36", "charging": "OFF"})
	if len(s.events) > 0 {
		t.Errorf("the end of silence told of %v", s.kinds())
	}
}

// The same request once more brings nothing back to life.
func TestRepetitionIsNotNew(t *testing.T) {
	s := newStage(0)
	driving := Values{"speed": 20, "gear": "D", "soc": 0.5}
	s.report(0, driving)
	s.until(600)
	s.expect(t, map[string]string{"speed": "None", "driving": "OFF", "online": "OFF"})
	s.report(0, driving)
	s.expect(t, map[string]string{"speed": "None", "driving": "OFF", "online": "ON"})
}

// A snapshot that waited holds from when it was taken.
func TestDelayedSnapshot(t *testing.T) {
	s := newStage(0)
	s.now = start.Add(time.Hour)
	r := Values{"speed": 20, "gear": "D", "soc": 0.5}.Report(start)
	r.Age = time.Hour
	s.take(car.Batch{Received: s.now, Report: r, Last: true})
	s.expect(t, map[string]string{"battery": "50", "driving": "OFF", "speed": "", "online": "ON"})
}

func TestEvents(t *testing.T) {
	parked := Values{"gear": "P", "plug": false, "power": 0}
	plugged := Values{"gear": "P", "plug": true, "power": 0}
	driving := Values{"gear": "D", "plug": false, "power": 9000}
	charging := Values{"gear": "P", "plug": true, "power": -9000}
	tests := []struct {
		name   string
		values []Values
		want   []string
	}{
		{"the first report", []Values{driving}, nil},
		{"a drive", []Values{parked, driving, driving, parked, parked},
			[]string{car.DriveStarted, car.DriveEnded}},
		{"a charge", []Values{parked, plugged, charging, charging, plugged, parked},
			[]string{car.PluggedIn, car.ChargeStarted, car.ChargeEnded, car.Unplugged}},
		{"what is not told is no change", []Values{charging, {"soc": 0.5}, charging}, nil},
		{"an unknown gear", []Values{driving, {"gear": ""}, driving}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newStage(30 * time.Second)
			for i, values := range test.values {
				for range 2 { // and once more
					s.report(float64(i), values)
				}
				s.now = s.now.Add(time.Second)
			}
			if diff := cmp.Diff(test.want, s.kinds()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEventPayload(t *testing.T) {
	s := newStage(0)
	s.report(0, Values{"gear": "P"})
	s.report(5, Values{"gear": "D"})
	want := []string{`{"event_type":"drive_started","at":"2026-05-01T12:00:05Z"}`}
	if diff := cmp.Diff(want, s.events); diff != "" {
		t.Error(diff)
	}
}

// A report older than ten minutes changes what is known, and tells nothing.
func TestNoEventsOfOldReports(t *testing.T) {
	for _, age := range []time.Duration{10 * time.Minute, 10*time.Minute + time.Second} {
		s := newStage(0)
		s.report(0, Values{"gear": "P"})
		s.now = start.Add(5*time.Second + age)
		s.report(5, Values{"gear": "D"})
		s.expect(t, map[string]string{"driving": "ON"})
		if told := len(s.events) > 0; told != (age <= 10*time.Minute) {
			t.Errorf("a report %v old told of %v", age, s.kinds())
		}
		s.report(6, Values{"gear": "D"})
		if len(s.events) > 1 {
			t.Errorf("told twice: %v", s.kinds())
		}
	}
}

func TestChargingDoesNotFlicker(t *testing.T) {
	s := newStage(0)
	for i, watts := range []float64{0, -250, -301, -250, -200, -199, -250, -301} {
		s.report(float64(i), Values{"plug": true, "power": watts})
	}
	s.told(t, "charging", "OFF", "ON", "OFF", "ON")
}

// A car whose clock was ahead is heard again as soon as it is right.
func TestMendedClock(t *testing.T) {
	s := newStage(0)
	s.report(3600, Values{"soc": 0.5, "gear": "P"}) // an hour ahead
	s.now = start.Add(10 * time.Second)
	s.report(3610, Values{"soc": 0.49, "gear": "P"})
	s.now = start.Add(20 * time.Second)
	s.report(20, Values{"soc": 0.48, "gear": "D"}) // and now it is right
	s.expect(t, map[string]string{"battery": "48", "driving": "ON"})
	s.now = start.Add(30 * time.Second)
	s.report(15, Values{"soc": 0.47})
	s.expect(t, map[string]string{"battery": "48"})

	near := newStage(0)
	near.report(119, Values{"soc": 0.5}) // ahead as any clock may be
	near.report(0, Values{"soc": 0.4})
	near.expect(t, map[string]string{"battery": "50"})
}

func TestFieldsOnlyWhenSeen(t *testing.T) {
	s := newStage(0)
	keys := func() string {
		var keys []string
		for _, f := range s.fields() {
			keys = append(keys, f.Key)
		}
		return strings.Join(keys, " ")
	}
	s.report(0, Values{"soc": 0.5, "gear": "UNKNOWN"})
	if got, want := keys(), "battery driving last_seen online activity"; got != want {
		t.Errorf("announced %q, want %q", got, want)
	}
	s.report(1, Values{"gear": "P"})
	if got, want := keys(), "battery gear driving last_seen online activity"; got != want {
		t.Errorf("announced %q, want %q", got, want)
	}
	s.report(2, Values{"gear": "a word never heard"})
	s.told(t, "gear", "P", "None")
	if got, want := strings.Join(s.seenKeys(), " "),
		"battery gear driving last_seen online"; got != want {
		t.Errorf("seen %q, want %q", got, want)
	}
}

// An empty text would clear the topic instead of saying something.
func TestEmptyText(t *testing.T) {
	s := newStage(0)
	s.report(0, Values{"app": ""})
	s.told(t, "app_version")
	s.report(1, Values{"app": "0.28"})
	s.report(2, Values{"app": ""})
	s.told(t, "app_version", "0.28", "None")
}

// A car whose first request has not ended yet was never seen.
func TestNeverSeen(t *testing.T) {
	s := newStage(0)
	s.publish(s.live.publish(s.now))
	s.told(t, "last_seen")
	s.told(t, "online", "OFF")
}

func TestSavedState(t *testing.T) {
	s := newStage(0)
	s.report(0, Values{"soc": 0.5, "level": 34_000, "gear": "P", "speed": 0, "power": 300,
		"plug": true, "app": "0.28", "lat": 56.0, "lon": 3.0, "outside": -3.5})
	s.report(5, Values{"soc": 0.04, "level": 2720, "gear": "P", "power": -350, "plug": true})
	again := newStage(0)
	if err := again.load(s.save(), s.seenKeys()); err != nil {
		t.Fatal(err)
	}
	again.publish(again.live.publish(s.now))
	if diff := cmp.Diff(s.topics, again.topics); diff != "" {
		t.Error(diff)
	}
	if got := SeenCapacity(s.save()); got != 68_000 {
		t.Errorf("the capacity seen is %v Wh, want 68000", got)
	}
	// What it was is remembered too: the charge goes on, the drive begins.
	again.report(6, Values{"gear": "D", "power": -250, "plug": true})
	again.told(t, "charging", "ON")
	if diff := cmp.Diff([]string{car.DriveStarted}, again.kinds()); diff != "" {
		t.Error(diff)
	}
	if err := again.load([]byte("{"), nil); err == nil {
		t.Error("half a state was read")
	}
	if SeenCapacity([]byte("{")) != 0 {
		t.Error("half a state has a capacity")
	}
}

// What a commit that failed has applied leaves no trace.
func TestClone(t *testing.T) {
	s := newStage(0)
	s.report(0, Values{"gear": "P", "soc": 0.5})
	before := string(s.save())
	newer := Values{"gear": "D", "soc": 0.4}.Report(start.Add(time.Second))
	s.clone().apply(car.Batch{Received: s.now, Last: true, Report: newer})
	if after := string(s.save()); after != before {
		t.Errorf("was %s\nis  %s", before, after)
	}
}
