package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// stopWithin is how long all services together have to stop.
const stopWithin = 10 * time.Second

// service is a part of the program that runs until its context ends.
type service struct {
	name string
	run  func(context.Context) error
}

// running is a service under way.
type running struct {
	service
	stop context.CancelFunc
	done chan struct{}
	err  error // valid once done is closed
}

// group starts services in order and stops them in reverse, each only when the
// one that feeds it has stopped.
type group struct {
	log      zerolog.Logger
	services []*running
	failed   chan struct{} // closed when a service ends by itself
	once     sync.Once
}

func newGroup(log zerolog.Logger) *group { return &group{log: log, failed: make(chan struct{})} }

// start runs a service. wait waits for it.
func (g *group) start(s service) {
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{service: s, stop: cancel, done: make(chan struct{})}
	g.services = append(g.services, r)
	go func() {
		defer close(r.done)
		r.err = s.run(ctx)
		if ctx.Err() == nil {
			g.once.Do(func() { close(g.failed) })
		}
	}()
}

// wait returns when ctx ends or a service does, with everything stopped.
func (g *group) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
	case <-g.failed:
	}
	return g.stop()
}

func (g *group) stop() error {
	deadline, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	var errs []error
	for i := len(g.services) - 1; i >= 0; i-- {
		r := g.services[i]
		r.stop()
		select {
		case <-r.done:
			if r.err != nil && !errors.Is(r.err, context.Canceled) {
				errs = append(errs, fmt.Errorf("%s: %w", r.name, r.err))
			}
		case <-deadline.Done():
			errs = append(errs, fmt.Errorf("%s did not stop within %v", r.name, stopWithin))
		}
		g.log.Debug().Str("service", r.name).Msg("stopped")
	}
	return errors.Join(errs...)
}
