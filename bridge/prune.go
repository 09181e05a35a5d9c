package bridge

import (
	"context"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// pruneInterval is how often old records are removed.
const pruneInterval = 6 * time.Hour

// pruning removes records older than store.keep, beside the loop: it may take
// long, and no post must wait for it.
func (b *Bridge) pruning(ctx context.Context) {
	for b.Keep > 0 {
		b.prune(ctx)
		select {
		case <-time.After(pruneInterval):
		case <-ctx.Done():
			return
		}
	}
}

// aging is a car whose old records are to be removed.
type aging struct {
	id     car.ID
	before time.Time
	energy func(summary []byte) float64
}

func (b *Bridge) prune(ctx context.Context) {
	var cars []aging
	_ = b.Do(ctx, func() {
		before := b.Now().Add(-b.Keep)
		for id, v := range b.cars {
			cars = append(cars, aging{id, v.sums.spare(before), energyOf(v.sums.size(v.seenCapacity()))})
		}
	})
	for _, c := range cars {
		removed, err := b.Store.Prune(ctx, c.id, c.before, c.energy)
		if err == nil && removed > 0 {
			b.Log.Info().Str("car", string(c.id)).Int("records", removed).
				Msg("records older than store.keep removed")
			err = b.reload(ctx, c.id)
		}
		if err != nil && ctx.Err() == nil {
			b.Log.Error().Err(err).Str("car", string(c.id)).Msg("old records cannot be removed")
		}
	}
}

// reload computes a car's sums again, the store having changed by itself.
func (b *Bridge) reload(ctx context.Context, id car.ID) (err error) {
	if stopped := b.Do(ctx, func() {
		if v, ok := b.cars[id]; ok {
			err = v.sums.reload(b.Store.Read(ctx))
		}
	}); stopped != nil {
		return stopped
	}
	return err
}

// spare returns the time, or the start of the newest two trips if they are
// older: half a trip is none.
func (r *records) spare(before time.Time) time.Time {
	oldest := r.trips.before
	if oldest.Points == 0 {
		oldest = r.trips.current
	}
	if start := time.UnixMilli(oldest.Start); oldest.Points > 0 && start.Before(before) {
		return start
	}
	return before
}

// energyOf returns how much a summary counts in the total, in Wh, in a battery
// of that capacity.
func energyOf(capacity float64) func(summary []byte) float64 {
	return func(summary []byte) float64 {
		c, err := ReadCharge(summary)
		if err != nil {
			return 0
		}
		best, _ := c.Best(capacity)
		wh, _ := best.Float()
		return wh
	}
}
