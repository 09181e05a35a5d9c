package discovery_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/discovery"
)

// world is the announcer among everything around it, each part as slow as the
// test draws it: the outbox, the broker, the broker's way back, the program's
// store, and a Home Assistant that keeps what it was told to have.
type world struct {
	*rapid.T
	cfg     discovery.Config
	a       *discovery.Announcer
	now     time.Time
	devices map[car.ID]car.Device

	moved  time.Time // when the queues were last empty
	down   bool
	outbox []car.Message
	broker map[string]string
	back   []told
	kept   map[string]bool              // deletions, as the program stores them
	home   map[string]map[string]string // topic -> component -> platform

	userDeleted map[string]bool // devices ever deleted by the user
	excused     map[string]bool // topics that may be sent again unchanged
}

// told is a message on its way from the broker to the announcer.
type told struct {
	topic, payload string
	retained       bool
}

func newWorld(t *rapid.T) *world {
	w := &world{
		T: t, cfg: sample(), now: start,
		devices: map[car.ID]car.Device{}, broker: map[string]string{}, kept: map[string]bool{},
		home: map[string]map[string]string{}, userDeleted: map[string]bool{}, excused: map[string]bool{},
	}
	w.restart()
	return w
}

func nodeOf(topic string) string { return strings.Split(topic, "/")[2] }

// restart is a new program on the same store, with every device known to it.
// What was in the outbox is lost.
func (w *world) restart() {
	w.outbox, w.down = nil, true
	w.a = discovery.New(w.cfg, slices.Collect(maps.Keys(w.kept)), func() float64 { return 0.5 })
	w.up()
	for _, id := range slices.Sorted(maps.Keys(w.devices)) {
		w.take(w.a.Announce(w.devices[id], w.now))
	}
}

// breaks is a lost connection: what was on its way back is lost with it. Some
// of what was on its way out has reached the broker, and is sent again.
func (w *world) breaks() {
	if !w.down && len(w.outbox) > 0 && rapid.Bool().Draw(w.T, "arrived") {
		w.publish(w.outbox[0].Topic, w.outbox[0].Payload)
	}
	w.down, w.back = true, nil
	w.a.Down()
}

// up is a new connection: what is retained comes, then the outbox is sent.
func (w *world) up() {
	w.breaks()
	w.down = false
	w.take(w.a.Up(w.now))
	for _, topic := range slices.Sorted(maps.Keys(w.broker)) {
		w.back = append(w.back, told{topic, w.broker[topic], true})
	}
	for len(w.outbox) > 0 {
		w.deliver()
	}
	w.hearAll()
}

func (w *world) take(s discovery.Step) {
	for _, topic := range s.Deleted {
		if w.kept[topic] || !w.userDeleted[nodeOf(topic)] {
			w.Fatalf("%s: nobody deleted that", topic)
		}
		w.kept[topic] = true
	}
	for _, topic := range s.Restored {
		delete(w.kept, topic)
	}
	for _, m := range s.Messages {
		// Home Assistant's repeated clearings can be taken for the echo of ours.
		again := m.Payload == "" && w.kept[m.Topic]
		if w.promised(m.Topic) == m.Payload && !w.excused[m.Topic] && !again {
			w.Fatalf("%s: sent twice: %s", m.Topic, m.Payload)
		}
		delete(w.excused, m.Topic)
		for _, err := range discovery.Lint(m.Topic, []byte(m.Payload)) {
			w.Fatal(err)
		}
		w.outbox = append(w.outbox, m)
	}
}

// promised is what a topic will hold once the outbox is empty.
func (w *world) promised(topic string) string {
	for _, m := range slices.Backward(w.outbox) {
		if m.Topic == topic {
			return m.Payload
		}
	}
	return w.broker[topic]
}

// deliver brings the oldest message of the outbox to the broker, or the newest
// of the same topic in its place.
func (w *world) deliver() {
	if len(w.outbox) == 0 || w.down {
		return
	}
	m := w.outbox[0]
	w.outbox = w.outbox[1:]
	if rapid.Bool().Draw(w.T, "coalesce") {
		w.outbox = slices.DeleteFunc(w.outbox, func(later car.Message) bool {
			same := later.Topic == m.Topic
			if same {
				m = later
			}
			return same
		})
	}
	w.publish(m.Topic, m.Payload)
}

func (w *world) publish(topic, payload string) {
	w.broker[topic] = payload
	if payload == "" {
		delete(w.broker, topic)
	}
	if !w.down {
		w.back = append(w.back, told{topic, payload, false})
	}
	w.discover(topic, payload)
}

// discover is Home Assistant's side of a message.
func (w *world) discover(topic, payload string) {
	if payload == "" {
		delete(w.home, topic)
		return
	}
	var m struct {
		Components map[string]map[string]any
	}
	if err := json.Unmarshal([]byte(payload), &m); err != nil {
		w.Fatal(err)
	}
	if w.home[topic] == nil {
		w.home[topic] = map[string]string{}
	}
	for key, c := range m.Components {
		platform := c["platform"].(string)
		have, known := w.home[topic][key]
		switch {
		case len(c) == 1 && have == platform:
			delete(w.home[topic], key)
		case len(c) > 1 && known && have != platform:
			w.Fatalf("%s: %s is %s and becomes %s: both stay", topic, key, have, platform)
		case len(c) > 1:
			w.home[topic][key] = platform
		}
	}
}

func (w *world) hear() {
	if len(w.back) > 0 {
		m := w.back[0]
		w.back = w.back[1:]
		w.take(w.a.Heard(m.topic, []byte(m.payload), m.retained, w.now))
	}
}

func (w *world) hearAll() {
	for len(w.back) > 0 {
		w.hear()
	}
}

// restartHome is Home Assistant starting anew from what the broker retains.
func (w *world) restartHome() {
	clear(w.home)
	for topic, payload := range w.broker {
		w.discover(topic, payload)
	}
}

// wait lets time pass up to the next tick, or a bit. A connection on which
// nothing moves for long would have been given up.
func (w *world) wait() {
	until := w.now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(w.T, "ms")) * time.Millisecond)
	if next := w.a.Next(); next.After(w.now) && rapid.Bool().Draw(w.T, "to the tick") {
		until = next
	}
	if until.Sub(w.moved) > 5*time.Second {
		w.flush()
	}
	w.now = until
	w.take(w.a.Tick(w.now))
}

// flush empties the queues.
func (w *world) flush() {
	for len(w.outbox) > 0 && !w.down || len(w.back) > 0 {
		w.deliver()
		w.hear()
	}
	w.moved = w.now
}

// calm lets everything happen that is still to happen.
func (w *world) calm() {
	if w.down {
		w.up()
	}
	for range 100 {
		w.flush()
		next := w.a.Next()
		if next.IsZero() {
			return
		}
		if next.After(w.now) {
			w.now = next
		}
		w.take(w.a.Tick(w.now))
	}
	w.Fatal("it never comes to rest")
}

// excuse allows topics of a device, or of all, to be sent again unchanged.
func (w *world) excuse(node string) {
	for topic := range w.broker {
		if node == "" || nodeOf(topic) == node {
			w.excused[topic] = true
		}
	}
	for _, m := range w.outbox {
		if node == "" || nodeOf(m.Topic) == node {
			w.excused[m.Topic] = true
		}
	}
}

// check compares the broker, and Home Assistant, with what was announced.
func (w *world) check() {
	w.calm()
	want, entities := map[string]string{}, map[string]map[string]string{}
	away := map[string]bool{}
	for topic := range w.kept {
		away[nodeOf(topic)] = true
	}
	for _, d := range w.devices {
		messages, errs := discovery.Messages(w.cfg, d)
		if len(errs) > 0 {
			w.Fatal(errs)
		}
		for _, m := range messages {
			if !away[nodeOf(m.Topic)] {
				want[m.Topic] = m.Payload
				parts, _ := discovery.Components([]byte(m.Payload))
				entities[m.Topic] = map[string]string{}
				for key := range parts {
					entities[m.Topic][key] = strings.Split(m.Topic, "/")[3]
				}
			}
		}
	}
	held, shown := maps.Clone(w.broker), maps.Clone(w.home)
	for topic := range held {
		if away[nodeOf(topic)] { // not ours to touch
			if w.kept[topic] {
				w.Errorf("%s is back", topic)
			}
			delete(held, topic)
		}
	}
	maps.DeleteFunc(shown, func(topic string, _ map[string]string) bool { return away[nodeOf(topic)] })
	if diff := cmp.Diff(want, held); diff != "" {
		w.Errorf("broker (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(entities, shown); diff != "" {
		w.Errorf("Home Assistant (-want +got)\n%s", diff)
	}
}

// TestInterleavings: whatever happens in whatever order, in the end the broker
// holds what was announced, Home Assistant shows it, what the user deleted is
// away and nothing else, and nothing was sent without need.
func TestInterleavings(t *testing.T) {
	ids := []car.ID{car.BridgeID, "a", "a_b"}
	keys := []string{"battery", "gear", "app", "plugged_in", "location"}
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(r)
		id := func() car.ID { return rapid.SampledFrom(ids).Draw(r, "id") }
		r.Repeat(map[string]func(*rapid.T){
			"announce": func(*rapid.T) {
				d := car.Device{ID: id(), Name: rapid.SampledFrom([]string{"", "Polly"}).Draw(r, "name")}
				for _, key := range keys {
					if rapid.Bool().Draw(r, key) {
						d.Fields = append(d.Fields, with(polestar(), key).Fields...)
					}
				}
				w.devices[d.ID] = d
				w.take(w.a.Announce(d, w.now))
			},
			"remove": func(*rapid.T) {
				gone := id()
				delete(w.devices, gone)
				w.take(w.a.Remove(gone, w.now))
			},
			"deliver":  func(*rapid.T) { w.deliver() },
			"hear":     func(*rapid.T) { w.hear() },
			"wait":     func(*rapid.T) { w.wait() },
			"calm":     func(*rapid.T) { w.calm() },
			"check":    func(*rapid.T) { w.check() },
			"breaks":   func(*rapid.T) { w.breaks() },
			"up again": func(*rapid.T) { w.up() },
			"restart":  func(*rapid.T) { w.restart() },
			"broker loses all": func(*rapid.T) {
				w.breaks()
				clear(w.broker)
				w.restartHome()
				w.up()
			},
			"birth": func(*rapid.T) {
				w.calm()
				w.restartHome()
				w.excuse("")
				w.take(w.a.Heard(w.cfg.Birth, []byte("online"), false, w.now))
				w.now = w.now.Add(time.Millisecond) // what follows came after the birth
			},
			"republish": func(*rapid.T) {
				one := rapid.SampledFrom(append(ids, "")).Draw(r, "id")
				node := ""
				if one != "" {
					node = "wheelhouse_" + string(one)
				}
				w.excuse(node)
				w.take(w.a.Republish(one, w.now))
			},
			"user deletes": func(*rapid.T) {
				node := "wheelhouse_" + string(id())
				w.userDeleted[node] = true
				w.excuse(node) // the news takes its time
				for _, topic := range slices.Sorted(maps.Keys(w.broker)) {
					if nodeOf(topic) == node {
						w.publish(topic, "")
						w.publish(topic, "")
					}
				}
			},
		})
		w.check()
	})
}
