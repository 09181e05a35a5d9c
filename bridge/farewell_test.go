package bridge_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// A forgotten car's topics are cleared when Home Assistant has let go of them, at
// the latest when the program ends, and before the car itself is back.
func TestFarewell(t *testing.T) {
	report := func(soc float64) car.Batch {
		return car.Batch{Report: Values{"soc": soc}.Report(clock()), Last: true}
	}
	for name, story := range map[string]func(h *home, path string){
		"later":      func(h *home, _ string) { h.pass(3 * time.Second) },
		"at the end": func(h *home, path string) { h.restart(path) },
		"before it is back": func(h *home, _ string) {
			h.take(report(0.25))
			h.expect(map[string]string{"battery": "25"})
			h.pass(time.Minute)
			h.expect(map[string]string{"battery": "25"})
			if err := h.Forget(context.Background(), blue, true); err != nil {
				t.Error(err)
			}
			h.pass(3 * time.Second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "test.db")
				h := move(t)
				h.restart(path)
				h.take(report(0.5))
				if err := h.Forget(context.Background(), blue, true); err != nil {
					t.Fatal(err)
				}
				h.pass(time.Second)
				h.expect(map[string]string{"battery": "50"})
				story(h, path)
				if diff := cmp.Diff(map[string]string{}, h.values(blue)); diff != "" {
					t.Error("left behind:", diff)
				}
			})
		})
	}
}

// What a key that is gone had said is cleared once, and not before Home Assistant,
// told by discovery, has left the topic.
func TestKeysThatAreGone(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "test.db")
		h := move(t)
		h.restart(path)
		h.take(car.Batch{Car: blue, Last: true})
		h.restart(path)
		h.broker.news()
		cleared := func() (n int) {
			for _, m := range h.broker.news() {
				if m.Topic == "w/blue/mood" && m.Payload == "" && m.Retain {
					n++
				}
			}
			return n
		}
		h.pass(50 * time.Second)
		if n := cleared(); n > 0 {
			t.Errorf("cleared %d times at once", n)
		}
		h.pass(10 * time.Minute)
		if n := cleared(); n != 1 {
			t.Errorf("cleared %d times", n)
		}
	})
}
