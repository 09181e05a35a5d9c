package discovery

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// Problem is one thing in a discovery message that Home Assistant would refuse,
// drop without a word, or misread.
type Problem struct {
	Topic     string // of the message
	Component string // "" if the message itself is wrong, and would be dropped whole
	Key       string // the key at fault, "" for none
	What      string // what is wrong with it
}

func (p *Problem) Error() string {
	at := []string{p.Topic}
	for _, s := range []string{p.Component, p.Key} {
		if s != "" {
			at = append(at, s)
		}
	}
	return strings.Join(append(at, p.What), ": ")
}

// Lint says what is wrong with a device-based discovery message; every error is
// a *Problem. An empty payload, which removes the message, is always right.
//
// It is stricter than Home Assistant: unknown keys in a component, which Home
// Assistant removes without a log line, are problems too, and so are habits
// that harm later (retained commands, an optimistic switch, expire_after).
func Lint(topic string, payload []byte) []error {
	var errs []error
	for _, p := range lint(topic, payload) {
		errs = append(errs, p)
	}
	return errs
}

// LintDevice lints all messages of one device, and says where they contradict
// each other: one device in two identifiers, one entity twice, two entities
// without a name.
func LintDevice(messages []car.Message) []error {
	var errs []error
	device := ""
	unique, entity, nameless := map[string]string{}, map[string]string{}, ""
	for _, m := range messages {
		errs = append(errs, Lint(m.Topic, []byte(m.Payload))...)
		if !m.Retain {
			errs = append(errs, &Problem{m.Topic, "", "", "is not retained: a restart would lose it"})
		}
		d, err := decode([]byte(m.Payload))
		if err != nil {
			continue
		}
		if id := string(d.Device["identifiers"]); device != "" && id != device {
			what := "two devices: " + device + " and " + id
			errs = append(errs, &Problem{m.Topic, "", "identifiers", what})
		} else {
			device = id
		}
		for _, key := range slices.Sorted(maps.Keys(d.Components)) {
			c := members(d.Components[key])
			at := m.Topic + " " + key
			errs = append(errs, twice(m.Topic, key, "unique_id", c, unique)...)
			errs = append(errs, twice(m.Topic, key, "default_entity_id", c, entity)...)
			if name, given := c["name"]; given && name == nil {
				if nameless != "" {
					errs = append(errs, &Problem{m.Topic, key, "name", "is null, as in " + nameless})
				}
				nameless = at
			}
		}
	}
	return errs
}

// twice reports a value that an earlier message of the device has already.
// Repetitions within one message are lint's to find.
func twice(topic, key, what string, c map[string]any, seen map[string]string) []error {
	id, ok := c[what].(string)
	if !ok {
		return nil
	}
	if other, dup := seen[id]; dup && other != topic {
		return []error{&Problem{topic, key, what, fmt.Sprintf("%q is in %s too", id, other)}}
	}
	seen[id] = topic
	return nil
}

var (
	level    = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	entityID = regexp.MustCompile(`^[a-z_]+\.[a-z0-9]+(_[a-z0-9]+)*$`)
)

// parseTopic returns the discovery prefix of a device-based discovery topic,
// <prefix>/device/[<node>/]<object>/config.
func parseTopic(topic string) (prefix string, ok bool) {
	levels := strings.Split(topic, "/")
	n := len(levels)
	if n < 4 || levels[n-1] != "config" || !level.MatchString(levels[n-2]) {
		return "", false
	}
	switch {
	case n > 4 && levels[n-4] == "device" && level.MatchString(levels[n-3]):
		return strings.Join(levels[:n-4], "/"), true
	case levels[n-3] == "device":
		return strings.Join(levels[:n-3], "/"), true
	}
	return "", false
}

func lint(topic string, payload []byte) []*Problem {
	prefix, ok := parseTopic(topic)
	if !ok || checkTopic(topic) != "" {
		return []*Problem{{topic, "", "", "is no <prefix>/device/<node>/<object>/config " +
			"with levels of letters, digits, _ and -"}}
	}
	if len(payload) == 0 {
		return nil
	}
	var root map[string]any
	if err := json.Unmarshal(payload, &root); err != nil || root == nil {
		return []*Problem{{topic, "", "", "is no JSON object"}}
	}
	l := &linter{topic: topic, prefix: prefix, root: root}
	l.message()
	return l.found
}

// linter walks through one message and gathers what it finds.
type linter struct {
	topic  string
	prefix string // Home Assistant's discovery prefix
	root   map[string]any
	found  []*Problem
}

// add notes a problem; of one key the first is enough.
func (l *linter) add(component, key, what string) {
	known := func(p *Problem) bool { return key != "" && p.Component == component && p.Key == key }
	if what != "" && !slices.ContainsFunc(l.found, known) {
		l.found = append(l.found, &Problem{l.topic, component, key, what})
	}
}

// object checks a closed object: known keys with good values, and those needed.
func (l *linter) object(component, at string, object map[string]any,
	rules map[string]rule, need ...string) {
	for _, key := range slices.Sorted(maps.Keys(object)) {
		check, known := rules[key]
		if !known {
			l.add(component, at+key, "Home Assistant knows no such key here")
			continue
		}
		l.add(component, at+key, check(object[key]))
	}
	for _, key := range need {
		if _, ok := object[key]; !ok {
			l.add(component, at+key, "is missing")
		}
	}
}

func (l *linter) message() {
	l.object("", "", l.root, rootRules, "device", "origin", "components")
	if device, ok := l.root["device"].(map[string]any); ok {
		l.object("", "device.", device, deviceRules, "name")
		if device["identifiers"] == nil && device["connections"] == nil {
			l.add("", "device.identifiers", "is missing")
		}
	}
	if origin, ok := l.root["origin"].(map[string]any); ok {
		l.object("", "origin.", origin, originRules, "name")
	}
	l.pair("", l.root)
	components, _ := l.root["components"].(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(components)) {
		c, ok := components[key].(map[string]any)
		if !ok {
			l.add("", "components."+key, "is no object")
			continue
		}
		l.component(key, c)
	}
	l.repeated(components)
}

// pair reports the two ways to write availability used together.
func (l *linter) pair(component string, keys map[string]any) {
	if keys["availability"] != nil && keys["availability_topic"] != nil {
		l.add(component, "availability", "stands next to availability_topic: use one of them everywhere")
	}
}

// component checks one component. Unlike other defects an unknown platform, a
// missing one or a missing unique id would cost the whole message; they are
// told of the component all the same, so that leaving it out heals it.
func (l *linter) component(key string, c map[string]any) {
	name, _ := c["platform"].(string)
	p, ok := platforms[name]
	if !ok {
		l.add(key, "platform", fmt.Sprintf("%q is no platform that all supported releases know", name))
		return
	}
	if len(c) == 1 { // removes the entity
		return
	}
	l.object(key, "", c, p.rules, p.need...)
	if id, ok := c["default_entity_id"].(string); ok && !strings.HasPrefix(id, name+".") {
		l.add(key, "default_entity_id", "must begin with "+name+".")
	}
	l.topics(key, c)
	l.pair(key, l.inherit(c))
	if p.check != nil {
		p.check(c, func(k, what string) { l.add(key, k, what) })
	}
}

// inherit adds what a component takes over from the root.
func (l *linter) inherit(c map[string]any) map[string]any {
	all := maps.Clone(c)
	for _, key := range []string{"availability", "availability_topic"} {
		if v, ok := l.root[key]; ok && all[key] == nil {
			all[key] = v
		}
	}
	return all
}

// topics checks what holds for any topic of a component: no values below the
// discovery prefix, and commands are sent with QoS 1.
func (l *linter) topics(key string, c map[string]any) {
	for _, k := range slices.Sorted(maps.Keys(c)) {
		topic, _ := c[k].(string)
		if !strings.HasSuffix(k, "topic") || topic == "" {
			continue
		}
		if strings.HasPrefix(topic, l.prefix+"/") {
			l.add(key, k, "is below the discovery prefix")
		}
		if isCommand(k) && c["qos"] != 1.0 {
			l.add(key, "qos", "must be 1, or a command can get lost")
		}
	}
}

func isCommand(key string) bool {
	return strings.HasSuffix(key, "command_topic") || key == "set_position_topic"
}

// repeated reports ids that two components of the message share.
func (l *linter) repeated(components map[string]any) {
	for _, what := range []string{"unique_id", "default_entity_id"} {
		seen := map[string]string{}
		for _, key := range slices.Sorted(maps.Keys(components)) {
			c, _ := components[key].(map[string]any)
			id, ok := c[what].(string)
			if !ok {
				continue
			}
			if other, dup := seen[id]; dup {
				l.add(key, what, fmt.Sprintf("%q is the one of %s too", id, other))
			}
			seen[id] = key
		}
	}
}
