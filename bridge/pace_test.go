package bridge

import (
	"fmt"
	"testing"
	"time"
)

// drive reports a state of charge every so many seconds, as soon as it is made.
func (s *stage) drive(every, from, to float64, values func(seconds float64) Values) {
	for at := from; at <= to; at += every {
		s.until(at)
		s.report(at, values(at))
	}
}

func falling(seconds float64) Values {
	return Values{"soc": 0.9 - seconds/1000, "speed": 10 + seconds, "gear": "D"}
}

func TestCalmNumbers(t *testing.T) {
	s := newStage(30 * time.Second)
	s.drive(5, 0, 70, falling)
	s.told(t, "battery", "90", "87.5", "84.5") // at 0, 30 and 60 s, just before the next report
	if len(s.said["speed"]) != 15 {
		t.Errorf("speed was said %d times, want every time", len(s.said["speed"]))
	}
	s.until(89)
	s.told(t, "battery", "90", "87.5", "84.5")
	s.until(95) // the last value follows
	s.told(t, "battery", "90", "87.5", "84.5", "83")
}

func TestNoMinimumInterval(t *testing.T) {
	s := newStage(0)
	s.drive(5, 0, 50, func(at float64) Values {
		return Values{"soc": 0.9 - at/1000, "lat": 56 + at/1e6, "lon": 3.0}
	})
	for _, key := range []string{"battery", "location"} {
		if len(s.said[key]) != 11 {
			t.Errorf("%s was said %d times, want every time", key, len(s.said[key]))
		}
	}
}

// A backlog counts as the time it spans.
func TestCalmBacklog(t *testing.T) {
	s := newStage(30 * time.Second)
	s.now = start.Add(5 * time.Minute)
	for at := 0.0; at <= 70; at += 5 {
		s.report(at, falling(at)) // all at once
	}
	s.told(t, "battery", "90", "87", "84")
}

// What changed back need not be said.
func TestCalmChangedBack(t *testing.T) {
	s := newStage(30 * time.Second)
	s.report(0, Values{"soc": 0.5})
	s.report(5, Values{"soc": 0.4})
	s.report(10, Values{"soc": 0.5})
	s.until(170)
	s.told(t, "battery", "50")
}

func TestFlush(t *testing.T) {
	tests := []struct {
		name        string
		before, end Values
	}{
		{"end of a drive", Values{"gear": "D"}, Values{"gear": "P"}},
		{"end of a charge", Values{"plug": true, "power": -9000}, Values{"plug": true, "power": 0}},
		{"unplugged", Values{"plug": true}, Values{"plug": false}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newStage(time.Minute)
			with := func(v Values, soc, lat float64) Values {
				all := Values{"soc": soc, "lat": lat, "lon": 3.0}
				for path, x := range v {
					all[path] = x
				}
				return all
			}
			s.report(0, with(test.before, 0.5, 56))
			s.until(5)
			s.report(5, with(test.before, 0.49, 56.00001))
			s.told(t, "battery", "50")
			s.until(10)
			s.report(10, with(test.end, 0.48, 56.00002))
			s.told(t, "battery", "50", "48")
			s.told(t, "location", position(56), position(56.00002))
			s.told(t, "last_seen", "2026-05-01T12:00:00Z")
			if len(s.events) != 1 {
				t.Errorf("events: %v", s.kinds())
			}
		})
	}
}

func position(lat float64) string { return fmt.Sprintf(`{"latitude":%v,"longitude":3}`, lat) }

func TestRoaming(t *testing.T) {
	const metre = 1.0 / 111_195 // degrees of latitude
	s := newStage(30 * time.Second)
	at := func(seconds, metres float64) {
		s.until(seconds)
		s.report(seconds, Values{"lat": 56 + metres*metre, "lon": 3.0})
	}
	count := func(want int, why string) {
		t.Helper()
		if got := len(s.said["location"]); got != want {
			t.Errorf("%s: said %d times, want %d", why, got, want)
		}
	}
	at(0, 0)
	count(1, "the first")
	at(20, 24.9)
	count(1, "not far enough")
	at(21, 25.1)
	count(2, "25 m on")
	at(25, 100)
	count(2, "within 10 s")
	s.until(31.5)
	count(3, "and after")
	at(32, 100)
	s.until(60)
	count(3, "standing")
	at(61, 130)
	at(63, 140)
	at(65, 125) // back to where it was
	s.until(120)
	count(4, "back within 25 m")
}

func TestMinutely(t *testing.T) {
	s := newStage(0)
	s.drive(5, 0, 170, falling)
	s.told(t, "last_seen", "2026-05-01T12:00:00Z", "2026-05-01T12:00:55Z", "2026-05-01T12:01:55Z")
	s.until(200)
	if got := s.topics["last_seen"]; got != "2026-05-01T12:02:50Z" {
		t.Errorf("the last request was at 12:02:50, told %s", got)
	}
}

func TestDocuments(t *testing.T) {
	s := newStage(30 * time.Second)
	set := func(seconds float64, payload string) {
		s.until(seconds)
		s.publish(s.document("diagnostics", payload, 3, s.now))
	}
	set(0, "a")
	set(1, "b")
	set(2, "c")
	set(3, "") // leaves it as it is
	s.told(t, "diagnostics", "a")
	s.until(59)
	s.told(t, "diagnostics", "a")
	s.until(60)
	s.told(t, "diagnostics", "a", "c")
}
