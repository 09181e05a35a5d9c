package bridge

import (
	"encoding/json"
	"math"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

const (
	roamEvery   = 10 * time.Second // a moving position is published at most this often
	roamMetres  = 25               // and only when it moved this far
	earthRadius = 6_371_000        // m
)

// paces are how often topics may change.
type paces struct{ calm time.Duration }

// every is the shortest time between two messages of a topic of this pace.
func (p paces) every(pace car.Pace) time.Duration {
	switch pace {
	case car.Calm:
		return p.calm
	case car.Roaming:
		return min(roamEvery, p.calm)
	case car.Minutely:
		return time.Minute
	}
	return 0
}

// slot is one retained topic of a car: what it says, what it should say, and
// when it may say it.
type slot struct {
	want string    // the newest payload
	sent string    // the payload on the topic; "" for none yet
	ripe time.Time // the reports' time from which on another may be sent
	due  time.Time // when want may be sent, by our clock; zero if nothing waits
}

// offer takes the newest payload, made of a report of time at that arrived at
// now, and says whether it is to be sent at once. What is held back becomes due
// by the reports' own time, so that a backlog counts as the time it spans.
func (s *slot) offer(payload string, at, now time.Time, every time.Duration) (send bool) {
	s.want = payload
	if payload == s.sent {
		s.due = time.Time{}
		return false
	}
	left := s.ripe.Sub(at)
	if s.sent == "" || every <= 0 || left <= 0 {
		s.took(at, every)
		return true
	}
	if due := now.Add(min(every, left)); s.due.IsZero() || due.Before(s.due) {
		s.due = due
	}
	return false
}

// took notes that want is sent, the reports being at that time.
func (s *slot) took(at time.Time, every time.Duration) {
	s.sent, s.ripe, s.due = s.want, at.Add(every), time.Time{}
}

// follows notes that want is sent because it is due: it counts as of then, or
// the next one would come too early.
func (s *slot) follows(at time.Time, every time.Duration) {
	if at.Before(s.ripe) {
		at = s.ripe
	}
	s.took(at, every)
}

// waits says whether something is held back.
func (s *slot) waits() bool { return s.want != s.sent }

// moved says whether two payloads of a tracker are far enough apart to tell.
func moved(from, to string) bool {
	var a, b struct{ Latitude, Longitude float64 }
	if json.Unmarshal([]byte(from), &a) != nil || json.Unmarshal([]byte(to), &b) != nil {
		return true
	}
	const degree = math.Pi / 180
	dy := (b.Latitude - a.Latitude) * degree
	dx := (b.Longitude - a.Longitude) * degree * math.Cos(a.Latitude*degree)
	return math.Hypot(dx, dy)*earthRadius >= roamMetres
}
