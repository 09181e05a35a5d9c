package bridge

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

const (
	// eventAge is how old a report may be and still tell of something that
	// happens now.
	eventAge = 10 * time.Minute
	// clockSlack is how far ahead of ours a right clock may be.
	clockSlack = 2 * time.Minute
)

// reading is the newest known value of a path of the source's report.
type reading struct {
	Value car.Value `json:"v"`
	At    int64     `json:"t"` // epoch ms, by the car's clock
}

// state is what is kept of a car between two starts of the program.
type state struct {
	Source   car.Source           `json:"source,omitempty"`
	Readings map[string]reading   `json:"readings"`
	Was      map[string]car.Value `json:"was"`      // calculated values that look at their own past
	Newest   int64                `json:"newest"`   // time of the newest report, by the car's clock
	NewestIn int64                `json:"arrived"`  // when that one arrived, by ours
	Received int64                `json:"received"` // last accepted request, our clock
	Fresh    int64                `json:"fresh"`    // until when the instantaneous values were right, our clock
	Facts    facts                `json:"facts"`
	Guess    trips                `json:"guess,omitzero"` // trips of a car that sends no points
}

// live is one car's present: what is known, and what is published of it. It
// never goes back in time: of each path the newest value by the car's own clock
// stays, whatever arrives later.
type live struct {
	id     car.ID
	table  car.Table
	topics car.Topics
	paces  paces
	silent time.Duration // carstats.silent_after

	state
	computed map[string]car.Value // paths of what the records yield
	slots    []slot               // one a row of the table
	docs     map[string]*slot     // JSON topics that are no rows
	seen     map[string]bool      // keys that once had a value
	offline  bool                 // online was last published as OFF
	quiet    bool                 // the instantaneous values have expired
	events   []string             // happened, not told yet
}

func newLive(id car.ID, table car.Table, topics car.Topics, calm, silent time.Duration) *live {
	return &live{
		id: id, table: table, topics: topics, paces: paces{calm}, silent: silent,
		state:    state{Readings: map[string]reading{}, Was: map[string]car.Value{}},
		computed: map[string]car.Value{},
		slots:    make([]slot, len(table.Fields)),
		docs:     map[string]*slot{},
		seen:     map[string]bool{},
	}
}

// clone copies what apply changes, so that a commit that fails changes nothing.
func (l *live) clone() *live {
	c := *l
	c.Readings, c.Was = maps.Clone(l.Readings), maps.Clone(l.Was)
	return &c
}

// apply takes an accepted request into the state, and says whether it brought
// the newest report. It publishes nothing.
func (l *live) apply(b car.Batch) (newest bool) {
	l.Received = max(l.Received, b.Received.UnixMilli())
	if b.Report == nil {
		return false
	}
	at := b.Report.At.UnixMilli()
	l.mendClock(at, b.Received)
	for path, v := range b.Report.Values {
		if old, ok := l.Readings[path]; !ok || at >= old.At {
			l.Readings[path] = reading{v, at}
		}
	}
	if at > l.Newest { // a repetition makes nothing fresh again
		l.Newest, l.NewestIn = at, b.Received.UnixMilli()
		l.Fresh = max(l.Fresh, b.Received.Add(-b.Report.Age).UnixMilli())
	}
	if newest = at == l.Newest; newest {
		l.missing(b.Report, at)
	}
	l.remember(newest && b.Report.Age <= eventAge && b.Received.Sub(b.Report.At) <= eventAge)
	return newest
}

// remember keeps what the rows were when the car last reported: calculations
// that look at their own past need it, and events are told by it, so that
// silence is none. Only a report of now tells of events.
func (l *live) remember(now bool) {
	v := l.view(time.UnixMilli(l.Fresh))
	for i := range l.table.Fields {
		f := &l.table.Fields[i]
		events, tells := transitions[f.Key]
		if f.Calc == nil && !tells {
			continue
		}
		v.Was = l.Was[f.Key]
		value := f.Evaluate(v)
		if !value.Known() {
			continue
		}
		l.Was[f.Key] = value
		was, knew := v.Was.On()
		if on, ok := value.On(); tells && ok && knew && on != was && now {
			l.events = append(l.events, events[on])
		}
	}
}

// order is the order in which things happen that one report tells: what ends
// comes before what begins.
var order = []string{
	car.DriveEnded, car.ChargeEnded, car.Unplugged, car.PluggedIn, car.ChargeStarted, car.DriveStarted,
}

// transitions are the rows whose change is an event, and its name.
var transitions = map[string]map[bool]string{
	"driving":    {true: car.DriveStarted, false: car.DriveEnded},
	"plugged_in": {true: car.PluggedIn, false: car.Unplugged},
	"charging":   {true: car.ChargeStarted, false: car.ChargeEnded},
}

// missing makes instantaneous values unknown that the newest report does not
// have: an old speed is none, even if it comes only later.
func (l *live) missing(r *car.Report, at int64) {
	for _, f := range l.table.Fields {
		if !f.Is.Fleeting || f.Calc != nil {
			continue
		}
		if _, there := r.Values[f.From]; !there {
			l.Readings[f.From] = reading{At: at}
		}
	}
}

// mendClock notices that the car's clock had run ahead and was set right:
// everything known then counts as of its receipt, or nothing newer would get
// through until the wrong time has come.
func (l *live) mendClock(at int64, now time.Time) {
	limit := now.Add(clockSlack).UnixMilli()
	if l.Newest <= limit || at > limit {
		return
	}
	for path, r := range l.Readings {
		l.Readings[path] = reading{r.Value, min(r.At, l.NewestIn)}
	}
	l.Newest = l.NewestIn
}

// view is what calculations see. Of silence it says how things are at now.
func (l *live) view(now time.Time) car.View {
	return car.View{Silent: l.expired(now), Get: func(path string) car.Value {
		if r, ok := l.Readings[path]; ok {
			return r.Value
		}
		return l.computed[path]
	}}
}

// expired says whether the instantaneous values are too old at now.
func (l *live) expired(now time.Time) bool {
	return now.Sub(time.UnixMilli(l.Fresh)) >= l.silent
}

// isSilent says whether no request came for the time that makes a car offline.
func (l *live) isSilent(now time.Time) bool {
	return now.Sub(time.UnixMilli(l.Received)) >= l.silent
}

// publish evaluates every row and returns what is to be sent at now.
func (l *live) publish(now time.Time) []car.Message {
	fellSilent := !l.quiet && l.expired(now)
	l.quiet, l.offline = l.expired(now), l.isSilent(now)
	if l.Received != 0 {
		l.computed[car.AtReceived] = car.Moment(time.UnixMilli(l.Received))
	}
	out := l.evaluate(now)
	if len(l.events) > 0 || fellSilent {
		out = append(out, l.flush()...)
	}
	slices.SortStableFunc(l.events, func(a, b string) int {
		return slices.Index(order, a) - slices.Index(order, b)
	})
	for _, name := range l.events {
		out = append(out, l.event(name, l.Newest, nil))
	}
	l.events = nil
	return out
}

// evaluate offers every row's value to its topic.
func (l *live) evaluate(now time.Time) (out []car.Message) {
	v := l.view(now)
	at := time.UnixMilli(l.Newest)
	for i := range l.table.Fields {
		f := &l.table.Fields[i]
		if !f.HasState() {
			continue
		}
		v.Was = l.Was[f.Key]
		if m, ok := l.offer(i, f.Payload(l.valueOf(f, v)), at, now); ok {
			out = append(out, m)
		}
	}
	return out
}

// event is what tells of something that happened at a time (epoch ms). details
// is one more JSON document, or nothing.
func (l *live) event(name string, at int64, details json.RawMessage) car.Message {
	return car.Message{Topic: l.topics.Event(l.id), Payload: document(struct {
		Type    string          `json:"event_type"`
		At      string          `json:"at"`
		Details json.RawMessage `json:"details,omitempty"`
	}{name, stamp(at), details})}
}

// valueOf evaluates a row. Whether requests come is another question than
// whether the values in them are new.
func (l *live) valueOf(f *car.Field, v car.View) car.Value {
	if f.Is.Class == car.Connectivity.Class {
		v.Silent = l.offline
	}
	return f.Evaluate(v)
}

// offer hands a payload to the row's topic. A row that never had a value has
// none.
func (l *live) offer(i int, payload string, at, now time.Time) (car.Message, bool) {
	f, s := &l.table.Fields[i], &l.slots[i]
	if !l.seen[f.Key] {
		if payload == car.None {
			return car.Message{}, false
		}
		l.seen[f.Key] = true
	}
	if f.Is.Pace == car.Minutely {
		at = now
	}
	if f.Is.Pace == car.Roaming {
		if payload == car.None {
			return car.Message{}, false // a tracker's coordinates cannot be taken back
		}
		if s.sent != "" && l.paces.calm > 0 && !moved(s.sent, payload) {
			s.want, s.due = payload, time.Time{}
			return car.Message{}, false
		}
	}
	if !s.offer(payload, at, now, l.paces.every(f.Is.Pace)) {
		return car.Message{}, false
	}
	return l.message(f.Key, s.sent), true
}

func (l *live) message(key, payload string) car.Message {
	return car.Message{Topic: l.topics.Value(l.id, key), Payload: payload, Retain: true}
}

// document sets a JSON topic that is no row of the table; "" leaves it as it is.
func (l *live) document(key, payload string, pace car.Pace, now time.Time) []car.Message {
	if payload == "" {
		return nil
	}
	s := l.docs[key]
	if s == nil {
		s = &slot{}
		l.docs[key] = s
	}
	if !s.offer(payload, now, now, l.paces.every(pace)) {
		return nil
	}
	return []car.Message{l.message(key, s.sent)}
}

// tick sends what has become due, and notices silence.
func (l *live) tick(now time.Time) (out []car.Message) {
	if !l.offline && l.isSilent(now) || !l.quiet && l.expired(now) {
		out = l.publish(now)
	}
	for i := range l.slots {
		if s := &l.slots[i]; isDue(s, now) {
			f := &l.table.Fields[i]
			s.follows(time.UnixMilli(l.Newest), l.paces.every(f.Is.Pace))
			out = append(out, l.message(f.Key, s.sent))
		}
	}
	for key, s := range l.docs {
		if isDue(s, now) {
			s.follows(now, l.paces.every(car.Minutely)) // no other waits
			out = append(out, l.message(key, s.sent))
		}
	}
	return out
}

func isDue(s *slot, now time.Time) bool { return !s.due.IsZero() && !s.due.After(now) }

// flush sends the last values that were held back: a drive or a charge has
// ended, or the car fell silent. What goes once a minute is not held for that.
func (l *live) flush() (out []car.Message) {
	for i := range l.slots {
		f, s := &l.table.Fields[i], &l.slots[i]
		if s.waits() && f.Is.Pace != car.Minutely {
			s.took(time.UnixMilli(l.Newest), l.paces.every(f.Is.Pace))
			out = append(out, l.message(f.Key, s.sent))
		}
	}
	return out
}

// next is when tick has something to do, zero for never.
func (l *live) next() time.Time {
	var next time.Time
	earlier := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	if !l.offline {
		earlier(time.UnixMilli(l.Received).Add(l.silent))
	}
	if !l.quiet {
		earlier(time.UnixMilli(l.Fresh).Add(l.silent))
	}
	for i := range l.slots {
		earlier(l.slots[i].due)
	}
	for _, s := range l.docs {
		earlier(s.due)
	}
	return next
}

// fields are the rows to announce: those that had a value, and those without
// a topic of their own.
func (l *live) fields() []car.Field {
	return slices.DeleteFunc(slices.Clone(l.table.Fields), func(f car.Field) bool {
		return f.HasState() && !l.seen[f.Key]
	})
}

// clear takes everything off the car's topics, also what only an earlier run of
// the program has put there.
func (l *live) clear() (out []car.Message) {
	for _, key := range slices.Concat(l.seenKeys(), documentKeys) {
		out = append(out, l.message(key, ""))
	}
	return out
}

// seenKeys lists the keys that once had a value, in table order.
func (l *live) seenKeys() []string {
	var keys []string
	for _, f := range l.table.Fields {
		if l.seen[f.Key] {
			keys = append(keys, f.Key)
		}
	}
	return keys
}

// save and load are the state as the store keeps it.
func (l *live) save() []byte { return []byte(document(l.state)) }

func (l *live) load(saved []byte, seen []string) error {
	for _, key := range seen {
		l.seen[key] = true
	}
	if len(saved) == 0 {
		return nil
	}
	s := state{Readings: map[string]reading{}, Was: map[string]car.Value{}}
	if err := json.Unmarshal(saved, &s); err != nil {
		return err
	}
	l.state = s
	return nil
}

// sourceOf is where a car reports from, by the state that the store keeps of it.
func sourceOf(saved []byte) car.Source {
	var s state
	_ = json.Unmarshal(saved, &s) // what cannot be read is load's to tell
	return s.Source
}

// SeenCapacity is what a car takes its battery for, in Wh, by the state that
// the store keeps of it; 0 for unknown.
func SeenCapacity(saved []byte) float64 {
	var s state
	if json.Unmarshal(saved, &s) != nil {
		return 0
	}
	return s.seenCapacity()
}

func (s state) seenCapacity() float64 {
	kWh, _ := s.Was["battery_capacity"].Float()
	return math.Round(kWh * 1000) // the car's numbers are not exact: totals would flicker
}
