package tesla

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// ReaderOptions is what a Reader needs. Stretch and Cost may be missing.
type ReaderOptions struct {
	Client *Client
	// Take stores and publishes what came of a car.
	Take func(ctx context.Context, b car.Batch) (car.Receipt, error)
	// Cars names a car; "" leaves it alone.
	Cars      func(vin string) car.ID
	Intervals Intervals                // those of 0 are DefaultIntervals
	Stretch   func() float64           // see Meter.Stretch; nil: the client's meter's
	Cost      func(vin string) float64 // USD of this month; nil: by the client's meter
	Now       func() time.Time
	Log       zerolog.Logger
}

// Reader keeps an account's cars read: it asks Tesla when their [Poller] says so, and
// hands over what they say.
type Reader struct {
	ReaderOptions
	mu   sync.Mutex
	cars map[string]*followed // by VIN: those that Run follows now
}

// followed is a car that is being read, by one goroutine.
type followed struct {
	id     car.ID
	stop   context.CancelFunc
	wanted chan struct{} // holds a wish for its values
	read   time.Time     // when its values came last; guarded by the Reader's mu
}

const (
	listEvery = 6 * time.Hour    // new cars appear so soon
	tryAgain  = time.Minute      // after what is over soon, or is noticed without a call
	tryLater  = time.Hour        // after what lasts
	longest   = 10 * time.Minute // between two tries while Tesla cannot be reached
	// sharing is how long a car that was read counts as one that shares the budget.
	sharing = 7 * 24 * time.Hour
)

// NewReader makes a reader. It does nothing until Run.
func NewReader(o ReaderOptions) *Reader {
	meter := o.Client.Meter
	if o.Stretch == nil {
		o.Stretch = meter.Stretch
	}
	if o.Cost == nil {
		o.Cost = func(vin string) float64 { return meter.Bill().ByVIN[vin] }
	}
	o.Intervals = o.Intervals.orDefault()
	return &Reader{ReaderOptions: o, cars: make(map[string]*followed)}
}

// Run reads the account's cars until ctx ends, and returns nil then: whatever goes
// wrong is logged, and tried again when that makes sense.
func (r *Reader) Run(ctx context.Context) error {
	var all sync.WaitGroup
	defer all.Wait()
	said, failures := "", 0
	for {
		wait := listEvery
		list, err := r.Client.Vehicles(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			r.follow(ctx, &all, list)
			said, failures = "", 0
		case IsLoginRequired(err):
			wait = tryAgain // no call leaves the house before somebody has signed in
		default:
			wait = backoff(failures)
			failures++
		}
		if err != nil && err.Error() != said {
			said = err.Error()
			r.Log.Warn().Err(err).Msg("the list of cars could not be read")
		}
		_ = sleep(ctx, wait)
	}
}

func backoff(failures int) time.Duration { return min(longest, tryAgain<<min(failures, 10)) }

// follow begins to read the cars of a list that are new, and lets go of those that
// are no longer in it.
func (r *Reader) follow(ctx context.Context, all *sync.WaitGroup, list []Vehicle) {
	r.mu.Lock()
	defer r.mu.Unlock()
	gone := make(map[string]bool)
	for vin := range r.cars {
		gone[vin] = true
	}
	for _, v := range list {
		delete(gone, v.VIN)
		id := r.Cars(v.VIN)
		if id == "" || r.cars[v.VIN] != nil {
			continue
		}
		mine, stop := context.WithCancel(ctx)
		f := &followed{id: id, stop: stop, wanted: make(chan struct{}, 1)}
		r.cars[v.VIN] = f
		all.Go(func() { r.newTour(v.VIN, f).run(mine) })
	}
	for vin := range gone {
		r.Log.Info().Str("car", string(r.cars[vin].id)).Msg("the car has left the Tesla account")
		r.cars[vin].stop()
		delete(r.cars, vin)
	}
}

// Refresh asks for a car's values once, if it is awake. It does not wait for them.
func (r *Reader) Refresh(id car.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.cars {
		if f.id == id {
			select {
			case f.wanted <- struct{}{}:
			default: // somebody has asked already
			}
		}
	}
}

// load is what slows reading down at now.
func (r *Reader) load(now time.Time) Load {
	l := Load{Stretch: r.Stretch(), Room: r.Client.Meter.room()}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.cars {
		if !f.read.IsZero() && now.Sub(f.read) < sharing {
			l.Cars++
		}
	}
	return l
}

// room says whether the month, if it goes on like this, stays so far below the hard
// limit that it can afford what is only nice to have.
func (m *Meter) room() bool {
	return m.Bill().Forecast < m.budget.Soft+(m.budget.Hard-m.budget.Soft)/3
}
