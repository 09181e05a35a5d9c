//go:build homeassistant

package e2e

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// homeRestarts: after a restart of Home Assistant everything is back by itself,
// and the same as before.
func homeRestarts(h *house) {
	h.livesWith(polestar)
	before := h.registered()
	h.must(h.ha.stop())
	h.must(h.ha.start())
	h.within("back after a restart of Home Assistant", h.agrees(10*time.Second), 10*time.Second)
	h.same(before)
}

// same checks that nothing in the entity registry has changed.
func (h *house) same(before map[string]entity) {
	h.Helper()
	after := h.registered()
	if !maps.Equal(before, after) {
		h.Errorf("the registry has changed:\n%v\n%v", before, after)
	}
}

// powerCut: the program dies; its entities say so, and are back with it.
func powerCut(h *house) {
	h.livesWith(polestar)
	registry, states := h.registered(), h.values()
	h.program.kill()
	const will = 10 * time.Second
	h.within("unavailable after SIGKILL", h.gone(will+5*time.Second), will+5*time.Second)
	bar := 5 * time.Second
	if h.mosquito == nil {
		bar = 15 * time.Second // Home Assistant itself waits 10 s before it connects again
	}
	h.must(h.program.start())
	h.within("back after SIGKILL", h.agrees(bar), bar)
	h.same(registry)
	if after := h.values(); !maps.Equal(states, after) {
		h.Errorf("other values than before:\n%v\n%v", states, after)
	}
}

// values are the states of a car's entities that do not tell of requests.
func (h *house) values() map[string]string {
	h.Helper()
	states, err := h.ha.rest.states()
	h.must(err)
	values := map[string]string{}
	for id, s := range states {
		if strings.Contains(id, "."+polestar+"_") && !strings.HasSuffix(id, "_last_seen") {
			values[id] = s.State
		}
	}
	return values
}

// gone waits until every entity of the car is unavailable.
func (h *house) gone(within time.Duration) time.Duration {
	h.Helper()
	return h.eventually("everything is unavailable", within, func() error {
		states, err := h.ha.rest.states()
		if err != nil {
			return err
		}
		for id, s := range states {
			if strings.Contains(id, "."+polestar+"_") && s.State != "unavailable" {
				return fmt.Errorf("%s is %q", id, s.State)
			}
		}
		return nil
	})
}

// goodbye: the program ends in peace, and Home Assistant knows at once.
func goodbye(h *house) {
	h.livesWith(polestar)
	registry := h.registered()
	h.must(h.program.stop())
	h.within("unavailable after a clean stop", h.gone(2*time.Second), 2*time.Second)
	h.must(h.program.start())
	h.agrees(15 * time.Second)
	h.same(registry)
}

// brokerRestarts: the broker comes back, with what it kept and without.
func brokerRestarts(h *house) {
	h.excused = []string{"connection lost", "connect"}
	h.livesWith(polestar)
	registry := h.registered()
	before, err := h.recorder.kept()
	h.must(err)
	for _, forgetful := range []bool{false, true} {
		h.mosquito.kill()
		if forgetful {
			h.must(h.mosquito.forget())
		}
		h.must(h.mosquito.start())
		what := fmt.Sprintf("back after a restart of the broker, forgetful %v", forgetful)
		h.within(what, h.agrees(15*time.Second), 15*time.Second)
		h.eventually("the broker keeps everything again", patience, func() error {
			after, err := h.recorder.kept()
			if err == nil && !slices.Equal(slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after))) {
				err = fmt.Errorf("%d topics, before %d", len(after), len(before))
			}
			return err
		})
		h.same(registry)
	}
}

// oldNames makes another message of a discovery message: all names differ.
func oldNames(payload string) string {
	return regexp.MustCompile(`"name":"([^"]*)","unique_id"`).ReplaceAllString(payload, `"name":"Old $1","unique_id"`)
}

// updateRace: Home Assistant starts with old messages on the broker, and the new
// ones come just when it subscribes. While it sets a device up it overlooks a second
// message for it; ours, one for each platform, are small enough to get through, and
// what is overlooked all the same the program's answer to the birth brings.
func updateRace(h *house) {
	const subscription = "homeassistant/device/+/+/config"
	h.excused = []string{"somebody else has written there"}
	h.livesWith(polestar)
	h.must(h.ha.stop())
	kept, err := h.recorder.kept()
	h.must(err)
	maps.DeleteFunc(kept, func(topic, _ string) bool {
		return !strings.Contains(topic, "/device/wheelhouse_"+polestar)
	})
	for topic, payload := range kept {
		h.must(h.recorder.say(topic, oldNames(payload), true))
	}
	before := h.mosquito.subscriptions(subscription)
	h.must(h.ha.launch())
	h.watches(time.Millisecond, "Home Assistant subscribes", time.Minute, func() error {
		if h.mosquito.subscriptions(subscription) == before {
			return errors.New("not yet")
		}
		return nil
	})
	for topic, payload := range kept {
		h.must(h.recorder.say(topic, payload, true))
	}
	h.must(h.ha.ready())
	began, old := time.Now(), 0
	h.eventually("the birth, 5 s after the last message", 30*time.Second, func() error {
		now := h.old()
		err := h.born(began)
		if err != nil {
			old = now
		}
		return err
	})
	h.figures.measured(h.Name(), "components with old names before the birth", old, "-")
	h.eventually("every name is new", 30*time.Second, func() error {
		if n := h.old(); n > 0 {
			return fmt.Errorf("%d are old", n)
		}
		return nil
	})
	h.complete(polestar, patience)
}

// born is nil if Home Assistant has sent its birth message since then.
func (h *house) born(since time.Time) error {
	birth := func(m heard) bool { return m.Topic == "homeassistant/status" && m.Payload == "online" }
	if !slices.ContainsFunc(h.recorder.since(since), birth) {
		return errors.New("no birth message")
	}
	return nil
}

// old counts the entities with names of old messages.
func (h *house) old() (n int) {
	h.Helper()
	for _, e := range h.registered() {
		if strings.HasPrefix(e.Original, "Old ") {
			n++
		}
	}
	return n
}
