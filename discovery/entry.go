package discovery

import (
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// entry is one discovery topic of ours: what it should hold and what it does.
type entry struct {
	id   car.ID
	want string // "" for nothing

	have  string    // what the broker holds, or will once flying has arrived
	since time.Time // when that became so

	flying string    // what was sent last
	flies  bool      // and has not come back yet: nothing else is sent before
	sentAt time.Time // when that was

	force     bool // to be sent even if the broker has it
	contested bool // somebody else wrote there; answered at once, two programs would never end
}

// wants sets what the topic should hold.
func (e *entry) wants(payload string) {
	if e.want != payload {
		e.want, e.contested = payload, false
	}
}

// idle says whether nothing is left to know of the topic.
func (e *entry) idle() bool { return e.want == "" && e.have == "" && !e.flies }

// lost forgets what the broker holds. What was on its way may still arrive: the
// outbox sends it again.
func (e *entry) lost() { e.have, e.contested = "", false }

// next says what must be sent next, and when it may be, if anything must.
func (e *entry) next() (payload string, at time.Time, ok bool) {
	switch {
	case e.want == "": // a removal does not wait
		return "", e.since, e.have != "" && !e.contested
	case e.have == e.want || e.contested:
		return e.want, e.since, e.force
	}
	next, wait := transition(e.have, e.want)
	switch {
	case wait && e.force:
		return e.have, e.since, true
	case wait:
		return next, e.since.Add(removal), true
	case e.force:
		return next, e.since, true
	}
	return next, e.sentAt.Add(gap), true
}

// due is next, once what was sent before has come back or is given up. If two
// messages waited in the outbox, the older one would never reach Home Assistant,
// and with it the order to remove a component.
func (e *entry) due() (payload string, at time.Time, ok bool) {
	payload, at, ok = e.next()
	if lost := e.sentAt.Add(patience); e.flies && at.Before(lost) {
		at = lost
	}
	return payload, at, ok
}

// sent notes that a payload is on its way.
func (e *entry) sent(payload string, now time.Time) {
	e.have, e.since, e.force = payload, now, false
	e.flying, e.flies, e.sentAt = payload, true, now
}

// outcome is what a message that was heard means.
type outcome uint8

const (
	nothing     outcome = iota // an echo of ours, or no news
	emptied                    // somebody else emptied the topic: the user deleted the device
	overwritten                // somebody else wrote something else
)

// hear takes what the topic brought. kept says that the broker may have had it
// before. What others write while something of ours flies will be overwritten.
func (e *entry) hear(payload string, kept bool, now time.Time) outcome {
	echo := e.flies && payload == e.flying
	news := payload != e.have && (echo || kept || !e.flies)
	if echo || news {
		e.have, e.since = payload, now
	}
	switch {
	case echo:
		e.flies = false
	case payload == "":
		return emptied
	case news && !kept && payload != e.want:
		e.contested = true
		return overwritten
	}
	return nothing
}
