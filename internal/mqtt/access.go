package mqtt

import (
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"strings"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// User may use the embedded broker.
//
// One without Cars may read everything and write everything but the program's
// own state: below the prefix only orders and intake. One with Cars reads these
// cars' topics, the program's own and their discovery messages, and writes these
// cars' orders and intake. What no rule allows is denied.
type User struct {
	Name     string // without a slash
	Password string
	Cars     []car.ID
	ReadOnly bool // writes nothing
}

// access decides who may read and write which topic.
type access struct {
	users     map[string]User
	topics    car.Topics
	discovery string // prefix of discovery topics
}

// knows compares a password in constant time, for users that do not exist too.
func (a *access) knows(name, password string) bool {
	u := a.users[name]
	given, want := sha256.Sum256([]byte(password)), sha256.Sum256([]byte(u.Password))
	return subtle.ConstantTimeCompare(given[:], want[:]) == 1 && u.Password != ""
}

// maySubscribe says whether a filter is accepted. A filter with wildcards may be
// wider than what its user may read: each message is checked again.
func (a *access) maySubscribe(u User, filter string) bool {
	if len(u.Cars) == 0 {
		return true
	}
	if level, _, _ := strings.Cut(filter, "/"); strings.EqualFold(level, "$share") {
		return false // it would take messages from the group that it may not read
	}
	return strings.ContainsAny(filter, "+#") || a.mayRead(u, filter)
}

// mayRead says whether a message of a topic is delivered to a user.
func (a *access) mayRead(u User, topic string) bool {
	if len(u.Cars) == 0 || topic == a.topics.Status() {
		return true
	}
	if below, ok := a.below(topic); ok {
		id, _, _ := strings.Cut(below, "/")
		return car.ID(id) == car.BridgeID || slices.Contains(u.Cars, car.ID(id))
	}
	return a.announces(u, topic)
}

// announces says whether a topic is a discovery message of the program or of one
// of the user's cars: <discovery>/device/<prefix>_<car>/…
func (a *access) announces(u User, topic string) bool {
	rest, ok := strings.CutPrefix(topic, a.discovery+"/device/")
	if !ok {
		return false
	}
	device, _, _ := strings.Cut(rest, "/")
	return slices.ContainsFunc(append([]car.ID{car.BridgeID}, u.Cars...), func(id car.ID) bool {
		prefix, ok := strings.CutSuffix(device, "_"+string(id))
		return ok && car.MakeID(prefix) == car.MakeID(a.topics.Prefix)
	})
}

// mayWrite says whether a user may publish to a topic.
func (a *access) mayWrite(u User, topic string) bool {
	if u.ReadOnly || topic == "" || topic[0] == '$' {
		return false
	}
	below, ours := a.below(topic)
	if !ours {
		return len(u.Cars) == 0 && topic != a.topics.Prefix
	}
	id, ok := orderFor(strings.Split(below, "/"))
	return ok && (len(u.Cars) == 0 || slices.Contains(u.Cars, id))
}

// below returns what follows the prefix.
func (a *access) below(topic string) (string, bool) {
	return strings.CutPrefix(topic, a.topics.Prefix+"/")
}

// orderFor returns the car (or BridgeID) that a topic's levels below the prefix
// tell something to, and whether they do at all: the program's own state is
// nobody's to write.
func orderFor(level []string) (car.ID, bool) {
	if slices.Contains(level, "") || len(level) < 2 {
		return "", false
	}
	id := car.ID(level[0])
	if id == "intake" {
		id = car.MakeID(level[1])
		return id, len(level) == 2 && id != ""
	}
	if len(level) == 2 || id.Reserved() && id != car.BridgeID {
		return "", false
	}
	if sets := level[len(level)-1] == "set" && !slices.Contains(car.ReservedKeys, level[1]); sets {
		return id, len(level) == 3 || len(level) == 4 && id != car.BridgeID
	}
	asks := level[1] == "command" || level[1] == "query"
	return id, asks && len(level) == 3 && id != car.BridgeID
}
