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

// house is an announcer with a broker that answers at once.
type house struct {
	*testing.T
	cfg    discovery.Config
	a      *discovery.Announcer
	now    time.Time
	broker map[string]string
	kept   []string // deleted topics, as the program would store them
	sent   []string // topics of the messages since the last look
	resent int
	errs   []error
}

func newHouse(t *testing.T) *house {
	h := &house{
		T: t, cfg: sample(), broker: map[string]string{},
		now: time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC),
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
	h.kept = slices.DeleteFunc(h.kept, func(topic string) bool { return slices.Contains(s.Restored, topic) })
	h.errs = append(h.errs, s.Errors...)
	if s.Resend {
		h.resent++
	}
	for _, m := range s.Messages {
		if !m.Retain {
			h.Errorf("%s is not retained", m.Topic)
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
	order := slices.IndexFunc(h.sent, func(topic string) bool { return strings.Contains(topic, "polestar") })
	if order != 3 {
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
		name  string
		every time.Duration // between retained messages
		n     int
		open  time.Duration
	}{
		{"nothing retained", 0, 0, time.Second},
		{"all at once", 0, 50, time.Second},
		{"one after 0.9 s", 900 * time.Millisecond, 1, 1900 * time.Millisecond},
		{"trickling", 500 * time.Millisecond, 4, 3 * time.Second},
		{"never silent", 500 * time.Millisecond, 40, 5 * time.Second},
		{"too late", 1100 * time.Millisecond, 1, time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newHouse(t)
			h.take(h.a.Up(h.now))
			h.announce(bridge())
			began := h.now
			for range test.n {
				h.pass(test.every)
				h.take(h.a.Heard("homeassistant/device/wheelhouse_x/y/config", []byte("{}"), true, h.now))
			}
			for len(h.sent) == 0 && h.now.Sub(began) < time.Minute {
				h.pass(time.Millisecond)
			}
			h.take(h.a.Tick(h.now))
			if test.every*time.Duration(test.n) < test.open && h.now.Sub(began) != test.open {
				t.Errorf("published after %v, want %v", h.now.Sub(began), test.open)
			}
			if test.name == "never silent" && len(h.sent) == 0 {
				t.Error("published nothing")
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

// The field must be told to go before it is left out, and only so: a cleared
// message would cost the user the entity ids.
func TestFieldGoes(t *testing.T) {
	h := settled(t, bridge(), with(polestar(), "battery", "gear"))
	h.announce(with(polestar(), "battery"))
	h.expect(sensors)
	if diff := cmp.Diff(object{"platform": "sensor"}, object(part(t, h.broker[sensors], "gear"))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if part(t, h.broker[sensors], "battery") == nil {
		t.Error("the other component is missing")
	}
	h.pass(4999 * time.Millisecond)
	h.expect()
	h.pass(time.Millisecond)
	h.expect(sensors)
	h.holds(bridge(), with(polestar(), "battery"))
}

// A program that ends between the two messages finishes at its next start.
func TestFieldGoesOverARestart(t *testing.T) {
	h := settled(t, bridge(), with(polestar(), "battery", "gear"))
	h.announce(with(polestar(), "battery"))
	h.expect(sensors)
	h.restart()
	h.up()
	h.announce(bridge(), with(polestar(), "battery"))
	h.pass(time.Second)
	h.expect()
	h.pass(4 * time.Second)
	h.expect(sensors)
	h.holds(bridge(), with(polestar(), "battery"))
}

func TestFieldComesBackMeanwhile(t *testing.T) {
	h := settled(t, bridge(), with(polestar(), "battery", "gear"))
	h.announce(with(polestar(), "battery"))
	h.pass(time.Second)
	h.announce(with(polestar(), "battery", "gear"))
	h.expect(sensors)
	h.pass(4 * time.Second)
	h.expect(sensors)
	h.holds(bridge(), with(polestar(), "battery", "gear"))
}

func TestFieldBecomesAnotherPlatform(t *testing.T) {
	h := newHouse(t)
	car1 := with(polestar(), "battery", "gear")
	now := wanted(t, h.cfg, car1)[sensors]
	h.broker[sensors] = strings.Replace(now, `"gear":{"platform":"sensor"`, `"gear":{"platform":"number"`, 1)
	h.up()
	h.announce(car1)
	h.pass(time.Second)
	h.expect(sensors)
	if diff := cmp.Diff(object{"platform": "number"}, object(part(t, h.broker[sensors], "gear"))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	h.pass(5 * time.Second)
	h.expect(sensors)
	h.holds(car1)
}

func TestCarIsForgottenAndComesBack(t *testing.T) {
	h := settled(t, bridge(), polestar())
	h.take(h.a.Remove("polestar", h.now))
	h.expect(allTopics(t, polestar())...)
	h.holds(bridge())
	h.announce(polestar())
	h.pass(2 * time.Second)
	h.expect(allTopics(t, polestar())...)
	h.holds(bridge(), polestar())
	if len(h.kept) > 0 {
		t.Errorf("our own clearing was taken for the user's: %v", h.kept)
	}
}

// The echo of a clearing may come after the next message was sent, or never,
// if the outbox sent the newest only.
func TestEchoesComeLate(t *testing.T) {
	for _, test := range []struct {
		name    string
		echoes  []string // "" or the message
		deleted []string // after the user deleted the device as well
	}{
		{"all of them", []string{"", "message"}, []string{sensors}},
		{"only of the newest", []string{"message"}, []string{sensors}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := settled(t, with(polestar(), "battery"))
			message := h.broker[sensors]
			first := h.a.Remove("polestar", h.now)
			second := h.a.Announce(with(polestar(), "battery"), h.now.Add(time.Minute))
			if len(first.Messages) != 1 || len(second.Messages) != 1 {
				t.Fatalf("sent %v and %v", first.Messages, second.Messages)
			}
			h.now = h.now.Add(2 * time.Minute)
			for _, payload := range test.echoes {
				h.publish(sensors, strings.Replace(payload, "message", message, 1))
			}
			if len(h.kept) > 0 {
				t.Errorf("our own clearing was taken for the user's")
			}
			h.deleteInHome("wheelhouse_polestar")
			if diff := cmp.Diff(test.deleted, h.kept); diff != "" {
				t.Errorf("deleted (-want +got)\n%s", diff)
			}
			h.expect()
		})
	}
}

func TestUserDeletesTheDevice(t *testing.T) {
	h := settled(t, bridge(), polestar())
	h.deleteInHome("wheelhouse_polestar")
	slices.Sort(h.kept)
	if diff := cmp.Diff(allTopics(t, polestar()), h.kept); diff != "" {
		t.Errorf("deleted (-want +got)\n%s", diff)
	}
	stays := func(what string) {
		t.Helper()
		h.pass(time.Hour)
		if len(h.sent) > 0 {
			t.Errorf("%s brought %v back", what, h.sent)
		}
		h.holds(bridge())
	}
	renamed := polestar()
	renamed.Name = "Polly"
	h.announce(renamed)
	stays("a change")
	h.publish("homeassistant/status", "online")
	stays("Home Assistant's birth")
	h.up()
	stays("a reconnection")
	h.restart()
	h.up()
	h.announce(bridge(), renamed)
	stays("a restart")
	h.take(h.a.Republish("other", h.now))
	stays("another car")

	h.take(h.a.Republish("polestar", h.now))
	h.expect(allTopics(t, polestar())...)
	h.holds(bridge(), renamed)
	if len(h.kept) > 0 {
		t.Errorf("still deleted: %v", h.kept)
	}
}

// A new car of the same id is announced: forgetting it forgot the deletion.
func TestDeletedThenForgotten(t *testing.T) {
	h := settled(t, bridge(), polestar())
	h.deleteInHome("wheelhouse_polestar")
	h.take(h.a.Remove("polestar", h.now))
	h.expect()
	if len(h.kept) > 0 {
		t.Errorf("still deleted: %v", h.kept)
	}
	h.pass(time.Hour)
	h.announce(polestar())
	h.expect(allTopics(t, polestar())...)
}

// Releases before 2026.11 empty a whole topic when the user deletes a single
// entity. The rest of the device must neither be sent again nor cleared.
func TestUserDeletesOneTopic(t *testing.T) {
	h := settled(t, bridge(), polestar())
	h.publish(trackers, "")
	h.announce(with(polestar(), "battery", "location"))
	h.pass(time.Hour)
	h.expect()
	h.up()
	h.pass(time.Hour)
	h.expect()
	if h.broker[sensors] == "" {
		t.Error("other entities were cleared")
	}
	h.take(h.a.Republish("", h.now))
	h.pass(time.Hour)
	h.holds(bridge(), with(polestar(), "battery", "location"))
}

// A broker that saves its memory seldom brings a deleted device back.
func TestBrokerForgetsTheDeletion(t *testing.T) {
	h := settled(t, bridge(), polestar())
	before := maps.Clone(h.broker)
	h.publish(trackers, "")
	maps.Copy(h.broker, before)
	h.up()
	h.pass(time.Second)
	h.expect(trackers)
	if h.broker[trackers] != "" || h.broker[sensors] == "" {
		t.Error("the deleted topic, and only that, should be empty")
	}
}

func TestBirth(t *testing.T) {
	h := settled(t, bridge(), polestar())
	h.take(h.a.Heard("homeassistant/status", []byte("online"), true, h.now)) // an old one
	h.publish("homeassistant/status", "offline")
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
	h.publish("homeassistant/status", "online")
	h.publish("homeassistant/status", "online")
	h.pass(2999 * time.Millisecond)
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
	h.publish("homeassistant/status", "online")
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
		h.publish("homeassistant/status", "online")
		if got := h.a.Next().Sub(h.now); got != test.want {
			t.Errorf("%g: answered after %v, want %v", test.random, got, test.want)
		}
	}
}

// Home Assistant and the broker may come up together.
func TestBirthWithinTheWindow(t *testing.T) {
	h := newHouse(t)
	h.up()
	h.publish("homeassistant/status", "online")
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
	h.publish("homeassistant/status", "online")
	h.pass(time.Minute)
	h.expect(counters)
	delete(h.broker, "homeassistant/status")
	h.holds(bridge())
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
	h.publish("homeassistant/status", "online")
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
