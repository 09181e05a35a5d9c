//go:build mosquitto

package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// The topics of the tests' cars.
const (
	status        = "wheelhouse/status"
	battery       = "wheelhouse/polestar/battery"
	sensors       = "homeassistant/device/wheelhouse_polestar/sensor/config"
	programDevice = "homeassistant/device/wheelhouse_bridge/"
)

// holds says whether a topic is retained with a payload.
func holds(p *peer, topic, payload string) func() bool {
	return func() bool { return p.kept[topic] == payload }
}

// lives says whether a house is complete at the broker: the program, one car, and
// the introduction of both.
func lives(p *peer) func() bool {
	return func() bool {
		return p.kept[status] == "online" && p.kept[battery] != "" && p.kept[sensors] != "" &&
			slices.ContainsFunc(slices.Collect(maps.Keys(p.kept)), func(topic string) bool {
				return strings.HasPrefix(topic, programDevice)
			})
	}
}

// ours are the topics of the program among those that a broker retains.
func ours(kept map[string]string) []string {
	return slices.Sorted(maps.Keys(kept))
}

// carTopics are the discovery topics of a car.
func carTopics(kept map[string]string, id string) (topics []string) {
	for _, topic := range ours(kept) {
		if strings.HasPrefix(topic, "homeassistant/device/wheelhouse_"+id+"/") {
			topics = append(topics, topic)
		}
	}
	return topics
}

// settled waits until the broker retains the house, and says which topics.
func settled(t *testing.T, p *peer) []string {
	t.Helper()
	expect(t, p, "the house is there", lives(p))
	var topics []string
	expect(t, p, "all discovery is there", func() bool {
		topics = ours(p.kept)
		return len(carTopics(p.kept, "polestar")) >= 3
	})
	return topics
}

// The broker loses power. All that it knew is there again within five seconds of
// its return, and nothing is older than what was accepted meanwhile.
func TestBrokerLosesPower(t *testing.T) {
	for _, kept := range []bool{true, false} {
		t.Run(fmt.Sprint("data kept ", kept), func(t *testing.T) {
			m := newRealBroker(t, passwords+keeping)
			h := newHouse(t, m)
			started(t, h)
			drive(t, h, "polestar", 0, 0.81)
			before := settled(t, m.peer())
			m.kill()
			if !kept {
				_ = os.Remove(m.file("mosquitto.db"))
			}
			drive(t, h, "polestar", 5, 0.8)
			m.start()
			back := time.Now()
			p := m.peer()
			expect(t, p, "everything is back", func() bool {
				return p.kept[status] == "online" && p.kept[battery] == "80" &&
					!slices.ContainsFunc(before, func(topic string) bool { return p.kept[topic] == "" })
			})
			if d := time.Since(back); d > 5*time.Second {
				t.Errorf("everything back after %v", d)
			}
		})
	}
}

// The program dies: its will says so, after a while. It comes back as it was.
func TestProgramKilled(t *testing.T) {
	m := newRealBroker(t, passwords)
	p := m.peer()
	h := newHouse(t, m)
	started(t, h)
	drive(t, h, "polestar", 0, 0.81)
	before := settled(t, p)
	start := time.Now()
	h.kill()
	expect(t, p, "the will", holds(p, status, "offline"))
	if d := time.Since(start); d < 9*time.Second || d > 15*time.Second {
		t.Errorf("offline after %v", d)
	}
	p.mark()
	started(t, h)
	expect(t, p, "online again", holds(p, status, "online"))
	drive(t, h, "volvo", 0, 0.5)
	expect(t, p, "a new car is introduced", func() bool { return len(carTopics(p.kept, "volvo")) >= 3 })
	for _, topic := range before {
		if p.snapshot()[topic] == "" {
			t.Errorf("%s is gone", topic)
		}
	}
	// What Home Assistant has been told already is not told again.
	for _, message := range p.heard() {
		if strings.HasPrefix(message, "homeassistant/device/wheelhouse_polestar/") {
			t.Errorf("told again: %.80s", message)
		}
	}
}

// The program ends in peace: offline at once.
func TestProgramStops(t *testing.T) {
	m := newRealBroker(t, passwords)
	p := m.peer()
	h := newHouse(t, m)
	started(t, h)
	expect(t, p, "online", holds(p, status, "online"))
	start := time.Now()
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	expect(t, p, "offline", holds(p, status, "offline"))
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("offline after %v", d)
	}
}

// Home Assistant starts: it is told of young devices once more, and of all states
// when it has digested those.
func TestHomeAssistantStarts(t *testing.T) {
	m := newRealBroker(t, passwords)
	p := m.peer()
	h := newHouse(t, m)
	started(t, h)
	drive(t, h, "polestar", 0, 0.81)
	topics := settled(t, p)
	p.mark()
	say(t, p, "homeassistant/status", "online", false)
	start := time.Now()
	tells := func(topic string) bool {
		return slices.ContainsFunc(p.live, func(message string) bool {
			return strings.HasPrefix(message, topic+" ")
		})
	}
	var config time.Duration
	expect(t, p, "the devices are told again", func() bool { config = time.Since(start); return tells(sensors) })
	expect(t, p, "all is told again", func() bool {
		return !slices.ContainsFunc(topics, func(topic string) bool { return !tells(topic) })
	})
	if config < time.Second || config > 6*time.Second {
		t.Errorf("the devices %v after the birth, not at random from 1 to 5 s", config)
	}
	if d := time.Since(start) - config; d < 1900*time.Millisecond {
		t.Errorf("the states %v after the devices, not 2 s", d)
	}
}

// A device that was deleted in Home Assistant stays away, over restarts of the
// broker and of the program, until somebody wants it back.
func TestDeviceDeleted(t *testing.T) {
	m := newRealBroker(t, passwords)
	p := m.peer()
	h := newHouse(t, m)
	started(t, h)
	drive(t, h, "polestar", 0, 0.81)
	settled(t, p)
	deleted := carTopics(p.snapshot(), "polestar")
	for _, topic := range deleted {
		say(t, p, topic, "", true)
	}
	says(t, h, "deleted in Home Assistant")
	drive(t, h, "polestar", 5, 0.8)
	expect(t, p, "values still come", holds(p, battery, "80"))
	away := func(p *peer, other string) {
		t.Helper()
		drive(t, h, other, 0, 0.5) // told of after polestar, if that were told of
		expect(t, p, "another car is introduced", func() bool { return len(carTopics(p.kept, other)) >= 3 })
		for _, topic := range deleted {
			if p.snapshot()[topic] != "" || slices.ContainsFunc(p.heard(), func(message string) bool {
				return strings.HasPrefix(message, topic+" {")
			}) {
				t.Errorf("%s came back, if only for a moment", topic)
			}
		}
	}
	m.kill()
	m.start()
	p = m.peer()
	expect(t, p, "values are back", holds(p, battery, "80"))
	away(p, "volvo")
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	p.mark()
	started(t, h)
	away(p, "zoe")
	run(t, h, "republish", "polestar")
	expect(t, p, "it is wanted back", func() bool {
		return slices.Equal(carTopics(p.kept, "polestar"), deleted)
	})
}

// Every name is the user's to choose.
func TestOtherNames(t *testing.T) {
	m := newRealBroker(t, passwords)
	p := m.peer()
	h := newHouse(t, m, "MQTT__PREFIX=garage/cars", "DISCOVERY__PREFIX=ha", "DISCOVERY__BIRTH_TOPIC=ha/up")
	started(t, h)
	drive(t, h, "polestar", 0, 0.81)
	const config = "ha/device/garage_cars_polestar/sensor/config"
	expect(t, p, "value and device", func() bool {
		return p.kept["garage/cars/polestar/battery"] == "81" && p.kept[config] != "" &&
			p.kept["garage/cars/status"] == "online"
	})
	p.mark()
	say(t, p, "ha/up", "online", false)
	expect(t, p, "the birth is answered", func() bool {
		return slices.Contains(p.live, "garage/cars/polestar/battery 81")
	})
	for _, topic := range ours(p.snapshot()) {
		if !strings.HasPrefix(topic, "garage/cars/") && !strings.HasPrefix(topic, "ha/device/garage_cars_") {
			t.Errorf("%s is elsewhere", topic)
		}
	}
}

// Bodies that others forward wait in the broker while the program is away, ended
// or killed, and count once however often they come.
func TestForwardedBodiesWait(t *testing.T) {
	m := newRealBroker(t, passwords+keeping)
	p := m.peer()
	h := newHouse(t, m)
	started(t, h)
	expect(t, p, "online: the program listens", holds(p, status, "online"))
	say(t, p, "wheelhouse/intake/polestar", body(0, 0.9), false)
	expect(t, p, "a body arrives", holds(p, battery, "90"))
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	say(t, p, "wheelhouse/intake/polestar", body(1, 0.8), false)
	say(t, p, "wheelhouse/intake/polestar", body(1, 0.8), false)
	started(t, h)
	expect(t, p, "one that came while it was stopped", holds(p, battery, "80"))
	h.kill()
	say(t, p, "wheelhouse/intake/polestar", body(2, 0.7), false)
	started(t, h)
	expect(t, p, "one that came while it was dead", holds(p, battery, "70"))
	// What will never be taken does not stand in the way of the rest.
	for range 50 {
		say(t, p, "wheelhouse/intake/polestar", "no body at all", false)
	}
	say(t, p, "wheelhouse/intake/volvo", body(2, 0.6), false)
	expect(t, p, "one after many wrong ones", holds(p, "wheelhouse/volvo/battery", "60"))
	if n := points(t, h, "polestar"); n != 3 {
		t.Errorf("%d points of 3 different bodies", n)
	}
}

// A forwarded body is acknowledged when it is on disk, not before: of a burst in
// whose middle the program is killed nothing is lost.
func TestForwardedBodiesSurvive(t *testing.T) {
	m := newRealBroker(t, passwords)
	p := m.peer()
	h := newHouse(t, m)
	started(t, h)
	expect(t, p, "online: the program listens", holds(p, status, "online"))
	const bodies = 300
	for i := range bodies {
		say(t, p, "wheelhouse/intake/polestar", body(i, 0.9-float64(i)/1000), false)
		if i%100 == 50 {
			h.kill()
			started(t, h)
		}
	}
	expect(t, p, "the last body arrives", holds(p, battery, "60.1"))
	if n := points(t, h, "polestar"); n != bodies {
		t.Errorf("%d points of %d bodies", n, bodies)
	}
}

// points counts the driving points of a car in the store.
func points(t *testing.T, h *program, name string) int {
	t.Helper()
	return strings.Count(run(t, h, "export", name), "\n") - 1
}

// Forgetting a car leaves nothing of it at the broker, whether the program runs
// or not.
func TestCarForgotten(t *testing.T) {
	for _, running := range []bool{true, false} {
		t.Run(fmt.Sprint("running ", running), func(t *testing.T) {
			m := newRealBroker(t, passwords)
			p := m.peer()
			h := newHouse(t, m)
			started(t, h)
			drive(t, h, "polestar", 0, 0.81)
			settled(t, p)
			if !running {
				if err := h.stop(); err != nil {
					t.Fatal(err)
				}
			}
			run(t, h, "forget", "polestar", "--data")
			expect(t, p, "nothing is left", func() bool {
				return !slices.ContainsFunc(ours(p.kept), func(topic string) bool {
					return strings.Contains(topic, "polestar")
				})
			})
		})
	}
}

// mark forgets the messages up to now.
func (p *peer) mark() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.live = nil
}
