package discovery

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// retained is a discovery message as the broker holds it. It may be anybody's.
type retained struct {
	Device     map[string]json.RawMessage `json:"device"`
	Origin     map[string]json.RawMessage `json:"origin"`
	Components map[string]json.RawMessage `json:"components"`
}

func decode(payload []byte) (retained, error) {
	var r retained
	if err := json.Unmarshal(payload, &r); err != nil {
		return r, fmt.Errorf("discovery message: %w", err)
	}
	return r, nil
}

// members decodes a component; nil if it is no object.
func members(component json.RawMessage) map[string]any {
	var c map[string]any
	if json.Unmarshal(component, &c) != nil {
		return nil
	}
	return c
}

// ours says whether a message on the topic of a device was written by this
// program for this MQTT prefix: the origin and the topics of all its components
// must say so. The topic alone does not tell: the device bridge of the prefix
// "home_2" is on the topic that a car 2_bridge of the prefix "home" would have.
func (c Config) ours(id car.ID, payload string) bool {
	r, err := decode([]byte(payload))
	if err != nil || string(r.Origin["name"]) != string(encode(c.Program.Name)) {
		return false
	}
	found := false
	for _, component := range r.Components {
		for key, value := range members(component) {
			topic, _ := value.(string)
			if topic == "" || !strings.HasSuffix(key, "_topic") {
				continue
			}
			if topic != c.Topics.Status() && !strings.HasPrefix(topic, c.Topics.Value(id, "")) {
				return false
			}
			found = true
		}
	}
	return found
}

// transition says what must follow have, so that a topic comes to hold want.
//
// A component that is merely left out stays in Home Assistant. It must be sent
// once as nothing but its old platform, and some seconds later the message
// without it: then transition says to wait. A component that changes its
// platform is removed in the same way before it comes back as another.
func transition(have, want string) (next string, wait bool) {
	old, err := decode([]byte(have))
	if err != nil || have == want {
		return want, false
	}
	wanted, err := decode([]byte(want))
	if err != nil {
		return want, false
	}
	removals := map[string]json.RawMessage{}
	wait = true
	for key, c := range old.Components {
		before := members(c)
		platform, ok := before["platform"].(string)
		if !ok {
			continue
		}
		removed := len(before) == 1
		if removed || platform != members(wanted.Components[key])["platform"] {
			removals[key] = encode(component{Platform: car.Platform(platform)})
			wait = wait && removed
		}
	}
	if len(removals) == 0 || wait {
		return want, len(removals) > 0
	}
	for key, c := range removals {
		wanted.Components[key] = c
	}
	return string(encode(wanted)), false
}
