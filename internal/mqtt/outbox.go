package mqtt

import (
	"cmp"
	"maps"
	"slices"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// maxEvents is how many unretained messages wait for a broker that is away.
const maxEvents = 1000

// maxBacklog is how many messages may wait before values are left out: enough for
// a hiccup of the disk or the network, few enough that the latest values are not
// long behind.
const maxBacklog = 1000

// outbox holds what the broker is to be told: of each retained topic the latest
// payload, and those before it as long as few messages wait; of everything else
// a bounded queue in order. It does no I/O, knows no clock and no goroutine; its
// owner locks it.
//
// A topic has at most one message on its way, so that the broker cannot end up
// with the older of two; so have the events together, so that they keep their
// order. A payload the broker has acknowledged is not sent again, unless the
// connection was lost since (a broker may lose its memory with it) or resend was
// called.
type outbox struct {
	states  map[string]*state
	waiting []*state      // to be sent, first dirtied first; among them stream
	stream  *state        // stands for the first of events
	events  []car.Message // unretained messages that wait

	backlog int    // while fewer messages wait, no value takes another's place
	older   int    // values that wait before their topic's latest
	flying  int    // messages on their way
	born    int    // states ever made, their order of birth
	dropped uint64 // events thrown away
}

// state is what is known of one retained topic.
type state struct {
	topic  string
	born   int
	older  []string // to be sent before want
	want   string   // what the topic is to hold; empty: nothing
	sent   string   // what was sent last, while flying
	have   string   // what the broker has acknowledged
	known  bool     // have says something
	once   bool     // to be forgotten when the broker has it
	queued bool
	flying bool
}

// parcel is a message on its way.
type parcel struct {
	car.Message
	state *state
}

// fate is what became of a parcel.
type fate uint8

const (
	failed   fate = iota // never acknowledged: to be sent again
	accepted             // acknowledged
	refused              // the broker will not have it: not sent again until it changes
)

func newOutbox() *outbox { return &outbox{states: make(map[string]*state), stream: &state{}} }

// put takes a message in.
func (o *outbox) put(m car.Message) {
	if !m.Retain {
		o.putEvent(m)
		return
	}
	s := o.states[m.Topic]
	if s == nil {
		s = &state{topic: m.Topic, born: o.born}
		o.born++
		o.states[m.Topic] = s
	}
	if s.waits() && s.want != m.Payload && len(o.waiting)+o.older < o.backlog {
		s.older = append(s.older, s.want)
		o.older++
	}
	s.want, s.once = m.Payload, m.Once
	o.queue(s)
}

// waits says whether want has not been sent yet.
func (s *state) waits() bool { return s.queued || s.flying && s.want != s.sent }

func (o *outbox) putEvent(m car.Message) {
	if len(o.events) >= maxEvents {
		o.events = o.events[1:] // the newest tell more
		o.dropped++
	}
	o.events = append(o.events, m)
	o.queue(o.stream)
}

// queue lets a state wait for its turn if the broker has to be told.
func (o *outbox) queue(s *state) {
	if s.queued || s.flying || !o.stale(s) {
		return
	}
	s.queued = true
	o.waiting = append(o.waiting, s)
}

// stale says whether the broker has to be told something.
func (o *outbox) stale(s *state) bool {
	if s == o.stream {
		return len(o.events) > 0
	}
	return !s.known || s.have != s.want || len(s.older) > 0
}

// next hands out the message whose turn it is. Its fate must be told to done.
func (o *outbox) next() (parcel, bool) {
	for len(o.waiting) > 0 {
		s := o.waiting[0]
		o.waiting[0] = nil // let it be collected
		o.waiting = o.waiting[1:]
		s.queued = false
		if !o.stale(s) {
			continue // changed back while it waited
		}
		s.flying = true
		o.flying++
		if s == o.stream {
			m := o.events[0]
			o.events = o.events[1:]
			return parcel{m, s}, true
		}
		s.sent = s.want
		if len(s.older) > 0 {
			s.sent, s.older = s.older[0], s.older[1:]
			o.older--
		}
		return parcel{car.Message{Topic: s.topic, Payload: s.sent, Retain: true}, s}, true
	}
	return parcel{}, false
}

// done tells what became of a parcel that next handed out.
func (o *outbox) done(p parcel, f fate) {
	s := p.state
	s.flying = false
	o.flying--
	switch {
	case s == o.stream && f == failed:
		o.events = slices.Insert(o.events, 0, p.Message)
	case s != o.stream:
		s.have, s.known = p.Payload, f != failed
		if (s.want == "" || s.once) && !o.stale(s) {
			delete(o.states, s.topic)
		}
	}
	o.queue(s)
}

// resend makes every state wait to be sent again, in the order of their birth,
// before any event: the latest payloads only.
func (o *outbox) resend() {
	byBirth := func(a, b *state) int { return cmp.Compare(a.born, b.born) }
	all := slices.SortedFunc(maps.Values(o.states), byBirth)
	o.waiting, o.older = nil, 0
	o.stream.queued = false
	for _, s := range all {
		s.known, s.queued, s.older = false, false, nil
		o.queue(s)
	}
	o.queue(o.stream)
}

// told notes that the broker holds a state's payload, sent past the outbox.
func (o *outbox) told(topic string) {
	if s := o.states[topic]; s != nil {
		s.have, s.known = s.want, true
	}
}

// dirty counts the messages that wait or are on their way.
func (o *outbox) dirty() int {
	n := len(o.waiting) + o.older + len(o.events) + o.flying
	if o.stream.queued {
		n-- // stands for an event that is counted
	}
	return n
}
