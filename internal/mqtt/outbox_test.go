package mqtt

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// A script step is "topic=payload" (state), "!payload" (event), "backlog N", "> what"
// (expected from next, "> -" for nothing), "ok what", "no what", "lost what"
// (fate of a parcel), or "resend".
func TestOutbox(t *testing.T) {
	for name, script := range map[string][]string{
		"latest payload wins while it waits": {"a=1", "a=2", "> a=2", "ok a=2", "> -"},
		"nothing unchanged is sent twice":    {"a=1", "> a=1", "ok a=1", "a=1", "> -"},
		"changed back while it waited":       {"a=1", "> a=1", "ok a=1", "a=2", "a=1", "> -"},
		"changed back while on its way":      {"a=1", "> a=1", "a=2", "a=1", "ok a=1", "> -"},
		"one on its way per topic":           {"a=1", "> a=1", "a=2", "> -", "ok a=1", "> a=2"},
		"first dirtied first":                {"a=1", "b=1", "a=2", "> a=2", "> b=1"},
		"never acknowledged is sent again":   {"a=1", "> a=1", "lost a=1", "> a=1"},
		"refused is not":                     {"a=1", "> a=1", "no a=1", "> -", "a=2", "> a=2"},
		"no value is left out":               {"backlog 9", "a=1", "a=2", "b=1", "a=3", "> a=1", "> b=1", "ok a=1", "> a=2", "ok a=2", "> a=3", "ok a=3", "> -"},
		"nor what came while one was away":   {"backlog 9", "a=1", "> a=1", "a=2", "a=1", "ok a=1", "> a=2", "ok a=2", "> a=1", "ok a=1", "> -"},
		"unless too many wait":               {"backlog 2", "a=1", "a=2", "a=3", "a=4", "> a=1", "ok a=1", "> a=4", "ok a=4", "> -"},
		"or after a resend":                  {"backlog 9", "a=1", "a=2", "resend", "> a=2", "ok a=2", "> -"},
		"resend sends all in order of birth": {"b=1", "a=1", "> b=1", "> a=1", "ok a=1", "ok b=1", "resend", "> b=1", "> a=1", "> -"},
		"resend sends what waits once":       {"a=1", "resend", "> a=1", "> -"},
		"clearing forgets the topic":         {"a=1", "> a=1", "ok a=1", "a=", "> a=", "ok a=", "resend", "> -"},
		"clearing an unknown topic is sent":  {"a=", "> a=", "ok a=", "> -"},
		"set again while it is cleared":      {"a=", "> a=", "a=1", "ok a=", "> a=1"},
		"events in order, one at a time":     {"!1", "!2", "> !1", "> -", "ok !1", "> !2"},
		"a lost event comes first again":     {"!1", "!2", "> !1", "lost !1", "> !1", "ok !1", "> !2"},
		"a refused event is gone":            {"!1", "!2", "> !1", "no !1", "> !2"},
		"equal events are all sent":          {"!1", "!1", "> !1", "ok !1", "> !1"},
		"events are no faster than states":   {"a=1", "!1", "!2", "b=1", "> a=1", "> !1", "ok !1", "> b=1", "> !2"},
		"events come after what is resent":   {"a=1", "> a=1", "ok a=1", "!1", "resend", "> a=1", "> !1"},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, script)
		})
	}
}

func play(t *testing.T, script []string) {
	o := newOutbox()
	away := make(map[string]parcel)
	for i, step := range script {
		var word, what string
		if n, _ := fmt.Sscanf(step, "%s %s", &word, &what); n < 2 {
			word, what = step, ""
		}
		switch word {
		case "backlog":
			o.backlog = int(what[0] - '0')
		case "resend":
			o.resend()
		case ">":
			p, ok := o.next()
			got := "-"
			if ok {
				got = name(p.Message)
				away[got] = p
			}
			if got != what {
				t.Fatalf("step %d: %q: got %s", i, step, got)
			}
		case "ok", "no", "lost":
			f := map[string]fate{"ok": accepted, "no": refused, "lost": failed}[word]
			o.done(away[what], f)
		default:
			o.put(message(step))
		}
	}
}

func message(s string) car.Message {
	if s[0] == '!' {
		return car.Message{Topic: "event", Payload: s[1:]}
	}
	return car.Message{Topic: s[:1], Payload: s[2:], Retain: true}
}

func name(m car.Message) string {
	if !m.Retain {
		return "!" + m.Payload
	}
	return m.Topic + "=" + m.Payload
}

func TestOutboxDropsTheOldestEvent(t *testing.T) {
	o := newOutbox()
	for i := range maxEvents + 7 {
		o.put(car.Message{Topic: "event", Payload: fmt.Sprint(i)})
	}
	p, _ := o.next()
	if p.Payload != "7" || o.dropped != 7 || o.dirty() != maxEvents {
		t.Errorf("first %q, dropped %d, %d left", p.Payload, o.dropped, o.dirty())
	}
}

// TestOutboxEndsRight plays random lives of an outbox and a broker that may or
// may not get what is not acknowledged.
func TestOutboxEndsRight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{
			T: t, o: newOutbox(),
			broker: map[string]string{}, want: map[string]string{}, acked: map[string]string{},
		}
		w.o.backlog = rapid.IntRange(0, 9).Draw(t, "backlog")
		t.Repeat(map[string]func(*rapid.T){
			"state": func(t *rapid.T) {
				w.state(draw(t, "topic", 4), rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "payload"))
			},
			"event":  func(*rapid.T) { w.event() },
			"next":   func(*rapid.T) { w.next() },
			"ok":     func(t *rapid.T) { w.end(t, accepted) },
			"lost":   func(t *rapid.T) { w.end(t, failed) },
			"resend": func(*rapid.T) { w.o.resend(); clear(w.acked) },
		})
		for w.o.dirty() > 0 {
			w.next()
			w.end(t, accepted)
		}
		if diff := cmp.Diff(w.want, w.broker); diff != "" {
			t.Fatalf("the broker holds something else (-want +got):\n%s", diff)
		}
		if got := slices.Compact(w.got); !slices.Equal(got, w.events) {
			t.Fatalf("events %v, want %v", got, w.events)
		}
	})
}

func draw(t *rapid.T, what string, n int) string {
	return string(rune('a' + rapid.IntRange(0, n-1).Draw(t, what)))
}

// world is an outbox, a broker, and what an observer of both knows.
type world struct {
	*rapid.T
	o      *outbox
	away   []parcel
	broker map[string]string // what the broker holds
	want   map[string]string // what it should hold in the end
	acked  map[string]string // what the outbox knows it to hold
	events []string          // put
	got    []string          // arrived, repetitions behind each other
}

func (w *world) state(topic, payload string) {
	w.o.put(car.Message{Topic: topic, Payload: payload, Retain: true})
	set(w.want, topic, payload)
}

func set(m map[string]string, topic, payload string) {
	if m[topic] = payload; payload == "" {
		delete(m, topic)
	}
}

func (w *world) event() {
	e := fmt.Sprint(len(w.events))
	w.events = append(w.events, e)
	w.o.put(car.Message{Topic: "event", Payload: e})
}

func (w *world) next() {
	p, ok := w.o.next()
	if !ok {
		return
	}
	for _, q := range w.away {
		if q.Topic == p.Topic {
			w.Fatalf("two of %s on their way", p.Topic)
		}
	}
	if known, ok := w.acked[p.Topic]; ok && p.Retain && known == p.Payload && p.Payload != "" {
		w.Fatalf("%s was acknowledged and is sent again", name(p.Message))
	}
	w.away = append(w.away, p)
}

// end ends the flight of any parcel.
func (w *world) end(t *rapid.T, f fate) {
	if len(w.away) == 0 {
		return
	}
	i := rapid.IntRange(0, len(w.away)-1).Draw(t, "parcel")
	p := w.away[i]
	w.away = slices.Delete(w.away, i, i+1)
	arrived := f == accepted || rapid.Bool().Draw(t, "arrived")
	switch {
	case arrived && p.Retain:
		set(w.broker, p.Topic, p.Payload)
	case arrived:
		w.got = append(w.got, p.Payload)
	}
	delete(w.acked, p.Topic)
	if f == accepted && p.Retain {
		w.acked[p.Topic] = p.Payload
	}
	w.o.done(p, f)
}
