package carstats

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// Take stores a batch durably and returns what became of it. It may refuse a
// car (a *car.Refusal); any other error means that nothing of the batch is
// stored and the sender must try again.
type Take func(context.Context, car.Batch) (car.Receipt, error)

// Account is what the configuration says of one car.
type Account struct {
	Password string // "" means the house's
}

// Options are the receiver's settings.
type Options struct {
	Take     Take
	Password string             // of the house, for every car that has none of its own
	Cars     map[car.ID]Account // the cars of the configuration
	Discover bool               // any id makes a car at its first accepted post
	MaxBody  int64              // bytes; a longer body is refused
	Raw      bool               // hand on the report as JSON too
	Now      func() time.Time
	Log      zerolog.Logger
	// Answered is told of every webhook request, also those that were refused:
	// the car ("" if none), the HTTP status, and the reason if it was not 200.
	Answered func(id car.ID, status int, reason string)
}

// Receiver takes bodies of Car Stats Viewer, by HTTP (ServeHTTP) or forwarded
// by others (Intake), and hands what is in them to Take.
type Receiver struct {
	Options
	buffers sync.Pool
	warned  warnings
}

// NewReceiver makes a receiver. Take, Now and MaxBody are needed.
func NewReceiver(o Options) *Receiver {
	if o.Answered == nil {
		o.Answered = func(car.ID, int, string) {}
	}
	return &Receiver{
		Options: o,
		buffers: sync.Pool{New: func() any { return new([16 << 10]byte) }},
		warned:  warnings{last: make(map[warning]time.Time)},
	}
}

// Intake stores a forwarded body by the rules of an HTTP POST. A broker has
// let the sender in, so no password is asked for. It returns when the body is
// durable. A *car.Refusal says that the body will never be taken; after any other
// error the same body may be tried again.
func (r *Receiver) Intake(ctx context.Context, id car.ID, body []byte) error {
	if err := r.admit(id); err != nil {
		return err
	}
	if int64(len(body)) > r.MaxBody {
		return car.Refuse(car.Invalid, "the body has %d bytes; carstats.max_body allows %d", len(body), r.MaxBody)
	}
	if _, err := r.receive(ctx, id, bytes.NewReader(body), "mqtt"); err != nil {
		if status, reason := r.failed(err); status < http.StatusInternalServerError {
			return car.Refuse(car.Invalid, "%s", reason)
		}
		return err
	}
	return nil
}

// admit says whether a car of this id may exist.
func (r *Receiver) admit(id car.ID) error {
	if id == "" || id.Reserved() {
		return car.Refuse(car.NoSuch, "no car can be called %q: choose another name", id)
	}
	if _, listed := r.Cars[id]; !listed && !r.Discover {
		return car.Refuse(car.NoSuch,
			"no car %q: add cars.%s to the configuration, or set carstats.discover to true", id, id)
	}
	return nil
}

// receive decodes and stores one body. What came before an error is stored all
// the same: the sender will repeat it, and that is harmless.
func (r *Receiver) receive(ctx context.Context, id car.ID, body io.Reader, source string) (car.Receipt, error) {
	buf := r.buffers.Get().(*[16 << 10]byte)
	defer r.buffers.Put(buf)
	var total car.Receipt
	stored := true
	take := func(b car.Batch) error {
		receipt, err := r.Take(ctx, b)
		total.Add(receipt)
		stored = stored && err == nil
		return err
	}
	d := newDecoder(body, buf[:], id, r.Now())
	d.raw, d.take = r.Raw, take
	last, err := d.decode()
	last.Request.Source = source
	if err == nil {
		r.warn(id, last.Request)
		return total, take(last)
	}
	if stored && last.Records() > 0 {
		err = errors.Join(err, take(last))
	}
	return total, err
}

// warn logs what somebody should know of an accepted request, each thing at
// most once a day and car: a car repeats itself every five seconds.
func (r *Receiver) warn(id car.ID, q car.Request) {
	if q.LegacyAPI && r.warned.first(warning{id, "legacy"}, r.Now()) {
		r.Log.Warn().Str("car", string(id)).
			Msg("the app speaks webhook API 1.0 (0.24 or older), which is not understood: update Car Stats Viewer")
	}
	if q.UnknownAPI && r.warned.first(warning{id, "unknown"}, r.Now()) {
		r.Log.Warn().Str("car", string(id)).Str("api", q.APIVersion).
			Msg("the app speaks a newer webhook API, which is kept but not understood: update Wheelhouse")
	}
	if q.Skipped > 0 && r.warned.first(warning{id, q.SkippedWhy}, r.Now()) {
		r.Log.Warn().Str("car", string(id)).Int("items", q.Skipped).Str("first", q.SkippedWhy).
			Msg("wrong items in a body were left out; the rest is stored")
	}
	if q.ClockWrong && r.warned.first(warning{id, "clock"}, r.Now()) {
		r.Log.Warn().Str("car", string(id)).
			Msg("the car's clock is wrong: its values count as of their receipt")
	}
}

// warning is a thing to warn of.
type warning struct {
	car car.ID
	of  string
}

const (
	warnEvery   = 24 * time.Hour
	maxWarnings = 1000
)

// warnings remembers what was warned of.
type warnings struct {
	mu   sync.Mutex
	last map[warning]time.Time
}

// first says whether w was not warned of within a day.
func (w *warnings) first(of warning, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if last, ok := w.last[of]; ok && now.Sub(last) < warnEvery {
		return false
	}
	if len(w.last) >= maxWarnings {
		clear(w.last)
	}
	w.last[of] = now
	return true
}
