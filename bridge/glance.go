package bridge

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// Glance is a car as somebody sees it who only asks whether it reports.
type Glance struct {
	ID       car.ID
	Name     string
	Last     time.Time // last accepted request
	Requests int64     // accepted ever
	Trouble  string    // the last thing that was wrong with a request, "" for none
	Since    time.Time // when that was
}

// Glances looks at the cars, by id.
func (b *Bridge) Glances(ctx context.Context) (all []Glance, err error) {
	err = b.Do(ctx, func() {
		for _, id := range slices.Sorted(maps.Keys(b.cars)) {
			v := b.cars[id]
			g := Glance{
				ID: id, Name: b.device(v).Name, Last: time.UnixMilli(v.Received),
				Requests: v.Facts.Requests, Trouble: v.Facts.Error,
			}
			if g.Trouble != "" {
				g.Since = time.UnixMilli(v.Facts.ErrorAt)
			}
			all = append(all, g)
		}
	})
	return all, err
}
