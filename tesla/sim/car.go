package sim

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Model is a kind of car.
type Model string

// The models.
const (
	Model3   Model = "model3" // modern: takes signed orders only
	ModelY   Model = "modely" // modern; tells two phases where there are three, as many do
	OldS     Model = "models" // before 2021: takes plain orders, streams nothing, has half the fields
	fullBars       = 272.5    // mi that a full battery of Model 3 is rated for
)

func (m Model) old() bool { return m == OldS }

// capacity is what a full battery holds, in Wh, and how far that is rated for, in
// mi.
func (m Model) capacity() (wh, miles float64) {
	switch m {
	case ModelY:
		return 75e3, 315
	case OldS:
		return 72e3, 235
	}
	return 57.6e3, fullBars
}

// Spec is a car as it is at first.
type Spec struct {
	VIN      string
	Name     string
	Model    Model   // "": Model3
	Driver   bool    // the account only drives it; somebody else owns it
	Asleep   bool    // at first
	Fill     float64 // of the battery, 0..1; 0: 0.62
	Odometer float64 // m
	Plan     Plan
	Settings Settings

	// SleepsAfter is how long nothing must happen until the car sleeps; 0: nine
	// minutes, so that a car falls asleep although somebody reads it every ten,
	// as modern ones do, and a quarter of an hour for an old one, which does not.
	SleepsAfter time.Duration
	// WakesIn is how long waking takes; 0: by chance 3 to 30 s.
	WakesIn time.Duration
}

// DefaultCars are a Model 3 that is online, a Model Y that sleeps, an old Model S
// that is offline, and a Model 3 that is in service.
func DefaultCars() []Spec {
	return []Spec{
		{VIN: "5YJ3E1EA0PF000001", Name: "Nightjar", Plan: WorkingWeek(), Odometer: 31_281_280,
			Settings: Settings{Paired: true}},
		{VIN: "7SAYGDEE0PF000002", Name: "Wagtail", Model: ModelY, Asleep: true, Plan: WorkingWeek(),
			Odometer: 18_020_500},
		{VIN: "5YJSA1E20FF000003", Name: "Old Bittern", Model: OldS, Driver: true, Odometer: 164_330_100,
			Settings: Settings{Offline: true}},
		{VIN: "5YJ3E1EA0PF000004", Name: "Dotterel", Odometer: 71_500_900, Settings: Settings{InService: true}},
	}
}

// Settings are what people, or a test, may set at any time.
type Settings struct {
	Offline        bool // no mobile network
	InService      bool
	NoMobileAccess bool // the owner's switch in the car
	Paired         bool // the application's key is on the car

	Unlocked    bool
	Sentry      bool
	Climate     bool
	UserPresent bool
	Doors       map[string]bool // open ones: df dr pf pr ft rt
	Windows     map[string]int  // fd_window fp_window rd_window rp_window: 0 closed 1 vent 2 open
	ChargeLimit int             // %; 0: 80
	Route       string          // destination of the navigation, "" for none
	Update      string          // version of an update that is available, "" for none
	Alerts      []string        // names of recent alerts
	StreamError string          // that the car reports of its streaming, "" for none
}

// awake says whether a car stays awake for them.
func (s Settings) awake() bool {
	for _, open := range s.Doors {
		if open {
			return true
		}
	}
	return s.Sentry || s.Climate || s.UserPresent
}

func (s Settings) limit() float64 {
	if s.ChargeLimit > 0 {
		return float64(s.ChargeLimit) / 100
	}
	return 0.8
}

// Connection is what Tesla says of a car's connection.
type Connection string

// The connections.
const (
	Online  Connection = "online"
	Asleep  Connection = "asleep"
	Offline Connection = "offline"
)

// Snapshot is a car at a glance: what is true, whatever the API tells.
type Snapshot struct {
	At       time.Time
	State    Connection
	Doing    Doing
	Speed    float64 // km/h
	Power    float64 // kW out of the battery, negative into it
	Fill     float64 // of the battery, 0..1
	Stored   float64 // kWh in the battery
	Odometer float64 // km
	Added    float64 // kWh into the battery in this charge, or the last
	Plugged  bool
	Lat, Lon float64
	Lived    Lived
}

// Lived is what a car did since the beginning, and how often it was woken.
type Lived struct {
	Drove, Charged, Supercharged, Idle, Slept time.Duration
	Used, Loaded                              float64 // Wh out of the battery, and into it
	Wakes                                     int
}

// Car is one of the account's cars.
type Car struct {
	tesla *Tesla
	spec  Spec
	id    int64

	// Whatever follows is guarded by Tesla's lock.
	settings Settings
	rng      *rand.Rand
	life
	config   object // of streaming; nil for none
	synced   bool   // the car has it
	sessions []session
}

func newCar(t *Tesla, spec Spec, n int, now time.Time) *Car {
	if spec.Model == "" {
		spec.Model = Model3
	}
	if spec.Fill == 0 {
		spec.Fill = 0.62
	}
	if spec.SleepsAfter == 0 {
		spec.SleepsAfter = 9 * time.Minute
		if spec.Model.old() {
			spec.SleepsAfter = 15 * time.Minute
		}
	}
	c := &Car{tesla: t, spec: spec, id: 1493000000000000 + int64(n), settings: spec.Settings}
	c.rng = rand.New(rand.NewPCG(t.options.Seed, uint64(n)))
	c.full, c.rated = spec.Model.capacity()
	c.stored, c.metres = spec.Fill*c.full, spec.Odometer
	c.bearing = float64(20 + 35*n)
	c.now, c.calm, c.doing.Do, c.since = now, now, Parked, now
	c.asleep = spec.Asleep
	c.inside = outside(now)
	c.cursor = newCursor(spec.Plan, now)
	c.sessions = pastSessions(spec, n, now)
	return c
}

// vin is the car's identification number, "" for none.
func (c *Car) vin() string {
	if c == nil {
		return ""
	}
	return c.spec.VIN
}

// lived takes the lock and brings the car up to now; what it returns gives the
// lock back.
func (c *Car) lived() (done func()) {
	c.tesla.mu.Lock()
	c.advance(c.tesla.options.Now())
	return c.tesla.mu.Unlock
}

// Set changes settings, now.
func (c *Car) Set(change func(*Settings)) {
	defer c.lived()()
	change(&c.settings)
	c.calm = c.now
}

// Do begins an activity now, instead of what the car is doing. Its plan goes on
// when the plan's next activity is due.
func (c *Car) Do(a Activity) {
	defer c.lived()()
	c.begin(a)
}

// Follow gives the car another plan, from now on.
func (c *Car) Follow(p Plan) {
	defer c.lived()()
	c.cursor = newCursor(p, c.now)
}

// Wake wakes the car at once, as somebody does who opens its door.
func (c *Car) Wake() {
	defer c.lived()()
	c.rouse()
}

// Sleep puts the car to sleep at once, unless it has something to do.
func (c *Car) Sleep() {
	defer c.lived()()
	c.asleep = !c.busy()
}

// Snapshot is the car now.
func (c *Car) Snapshot() Snapshot {
	defer c.lived()()
	lat, lon := place(c.away, c.bearing)
	return Snapshot{
		At: c.now, State: c.state(), Doing: c.doing.Do, Speed: c.speed * 3.6, Power: c.power / 1e3,
		Fill: c.stored / c.full, Stored: c.stored / 1e3, Odometer: c.metres / 1e3, Added: c.added / 1e3,
		Plugged: c.plugged, Lat: lat, Lon: lon, Lived: c.past,
	}
}

// String is the car's name and the end of its VIN.
func (c *Car) String() string {
	return fmt.Sprintf("%s …%s", c.spec.Name, c.spec.VIN[max(len(c.spec.VIN)-4, 0):])
}
