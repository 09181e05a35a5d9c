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

func TestFirstStart(t *testing.T) {
	h := newHouse(t)
	h.announce(polestar())
	h.expect() // not connected
	h.up()
	h.announce(bridge())
	h.pass(999 * time.Millisecond)
	h.expect()
	h.pass(time.Millisecond)
	h.holds(bridge(), polestar())
	ofCar := func(topic string) bool { return strings.Contains(topic, "polestar") }
	if slices.IndexFunc(h.sent, ofCar) != 3 {
		t.Errorf("the bridge's three messages do not come first: %v", h.sent)
	}
	h.expect(allTopics(t, bridge(), polestar())...)
	h.pass(time.Hour)
	h.expect()
	if next := h.a.Next(); !next.IsZero() {
		t.Errorf("a tick is due at %v, for nothing", next)
	}
}

func TestWindowWaitsForTheBroker(t *testing.T) {
	for _, test := range []struct {
		name     string
		every    time.Duration // between messages
		n        int
		retained bool
		open     time.Duration
	}{
		{"nothing retained", 0, 0, true, time.Second},
		{"all at once", 0, 50, true, time.Second},
		{"one after 0.9 s", 900 * time.Millisecond, 1, true, 1900 * time.Millisecond},
		{"trickling", 500 * time.Millisecond, 4, true, 3 * time.Second},
		{"never silent", 400 * time.Millisecond, 40, true, 5 * time.Second},
		{"too late", 1100 * time.Millisecond, 1, true, time.Second},
		{"not what the broker had kept", 900 * time.Millisecond, 1, false, time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newHouse(t)
			h.take(h.a.Up(h.now))
			h.announce(bridge())
			for range test.n {
				h.pass(test.every)
				topic := "homeassistant/device/wheelhouse_x/y/config"
				h.take(h.a.Heard(topic, []byte("{}"), test.retained, h.now))
			}
			h.pass(time.Minute)
			if got := h.first.Sub(start); got != test.open {
				t.Errorf("published after %v, want %v", got, test.open)
			}
		})
	}
}

// What is there already is not sent again, whatever the start.
func TestRestart(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*house)
		now    []car.Device
		sent   []string
	}{
		{"nothing has changed", func(*house) {}, []car.Device{bridge(), polestar()}, nil},
		{
			"the broker has lost all", func(h *house) { clear(h.broker) },
			[]car.Device{bridge(), polestar()}, allTopics(t, bridge(), polestar()),
		},
		{
			"the broker has lost one", func(h *house) { delete(h.broker, trackers) },
			[]car.Device{bridge(), polestar()}, []string{trackers},
		},
		{
			"a new version", func(h *house) { h.cfg.Program.Version = "2" },
			[]car.Device{bridge(), polestar()}, allTopics(t, bridge(), polestar()),
		},
		{"a car is gone", func(*house) {}, []car.Device{bridge()}, allTopics(t, polestar())},
		{
			"a platform is gone", func(*house) {},
			[]car.Device{bridge(), with(polestar(), "battery", "capacity", "gear", "last_seen", "app",
				"consumption", "distance", "plugged_in", "online", "location")},
			[]string{events},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := settled(t, bridge(), polestar())
			test.change(h)
			h.restart()
			h.up()
			h.announce(test.now...)
			h.pass(time.Second)
			h.expect(test.sent...)
			h.holds(test.now...)
			h.pass(time.Hour)
			h.expect()
		})
	}
}

// Messages that look like ours and are not stay as they are.
func TestOthersAreLeftAlone(t *testing.T) {
	other := sample()
	other.Topics.Prefix = "wheelhouse_2"
	below := sample()
	below.Topics.Prefix = "wheelhouse/2"
	namesake := sample()
	namesake.Program.Name = "Wheelhouse's rival"
	rival := polestar()
	rival.ID = "rival"
	theirs := map[string]string{
		"homeassistant/device/wheelhouse_x/y/config":      `{"origin":{"name":"Wheelhouse"}}`,
		"homeassistant/device/wheelhouse_x/z/config":      `not even JSON`,
		"homeassistant/device/zigbee_0x1/sensor/config":   `{"origin":{"name":"Zigbee2MQTT"}}`,
		"homeassistant/sensor/wheelhouse_polestar/config": `{}`,
	}
	maps.Copy(theirs, wanted(t, other, bridge(), polestar()))
	maps.Copy(theirs, wanted(t, below, bridge(), polestar()))
	maps.Copy(theirs, wanted(t, namesake, rival))

	h := newHouse(t)
	maps.Copy(h.broker, theirs)
	h.up()
	h.announce(bridge())
	h.pass(time.Hour)
	h.expect(allTopics(t, bridge())...)
	for topic, payload := range theirs {
		if h.broker[topic] != payload {
			t.Errorf("%s was changed", topic)
		}
	}
}

func TestNewCarShowsAtOnce(t *testing.T) {
	h := settled(t, bridge())
	h.announce(with(polestar(), "battery"))
	h.expect(sensors)
}

func TestChangesGather(t *testing.T) {
	h := settled(t, bridge())
	h.announce(with(polestar(), "battery"))
	h.expect(sensors)
	h.pass(300 * time.Millisecond)
	h.announce(with(polestar(), "battery", "gear"))
	h.announce(with(polestar(), "battery", "gear", "app"))
	h.announce(with(polestar(), "battery", "gear", "app")) // nothing new
	h.expect()
	h.pass(1699 * time.Millisecond)
	h.expect()
	h.pass(time.Millisecond)
	h.expect(sensors)
	h.holds(bridge(), with(polestar(), "battery", "gear", "app"))
	h.pass(time.Minute)
	h.announce(with(polestar(), "battery", "gear", "app"))
	h.expect()
}

func TestBirth(t *testing.T) {
	h := settled(t, bridge(), polestar())
	h.take(h.a.Heard("homeassistant/status", []byte("online"), true, h.now)) // an old one
	h.birth("offline")
	h.pass(time.Hour)
	if h.resent != 0 {
		t.Fatal("no news was answered")
	}

	renamed := with(polestar(), "battery")
	renamed.ID = "new"
	h.pass(time.Hour)
	h.announce(renamed) // 59 s before the birth: may have been missed
	h.sent = nil
	h.pass(59 * time.Second)
	h.birth("online")
	h.pass(time.Second)
	h.birth("online") // does not put the answer off
	h.pass(1999 * time.Millisecond)
	h.expect()
	h.pass(time.Millisecond)
	h.expect("homeassistant/device/wheelhouse_new/sensor/config")
	h.pass(1999 * time.Millisecond)
	if h.resent != 0 {
		t.Error("the states came before their entities had settled")
	}
	h.pass(time.Millisecond)
	if h.resent != 1 {
		t.Errorf("the states were sent %d times", h.resent)
	}

	h.pass(time.Hour)
	h.birth("online")
	h.pass(time.Hour)
	h.expect()
	if h.resent != 2 {
		t.Errorf("the states were sent %d times", h.resent)
	}
}

func TestBirthIsAnsweredAtRandom(t *testing.T) {
	for _, test := range []struct {
		random float64
		want   time.Duration
	}{{0, time.Second}, {0.25, 2 * time.Second}, {1, 5 * time.Second}} {
		h := newHouse(t)
		h.a = discovery.New(h.cfg, nil, func() float64 { return test.random })
		h.up()
		h.pass(time.Hour)
		h.birth("online")
		if got := h.a.Next().Sub(h.now); got != test.want {
			t.Errorf("%g: answered after %v, want %v", test.random, got, test.want)
		}
	}
}

// Home Assistant and the broker may come up together.
func TestBirthWithinTheWindow(t *testing.T) {
	h := newHouse(t)
	h.up()
	h.birth("online")
	h.announce(bridge())
	h.pass(time.Minute)
	h.expect(allTopics(t, bridge())...)
	if h.resent != 1 {
		t.Errorf("the states were sent %d times", h.resent)
	}
}

func TestReconnection(t *testing.T) {
	h := settled(t, bridge(), polestar())
	h.up()
	h.pass(time.Minute)
	h.expect()
	clear(h.broker)
	h.up()
	h.pass(time.Second)
	h.expect(allTopics(t, bridge(), polestar())...)
	h.holds(bridge(), polestar())
}

func TestForgottenWhileAway(t *testing.T) {
	h := settled(t, bridge(), polestar())
	h.take(h.a.Up(h.now))
	h.take(h.a.Remove("polestar", h.now))
	h.expect()
	h.up()
	h.pass(time.Second)
	h.expect(allTopics(t, polestar())...)
	h.holds(bridge())
}

// Two programs on one prefix must not answer each other for ever.
func TestSomebodyElseWritesThere(t *testing.T) {
	h := settled(t, bridge())
	h.publish(counters, "{}")
	h.publish(counters, "{} ")
	h.pass(time.Hour)
	h.announce(bridge())
	h.expect()
	if len(h.errs) != 2 || !strings.Contains(h.errs[0].Error(), "mqtt.prefix") {
		t.Errorf("errors: %v", h.errs)
	}
	h.birth("online")
	h.pass(time.Minute)
	h.expect(counters)
	h.holds(bridge())
}

func TestSomebodyElseWritesAndTheDeviceChanges(t *testing.T) {
	h := settled(t, with(polestar(), "battery"))
	h.publish(sensors, "{}")
	h.announce(with(polestar(), "battery", "gear"))
	h.expect(sensors)
	h.holds(with(polestar(), "battery", "gear"))
}

// The program that was replaced may have the last word before the window ends.
func TestSomebodyElseWritesWithinTheWindow(t *testing.T) {
	h := newHouse(t)
	h.up()
	h.announce(bridge())
	h.publish(counters, "{}")
	h.pass(time.Second)
	h.holds(bridge())
	if len(h.errs) > 0 {
		t.Errorf("errors: %v", h.errs)
	}
}

// What of ours is on its way will overwrite it.
func TestSomebodyElseWritesBeforeUs(t *testing.T) {
	h := settled(t, with(polestar(), "battery"))
	s := h.a.Announce(with(polestar(), "battery", "gear"), h.now)
	h.publish(sensors, "{}")
	h.publish(s.Messages[0].Topic, s.Messages[0].Payload)
	h.pass(time.Hour)
	h.expect()
	h.holds(with(polestar(), "battery", "gear"))
	if len(h.errs) > 0 {
		t.Errorf("errors: %v", h.errs)
	}
}

// A second program with our prefix has a car that we do not know: clearing its
// message would look to it like the user's deletion.
func TestSomebodyElsesCar(t *testing.T) {
	h := settled(t, bridge())
	for topic, payload := range wanted(t, h.cfg, polestar()) {
		h.publish(topic, payload)
	}
	h.pass(time.Hour)
	h.expect()
	h.holds(bridge(), polestar())
	h.publish(sensors, "")
	if len(h.kept) > 0 {
		t.Errorf("not ours to miss: %v", h.kept)
	}
}

func TestRepublish(t *testing.T) {
	h := settled(t, bridge(), polestar())
	h.take(h.a.Republish("polestar", h.now))
	h.expect(allTopics(t, polestar())...)
	h.take(h.a.Republish("", h.now))
	h.expect(allTopics(t, bridge(), polestar())...)

	h.up()
	h.take(h.a.Republish("", h.now))
	h.expect()
	h.pass(time.Second)
	h.expect(allTopics(t, bridge(), polestar())...)
}

func TestBadRowIsReported(t *testing.T) {
	h := settled(t, bridge())
	d := with(polestar(), "battery")
	d.Fields = append(d.Fields, car.Field{Key: "bad", Name: "Bad", Is: car.Battery, Symbol: "km"})
	h.announce(d)
	h.expect(sensors)
	if len(h.errs) != 1 {
		t.Errorf("errors: %v", h.errs)
	}
}

func TestDisabled(t *testing.T) {
	h := newHouse(t)
	maps.Copy(h.broker, wanted(t, h.cfg, bridge(), polestar()))
	h.cfg.Enabled = false
	h.restart()
	if diff := cmp.Diff([]string{"homeassistant/status"}, h.a.Filters()); diff != "" {
		t.Errorf("filters (-want +got)\n%s", diff)
	}
	h.up()
	h.announce(bridge())
	h.take(h.a.Republish("", h.now))
	h.deleteInHome("wheelhouse_polestar")
	h.birth("online")
	h.pass(time.Hour)
	h.expect()
	if h.resent != 1 || len(h.kept) > 0 {
		t.Errorf("states sent %d times, deleted %v", h.resent, h.kept)
	}
}

func TestFilters(t *testing.T) {
	cfg := sample()
	cfg.Prefix, cfg.Birth = "ha/test", "ha/birth"
	want := []string{"ha/test/device/+/+/config", "ha/birth"}
	if diff := cmp.Diff(want, discovery.New(cfg, nil, nil).Filters()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
