package mqtt

import (
	"cmp"
	"slices"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// maxEvents is how many unretained messages wait for a broker that is away.
const maxEvents = 1000

// outbox holds what the broker is to be told: of each retained topic the latest
// payload, of everything else a bounded queue in order. It does no I/O, knows no
// clock and no goroutine; its owner locks it.
//
// A topic has at most one message on its way, so that the broker cannot end up
// with the older of two. A payload the broker has acknowledged is not sent
// again, unless the connection was lost since (a broker may lose its memory with
// it) or resend was called.
type outbox struct {
	states  map[string]*state
	waiting []*state // states to be sent, first dirtied first
	events  []car.Message

	flying      int  // messages on their way
	eventFlying bool // one of them is an event: the next one waits, for the order's sake
	eventTurn   bool // states and events take turns where there is one slot only

	born    int    // states ever made, their order of birth
	dropped uint64 // events thrown away
}

// state is what is known of one retained topic.
type state struct {
	topic  string
	born   int
	want   string // what the topic is to hold; empty: nothing
	have   string // what the broker has acknowledged
	known  bool   // have says something
	queued bool
	flying bool
}

// parcel is a message on its way.
type parcel struct {
	car.Message
	state *state // nil for an event
}

// fate is what became of a parcel.
type fate uint8

const (
	failed   fate = iota // never acknowledged: to be sent again
	accepted             // acknowledged
	refused              // the broker will not have it: not sent again until it changes
)

func newOutbox() *outbox { return &outbox{states: make(map[string]*state)} }

// put takes a message in and says whether there is something new to send.
func (o *outbox) put(m car.Message) bool {
	if !m.Retain {
		return o.putEvent(m)
	}
	s := o.states[m.Topic]
	if s == nil {
		s = &state{topic: m.Topic, born: o.born}
		o.born++
		o.states[m.Topic] = s
	}
	s.want = m.Payload
	return o.queue(s)
}

func (o *outbox) putEvent(m car.Message) bool {
	if len(o.events) >= maxEvents {
		o.events = o.events[1:] // the newest tell more
		o.dropped++
	}
	o.events = append(o.events, m)
	return !o.eventFlying
}

// queue lets a state wait for its turn if the broker has to be told.
func (o *outbox) queue(s *state) bool {
	if s.queued || s.flying || s.known && s.have == s.want {
		return false
	}
	s.queued = true
	o.waiting = append(o.waiting, s)
	return true
}

// next hands out the message whose turn it is. Its fate must be told to done.
func (o *outbox) next() (parcel, bool) {
	if o.eventDue() {
		return o.nextEvent(), true
	}
	for len(o.waiting) > 0 {
		s := o.waiting[0]
		o.waiting[0] = nil // let it be collected
		o.waiting = o.waiting[1:]
		s.queued = false
		if s.known && s.have == s.want {
			continue // changed back while it waited
		}
		s.flying = true
		o.flying++
		o.eventTurn = true
		return parcel{car.Message{Topic: s.topic, Payload: s.want, Retain: true}, s}, true
	}
	return parcel{}, false
}

func (o *outbox) eventDue() bool {
	return len(o.events) > 0 && !o.eventFlying && (o.eventTurn || len(o.waiting) == 0)
}

func (o *outbox) nextEvent() parcel {
	m := o.events[0]
	o.events = o.events[1:]
	o.eventFlying, o.eventTurn = true, false
	o.flying++
	return parcel{Message: m}
}

// done tells what became of a parcel that next handed out.
func (o *outbox) done(p parcel, f fate) {
	o.flying--
	if p.state == nil {
		o.eventFlying = false
		if f == failed {
			o.events = slices.Insert(o.events, 0, p.Message)
		}
		return
	}
	s := p.state
	s.flying = false
	s.have, s.known = p.Payload, f != failed
	if s.known && s.have == s.want && s.want == "" {
		delete(o.states, s.topic)
		return
	}
	o.queue(s)
}

// resend makes every state wait to be sent again, in the order of their birth.
func (o *outbox) resend() {
	all := make([]*state, 0, len(o.states))
	for _, s := range o.states {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *state) int { return cmp.Compare(a.born, b.born) })
	for _, s := range all {
		s.known = false
		o.queue(s)
	}
}

// told notes that the broker holds a state's payload, sent past the outbox.
func (o *outbox) told(topic string) {
	if s := o.states[topic]; s != nil {
		s.have, s.known = s.want, true
	}
}

// dirty counts the messages that wait or are on their way.
func (o *outbox) dirty() int { return len(o.waiting) + len(o.events) + o.flying }
