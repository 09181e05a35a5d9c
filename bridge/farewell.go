package bridge

import (
	"slices"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// farewell clears topics that nobody needs any more. It comes some time after
// discovery has withdrawn what reads them: to an entity of Home Assistant that is
// still there an empty message is a wrong value, and a line in its log.
type farewell struct {
	id       car.ID
	at       time.Time
	messages []car.Message
}

// How long Home Assistant is given to let go: after a withdrawal, and after a start,
// when the announcer first has to learn what the broker retains.
const (
	shortParting = 2 * time.Second
	longParting  = time.Minute
)

// leave has messages of a car sent later.
func (b *Bridge) leave(id car.ID, messages []car.Message, wait time.Duration) {
	if len(messages) > 0 {
		b.farewells = append(b.farewells, farewell{id, b.Now().Add(wait), messages})
	}
}

// part sends the farewells for which now is the time.
func (b *Bridge) part(now func(farewell) bool) {
	b.farewells = slices.DeleteFunc(b.farewells, func(f farewell) bool {
		if !now(f) {
			return false
		}
		b.Publish(f.messages...)
		return true
	})
}

// gone clears the topics of keys that once were.
func (l *live) gone() (out []car.Message) {
	for _, key := range l.table.Gone {
		out = append(out, l.message(key, ""))
	}
	return out
}
