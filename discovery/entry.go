package discovery

import (
	"slices"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// entry is one discovery topic of ours: what it should hold and what it does.
type entry struct {
	id   car.ID
	want string // "" for nothing

	have   string    // what the broker holds once all that was sent has arrived
	since  time.Time // when that became so
	sentAt time.Time // when a message of ours was last sent
	echoes []string  // sent and not heard back, oldest first

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
func (e *entry) idle() bool { return e.want == "" && e.have == "" && len(e.echoes) == 0 }

// due says what must be sent next and when, if anything must.
func (e *entry) due() (payload string, at time.Time, ok bool) {
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

// sent notes that a payload is on its way.
func (e *entry) sent(payload string, now time.Time) {
	e.have, e.since, e.sentAt, e.force = payload, now, now, false
	e.echoes = append(e.echoes, payload)
}

// outcome is what a message that was heard means.
type outcome uint8

const (
	nothing     outcome = iota // an echo of ours, or no news
	emptied                    // somebody else emptied the topic: the user deleted the device
	overwritten                // somebody else wrote something else
)

// expects says whether a payload can be the echo of what was sent.
func (e *entry) expects(payload string) bool { return slices.Contains(e.echoes, payload) }

// hear takes what the topic brought. kept says that the broker had it before.
//
// The broker keeps the order of what we send, but the outbox may send only the
// newest of several messages: an echo settles all that were sent before it.
// What others write while something of ours is under way will be overwritten.
func (e *entry) hear(payload string, kept bool, now time.Time) outcome {
	if i := slices.Index(e.echoes, payload); i >= 0 {
		e.echoes = e.echoes[i+1:]
		return nothing
	}
	news := len(e.echoes) == 0 && payload != e.have
	if news {
		e.have, e.since = payload, now
	}
	switch {
	case payload == "":
		return emptied
	case news && !kept && payload != e.want:
		e.contested = true
		return overwritten
	}
	return nothing
}
