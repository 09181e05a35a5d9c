package car

import "time"

// Source is where a car's reports come from. It fixes the car's table.
type Source string

// The sources.
const (
	CarStatsSource Source = ""      // the Car Stats Viewer webhook
	TeslaSource    Source = "tesla" // the Tesla Fleet API
)

// Report is what a source decoded about a car's present state.
type Report struct {
	At     time.Time        // when the values held, by the car's clock (already corrected where it is wrong)
	Age    time.Duration    // how old the values were when they were sent; 0 but for a delayed snapshot
	Values map[string]Value // path in the source's report -> value in the source's unit
}

// Batch is what one request, or a part of a long one, brought for one car. It
// is stored in one piece. A long body comes as several batches, the last of
// which has Last set and carries the report.
type Batch struct {
	Car          ID
	Source       Source
	Received     time.Time // by our clock
	Points       []Point
	ChargePoints []ChargePoint
	Sessions     []Session
	Report       *Report // nil if the body had none, or has not ended yet
	Last         bool    // the request was accepted and ends with this batch
	Request      Request // what the diagnostics say of the request, with Last
	Raw          string  // the report as one JSON object without arrays and secrets, if carstats.raw
	Unknown      string  // a body of an API this program does not know, to be kept as it came
}

// Records is how many records the batch holds.
func (b Batch) Records() int { return len(b.Points) + len(b.ChargePoints) + len(b.Sessions) }

// Request is what is worth knowing about the request that brought a batch.
type Request struct {
	Source     string // "http" or "mqtt"
	Bytes      int64  // body size
	AppVersion string
	APIVersion string
	Points     int // driving points in the body, good ones
	Sessions   int // charging sessions in the body, good ones
	Skipped    int // wrong items in the body
	SkippedWhy string
	ClockWrong bool // the report's own time was before 2020 or over a day ahead
	Stale      bool // the report was a delayed snapshot
	HasReport  bool
	LegacyAPI  bool // API 1.0: accepted, not understood
	UnknownAPI bool // major version above 2: kept as it came
}

// Receipt says what became of a batch: it is durable.
type Receipt struct {
	New     int // records never seen before
	Changed int // records that a better version replaced
	Known   int // records that brought nothing new
	Apart   int // records with impossible times: stored, but in no trip or total
}

// Add sums receipts of one request.
func (r *Receipt) Add(s Receipt) {
	r.New += s.New
	r.Changed += s.Changed
	r.Known += s.Known
	r.Apart += s.Apart
}

// EarliestTime is the earliest time that a right clock can show.
var EarliestTime = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// MaxAhead is how far ahead of ours a car's clock may be.
const MaxAhead = 24 * time.Hour

// ClockWrong says whether a car that says t, received at now, has a wrong clock.
func ClockWrong(t, now time.Time) bool {
	return t.Before(EarliestTime) || t.After(now.Add(MaxAhead))
}
