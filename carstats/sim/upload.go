package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// How the app uploads its database.
const (
	chunkPoints = 250
	chunkPause  = 5 * time.Second // after a failure
	chunkTries  = 10
)

// UploadDatabase sends a whole history in the framing of the app's version,
// taking turns with Run if that is under way. It returns an error when the app
// would give up: at the first failure up to 0.26, later after ten failures of
// one chunk of points. A session that is refused is repeated until ctx ends.
func (c *Car) UploadDatabase(ctx context.Context, h History) error {
	if c.options.URL == "" {
		return errNoURL
	}
	switch c.release.upload {
	case oneBody:
		return c.uploadBody(ctx, h)
	case slices251:
		return c.uploadSlices(ctx, h)
	case chunks250:
		return c.uploadChunks(ctx, h)
	}
	return fmt.Errorf("app %s has no database upload: use 0.25.2 or newer", c.release.Version)
}

// errRefused is why an upload stops.
var errRefused = errors.New("the app gave up: not accepted")

func (c *Car) uploadChunks(ctx context.Context, h History) error {
	sent := 0
	for chunk := range chunks(h.Points(), chunkPoints, 0) {
		if err := c.persist(ctx, chunkTries, chunk, nil); err != nil {
			return fmt.Errorf("upload after %d points: %w", sent, err)
		}
		sent += len(chunk)
	}
	for session := range h.ChargingSessions() {
		one := []Session{c.release.bulk(session)}
		if err := c.persist(ctx, 0, nil, one); err != nil {
			return fmt.Errorf("upload of session %d: %w", session.ID, err)
		}
	}
	return nil
}

// uploadSlices is 0.26: through the live queue, so that its switches count and
// what failed stays in it, and with the last point of a slice repeated.
func (c *Car) uploadSlices(ctx context.Context, h History) error {
	for slice := range chunks(h.Points(), chunkPoints+1, 1) {
		if err := c.once(ctx, slice, nil, true); err != nil {
			return err
		}
	}
	for session := range h.ChargingSessions() {
		if err := c.once(ctx, nil, []Session{c.release.bulk(session)}, true); err != nil {
			return err
		}
	}
	return nil
}

// persist tries again until a part is accepted; tries 0: for ever.
func (c *Car) persist(ctx context.Context, tries int, p []car.Point, s []Session) error {
	for n := 1; ; n++ {
		err := c.once(ctx, p, s, false)
		if err == nil || !errors.Is(err, errRefused) || n == tries {
			return err
		}
		pause := time.Duration(float64(chunkPause) / c.options.Speed)
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// once sends one part of the upload. The top level is the present state.
func (c *Car) once(ctx context.Context, p []car.Point, s []Session, queued bool) error {
	if err := c.hold(ctx); err != nil {
		return err
	}
	defer c.letGo()
	now, state := c.present()
	if queued {
		c.queue.add(p, s)
		p, s = c.queue.points, c.queue.sessions
	}
	body := c.release.Body(nil, state, p, s)
	e := Event{At: now, Request: Upload, Points: len(p), Sessions: len(s), Bytes: int64(len(body))}
	return c.accepted(ctx, c.deliver(ctx, e, reader(body)))
}

// uploadBody is 0.25.2: everything in one request. It is made twice: first to
// learn its length, which the app sends along.
func (c *Car) uploadBody(ctx context.Context, h History) error {
	if err := c.hold(ctx); err != nil {
		return err
	}
	defer c.letGo()
	now, state := c.present()
	if c.options.Mode == Ticks {
		h.Days = 0
	}
	size, err := io.Copy(io.Discard, c.release.Database(state, h))
	if err != nil {
		return fmt.Errorf("measuring the upload: %w", err)
	}
	e := Event{At: now, Request: Upload, Bytes: size}
	return c.accepted(ctx, c.deliver(ctx, e, func() io.Reader {
		return c.release.Database(state, h)
	}))
}

func (c *Car) accepted(ctx context.Context, ok bool) error {
	switch {
	case ok:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	last := c.Snapshot().Last
	return fmt.Errorf("%w: status %d %s", errRefused, last.Status, last.Answer)
}

// present is the time by the car's clock and the car's state.
func (c *Car) present() (time.Time, State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.shown.At.Add(time.Since(c.wall))
	state := c.state
	state.Timestamp = now.UnixMilli()
	return now, state
}

func reader(body []byte) func() io.Reader {
	return func() io.Reader { return bytes.NewReader(body) }
}

// chunks cuts points into slices of size, each beginning with the last overlap
// points of the one before. A slice is valid until the next.
func chunks(points iter.Seq[car.Point], size, overlap int) iter.Seq[[]car.Point] {
	return func(yield func([]car.Point) bool) {
		chunk := make([]car.Point, 0, size)
		for p := range points {
			chunk = append(chunk, p)
			if len(chunk) < size {
				continue
			}
			if !yield(chunk) {
				return
			}
			chunk = append(chunk[:0], chunk[size-overlap:]...)
		}
		if len(chunk) > 0 {
			yield(chunk)
		}
	}
}
