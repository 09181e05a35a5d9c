package discovery

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// onlineKey is the field that says whether a car is being heard. It stays
// readable while the car is not.
const onlineKey = "online"

// message is one discovery message. The order of the fields is the order of
// the bytes, so equal devices give equal bytes.
type message struct {
	Device     deviceInfo                 `json:"device"`
	Origin     origin                     `json:"origin"`
	Components map[string]json.RawMessage `json:"components"`
}

type deviceInfo struct {
	Identifiers  string `json:"identifiers"`
	Name         string `json:"name"`
	Manufacturer string `json:"manufacturer,omitempty"`
	Model        string `json:"model,omitempty"`
	Serial       string `json:"serial_number,omitempty"`
	Version      string `json:"sw_version,omitempty"`
	Via          string `json:"via_device,omitempty"`
}

type origin struct {
	Name    string `json:"name"`
	Version string `json:"sw_version,omitempty"`
	URL     string `json:"support_url,omitempty"`
}

// component is one entity of a message. With nothing but its platform it tells
// Home Assistant to remove the entity.
type component struct {
	Platform     car.Platform   `json:"platform"`
	Name         string         `json:"name,omitempty"`
	UniqueID     string         `json:"unique_id,omitempty"`
	EntityID     string         `json:"default_entity_id,omitempty"`
	Class        string         `json:"device_class,omitempty"`
	Unit         string         `json:"unit_of_measurement,omitempty"`
	StateClass   string         `json:"state_class,omitempty"`
	Precision    *int           `json:"suggested_display_precision,omitempty"`
	Options      []string       `json:"options,omitempty"`
	EventTypes   []string       `json:"event_types,omitempty"`
	SourceType   string         `json:"source_type,omitempty"`
	Icon         string         `json:"icon,omitempty"`
	Category     string         `json:"entity_category,omitempty"`
	Enabled      *bool          `json:"enabled_by_default,omitempty"`
	StateTopic   string         `json:"state_topic,omitempty"`
	PayloadOn    string         `json:"payload_on,omitempty"`
	PayloadOff   string         `json:"payload_off,omitempty"`
	Attributes   string         `json:"json_attributes_topic,omitempty"`
	CommandTopic string         `json:"command_topic,omitempty"`
	PayloadPress string         `json:"payload_press,omitempty"`
	QoS          int            `json:"qos,omitempty"`
	Availability []availability `json:"availability,omitempty"`
	Mode         string         `json:"availability_mode,omitempty"`
}

type availability struct {
	Topic    string `json:"topic"`
	Yes      string `json:"payload_available,omitempty"`
	No       string `json:"payload_not_available,omitempty"`
	Template string `json:"value_template,omitempty"`
}

// Messages returns the retained discovery messages of a device, one for each
// platform that it has fields of. Equal devices give equal bytes.
//
// A component that Home Assistant would refuse is left out, so that it costs
// nobody else anything; the errors say which and why.
func Messages(cfg Config, d car.Device) ([]car.Message, []error) {
	groups := map[car.Platform][]car.Field{}
	var order []car.Platform
	for _, f := range d.Fields {
		if groups[f.Is.Platform] == nil {
			order = append(order, f.Is.Platform)
		}
		groups[f.Is.Platform] = append(groups[f.Is.Platform], f)
	}
	slices.Sort(order)

	var all []car.Message
	var errs []error
	for _, platform := range order {
		m, problems := cfg.group(d, platform, groups[platform])
		errs = append(errs, problems...)
		if m.Payload != "" {
			all = append(all, m)
		}
	}
	return all, errs
}

// group writes the message of one platform. Its payload is empty if no
// component, or the message itself, would be accepted.
func (c Config) group(d car.Device, platform car.Platform, fields []car.Field) (
	car.Message, []error,
) {
	m := message{c.deviceInfo(d), c.origin(), make(map[string]json.RawMessage, len(fields))}
	var errs []error
	for _, f := range fields {
		if m.Components[f.Key] != nil {
			errs = append(errs, fmt.Errorf("%s: two fields have the key %q", c.device(d.ID), f.Key))
			continue
		}
		m.Components[f.Key] = encode(c.component(d, f))
	}
	topic := c.topic(d.ID, platform)
	for _, p := range lint(topic, encode(m)) {
		errs = append(errs, p)
		if p.Component == "" { // the message itself is wrong
			return car.Message{}, errs
		}
		delete(m.Components, p.Component)
	}
	if len(m.Components) == 0 {
		return car.Message{}, errs
	}
	return car.Message{Topic: topic, Payload: string(encode(m)), Retain: true}, errs
}

// deviceInfo says who the device is. Keys without a value are left out: one
// null would make Home Assistant drop the message.
func (c Config) deviceInfo(d car.Device) deviceInfo {
	info := deviceInfo{
		Identifiers:  c.device(d.ID),
		Name:         cmp.Or(strings.TrimSpace(d.Name), string(d.ID)),
		Manufacturer: strings.TrimSpace(d.Manufacturer),
		Model:        strings.TrimSpace(d.Model),
		Serial:       strings.TrimSpace(d.Serial),
	}
	if d.ID == car.BridgeID {
		info.Version = c.Program.Version
	} else {
		info.Via = c.device(car.BridgeID)
	}
	return info
}

func (c Config) origin() origin {
	return origin{c.Program.Name, c.Program.Version, c.Program.URL}
}

// component describes one field. Availability stands in every component, and
// nowhere else: what a component inherits and what it has itself must not mix.
func (c Config) component(d car.Device, f car.Field) component {
	m := component{
		Platform: f.Is.Platform,
		Name:     f.Name,
		UniqueID: c.unique(d.ID, f.Key),
		EntityID: c.entity(d.ID, f.Is.Platform, f.Key),
		Class:    f.Is.Class,
		Icon:     f.Icon,
	}
	if m.Icon == "" {
		m.Icon = f.Is.Icon
	}
	if f.Diagnostic {
		m.Category = "diagnostic"
	}
	if f.Off {
		m.Enabled = new(false)
	}
	if !f.IsStatus { // the status must be readable while it says offline
		m.Availability, m.Mode = c.availability(d, f), "all"
	}
	if shape, ok := shapes[f.Is.Platform]; ok {
		shape(&m, f, c.Topics, d.ID)
	}
	return m
}

// shapes adds what is peculiar to a platform.
var shapes = map[car.Platform]func(m *component, f car.Field, t car.Topics, id car.ID){
	car.Sensor: func(m *component, f car.Field, t car.Topics, id car.ID) {
		m.StateTopic = t.Value(id, f.Key)
		m.Unit, m.StateClass, m.Options = f.Unit(), f.Is.State, f.Options
		if numeric(m.Class, m.Unit, m.StateClass) {
			m.Precision = &f.Is.Digits
		}
	},
	car.BinarySensor: func(m *component, f car.Field, t car.Topics, id car.ID) {
		m.StateTopic = t.Value(id, f.Key)
		if f.IsStatus {
			m.StateTopic, m.PayloadOn, m.PayloadOff = t.Status(), "online", "offline"
		}
	},
	// Coordinates come as attributes alone: a state topic would beat them.
	car.DeviceTracker: func(m *component, f car.Field, t car.Topics, id car.ID) {
		m.Attributes, m.SourceType = t.Value(id, f.Key), "gps"
	},
	car.EventEntity: func(m *component, f car.Field, t car.Topics, id car.ID) {
		m.StateTopic, m.EventTypes = t.Event(id), f.Options
	},
	car.Button: func(m *component, f car.Field, t car.Topics, id car.ID) {
		m.CommandTopic, m.PayloadPress, m.QoS = t.Set(id, f.Key), "PRESS", 1
	},
}

// isKnown makes a value, or that there is none, the status of what needs it.
const isKnown = "{{ 'offline' if value == '" + car.None + "' else 'online' }}"

// availability lists what must be up for the entity to be: the program, and
// the car if that is asked for and the car says it at all (a topic that never
// brought anything counts as away), and the value that the field needs.
func (c Config) availability(d car.Device, f car.Field) []availability {
	list := []availability{{Topic: c.Topics.Status()}}
	has := slices.ContainsFunc(d.Fields, func(f car.Field) bool { return f.Key == onlineKey })
	if c.UnavailableWhenOffline && has && f.Key != onlineKey {
		list = append(list, availability{Topic: c.Topics.Value(d.ID, onlineKey), Yes: "ON", No: "OFF"})
	}
	if f.Needs != "" {
		list = append(list, availability{Topic: c.Topics.Value(d.ID, f.Needs), Template: isKnown})
	}
	return list
}

// encode writes what cannot fail: our own structs of strings, numbers and maps.
func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return data
}
