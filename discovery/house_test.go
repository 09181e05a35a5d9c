package discovery_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/discovery"
)

var start = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

// house is an announcer with a broker that answers at once.
type house struct {
	*testing.T
	cfg    discovery.Config
	a      *discovery.Announcer
	now    time.Time
	broker map[string]string
	kept   []string  // deleted topics, as the program would store them
	sent   []string  // topics of the messages since the last look
	first  time.Time // when the first of them was sent
	resent int
	errs   []error
}

func newHouse(t *testing.T) *house {
	h := &house{
		T: t, cfg: sample(), broker: map[string]string{},
		now: start,
	}
	h.restart()
	return h
}

// restart is a new program with what the old one stored.
func (h *house) restart() {
	h.a = discovery.New(h.cfg, slices.Clone(h.kept), func() float64 { return 0.5 })
}

// take carries out a step; the broker's echoes come back at once.
func (h *house) take(s discovery.Step) {
	h.Helper()
	h.kept = append(h.kept, s.Deleted...)
	h.kept = slices.DeleteFunc(h.kept, func(topic string) bool {
		return slices.Contains(s.Restored, topic)
	})
	h.errs = append(h.errs, s.Errors...)
	if s.Resend {
		h.resent++
	}
	for _, m := range s.Messages {
		if !m.Retain {
			h.Errorf("%s is not retained", m.Topic)
		}
		if len(h.sent) == 0 {
			h.first = h.now
		}
		h.sent = append(h.sent, m.Topic)
		for _, err := range discovery.Lint(m.Topic, []byte(m.Payload)) {
			h.Error(err)
		}
		h.publish(m.Topic, m.Payload)
	}
}

// publish is anybody's message to the broker.
func (h *house) publish(topic, payload string) {
	h.broker[topic] = payload
	if payload == "" {
		delete(h.broker, topic)
	}
	h.take(h.a.Heard(topic, []byte(payload), false, h.now))
}

// birth is what Home Assistant says of itself; the broker does not keep it.
func (h *house) birth(word string) {
	h.take(h.a.Heard("homeassistant/status", []byte(word), false, h.now))
}

// up connects, and the broker tells what it retains.
func (h *house) up() {
	h.take(h.a.Up(h.now))
	for _, topic := range slices.Sorted(maps.Keys(h.broker)) {
		h.take(h.a.Heard(topic, []byte(h.broker[topic]), true, h.now))
	}
}

func (h *house) announce(devices ...car.Device) {
	for _, d := range devices {
		h.take(h.a.Announce(d, h.now))
	}
}

// pass lets time go by, with a tick whenever one is due.
func (h *house) pass(d time.Duration) {
	end := h.now.Add(d)
	for next := h.a.Next(); !next.IsZero() && !next.After(end); next = h.a.Next() {
		if next.After(h.now) {
			h.now = next
		}
		h.take(h.a.Tick(h.now))
	}
	h.now = end
}

// settled is a house in which devices have been announced long ago.
func settled(t *testing.T, devices ...car.Device) *house {
	h := newHouse(t)
	h.up()
	h.announce(devices...)
	h.pass(10 * time.Minute)
	h.expect(slices.Collect(maps.Keys(wanted(t, h.cfg, devices...)))...)
	return h
}

// expect compares the topics sent since the last look, in any order.
func (h *house) expect(topics ...string) {
	h.Helper()
	slices.Sort(topics)
	slices.Sort(h.sent)
	if diff := cmp.Diff(topics, h.sent); diff != "" && len(topics)+len(h.sent) > 0 {
		h.Errorf("sent (-want +got)\n%s", diff)
	}
	h.sent = nil
}

// holds compares what the broker has.
func (h *house) holds(devices ...car.Device) {
	h.Helper()
	if diff := cmp.Diff(wanted(h, h.cfg, devices...), h.broker); diff != "" {
		h.Errorf("broker (-want +got)\n%s", diff)
	}
}

// toldToGo expects a sensor to be nothing but its platform.
func (h *house) toldToGo(key, platform string) {
	h.Helper()
	got := object(part(h, h.broker[sensors], key))
	if diff := cmp.Diff(object{"platform": platform}, got); diff != "" {
		h.Errorf("%s (-want +got)\n%s", key, diff)
	}
}

// deleteInHome is the user deleting a device: Home Assistant empties each of
// its topics once per component.
func (h *house) deleteInHome(device string) {
	for _, topic := range slices.Sorted(maps.Keys(h.broker)) {
		if strings.Contains(topic, "/"+device+"/") {
			for range 3 {
				h.publish(topic, "")
			}
		}
	}
}

func allTopics(t *testing.T, devices ...car.Device) []string {
	return slices.Sorted(maps.Keys(wanted(t, sample(), devices...)))
}
