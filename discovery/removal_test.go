package discovery_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The field must be told to go before it is left out, and only so: a cleared
// message would cost the user the entity ids.
func TestFieldGoes(t *testing.T) {
	h := settled(t, bridge(), with(polestar(), "battery", "gear"))
	h.announce(with(polestar(), "battery"))
	h.expect(sensors)
	h.toldToGo("gear", "sensor")
	if part(t, h.broker[sensors], "battery") == nil {
		t.Error("the other component is missing")
	}
	h.pass(29999 * time.Millisecond)
	h.expect()
	h.pass(time.Millisecond)
	h.expect(sensors)
	h.holds(bridge(), with(polestar(), "battery"))
}

// Home Assistant must have had the order to remove for some seconds.
func TestFieldGoesSlowly(t *testing.T) {
	h := settled(t, with(polestar(), "battery", "gear"))
	s := h.a.Announce(with(polestar(), "battery"), h.now)
	h.pass(3 * time.Second)
	h.publish(s.Messages[0].Topic, s.Messages[0].Payload) // it was that slow
	h.pass(29999 * time.Millisecond)
	h.expect()
	h.pass(time.Millisecond)
	h.expect(sensors)
}

// A second field that goes starts the wait again, for both.
func TestFieldsGoOneAfterTheOther(t *testing.T) {
	for range 10 { // the order of the components must not matter
		h := settled(t, with(polestar(), "battery", "gear", "app"))
		h.announce(with(polestar(), "battery", "app"))
		h.expect(sensors)
		h.announce(with(polestar(), "battery"))
		h.pass(2 * time.Second)
		h.expect(sensors)
		for _, key := range []string{"gear", "app"} {
			h.toldToGo(key, "sensor")
		}
		h.pass(29999 * time.Millisecond)
		h.expect()
		h.pass(time.Millisecond)
		h.expect(sensors)
		h.holds(with(polestar(), "battery"))
	}
}

// If Home Assistant starts meanwhile, it is told to remove once more.
func TestFieldGoesDuringBirth(t *testing.T) {
	h := settled(t, with(polestar(), "battery", "gear"))
	h.announce(with(polestar(), "battery"))
	removal := h.broker[sensors]
	h.birth("online")
	h.pass(3 * time.Second)
	h.expect(sensors, sensors)
	if h.broker[sensors] != removal {
		t.Error("the order to remove was not repeated")
	}
	h.pass(time.Minute)
	h.expect(sensors)
	h.holds(with(polestar(), "battery"))
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
	h.pass(29 * time.Second)
	h.expect(sensors)
	h.holds(bridge(), with(polestar(), "battery"))
}

func TestFieldComesBackMeanwhile(t *testing.T) {
	h := settled(t, bridge(), with(polestar(), "battery", "gear"))
	h.announce(with(polestar(), "battery"))
	h.pass(time.Second)
	h.announce(with(polestar(), "battery", "gear"))
	h.expect(sensors)
	h.pass(29 * time.Second)
	h.expect(sensors)
	h.holds(bridge(), with(polestar(), "battery", "gear"))
}

func TestFieldBecomesAnotherPlatform(t *testing.T) {
	h := newHouse(t)
	car1 := with(polestar(), "battery", "gear")
	old := strings.NewReplacer(`"gear":{"platform":"sensor"`, `"gear":{"platform":"number"`)
	h.broker[sensors] = old.Replace(wanted(t, h.cfg, car1)[sensors])
	h.up()
	h.announce(car1)
	h.pass(time.Second)
	h.expect(sensors)
	h.toldToGo("gear", "number")
	h.pass(30 * time.Second)
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

// Nothing follows a message that has not come back yet: the outbox would send
// the newer one only. Then our own clearing is not taken for the user's.
func TestEchoComesLate(t *testing.T) {
	for _, test := range []struct {
		name  string
		after time.Duration // of the echo; 0: it never comes
		sent  time.Duration // the next message
	}{
		{"soon", time.Second, 2 * time.Second},
		{"late", 7 * time.Second, 7 * time.Second},
		{"never", 0, 10 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := settled(t, with(polestar(), "battery"))
			began := h.now
			if s := h.a.Remove("polestar", h.now); len(s.Messages) != 1 {
				t.Fatalf("sent %v", s.Messages)
			}
			h.announce(with(polestar(), "battery"))
			h.pass(test.after)
			if test.after > 0 {
				h.publish(sensors, "")
			}
			for len(h.sent) == 0 && h.now.Sub(began) < time.Minute {
				h.pass(time.Millisecond)
			}
			if got := h.now.Sub(began); got != test.sent {
				t.Errorf("sent after %v, want %v", got, test.sent)
			}
			h.expect(sensors)
			if len(h.kept) > 0 {
				t.Errorf("our own clearing was taken for the user's")
			}
			h.deleteInHome("wheelhouse_polestar")
			if diff := cmp.Diff([]string{sensors}, h.kept); diff != "" {
				t.Errorf("deleted (-want +got)\n%s", diff)
			}
		})
	}
}

// What was on its way when the connection broke may arrive with the next one.
func TestConnectionBreaks(t *testing.T) {
	h := settled(t, with(polestar(), "battery"))
	h.a.Remove("polestar", h.now) // waits in the outbox
	h.a.Down()
	if next := h.a.Next(); !next.IsZero() {
		t.Errorf("a tick is due at %v", next)
	}
	h.announce(bridge(), with(polestar(), "battery"))
	h.pass(time.Hour)
	h.expect()
	h.up()
	h.publish(sensors, "")
	h.pass(3 * time.Second)
	h.expect(append(allTopics(t, bridge()), sensors)...)
	h.holds(bridge(), with(polestar(), "battery"))
	if len(h.kept) > 0 {
		t.Errorf("our own clearing was taken for the user's: %v", h.kept)
	}
}

// What had arrived before does not come back again.
func TestConnectionBreaksBeforeTheEcho(t *testing.T) {
	h := settled(t, with(polestar(), "battery"))
	h.a.Remove("polestar", h.now)
	delete(h.broker, sensors)
	h.a.Down()
	h.announce(with(polestar(), "battery"))
	h.up()
	h.pass(2 * time.Second)
	h.expect(sensors)
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
	h.birth("online")
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
