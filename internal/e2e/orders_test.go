//go:build homeassistant

package e2e

import (
	"fmt"
	"strings"
	"time"
)

const (
	republishButton = "button.wheelhouse_republish"
	republishTopic  = "wheelhouse/bridge/republish/set"
)

// retainedOrders: what the broker keeps on the topic of an order is no order, nor
// is its clearing; a finger on the button is.
func retainedOrders(h *house) {
	began := time.Now()
	h.livesWith(polestar)
	h.settles(began)
	h.quiet("a retained order", func() { h.must(h.recorder.say(republishTopic, "PRESS", true)) })
	h.quiet("its clearing", func() { h.must(h.recorder.say(republishTopic, "", true)) })
	h.must(h.recorder.say(republishTopic, "PRESS", true))
	began = time.Now()
	h.must(h.program.stop())
	h.must(h.program.start())
	h.agrees(15 * time.Second)
	h.settles(began)
	h.quiet("a retained order at the start", func() {})

	began = time.Now()
	h.must(h.presses("button.press", republishButton))
	h.eventually("everything is announced again", patience, func() error {
		if n := h.announcements(began); n < 7 {
			return fmt.Errorf("%d messages", n)
		}
		return nil
	})
	h.agrees(patience)
}

// announcements counts the discovery messages since a moment.
func (h *house) announcements(since time.Time) (n int) {
	for _, m := range h.recorder.since(since) {
		if strings.Contains(m.Topic, "/device/wheelhouse_") && m.Payload != "" {
			n++
		}
	}
	return n
}

// settles waits for all that a start brings by itself: Home Assistant is born 5 s
// after it was told the last, if it connected just now, and is answered 1 to 5 s
// after that.
func (h *house) settles(began time.Time) {
	h.Helper()
	const quiet = 8 * time.Second
	h.eventually("nothing more is announced", time.Minute, func() error {
		last := began
		for _, m := range h.recorder.since(began) {
			if strings.Contains(m.Topic, "/device/wheelhouse_") || m.Topic == "homeassistant/status" {
				last = m.At
			}
		}
		if d := time.Since(last); d < quiet {
			return fmt.Errorf("something was %v ago", d)
		}
		return nil
	})
}

// quiet does something, and nothing may be announced after it.
func (h *house) quiet(what string, do func()) {
	h.Helper()
	began := time.Now()
	do()
	h.always(what, 3*time.Second, func() error {
		if n := h.announcements(began); n > 0 {
			return fmt.Errorf("%d messages", n)
		}
		return nil
	})
}

// forwarded: a body that comes while the program is away is taken when it is back,
// and one that Home Assistant forwards at once.
func forwarded(h *house) {
	h.opens()
	h.must(h.program.stop())
	h.must(h.recorder.say("wheelhouse/intake/"+polestar, raw(nil), false))
	h.must(h.program.start())
	h.shows("sensor.polestar_battery", "72")
	h.must(h.acts("mqtt.publish", map[string]any{
		"topic": "wheelhouse/intake/" + polestar, "payload": raw(map[string]string{"stateOfCharge": "0.5"}), "qos": 1,
	}))
	h.shows("sensor.polestar_battery", "50")
	h.agrees(patience)
}
