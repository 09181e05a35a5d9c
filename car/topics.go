package car

import (
	"slices"
	"strings"
)

// Topics knows where a slash goes in a topic. Prefix is mqtt.prefix, without a
// slash at its end; it may contain slashes itself.
type Topics struct{ Prefix string }

// Status is the program's own availability: online or offline, retained, the
// last will.
func (t Topics) Status() string { return t.Prefix + "/status" }

// Value is the retained topic of one field of a car, or of the program itself
// (BridgeID).
func (t Topics) Value(id ID, key string) string { return t.Prefix + "/" + string(id) + "/" + key }

// Set is where a settable field is written; never retained.
func (t Topics) Set(id ID, key string) string { return t.Value(id, key) + "/set" }

// Event is where a car's events are told; not retained.
func (t Topics) Event(id ID) string { return t.Value(id, "event") }

// Result is where a car's answers are told that were asked for nowhere else; not
// retained.
func (t Topics) Result(id ID) string { return t.Value(id, "result") }

// Intake is where forwarded webhook bodies of a car are published.
func (t Topics) Intake(id ID) string { return t.Prefix + "/intake/" + string(id) }

// Intakes matches the intake topics of all cars.
func (t Topics) Intakes() string { return t.Prefix + "/intake/+" }

// BridgeSets matches the topics by which the program's own fields are written.
func (t Topics) BridgeSets() string { return t.Set(BridgeID, "+") }

// Sets matches the topics by which anything is written: a car's fields and the
// program's own (BridgeSets).
func (t Topics) Sets() string { return t.Prefix + "/+/+/set" }

// Queries matches the topics by which a car's maker is asked something.
func (t Topics) Queries() string { return t.Prefix + "/+/query/+" }

// Kind says what an inbound topic is for.
type Kind uint8

// The kinds of inbound topics.
const (
	Foreign      Kind = iota // none of ours, or malformed
	ForIntake                // <prefix>/intake/<car>
	ForBridgeSet             // <prefix>/bridge/<key>/set
	ForCarSet                // <prefix>/<car>/<key>/set
	ForQuery                 // <prefix>/<car>/query/<endpoint>
)

// Inbound is a parsed inbound topic.
type Inbound struct {
	Kind Kind
	Car  ID     // as MakeID writes it
	Key  string // what is written; of ForQuery the endpoint
}

// Parse reads an inbound topic. Whatever it does not know is Foreign.
func (t Topics) Parse(topic string) Inbound {
	rest, ok := strings.CutPrefix(topic, t.Prefix+"/")
	if !ok {
		return Inbound{}
	}
	level := strings.Split(rest, "/")
	switch id := ID(level[0]); {
	case len(level) == 2 && level[0] == "intake" && MakeID(level[1]) != "":
		return Inbound{Kind: ForIntake, Car: MakeID(level[1])}
	case len(level) == 3 && level[0] == string(BridgeID) && level[1] != "" && level[2] == "set":
		return Inbound{Kind: ForBridgeSet, Car: BridgeID, Key: level[1]}
	case len(level) != 3 || id.Reserved() || id == "" || id != MakeID(level[0]):
	case level[1] == "query" && level[2] != "":
		return Inbound{Kind: ForQuery, Car: id, Key: level[2]}
	case level[2] == "set" && level[1] != "" && !slices.Contains(ReservedKeys, level[1]):
		return Inbound{Kind: ForCarSet, Car: id, Key: level[1]}
	}
	return Inbound{}
}
