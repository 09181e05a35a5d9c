package tesla_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/tesla"
)

// TestLimits: more calls than Tesla takes are not sent, and each car and kind has
// its own limit.
func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{next: []wire{status(200, `{"response":{}}`)}}
		c := over(t, s.answer)
		for i := range 65 {
			_, err := c.VehicleData(t.Context(), nightjar)
			if code := car.CodeOf(err); (err != nil) != (i >= 60) || err != nil && code != car.Limited {
				t.Errorf("call %d: %v", i+1, err)
			}
		}
		if _, err := c.VehicleData(t.Context(), wagtail); err != nil {
			t.Error(err)
		}
		if _, err := c.WakeUp(t.Context(), nightjar); err != nil {
			t.Error(err)
		}
		time.Sleep(55 * time.Second)
		begin := time.Now()
		if _, err := c.VehicleData(t.Context(), nightjar); err != nil || time.Since(begin) != 5*time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		if len(s.calls) != 63 {
			t.Errorf("%d calls", len(s.calls))
		}
	})
}

// TestTurns: each of several that wait gets a turn of its own.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{next: []wire{status(200, "{}")}}
		c := over(t, s.answer)
		begin := time.Now()
		turns := make(chan time.Duration, 5)
		wake := func() {
			if _, err := c.WakeUp(t.Context(), nightjar); err != nil {
				t.Error(err)
			}
			turns <- time.Since(begin)
		}
		for range 3 {
			wake()
			time.Sleep(5 * time.Second)
		}
		time.Sleep(41 * time.Second)
		go wake()
		synctest.Wait()
		wake()
		for _, at := range []int{0, 5, 10, 60, 65} {
			same(t, "turn", <-turns, time.Duration(at)*time.Second)
		}
	})
}

func TestPauseAfter429(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{next: []wire{
			status(429, example(t, "errors/429_rate_limited.json"), "Retry-After", "42"), status(200, "{}")}}
		c := over(t, s.answer)
		if _, err := c.VehicleData(t.Context(), nightjar); !tesla.IsLimited(err) {
			t.Error(err)
		}
		if _, err := c.VehicleData(t.Context(), nightjar); car.CodeOf(err) != car.Limited {
			t.Error(err)
		}
		if _, err := c.VehicleData(t.Context(), wagtail); err != nil {
			t.Errorf("another car: %v", err)
		}
		time.Sleep(40 * time.Second)
		begin := time.Now()
		if _, err := c.VehicleData(t.Context(), nightjar); err != nil || time.Since(begin) != 2*time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		if len(s.calls) != 3 {
			t.Errorf("%d calls", len(s.calls))
		}
	})
}

// TestWaitEndsWithItsContext: whoever waits for a turn may give up.
func TestWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := over(t, status(429, "", "Retry-After", "5"))
		_, _ = c.WakeUp(t.Context(), nightjar)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.WakeUp(ctx, nightjar); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}
