package bridge_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-mqtt/wheelhouse/bridge"
	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// A glance shows the requests, those that were refused too.
func TestGlances(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := move(t, func(o *bridge.Options) {
			o.Profiles = map[car.ID]bridge.Profile{blue: {Name: "The blue one"}}
		})
		look := func() []bridge.Glance {
			t.Helper()
			got, err := h.Glances(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		if got := look(); got != nil {
			t.Errorf("cars in an empty house: %v", got)
		}
		h.report(clock(), bridge.Values{"soc": 0.5})
		h.take(car.Batch{Car: "a_red_one", Last: true})
		told := clock().Truncate(time.Millisecond)
		h.pass(time.Hour)
		h.Answered(blue, 401, "wrong password")
		h.pass(0)
		want := []bridge.Glance{
			{ID: "a_red_one", Name: "A Red One", Last: told, Requests: 1},
			{ID: blue, Name: "The blue one", Last: told, Requests: 1,
				Trouble: "401 wrong password", Since: told.Add(time.Hour)},
		}
		if diff := cmp.Diff(want, look()); diff != "" {
			t.Error(diff)
		}
	})
}
