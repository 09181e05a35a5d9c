package mqtt_test

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.golang/paho"
	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/wheelhouse-mqtt/wheelhouse/internal/mqtt"
)

// shelf is a Keeper in memory.
type shelf struct {
	mu    sync.Mutex
	data  map[string][]byte
	slow  time.Duration // Keep takes so long
	fails error
}

func (s *shelf) Load() (map[string][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.data), s.fails
}

func (s *shelf) Keep(topic string, data []byte) error {
	<-time.After(s.slow)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails != nil {
		return s.fails
	}
	if s.data == nil {
		s.data = make(map[string][]byte)
	}
	if s.data[topic] = data; data == nil {
		delete(s.data, topic)
	}
	return nil
}

func (s *shelf) topics() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.data))
}

// network is an endpoint under fake time: the door's network side without a
// network, so that the client is not taken for the program's own.
func network(t testing.TB, b *mqtt.Broker) func() (net.Conn, error) {
	t.Helper()
	return func() (net.Conn, error) { return mqtt.DialDoor(b) }
}

func TestRetainedSurviveARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{}
		b, stop := startBrokerUntil(t, mqtt.BrokerOptions{Keeper: s})
		own, stopOwn := startClient(t, mqtt.ClientOptions{Dial: b.Dial, Status: status})
		const announced = "homeassistant/device/wheelhouse_a/sensor/config"
		own.Publish(retained("wheelhouse/a", "computed"), retained(announced, "{}"))
		drained(t, own)
		p := newPeer(t, peerOptions{dial: network(t, b)})
		message := func(expiry uint32) *paho.Publish {
			return &paho.Publish{Topic: "note", Payload: []byte("hello"), QoS: 1, Retain: true,
				Properties: &paho.PublishProperties{
					ContentType:   "text/plain",
					User:          paho.UserProperties{{Key: "k", Value: "v"}, {Key: "k", Value: "w"}},
					PayloadFormat: new(byte(1)), ResponseTopic: "answers", CorrelationData: []byte{0, 255},
					MessageExpiry: &expiry,
				}}
		}
		if _, err := p.Publish(t.Context(), message(100)); err != nil {
			t.Fatal(err)
		}
		p.publish(t, retained("gone", "1"))
		p.publish(t, retained("gone", ""))
		p.publish(t, retained("ours", "1"))
		own.Publish(retained("ours", "2"))
		drained(t, own)
		if got := s.topics(); !slices.Equal(got, []string{announced, "note"}) {
			t.Errorf("kept %q", got)
		}
		stopOwn()
		stop()
		wait(40 * time.Second)

		b, stop = startBrokerUntil(t, mqtt.BrokerOptions{Keeper: s})
		o := observer(t, b, "note")
		got := <-o.got
		diff := cmp.Diff(message(60).Properties, got.Properties)
		if diff != "" || show(got) != "note hello +r" {
			t.Errorf("after the restart %s (-want +got):\n%s", show(got), diff)
		}
		observer(t, b, announced).expect(t, announced+" {} +r")
		wait(2 * time.Minute) // it expires while the broker runs
		if got := s.topics(); !slices.Equal(got, []string{announced}) {
			t.Errorf("still kept: %q", got)
		}
		stop()
	})
}

func TestExpiredWhileAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{data: map[string][]byte{
			"old":    []byte(`{"payload":"eA==","created":1,"expiry":2}`),
			"good":   []byte(`{"payload":"eA==","created":1}`),
			"broken": []byte(`{"payl`),
		}}
		var log lines
		b := startBroker(t, mqtt.BrokerOptions{Keeper: s, Log: zerolog.New(&log)})
		observer(t, b, "+").expect(t, "good x +r")
		if got := s.topics(); !slices.Equal(got, []string{"broken", "good"}) {
			t.Errorf("kept %q", got)
		}
		if !strings.Contains(log.String(), "damaged") {
			t.Error("nothing said of the damaged one")
		}
	})
}

// TestKeptBeforeAcknowledged: who is told that a retained message has arrived
// may cut the power.
func TestKeptBeforeAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{slow: time.Second}
		b := startBroker(t, mqtt.BrokerOptions{Keeper: s})
		p := newPeer(t, peerOptions{dial: network(t, b)})
		start := time.Now()
		p.publish(t, retained("a", "1"))
		if d := time.Since(start); d != time.Second {
			t.Errorf("acknowledged after %v", d)
		}
		own, _ := startClient(t, mqtt.ClientOptions{Dial: b.Dial})
		start = time.Now()
		own.Publish(retained("b", "1"))
		drained(t, own)
		if d := time.Since(start); d != 0 {
			t.Errorf("the program's own message took %v", d)
		}
	})
}

func TestNotKeptIsNotAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{}
		var log lines
		b := startBroker(t, mqtt.BrokerOptions{Keeper: s, Log: zerolog.New(&log)})
		p := newPeer(t, peerOptions{dial: network(t, b)})
		s.fails = errors.New("disk full")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		m := &paho.Publish{Topic: "a", Payload: []byte("1"), QoS: 1, Retain: true}
		if ack, err := p.Publish(ctx, m); err == nil {
			t.Errorf("acknowledged: %+v", ack)
		}
		if !strings.Contains(log.String(), "disk full") {
			t.Error("nothing said of it")
		}
	})
}

func TestKeeperThatCannotLoad(t *testing.T) {
	_, err := mqtt.NewBroker(mqtt.BrokerOptions{Keeper: &shelf{fails: errors.New("no such table")}})
	if err == nil || !strings.Contains(err.Error(), "no such table") {
		t.Error(err)
	}
}
