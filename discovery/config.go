package discovery

import (
	"strings"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// Config says where and how the program introduces itself.
type Config struct {
	Enabled bool       // false: nothing is announced and nothing cleared
	Prefix  string     // Home Assistant's discovery prefix, usually "homeassistant"
	Birth   string     // where Home Assistant says "online", usually "homeassistant/status"
	Topics  car.Topics // where the values are
	Program Program    // who announces

	// UnavailableWhenOffline makes a car's entities unavailable while its
	// "online" is OFF, instead of keeping the last values.
	UnavailableWhenOffline bool
}

// Program is what Home Assistant shows as the origin of the entities. Name also
// tells our own messages from those of others.
type Program struct {
	Name    string
	Version string
	URL     string // http or https, "" for none
}

// namespace is the MQTT prefix in a form that topics and ids allow.
func (c Config) namespace() string { return slug(c.Topics.Prefix) }

// device is the identifier of a device, and its level in discovery topics.
func (c Config) device(id car.ID) string { return c.namespace() + "_" + string(id) }

// unique is the unique id of an entity. It never changes: Home Assistant hangs
// history, names and areas on it.
func (c Config) unique(id car.ID, key string) string { return c.device(id) + "_" + key }

// entity is the entity id an entity asks for, e.g. "sensor.polestar_battery".
// Those of the program and of the account are named after its prefix.
func (c Config) entity(id car.ID, platform car.Platform, key string) string {
	switch own := car.MakeID(c.Topics.Prefix); {
	case own == "":
	case id == car.BridgeID:
		id = own
	case id == car.AccountID:
		id = own + "_" + id
	}
	return string(platform) + "." + string(id) + "_" + key
}

// topic is where the components of one platform of a device are announced.
//
// The platform is the group, because only two defects of a row can make Home
// Assistant drop a message whole: a missing unique id, which the code writes,
// and a platform that the installed release does not know. So a new platform
// can cost no car its other entities. And a row can never move from one group
// to another: with another platform it is another entity anyway.
func (c Config) topic(id car.ID, platform car.Platform) string {
	return c.Prefix + "/device/" + c.device(id) + "/" + string(platform) + "/config"
}

// filter matches the discovery topics of all our devices, and of others.
func (c Config) filter() string { return c.Prefix + "/device/+/+/config" }

// owner is the device that a discovery topic would belong to. Its name alone
// does not make it ours: see retained.ours.
func (c Config) owner(topic string) (car.ID, bool) {
	rest, ok := strings.CutPrefix(topic, c.Prefix+"/device/"+c.namespace()+"_")
	if !ok {
		return "", false
	}
	rest, ok = strings.CutSuffix(rest, "/config")
	id, group, both := strings.Cut(rest, "/")
	ok = ok && both && id != "" && group != "" && !strings.Contains(group, "/")
	return car.ID(id), ok
}

// slug replaces what ids and the levels of discovery topics do not allow
// (anything but A-Z, a-z, 0-9, _ and -). Prefixes that differ in nothing else
// become one: they cannot share a broker.
func slug(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-':
			return r
		}
		return '_'
	}, s)
}
