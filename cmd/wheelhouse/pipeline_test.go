package main

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/wheelhouse-mqtt/wheelhouse/bridge"
	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/carstats"
	"github.com/wheelhouse-mqtt/wheelhouse/carstats/sim"
	"github.com/wheelhouse-mqtt/wheelhouse/discovery"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/store"
)

// pipeline is the program between a car's request and the MQTT client, wired
// as run.go wires it, with a shelf in the place of the broker and a clock that
// stands still while anybody works. Whatever it publishes goes past a judge who
// knows what Home Assistant accepts.
type pipeline struct {
	setup
	t     *testing.T
	ahead time.Duration // of the bubble's clock
	log   bytes.Buffer

	store    *store.Store
	bridge   *bridge.Bridge
	receiver *carstats.Receiver
	herald   *discovery.Announcer
	judge    *judge
	watch    func(car.Message) // sees what is published, if set
	shelf    *shelf
	halt     func()
}

// setup is what a test wants otherwise than usual.
type setup struct {
	path  string        // of the database
	start time.Time     // what the clock shows at first
	calm  time.Duration // mqtt.min_interval
	table car.Table     // what a car has
	raw   bool          // carstats.raw
	complain
}

// complain hears of everything that Home Assistant would not like.
type complain func(format string, args ...any)

// morning is a little before the first record of the fixtures.
var morning = time.Date(2025, 6, 1, 7, 0, 0, 0, time.UTC)

const (
	password = "house-password"
	silence  = 3 * time.Minute
)

// plumb runs a test with a pipeline, in a bubble of time.
func plumb(t *testing.T, s setup, test func(p *pipeline)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "wheelhouse.db")
	synctest.Test(t, func(t *testing.T) {
		p := &pipeline{setup: s, t: t}
		if p.path == "" {
			p.path = path
		}
		if p.start.IsZero() {
			p.start = morning
		}
		if p.table.Fields == nil {
			p.table = carstats.Table
		}
		if p.complain == nil {
			p.complain = t.Errorf
		}
		p.judge = newJudge(p.complain)
		p.ahead = time.Until(p.start)
		p.boot()
		test(p)
		p.stop()
	})
}

func (p *pipeline) now() time.Time { return time.Now().Add(p.ahead) }

// boot starts the program before an empty broker.
func (p *pipeline) boot() {
	topics := car.Topics{Prefix: "wheelhouse"}
	p.shelf = newShelf(p.judge)
	p.herald = discovery.New(discovery.Config{
		Enabled: true, Prefix: "homeassistant", Birth: "homeassistant/status", Topics: topics,
		Program: discovery.Program{Name: "Wheelhouse", Version: "test", URL: projectURL},
	}, nil, func() float64 { return 0.5 })
	p.tell(p.herald.Up(p.now()))
	var err error
	if p.store, err = store.Open(p.t.Context(), p.path); err != nil {
		p.t.Fatal(err)
	}
	log := zerolog.New(&p.log).Level(zerolog.DebugLevel)
	p.bridge, err = bridge.New(p.t.Context(), bridge.Options{
		Store: p.store, Topics: topics, Calm: p.calm,
		Sources: map[car.Source]bridge.Source{car.CarStatsSource: {Table: p.table, Silent: silence, Posted: true}},
		Version: "test", Now: p.now, Log: log, Publish: p.publish,
		Announce: func(d car.Device) { p.tell(p.herald.Announce(d, p.now())) },
		Withdraw: func(id car.ID) { p.tell(p.herald.Remove(id, p.now())) },
	})
	if err != nil {
		p.t.Fatal(err)
	}
	p.receiver = carstats.NewReceiver(carstats.Options{
		Take: p.bridge.Take, Password: password, Discover: true, MaxBody: 64 << 20, Raw: p.raw,
		Now: p.now, Log: log, Answered: p.bridge.Answered,
	})
	ctx, cancel := context.WithCancel(p.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.bridge.Run(ctx) }()
	p.halt = func() {
		cancel()
		if err := <-ended; err != nil {
			p.t.Error(err)
		}
		if err := p.store.Close(); err != nil {
			p.t.Error(err)
		}
	}
	synctest.Wait()
}

// stop ends the program; what it has said is judged.
func (p *pipeline) stop() {
	p.pass(2 * time.Minute) // until everything is announced
	p.halt()
	p.judge.verdict()
}

// restart stops the program and starts it again at once, before an empty broker.
func (p *pipeline) restart() {
	p.halt()
	p.boot()
}

// publish is the MQTT client.
func (p *pipeline) publish(messages ...car.Message) {
	for _, m := range messages {
		if p.shelf.put(m); p.watch != nil {
			p.watch(m)
		}
	}
	p.announce()
}

// announce says what the announcer has held back until now.
func (p *pipeline) announce() {
	if next := p.herald.Next(); !next.IsZero() && !next.After(p.now()) {
		p.tell(p.herald.Tick(p.now()))
	}
}

// tell does what the announcer asks for; the broker sends it back as it does to
// every subscriber.
func (p *pipeline) tell(s discovery.Step) {
	for _, err := range s.Errors {
		p.complain("discovery: %v", err)
	}
	for _, m := range s.Messages {
		p.shelf.put(m)
		p.tell(p.herald.Heard(m.Topic, []byte(m.Payload), false, p.now()))
	}
}

// pass lets time pass.
func (p *pipeline) pass(d time.Duration) {
	p.meet()
	<-time.After(d)
	synctest.Wait()
	p.meet()
}

// meet has the bridge's goroutine come by: whatever the test has read until now
// was read before the bridge publishes anything more.
func (p *pipeline) meet() {
	if err := p.bridge.Do(p.t.Context(), p.announce); err != nil {
		p.t.Error(err)
	}
}

// until lets time pass until the clock shows at.
func (p *pipeline) until(at time.Time) {
	if d := at.Sub(p.now()); d > 0 {
		p.pass(d)
	}
}

// RoundTrip is the webhook as a simulated car's HTTP client reaches it.
func (p *pipeline) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	p.receiver.ServeHTTP(w, r)
	return w.Result(), nil
}

// send posts a body and returns the answer.
func (p *pipeline) send(path, body string) (status int, answer string) {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.SetBasicAuth("", password)
	w := httptest.NewRecorder()
	p.receiver.ServeHTTP(w, r)
	synctest.Wait()
	return w.Code, w.Body.String()
}

// post sends a body of the car, which must be accepted.
func (p *pipeline) post(id, body string) {
	p.t.Helper()
	if status, answer := p.send("/csv/"+id, body); status != http.StatusOK {
		p.t.Fatalf("%d %s", status, answer)
	}
}

// drive lets a simulated car live and post for a time.
func (p *pipeline) drive(o sim.Options, d time.Duration) *sim.Car {
	p.t.Helper()
	o.Start, o.Password = p.now(), password
	if o.URL == "" {
		o.URL = "https://house.example/csv/polestar"
	}
	o.Client = &http.Client{Transport: p}
	c, err := sim.New(o)
	if err != nil {
		p.t.Fatal(err)
	}
	p.meet()
	ctx, cancel := context.WithTimeout(p.t.Context(), d+time.Second) // between two ticks
	defer cancel()
	if err := c.Run(ctx); err != context.DeadlineExceeded {
		p.t.Errorf("Run: %v", err)
	}
	synctest.Wait()
	return c
}

// topics are what the broker keeps below a car's topic, by key.
func (p *pipeline) topics(id string) map[string]string {
	below := make(map[string]string)
	for topic, payload := range p.shelf.retained {
		if key, ok := strings.CutPrefix(topic, "wheelhouse/"+id+"/"); ok {
			below[key] = payload
		}
	}
	return below
}

// shows compares some of the polestar's topics; "" means that there is none.
func (p *pipeline) shows(want map[string]string) {
	p.t.Helper()
	got := p.topics("polestar")
	for key, payload := range want {
		if got[key] != payload {
			p.t.Errorf("%s: %q, want %q", key, got[key], payload)
		}
	}
}

// document reads a JSON topic of the polestar.
func (p *pipeline) document(key string) (doc map[string]any) {
	p.t.Helper()
	payload := p.topics("polestar")[key]
	if err := json.Unmarshal([]byte(payload), &doc); err != nil {
		p.t.Fatalf("%s: %v: %q", key, err, payload)
	}
	return doc
}

// docShows compares some members of a JSON topic.
func (p *pipeline) docShows(key string, want map[string]any) {
	p.t.Helper()
	doc := p.document(key)
	for member, v := range want {
		if got, there := doc[member]; !there || got != v {
			p.t.Errorf("%s.%s: %v (%v), want %v", key, member, got, there, v)
		}
	}
}

// without is a car's topics without those that tell of requests.
func without(topics map[string]string, keys ...string) map[string]string {
	rest := maps.Clone(topics)
	for _, key := range keys {
		delete(rest, key)
	}
	return rest
}

// webhookBody is one of the bodies that the app's serializer wrote.
func webhookBody(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("../../carstats/testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
