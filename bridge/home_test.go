package bridge_test

import (
	"context"
	"maps"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/wheelhouse-mqtt/wheelhouse/bridge"
	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/store"
)

const blue = car.ID("blue")

// noon is when the tests take the fake clock to start. It really starts in 2000,
// which cars with a wrong clock say.
var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func clock() time.Time {
	return time.Now().Add(noon.Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)))
}

// home is a running bridge with a store, and a broker that only remembers.
type home struct {
	*bridge.Bridge
	t       testing.TB
	options bridge.Options
	broker  *broker
	stop    func() // stops the bridge and closes the store
}

// broker remembers what it is given.
type broker struct {
	mu        sync.Mutex
	retained  map[string]string
	sent      []car.Message // since the last look
	announced []car.Device
	withdrawn []car.ID
}

func (b *broker) publish(messages ...car.Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range messages {
		b.sent = append(b.sent, m)
		if m.Retain {
			b.retained[m.Topic] = m.Payload
		}
		if m.Payload == "" {
			delete(b.retained, m.Topic)
		}
	}
}

// news are the messages since the last call.
func (b *broker) news() []car.Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	news := b.sent
	b.sent = nil
	return news
}

// move starts a home in a new place, with options changed.
func move(t testing.TB, change ...func(*bridge.Options)) *home {
	h := &home{t: t, broker: &broker{retained: map[string]string{}}}
	h.options = bridge.Options{
		Sources: map[car.Source]bridge.Source{car.CarStatsSource: {Table: bridge.Sample, Silent: 3 * time.Minute, Posted: true}},
		Topics:  car.Topics{Prefix: "w"}, Calm: 30 * time.Second, Version: "1.2.3", Now: clock, Log: zerolog.Nop(),
		Publish:  h.broker.publish,
		Announce: func(d car.Device) { h.broker.announced = append(h.broker.announced, d) },
		Withdraw: func(id car.ID) { h.broker.withdrawn = append(h.broker.withdrawn, id) },
	}
	for _, f := range change {
		f(&h.options)
	}
	h.start(filepath.Join(t.TempDir(), "test.db"))
	t.Cleanup(func() { h.stop() })
	return h
}

// atOnce makes numbers be published as they come.
func atOnce(o *bridge.Options) { o.Calm = 0 }

// standing stops the clock, for tests that need no time.
func standing(o *bridge.Options) { o.Now = func() time.Time { return noon } }

func (h *home) start(path string) {
	h.t.Helper()
	var err error
	if h.options.Store, err = store.Open(context.Background(), path); err != nil {
		h.t.Fatal(err)
	}
	if h.Bridge, err = bridge.New(context.Background(), h.options); err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- h.Run(ctx) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ran; err != nil {
			h.t.Error(err)
		}
		if err := h.options.Store.Close(); err != nil {
			h.t.Error(err)
		}
	})
}

// restart stops the program and starts it again in the same place.
func (h *home) restart(path string) {
	h.t.Helper()
	h.stop()
	h.broker.announced = nil
	h.start(path)
	synctest.Wait()
}

// take has a batch stored and applied.
func (h *home) take(b car.Batch) car.Receipt {
	h.t.Helper()
	if b.Car == "" {
		b.Car = blue
	}
	if b.Received.IsZero() {
		b.Received = h.options.Now()
	}
	receipt, err := h.Take(context.Background(), b)
	if err != nil {
		h.t.Fatal(err)
	}
	return receipt
}

// report has the values of a request reported that the car made at a time.
func (h *home) report(at time.Time, values bridge.Values) {
	h.t.Helper()
	h.take(car.Batch{Report: values.Report(at), Last: true, Request: car.Request{HasReport: true}})
}

// pass lets time pass.
func (h *home) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// value is what blue's topic of a key says, "" for nothing.
func (h *home) value(key string) string {
	h.broker.mu.Lock()
	defer h.broker.mu.Unlock()
	return h.broker.retained["w/blue/"+key]
}

// values are all retained topics of a car, by key.
func (h *home) values(id car.ID) map[string]string {
	h.broker.mu.Lock()
	defer h.broker.mu.Unlock()
	values := map[string]string{}
	for topic, payload := range h.broker.retained {
		if key, ok := strings.CutPrefix(topic, "w/"+string(id)+"/"); ok {
			values[key] = payload
		}
	}
	return values
}

// retained is a copy of everything the broker has.
func (h *home) retained() map[string]string {
	h.broker.mu.Lock()
	defer h.broker.mu.Unlock()
	return maps.Clone(h.broker.retained)
}

// events are the kinds of blue's events since the last look.
func (h *home) events() (kinds []string) {
	for _, m := range h.broker.news() {
		if m.Topic == "w/blue/event" {
			kinds = append(kinds, decode(h.t, m.Payload)["event_type"].(string))
		}
	}
	return kinds
}

// expect compares some of blue's topics.
func (h *home) expect(want map[string]string) {
	h.t.Helper()
	for key, payload := range want {
		if got := h.value(key); got != payload {
			h.t.Errorf("%s is %q, want %q", key, got, payload)
		}
	}
}

// hold keeps the bridge busy until the returned function is called, so that
// what is done meanwhile has to wait.
func (h *home) hold() (release func()) {
	gate := make(chan struct{})
	go func() { _ = h.Do(context.Background(), func() { <-gate }) }()
	synctest.Wait()
	return func() { close(gate); synctest.Wait() }
}

// inBubble runs a test with a fake clock.
func inBubble(t *testing.T, f func(*testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}
