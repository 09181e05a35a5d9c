package sim

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// job is one request the app is about to make, with the car as it was when the
// reason arose. If the wire is busy it grows stale, as it does in the app.
type job struct {
	request  Request
	at       time.Time
	state    State
	journey  Journey // for API 1.0
	points   []car.Point
	sessions []Session
}

var errNoURL = errors.New("the car has no url to post to")

// Run lives and posts until ctx ends, and returns its error. What the app
// could not deliver stays in its queue for the next Run.
func (c *Car) Run(ctx context.Context) error {
	if c.options.URL == "" {
		return errNoURL
	}
	defer c.link.close()
	c.clock.wall = time.Now()
	for {
		j := c.next()
		if err := c.clock.wait(ctx, j.at); err != nil {
			return err
		}
		if err := c.hold(ctx); err != nil {
			return err
		}
		c.clock.spent()
		c.see(j)
		if j.request != idle {
			c.post(ctx, j, c.clock.now)
			c.clock.spent()
		}
		if j.request == Tick {
			c.tick = c.clock.now.Add(c.link.patience)
		}
		c.letGo()
	}
}

// Step lives on to the next request, takes it for delivered, and returns its
// body. It needs no network and no clock; not to be mixed with Run.
func (c *Car) Step() []byte {
	for {
		j := c.next()
		c.see(j)
		if j.request == Tick {
			c.tick = j.at.Add(interval)
		}
		if body, ok := c.compose(j, j.at); ok {
			c.settle(true)
			return body
		}
	}
}

// next lives on until the app has a reason to post. Only the head unit's sleep
// keeps it from ticking.
func (c *Car) next() job {
	for l := c.life; ; {
		if !l.asleep && !l.now.Before(c.tick) {
			return c.job(Tick)
		}
		limit, slept := c.tick, l.asleep
		if slept {
			limit = l.now.Add(24 * time.Hour)
		}
		switch m := l.step(limit); {
		case m.what == aPoint:
			j := c.job(PointMade)
			j.points = []car.Point{m.point}
			return j
		case m.what == aSession:
			j := c.job(SessionEnd)
			j.sessions = []Session{m.session}
			return j
		case l.asleep != slept:
			return c.job(idle)
		}
	}
}

func (c *Car) job(why Request) job {
	return job{request: why, at: c.life.now, state: c.known(),
		journey: c.life.truth.journey(&c.life.vehicle)}
}

// compose writes the body of a job, or says that the app makes no request.
func (c *Car) compose(j job, now time.Time) ([]byte, bool) {
	j.state.Timestamp = now.UnixMilli()
	switch {
	case j.request == idle, j.request == Tick && c.options.Mode == Points && !c.greedy,
		j.request != Tick && !c.release.arrays:
		return nil, false
	case c.release.legacy():
		return c.release.LegacyBody(nil, j.state, j.journey), true
	}
	c.queue.add(j.points, j.sessions)
	return c.release.Body(nil, j.state, c.queue.points, c.queue.sessions), true
}

// settle draws the consequences of an outcome. Success clears the queues.
func (c *Car) settle(ok bool) {
	c.greedy = !ok
	if ok {
		c.queue.clear()
	}
}

// post makes the request of a job; the caller holds the wire.
func (c *Car) post(ctx context.Context, j job, now time.Time) {
	body, ok := c.compose(j, now)
	if !ok {
		return
	}
	e := Event{At: now, Request: j.request, Bytes: int64(len(body)),
		Points: len(c.queue.points), Sessions: len(c.queue.sessions)}
	c.deliver(ctx, e, reader(body))
}

// deliver sends a body, sometimes twice, and says whether it arrived; the
// caller holds the wire.
func (c *Car) deliver(ctx context.Context, e Event, body func() io.Reader) bool {
	times := 1
	if c.rng.Float64() < c.options.Duplicates {
		times = 2
	}
	for range times {
		began := time.Now()
		e.Status, e.Answer, e.Err = c.link.post(ctx, body(), e.Bytes)
		if e.Err != nil && ctx.Err() != nil {
			return false // no failure of the network
		}
		e.Took = time.Since(began)
		e.OK = e.Err == nil && c.release.accepts(e.Status)
		c.settle(e.OK)
		e.Queued = c.queue.len()
		c.show(e)
		if c.options.Log != nil {
			c.options.Log(e)
		}
	}
	return e.OK
}

// hold takes the wire, letGo gives it back.
func (c *Car) hold(ctx context.Context) error {
	select {
	case c.wire <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Car) letGo() { <-c.wire }

// see shows the car as a job found it.
func (c *Car) see(j job) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state, c.wall = j.state, time.Now()
	c.shown.At = j.at
	c.shown.Doing = doingOf(j.state).String()
	if j.request == idle && c.life.asleep {
		c.shown.Doing = "asleep"
	}
	c.shown.Speed, c.shown.SoC = j.state.Speed*3.6, j.state.SoC*100
	c.shown.Power = c.life.power / 1e3
}

// show counts an outcome.
func (c *Car) show(e Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.OK {
		c.shown.OK++
	} else {
		c.shown.Failed++
	}
	c.shown.Queued, c.shown.Last = e.Queued, e
}
