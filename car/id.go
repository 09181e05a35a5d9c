package car

import (
	"fmt"
	"slices"
	"strings"
)

// MaxID is the longest car id in characters: it is typed on a car's screen
// and stands in every topic.
const MaxID = 32

// ID names a car in topics, unique ids and the store. It consists of
// [a-z0-9_] and is at most MaxID long.
type ID string

// reserved are the topic levels that can be no car.
var reserved = []ID{"status", BridgeID, AccountID, "intake", "fleet"}

// ReservedKeys are the topic levels below a car that can be no field.
var ReservedKeys = []string{
	"command", "query", "result", "event", "raw", "diagnostics", "last_trip", "last_charge",
}

// MakeID turns what somebody typed into an id: lower case, every character
// other than [a-z0-9] an underscore, runs joined, none at the ends, at most
// MaxID long. Nothing usable gives "".
func MakeID(s string) ID {
	var b strings.Builder
	gap := false
	for _, r := range strings.ToLower(s) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			if gap && b.Len() > 0 {
				b.WriteByte('_')
			}
			gap = false
			b.WriteRune(r)
			continue
		}
		gap = true
	}
	id := b.String()
	if len(id) > MaxID {
		id = strings.TrimRight(id[:MaxID], "_")
	}
	return ID(id)
}

// Reserved says whether the id is one of the levels that can be no car.
func (id ID) Reserved() bool { return slices.Contains(reserved, id) }

// Clash says why a car called id cannot live beside the others: Home Assistant
// would be given the same unique id twice ("a" with the key "b_c" and "a_b"
// with the key "c"). keys are the keys any car may have.
func Clash(id ID, others []ID, keys []string) error {
	for _, other := range others {
		short, long := id, other
		if len(short) > len(long) {
			short, long = long, short
		}
		rest, ok := strings.CutPrefix(string(long), string(short)+"_")
		if !ok {
			continue
		}
		for _, key := range keys {
			if slices.Contains(keys, rest+"_"+key) {
				return fmt.Errorf("%q and %q would share the entity id %s_%s: choose another name",
					id, other, long, key)
			}
		}
	}
	return nil
}
