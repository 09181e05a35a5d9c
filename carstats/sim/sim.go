// Package sim is a simulated car with the Car Stats Viewer app on board: it
// drives, parks and charges, and posts to a webhook what the app would post,
// byte for byte and failure for failure.
//
// The car is seeded and deterministic, and lives in the North Sea. Its clock
// can run faster than ours; the network's time-outs do not. What it really did
// is in its [Truth]. A [Release] writes bodies by itself, for tests and
// benchmarks that need no car; a [History] is a past as long as one wants.
package sim

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// Mode is the app's telemetry type: what it sends.
type Mode uint8

// The modes, the app's default first.
const (
	Both   Mode = iota // a tick every 5 s, driving points and charging sessions
	Ticks              // ticks, and a request per driving point, but no arrays
	Points             // points and sessions; ticks only until the first success and after failures
)

// ParseMode reads a mode by its word (ticks, points, both) or by the app's
// number for it (0, 1, 2).
func ParseMode(s string) (Mode, error) {
	switch s {
	case "", "both", "2":
		return Both, nil
	case "ticks", "0":
		return Ticks, nil
	case "points", "1":
		return Points, nil
	}
	return Both, fmt.Errorf("mode %q: use ticks, points or both", s)
}

// Options say which car and which app are simulated. The zero value of each is
// what most cars have.
type Options struct {
	URL      string // where to post; user info in it is not used, as in the app
	User     string // Basic credentials, sent with every request
	Password string
	Version  string // the app's, see ReleaseOf
	Fork     string // Boessi, or empty
	Mode     Mode

	Seed   uint64
	Script Day       // what the car does, again and again; nil: WorkingDay
	Start  time.Time // the car's time at the start; zero: now
	Speed  float64   // how much faster the car's clock runs; 0: 1; +Inf: never waits

	Capacity      float64 // Wh the battery holds; 0: 78 000
	SoC           float64 // how full it is at the start, 0..1; 0: 0.72
	NoLocation    bool    // the app's switch "use location" is off
	NoPower       bool    // a car that reports no power, app 0.28.1 or newer
	NoTemperature bool    // a car that reports no temperature, app 0.28.1 or newer
	ABRP          *string // the secret that a debug switch of the app sends along
	Duplicates    float64 // share of requests repeated at once, as Android's HTTP client does

	Client *http.Client // nil: one of its own; redirects are never followed
	Log    func(Event)  // told of every request, from the goroutine that made it
}

// Event is one request and its outcome. It holds no position and no secret.
type Event struct {
	At       time.Time // of sending, by the car's clock
	Request  Request
	Points   int // driving points in the body
	Sessions int // charging sessions in the body
	Bytes    int64
	Took     time.Duration
	Status   int    // of the answer; 0: none came
	Answer   string // its text, at most 512 bytes
	Err      error  // why none came
	OK       bool   // the app takes it for delivered
	Queued   int    // points and sessions that still wait in the app
}

// Request is why the app posts.
type Request string

// The reasons.
const (
	Tick       Request = "tick"
	PointMade  Request = "point"
	SessionEnd Request = "session"
	Upload     Request = "upload" // a part of the whole database
	idle       Request = "idle"   // none: the head unit fell asleep or woke up
)

// Snapshot is the car at a glance, for people who watch.
type Snapshot struct {
	At     time.Time // by the car's clock
	Doing  string    // parked, driving, charging or asleep
	Speed  float64   // km/h
	SoC    float64   // %
	Power  float64   // kW, positive = consumption
	OK     int       // requests delivered
	Failed int
	Queued int   // points and sessions waiting in the app
	Last   Event // the last request
}

// Car is a simulated car with its app.
type Car struct {
	options Options
	release Release
	life    *life
	clock   clock
	tick    time.Time // next tick, by the car's clock

	wire   chan struct{} // holds a token while a request is under way: one at a time
	link   *link         // owned by whoever holds the token, as are the next three
	rng    *rand.Rand
	queue  queue
	greedy bool // nothing was delivered yet, or the last request failed: tick in every mode

	mu    sync.Mutex
	shown Snapshot
	state State // what the app knew last
	wall  time.Time
}

// New builds a car. It does nothing until Run, Step or UploadDatabase.
func New(o Options) (*Car, error) {
	release, err := ReleaseOf(o.Version)
	if err != nil {
		return nil, err
	}
	release.Fork = o.Fork
	if err := o.check(release); err != nil {
		return nil, err
	}
	o.Capacity, o.SoC = cmp.Or(o.Capacity, 78e3), cmp.Or(o.SoC, 0.72)
	o.Speed = cmp.Or(o.Speed, 1)
	if o.Script == nil {
		o.Script = WorkingDay()
	}
	if o.Start.IsZero() {
		o.Start = time.Now()
	}
	start := o.Start.UTC().Truncate(time.Millisecond)
	v := vehicle{now: start, capacity: o.Capacity, stored: o.SoC * o.Capacity, outside: 11}
	c := &Car{
		options: o, release: release, tick: start, greedy: true,
		life:  newLife(o.Seed, v, o.NoPower, o.Script.repeat()),
		clock: clock{speed: o.Speed, now: start},
		wire:  make(chan struct{}, 1),
		link:  newLink(o, release),
		rng:   rand.New(rand.NewPCG(o.Seed, 1)),
		queue: queue{mode: o.Mode, release: release, noLocation: o.NoLocation},
	}
	c.see(c.job(idle))
	return c, nil
}

func (o Options) check(r Release) error {
	if o.URL != "" {
		u, err := url.Parse(o.URL)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return errors.New("url: use http://host/path or https://host/path")
		}
	}
	if !r.mayLackAny && (o.NoPower || o.NoTemperature) {
		return fmt.Errorf("app %s sends nothing for a car without power or temperature: use %s",
			r.Version, Newest)
	}
	if o.Fork != "" && (o.Fork != Boessi || !r.arrays) {
		return fmt.Errorf("fork %q: only %s is known, from app 0.25.2 on", o.Fork, Boessi)
	}
	if o.Speed < 0 || o.SoC < 0 || o.SoC > 1 || o.Capacity < 0 || o.Mode > Points {
		return errors.New("speed, capacity, state of charge and mode must be in their ranges")
	}
	return o.Script.Check()
}

// Release is the version of the app on board.
func (c *Car) Release() Release { return c.release }

// Truth is what the car really did so far; ask when Run has returned, or
// between two Steps.
func (c *Car) Truth() Truth { return c.life.truth.Truth }

// Snapshot may be called at any time, from any goroutine.
func (c *Car) Snapshot() Snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shown
}

// known is what the app knows of the car: less than the car.
func (c *Car) known() State {
	s := c.life.state()
	s.ABRP = c.options.ABRP
	if s.ABRP == nil && c.release.abrp {
		s.ABRP = new(string)
	}
	if c.options.NoPower {
		s.Power = car.Missing()
	}
	if c.options.NoTemperature {
		s.Outside = car.Missing()
	}
	if c.options.NoLocation {
		s.Lat, s.Lon, s.Alt = car.Missing(), car.Missing(), car.Missing()
	}
	return s
}
