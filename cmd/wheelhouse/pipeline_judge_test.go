package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/discovery"
)

// shelf is a broker that only keeps: every message in order, and of each topic
// what is retained. Nothing gets on it that the judge has not seen.
type shelf struct {
	judge    *judge
	sent     []car.Message
	retained map[string]string
}

func newShelf(j *judge) *shelf { return &shelf{judge: j, retained: map[string]string{}} }

func (s *shelf) put(m car.Message) {
	s.judge.hear(m)
	s.sent = append(s.sent, m)
	switch {
	case m.Retain && m.Payload == "":
		delete(s.retained, m.Topic)
	case m.Retain:
		s.retained[m.Topic] = m.Payload
	}
}

// judge knows what Home Assistant would refuse, misread, or write into its log.
type judge struct {
	complain
	configs  map[string]car.Message     // discovery messages by topic
	entities map[string]json.RawMessage // components by the topic they read
	heard    map[string]map[string]bool // payloads by topic, not yet judged
}

func newJudge(c complain) *judge {
	return &judge{
		complain: c, configs: map[string]car.Message{}, entities: map[string]json.RawMessage{},
		heard: map[string]map[string]bool{},
	}
}

// hear judges a discovery message at once. A value comes before its entity is
// announced, so it waits for the verdict.
func (j *judge) hear(m car.Message) {
	if strings.HasPrefix(m.Topic, "homeassistant/") {
		j.config(m)
		return
	}
	if j.heard[m.Topic] == nil {
		j.heard[m.Topic] = map[string]bool{}
	}
	j.heard[m.Topic][m.Payload] = true
}

func (j *judge) config(m car.Message) {
	for _, err := range discovery.Lint(m.Topic, []byte(m.Payload)) {
		j.complain("%v", err)
	}
	j.configs[m.Topic] = m
	device, _, _ := strings.Cut(strings.TrimPrefix(m.Topic, "homeassistant/device/"), "/")
	var all []car.Message
	for topic, other := range j.configs {
		if strings.HasPrefix(topic, "homeassistant/device/"+device+"/") && other.Payload != "" {
			all = append(all, other)
		}
	}
	for _, err := range discovery.LintDevice(all) {
		j.complain("%v", err)
	}
	components, err := discovery.Components([]byte(m.Payload))
	if err != nil && m.Payload != "" {
		j.complain("%s: %v", m.Topic, err)
	}
	for _, c := range components {
		if topic := reads(c); topic != "" {
			j.entities[topic] = c
		}
	}
}

// reads is the topic that a component takes its state from.
func reads(component json.RawMessage) string {
	var c struct {
		State      string `json:"state_topic"`
		Attributes string `json:"json_attributes_topic"`
	}
	if json.Unmarshal(component, &c) == nil && c.State != "" {
		return c.State
	}
	return c.Attributes
}

// verdict judges every value by the entity that shows it. A topic without an
// entity must be one of the documents.
func (j *judge) verdict() {
	for _, topic := range slices.Sorted(maps.Keys(j.heard)) {
		for _, payload := range slices.Sorted(maps.Keys(j.heard[topic])) {
			if c, ok := j.entities[topic]; ok {
				if err := discovery.LintState(c, payload); err != nil {
					j.complain("%s: %v", topic, err)
				}
			} else if !isDocument(topic) {
				j.complain("%s: %q, but no entity shows it", topic, payload)
			} else if !json.Valid([]byte(payload)) {
				j.complain("%s: %q is no JSON", topic, payload)
			}
		}
	}
	j.heard = map[string]map[string]bool{}
}

func isDocument(topic string) bool {
	switch topic[strings.LastIndex(topic, "/")+1:] {
	case "last_trip", "last_charge", "diagnostics", "raw":
		return true
	}
	return false
}

// Nothing that Home Assistant dislikes gets past the judge, whichever test it
// happens in.
func TestJudgeSeesEverything(t *testing.T) {
	speed := car.Field{Key: "speed", Name: "Speed", Is: car.Speed, From: "speed"}
	online := car.Field{Key: "online", Name: "Online", Is: car.Connectivity,
		Calc: func(car.View) car.Value { return car.Bool(true) }}
	furlongs, words, total := speed, speed, speed
	furlongs.Is.Unit = car.Unit{Symbol: "furlong/h", Of: 1}
	words.From, total.Is.State = "selectedGear", "total"
	tests := []struct {
		name  string
		row   car.Field
		wants string // in one of the complaints, "" for none
	}{
		{"a good row", speed, ""},
		{"a unit of another class", furlongs, "unit"},
		{"a word where a number belongs", words, `"D" is no plain number`},
		{"a state class of another class", total, "state_class"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var heard []string
			s := setup{table: car.Table{Fields: []car.Field{test.row, online}}}
			s.complain = func(format string, args ...any) {
				heard = append(heard, fmt.Sprintf(format, args...))
			}
			plumb(t, s, func(p *pipeline) { p.post("polestar", webhookBody(t, "live-2.1")) })
			all := strings.Join(heard, "\n")
			if test.wants == "" && all != "" || !strings.Contains(all, test.wants) {
				t.Errorf("heard %q, want %q", all, test.wants)
			}
		})
	}
	direct := []struct {
		name  string
		m     car.Message
		wants string
	}{
		{"an unknown key", car.Message{Topic: "homeassistant/device/x/config", Retain: true,
			Payload: `{"device":{"identifiers":"x","name":"X"},"origin":{"name":"w"},
				"components":{"a":{"platform":"sensor","unique_id":"x_a","name":"A",
				"state_topic":"w/a","moood":1}}}`}, "moood"},
		{"a state without an entity", car.Message{Topic: "wheelhouse/x/mood", Payload: "1", Retain: true}, "no entity"},
		{"a document that is none", car.Message{Topic: "wheelhouse/x/last_trip", Payload: "{", Retain: true}, "no JSON"},
	}
	for _, test := range direct {
		t.Run(test.name, func(t *testing.T) {
			var heard strings.Builder
			s := newShelf(newJudge(func(format string, args ...any) { fmt.Fprintf(&heard, format, args...) }))
			s.put(test.m)
			s.judge.verdict()
			if !strings.Contains(heard.String(), test.wants) {
				t.Errorf("heard %q, want %q", heard.String(), test.wants)
			}
		})
	}
}
