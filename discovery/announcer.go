package discovery

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// How long the announcer waits, and what for.
const (
	quiet    = time.Second      // a broker so long silent has told all that it retains,
	longest  = 5 * time.Second  // and so has one that has been given this long
	gap      = 2 * time.Second  // between two versions of one message: changes gather
	patience = 10 * time.Second // for the echo of what was sent

	// From telling a component to go to leaving it out. After an outage of the
	// broker, and so after each restart of the program with the embedded one, Home
	// Assistant waits 10 s before it connects again: it must find the order then.
	removal = 30 * time.Second

	// Home Assistant's birth is answered after soon, and by chance up to spread
	// later. What is younger than race then, its start may have missed. The
	// states follow after settle.
	soon   = time.Second
	spread = 4 * time.Second
	race   = time.Minute
	settle = 2 * time.Second
)

// Step is what an event asks of the caller.
//
// Messages are to be sent once and in this order. They are not state to be
// repeated after a reconnection: the announcer repeats what is missing, and a
// device that the user deleted would come back.
type Step struct {
	Messages []car.Message
	Resend   bool     // all retained states are to be sent again
	Deleted  []string // discovery topics that the user emptied in Home Assistant: to be kept
	Restored []string // discovery topics that are deleted no longer: to be kept no more
	Errors   []error  // for the log: what was left out, and who else writes to our topics
}

// Announcer keeps the discovery topics of the broker as they should be:
//
//   - It publishes only what differs from what the broker holds, the program
//     itself before the cars, and clears what is its own and wanted no longer.
//   - It never clears a message to change it: the user's entity ids would go.
//   - A device that the user deletes in Home Assistant stays away until
//     Republish, over restarts too.
//   - It answers Home Assistant's birth message.
//
// It is a state machine without I/O or clock, to be called from one goroutine.
// After any call Next says when Tick is due.
type Announcer struct {
	cfg     Config
	random  func() float64
	topics  map[string]*entry
	deleted map[string]bool // discovery topics that the user emptied

	phase phase
	began time.Time // when the connection came up
	heard time.Time // when the broker last told what it retains

	birth   time.Time // when Home Assistant said that it is there
	refresh time.Time // when that is answered; zero: not at all
	resend  time.Time // when the states follow; zero: not at all
}

// phase is what the announcer knows of the broker.
type phase uint8

const (
	offline    phase = iota // nothing is sent
	collecting              // the broker is telling what it retains
	live                    // the broker's topics are known
)

// New returns an Announcer. deleted are the topics that earlier Steps named as
// Deleted and not yet as Restored. random returns numbers from 0 up to 1, as
// math/rand/v2.Float64 does.
func New(cfg Config, deleted []string, random func() float64) *Announcer {
	a := &Announcer{
		cfg:     cfg,
		random:  random,
		topics:  map[string]*entry{},
		deleted: map[string]bool{},
	}
	for _, topic := range deleted {
		a.deleted[topic] = true
	}
	return a
}

// Filters are the subscriptions whose messages Heard must be given, retained
// ones included.
func (a *Announcer) Filters() []string {
	var filters []string
	if a.cfg.Enabled {
		filters = append(filters, a.cfg.filter())
	}
	if a.cfg.Birth != "" {
		filters = append(filters, a.cfg.Birth)
	}
	return filters
}

// Up says that the broker is connected, for the first time or again; it must
// come before what is Heard on that connection. Every device that is known must
// be announced before, or within a second: messages of ours that no device
// wants are cleared then, and with them the entity ids that the user had given.
func (a *Announcer) Up(now time.Time) Step {
	a.phase, a.began, a.heard = collecting, now, now
	if !a.cfg.Enabled {
		a.phase = live
	}
	for _, e := range a.topics {
		e.lost()
	}
	return a.run(Step{}, now)
}

// Down says that the connection is lost. Nothing is sent until Up.
func (a *Announcer) Down() { a.phase = offline }

// Announce says that a device is there, or what it has become. The program's
// own device should be the first. A message whose content has not changed is
// not sent again.
func (a *Announcer) Announce(d car.Device, now time.Time) Step {
	if !a.cfg.Enabled {
		return Step{}
	}
	messages, errs := Messages(a.cfg, d)
	want := map[string]string{}
	for _, m := range messages {
		want[m.Topic] = m.Payload
	}
	for topic, e := range a.topics {
		if e.id == d.ID && want[topic] == "" {
			e.wants("")
		}
	}
	for topic, payload := range want {
		a.entry(topic, d.ID).wants(payload)
	}
	return a.run(Step{Errors: errs}, now)
}

// Remove forgets a device and clears its discovery topics. That the user had
// deleted it is forgotten too.
func (a *Announcer) Remove(id car.ID, now time.Time) Step {
	for _, e := range a.topics {
		if e.id == id {
			e.wants("")
		}
	}
	return a.run(Step{Restored: a.restore(id)}, now)
}

// Republish sends all messages of a device again, or of all devices if id is
// "", those included that the user had deleted.
func (a *Announcer) Republish(id car.ID, now time.Time) Step {
	for _, e := range a.topics {
		if id == "" || e.id == id {
			e.force, e.contested = true, false
		}
	}
	return a.run(Step{Restored: a.restore(id)}, now)
}

// restore forgets the deletions of a device, or all if id is "".
func (a *Announcer) restore(id car.ID) []string {
	var topics []string
	for topic := range a.deleted {
		if owner, ok := a.cfg.owner(topic); id == "" || ok && owner == id {
			topics = append(topics, topic)
			delete(a.deleted, topic)
		}
	}
	slices.Sort(topics)
	return topics
}

// away says whether the user has deleted the device.
func (a *Announcer) away(id car.ID) bool {
	for topic := range a.deleted {
		if owner, ok := a.cfg.owner(topic); ok && owner == id {
			return true
		}
	}
	return false
}

// entry is the topic's entry, made if there is none.
func (a *Announcer) entry(topic string, id car.ID) *entry {
	if a.topics[topic] == nil {
		a.topics[topic] = &entry{id: id}
	}
	return a.topics[topic]
}

// Heard takes a message that a subscription brought, with the retain flag as
// the broker set it: true for what it had kept, false for what was published
// just now, be it by ourselves.
func (a *Announcer) Heard(topic string, payload []byte, retained bool, now time.Time) Step {
	var s Step
	if topic == a.cfg.Birth {
		if string(payload) == "online" && !retained && a.refresh.IsZero() {
			wait := soon + time.Duration(a.random()*float64(spread))
			a.birth, a.refresh = now, now.Add(wait)
		}
		return a.run(s, now)
	}
	id, ok := a.cfg.owner(topic)
	if !ok || !a.cfg.Enabled || a.phase == offline {
		return s
	}
	if retained {
		a.heard = now
	}
	text := string(payload)
	if !a.concerns(topic, id, text) {
		return s
	}
	e := a.entry(topic, id)
	switch e.hear(text, retained || a.phase == collecting, now) {
	case emptied:
		if !a.deleted[topic] && e.want != "" {
			a.deleted[topic] = true
			s.Deleted = append(s.Deleted, topic)
		}
	case overwritten:
		s.Errors = append(s.Errors, fmt.Errorf("%s: somebody else has written there: "+
			"two programs on one broker need different values of mqtt.prefix", topic))
	}
	return a.run(s, now)
}

// concerns says whether a message is about something that is, was, or should
// be ours.
func (a *Announcer) concerns(topic string, id car.ID, payload string) bool {
	e := a.topics[topic]
	return e != nil && (e.want != "" || payload == "" || e.flies) ||
		a.cfg.ours(id, payload)
}

// Next is when Tick is due; zero if nothing is being waited for.
func (a *Announcer) Next() time.Time {
	switch a.phase {
	case offline:
		return time.Time{}
	case collecting:
		return a.known()
	}
	next := earlier(a.refresh, a.resend)
	for topic, e := range a.topics {
		if _, at, ok := a.due(topic, e); ok {
			next = earlier(next, at)
		}
	}
	return next
}

// Settled says whether the broker is known to hold what it should, or will as
// soon as what was sent arrives.
func (a *Announcer) Settled() bool { return a.phase == live && a.Next().IsZero() }

// Tick does what has become due.
func (a *Announcer) Tick(now time.Time) Step { return a.run(Step{}, now) }

// known is when the broker will have told all that it retains.
func (a *Announcer) known() time.Time {
	return earlier(a.began.Add(longest), a.heard.Add(quiet))
}

// run does whatever is due, after any event.
func (a *Announcer) run(s Step, now time.Time) Step {
	if a.phase == collecting && reached(a.known(), now) {
		a.phase = live
		for _, e := range a.topics {
			e.flies = false // it has arrived, or had before the connection was lost
		}
	}
	if a.phase != live {
		return s
	}
	if reached(a.refresh, now) {
		a.reborn(now)
	}
	for _, topic := range a.order() {
		e := a.topics[topic]
		payload, at, ok := a.due(topic, e)
		if ok && !now.Before(at) {
			e.sent(payload, now)
			m := car.Message{Topic: topic, Payload: payload, Retain: true}
			s.Messages = append(s.Messages, m)
		}
		if e.idle() {
			delete(a.topics, topic)
		}
	}
	if reached(a.resend, now) {
		s.Resend, a.resend = true, time.Time{}
	}
	return s
}

// reborn answers Home Assistant's birth. It will have read what the broker
// retains; but while it starts, a second message for a device can get lost on
// the first, so that the young ones are sent again. Then come the states.
func (a *Announcer) reborn(now time.Time) {
	for _, e := range a.topics {
		young := e.sentAt.After(a.birth.Add(-race)) && !e.sentAt.After(a.birth)
		e.force = e.force || young
		e.contested = false
	}
	a.refresh, a.resend = time.Time{}, now.Add(settle)
}

// order is the order in which topics are sent: first those to be cleared, then
// the program's own device, which the cars refer to, then the cars.
func (a *Announcer) order() []string {
	rank := func(topic string) int {
		switch e := a.topics[topic]; {
		case e.want == "":
			return 0
		case e.id == car.BridgeID:
			return 1
		}
		return 2
	}
	return slices.SortedFunc(maps.Keys(a.topics), func(x, y string) int {
		if d := rank(x) - rank(y); d != 0 {
			return d
		}
		return strings.Compare(x, y)
	})
}

// due says what a topic must be sent next and when, if anything. Of a device
// that the user deleted only those topics are emptied that the user had
// emptied: a broker that lost the deletion has brought them back.
func (a *Announcer) due(topic string, e *entry) (payload string, at time.Time, ok bool) {
	if a.away(e.id) {
		return "", e.since, a.deleted[topic] && e.have != ""
	}
	return e.due()
}

// reached says whether a time that was set has come.
func reached(t, now time.Time) bool { return !t.IsZero() && !now.Before(t) }

// earlier is the earlier one of two times, of which zero is none.
func earlier(t, u time.Time) time.Time {
	if t.IsZero() || !u.IsZero() && u.Before(t) {
		return u
	}
	return t
}
