package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/store"
)

const (
	maxGather   = 5000 // records that one commit may hold
	maxRefusals = 64   // refused requests that wait to be noted
)

// Profile is what the configuration says of a car.
type Profile struct {
	Name, Manufacturer, Model, VIN string
	Capacity                       float64 // Wh, 0 for unknown
}

// Source is what the bridge knows of the cars that report in one way.
type Source struct {
	Table  car.Table
	Silent time.Duration // without a report for so long a car is offline
	// Posted says that the cars report by themselves, every few seconds. Then a request
	// that goes wrong is somebody's to mend, and trips without points can be guessed.
	Posted bool
	// Profile is what the cars say of themselves: it counts where the
	// configuration says nothing. It may be nil.
	Profile func(car.View) Profile
}

// Options are the bridge's settings. Publish, Announce and Withdraw are called
// from its one goroutine and must not block for long.
type Options struct {
	Store    *store.Store
	Sources  map[car.Source]Source
	Topics   car.Topics
	Calm     time.Duration // mqtt.min_interval
	Keep     time.Duration // store.keep, 0 for ever
	Profiles map[car.ID]Profile
	Version  string
	Now      func() time.Time
	Log      zerolog.Logger

	Publish  func(...car.Message)
	Announce func(car.Device) // a car is new or has shown a new field
	Withdraw func(car.ID)     // a car is forgotten
}

// Bridge owns the live state of all cars. Its methods may be called by any
// goroutine while Run runs.
type Bridge struct {
	Options
	jobs     chan job
	calls    chan func()
	refusals chan refusal
	done     chan struct{} // closed when Run has returned
	cars     map[car.ID]*vehicle
	program  *own
	account  *own // nil while there is none
	started  time.Time

	farewells []farewell

	requests, failures atomic.Int64
	commits, points    atomic.Int64
}

// vehicle is a car: its present, and what its records add up to.
type vehicle struct {
	*live
	sums   records
	posted bool    // see Source.Posted
	raw    string  // the newest report as JSON, if carstats.raw
	told   Profile // as which it was announced last

	ended    bool  // the current trip was last seen as over
	toldTrip int64 // end of the newest trip told in last_trip, epoch ms
}

// refusal is a webhook request that was not answered 200.
type refusal struct {
	car    car.ID
	status int
	reason string
}

// job is a batch on its way to the store, and who waits for it.
type job struct {
	batch car.Batch
	reply chan reply
}

type reply struct {
	receipt car.Receipt
	err     error
}

// errStopped is what callers hear when the bridge has stopped.
var errStopped = errors.New("wheelhouse is stopping")

// New loads the cars from the store.
func New(ctx context.Context, o Options) (*Bridge, error) {
	b := &Bridge{
		Options:  o,
		jobs:     make(chan job),
		calls:    make(chan func()),
		refusals: make(chan refusal, maxRefusals),
		done:     make(chan struct{}),
		cars:     map[car.ID]*vehicle{},
		started:  o.Now(),
	}
	b.program = b.own(car.Device{
		ID: car.BridgeID, Name: "Wheelhouse", Manufacturer: "Wheelhouse", Model: "Bridge",
	}, ProgramTable)
	rows, err := o.Store.Read(ctx).Cars()
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		v := b.vehicle(row.ID, sourceOf(row.State))
		if err := v.live.load(row.State, row.Seen); err != nil {
			return nil, fmt.Errorf("the state of car %s cannot be read: %w", row.ID, err)
		}
		if err := v.sums.load(o.Store.Read(ctx), row); err != nil {
			return nil, fmt.Errorf("the records of car %s cannot be read: %w", row.ID, err)
		}
		b.cars[row.ID] = v
	}
	return b, nil
}

func (b *Bridge) vehicle(id car.ID, source car.Source) *vehicle {
	s := b.Sources[source]
	v := &vehicle{
		live: newLive(id, s.Table, b.Topics, b.Calm, s.Silent),
		sums: records{id: id, capacity: b.Profiles[id].Capacity},
	}
	v.Source, v.posted = source, s.Posted
	return v
}

// Take stores a batch durably, applies it, and returns what became of it. It
// refuses a car whose id would clash with another's.
func (b *Bridge) Take(ctx context.Context, batch car.Batch) (car.Receipt, error) {
	j := job{batch: batch, reply: make(chan reply, 1)}
	select {
	case b.jobs <- j:
	case <-ctx.Done():
		return car.Receipt{}, ctx.Err()
	case <-b.done:
		return car.Receipt{}, errStopped
	}
	r := <-j.reply
	return r.receipt, r.err
}

// Do runs f in the bridge's goroutine and waits for it.
func (b *Bridge) Do(ctx context.Context, f func()) error {
	ran := make(chan struct{})
	select {
	case b.calls <- func() { defer close(ran); f() }:
		<-ran
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-b.done:
		return errStopped
	}
}

// Answered counts a webhook request and notes in a known car's diagnostics why
// one was refused.
func (b *Bridge) Answered(id car.ID, status int, reason string) {
	b.requests.Add(1)
	if status == 200 {
		return
	}
	b.failures.Add(1)
	select {
	case b.refusals <- refusal{id, status, reason}:
	default: // many wait already: the count is what matters
	}
}

func (b *Bridge) note(r refusal) {
	v, ok := b.cars[r.car]
	if !ok || !v.posted {
		return
	}
	now := b.Now()
	v.Facts.refused(r.status, r.reason, now)
	b.Publish(v.document("diagnostics", v.diagnostics(now), car.Minutely, now)...)
}

// Run publishes what is known and then works until ctx ends. What has been
// taken is finished first.
func (b *Bridge) Run(ctx context.Context) error {
	var pruner sync.WaitGroup
	defer pruner.Wait()
	defer close(b.done)
	pruner.Go(func() { b.pruning(ctx) })
	b.introduce()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case j := <-b.jobs:
			b.commit(ctx, b.gather(j))
		case f := <-b.calls:
			f()
		case r := <-b.refusals:
			b.note(r)
		case <-timer.C:
			b.tick()
		case <-ctx.Done():
			b.part(func(farewell) bool { return true })
			return nil
		}
		timer.Reset(b.next().Sub(b.Now()))
	}
}

// introduce publishes and announces everything known at the start, the program
// before the cars that hang on it.
func (b *Bridge) introduce() {
	now := b.Now()
	b.Announce(b.program.device)
	b.publishProgram(now)
	for _, v := range b.cars {
		v.told = b.profile(v)
		b.tell(v, now)
		b.Announce(b.device(v))
		b.leave(v.id, v.gone(), longParting)
	}
}

// tell publishes what a car is at now, and announces it if it shows a field for
// the first time, or says to be another than before.
func (b *Bridge) tell(v *vehicle, now time.Time) {
	shown, who := len(v.seen), b.profile(v)
	v.refresh(now)
	b.Publish(v.publish(now)...)
	b.Publish(v.documents(now)...)
	if len(v.seen) > shown {
		b.remember(v)
	}
	if len(v.seen) > shown || who != v.told {
		v.told = who
		b.Announce(b.device(v))
	}
}

// gather takes along what waits already, so that one commit serves them all.
func (b *Bridge) gather(first job) []job {
	jobs, n := []job{first}, first.batch.Records()+1
	for n < maxGather {
		select {
		case j := <-b.jobs:
			jobs = append(jobs, j)
			n += j.batch.Records() + 1
		default:
			return jobs
		}
	}
	return jobs
}

// commit stores the batches in one transaction. If it fails each gets another
// try alone, so that one batch cannot fail the others.
func (b *Bridge) commit(ctx context.Context, jobs []job) {
	// What was taken is finished, whoever stops meanwhile.
	w := b.write(context.WithoutCancel(ctx), jobs)
	if w.err != nil && len(jobs) > 1 {
		for i := range jobs {
			b.commit(ctx, jobs[i:i+1])
		}
		return
	}
	b.adopt(w)
	for i, j := range jobs {
		j.reply <- reply{w.receipts[i], w.err}
	}
}

// adopt makes what was stored the live state, and tells of it.
func (b *Bridge) adopt(w *writing) {
	if w.err != nil {
		return
	}
	b.commits.Add(1)
	now := b.Now()
	for _, id := range w.order {
		v := w.cars[id]
		if b.cars[id] == nil { // it may have been forgotten just now
			b.part(func(f farewell) bool { return f.id == id })
		}
		b.cars[id] = v.vehicle
		if err := v.sums.settle(b.Store.Read(context.Background()), v.change); err != nil {
			b.Log.Error().Err(err).Str("car", string(id)).Msg("trips cannot be computed")
		}
		b.tell(v.vehicle, now)
		b.Publish(v.updated(v.change.charges, now)...)
		b.points.Add(int64(v.change.New))
	}
}

// updated tells of sessions that came or changed just now.
func (v *vehicle) updated(charges map[int64]Charge, now time.Time) (out []car.Message) {
	for _, start := range slices.Sorted(maps.Keys(charges)) {
		c := charges[start]
		if c.End != 0 && now.Sub(time.UnixMilli(c.End)) <= eventAge {
			details := json.RawMessage(c.JSON(v.sums.size(v.seenCapacity())))
			out = append(out, v.event(car.SessionUpdated, c.End, details))
		}
	}
	return out
}

// remember keeps which fields the car has shown. It may fail: the next start
// finds them again in the car's state.
func (b *Bridge) remember(v *vehicle) {
	err := b.Store.Write(context.Background(), func(tx *store.Tx) error {
		return tx.PutSeen(v.id, v.seenKeys())
	})
	if err != nil {
		b.Log.Error().Err(err).Str("car", string(v.id)).Msg("the fields seen cannot be stored")
	}
}

// documentKeys are the JSON topics of a car.
var documentKeys = []string{"last_trip", "last_charge", "raw", "diagnostics"}

// documents are what the JSON topics of a car say.
func (v *vehicle) documents(now time.Time) (out []car.Message) {
	out = append(out, v.document("last_trip", v.lastTripJSON(now), car.AtOnce, now)...)
	out = append(out, v.document("last_charge", v.sums.lastCharge(v.seenCapacity()), car.AtOnce, now)...)
	out = append(out, v.document("raw", v.raw, car.AtOnce, now)...)
	if !v.posted {
		return out // there is no request to diagnose
	}
	return append(out, v.document("diagnostics", v.diagnostics(now), car.Minutely, now)...)
}

// refresh computes what the records yield at now.
func (v *vehicle) refresh(now time.Time) {
	trip := v.current()
	v.ended = !trip.Open(now)
	v.computed = v.sums.values(v.seenCapacity(), v.seen)
	maps.Copy(v.computed, trip.values(now))
}

// tick does what time alone brings.
func (b *Bridge) tick() {
	now := b.Now()
	for _, v := range b.cars {
		if v.tripEnds(now) {
			b.tell(v, now)
		}
		b.Publish(v.live.tick(now)...)
	}
	b.publishProgram(now)
	b.part(func(f farewell) bool { return !now.Before(f.at) })
}

// next is when tick has something to do.
func (b *Bridge) next() time.Time {
	next := b.Now().Add(time.Minute)
	for _, f := range b.farewells {
		if f.at.Before(next) {
			next = f.at
		}
	}
	for _, v := range b.cars {
		for _, t := range []time.Time{v.live.next(), v.tripEndsAt()} {
			if !t.IsZero() && t.Before(next) {
				next = t
			}
		}
	}
	return next
}

// Cars lists the cars there are.
func (b *Bridge) Cars(ctx context.Context) (ids []car.ID, err error) {
	err = b.Do(ctx, func() { ids = slices.Sorted(maps.Keys(b.cars)) })
	return ids, err
}

// Forget removes a car: its topics, its discovery, the fields it has shown, and
// with data its records too. It comes back with its next post.
func (b *Bridge) Forget(ctx context.Context, id car.ID, data bool) error {
	var failed error
	err := b.Do(ctx, func() {
		v, ok := b.cars[id]
		if !ok {
			failed = car.Refuse(car.NoSuch, "no car %q", id)
			return
		}
		// A car that is half forgotten could not post any more.
		if failed = b.Store.Forget(context.WithoutCancel(ctx), id, data); failed != nil {
			return
		}
		delete(b.cars, id)
		b.Withdraw(id)
		b.leave(id, v.clear(), shortParting)
	})
	return errors.Join(err, failed)
}

// Counts are figures for the metrics.
type Counts struct{ Commits, NewRecords int64 }

// Counts returns what was done since the start.
func (b *Bridge) Counts() Counts { return Counts{b.commits.Load(), b.points.Load()} }
