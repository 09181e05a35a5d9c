package sim

import (
	"context"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// clock is the car's. It runs faster than ours while the car lives, and just
// as fast while a request is under way: the network has no fast mode, and no
// point may grow stale because the car is in a hurry.
type clock struct {
	speed float64
	now   time.Time // the car's time
	wall  time.Time // ours at that moment
}

// lead is how far the car's clock may be ahead of ours before it slows down to
// our pace: a receiver takes a clock that is car.MaxAhead ahead for wrong.
const lead = car.MaxAhead - time.Hour

// wait waits until the car's clock says t.
func (c *clock) wait(ctx context.Context, t time.Time) error {
	if d := t.Sub(c.now); d > 0 {
		if time.Until(t) < lead {
			d = time.Duration(float64(d) / c.speed)
		}
		c.wall, c.now = c.wall.Add(d), t
	}
	return sleep(ctx, time.Until(c.wall))
}

// spent lets the car's clock catch up with the time that really passed.
func (c *clock) spent() {
	now := time.Now()
	c.now, c.wall = c.now.Add(now.Sub(c.wall)), now
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
