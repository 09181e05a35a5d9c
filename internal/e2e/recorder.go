//go:build homeassistant

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"
)

// recorder is another client of the broker, which takes note of every message.
// It comes back whenever the broker does.
type recorder struct {
	manager *autopaho.ConnectionManager

	mu       sync.Mutex
	messages []heard
	retained map[string]string // what the broker keeps, as far as was heard on this connection
	ready    bool              // connected, and told what the broker keeps
}

// heard is a message as the broker delivered it. Retain is as it was published.
type heard struct {
	At      time.Time
	Topic   string
	Payload string
	Retain  bool `json:",omitempty"`
}

const sentinel = "recorder/here"

// record connects to a broker, in vain until there is one.
func record(ctx context.Context, a account) (*recorder, error) {
	r := &recorder{retained: map[string]string{}}
	var err error
	r.manager, err = autopaho.NewConnection(ctx, autopaho.ClientConfig{
		ServerUrls:      []*url.URL{{Scheme: "mqtt", Host: local(a.port)}},
		ConnectUsername: a.user, ConnectPassword: []byte(a.password),
		CleanStartOnInitialConnection: true, KeepAlive: 30,
		ReconnectBackoff: func(int) time.Duration { return 20 * time.Millisecond },
		OnConnectionUp:   r.up,
		OnConnectionDown: func() bool { r.lost(); return true },
		ClientConfig: paho.ClientConfig{
			ClientID: "recorder", OnPublishReceived: []func(paho.PublishReceived) (bool, error){r.hear},
		},
	})
	return r, err
}

// up subscribes to everything. A message of its own comes after all that the
// broker keeps.
func (r *recorder) up(m *autopaho.ConnectionManager, _ *paho.Connack) {
	ctx, cancel := context.WithTimeout(context.Background(), callWithin)
	defer cancel()
	_, err := m.Subscribe(ctx, &paho.Subscribe{
		Subscriptions: []paho.SubscribeOptions{{Topic: "#", QoS: 1, RetainAsPublished: true}},
	})
	if err == nil {
		_, _ = m.Publish(ctx, &paho.Publish{Topic: sentinel, QoS: 1, Payload: []byte("here")})
	}
}

func (r *recorder) lost() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ready, r.retained = false, map[string]string{}
}

func (r *recorder) hear(p paho.PublishReceived) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := heard{At: time.Now(), Topic: p.Packet.Topic, Payload: string(p.Packet.Payload), Retain: p.Packet.Retain}
	if m.Topic == sentinel {
		r.ready = true
		return true, nil
	}
	r.messages = append(r.messages, m)
	switch {
	case m.Retain && m.Payload == "":
		delete(r.retained, m.Topic)
	case m.Retain:
		r.retained[m.Topic] = m.Payload
	}
	return true, nil
}

// kept is what the broker keeps; an error if that is not known just now.
func (r *recorder) kept() (map[string]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ready {
		return nil, fmt.Errorf("the recorder is not connected")
	}
	return maps.Clone(r.retained), nil
}

// all are the messages so far; since are those after a moment.
func (r *recorder) all() []heard {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.messages)
}

func (r *recorder) since(t time.Time) []heard {
	return slices.DeleteFunc(r.all(), func(m heard) bool { return m.At.Before(t) })
}

// say publishes at QoS 1.
func (r *recorder) say(topic, payload string, retain bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), callWithin)
	defer cancel()
	_, err := r.manager.Publish(ctx, &paho.Publish{Topic: topic, QoS: 1, Retain: retain, Payload: []byte(payload)})
	return err
}

// write keeps the messages in a file, one a line.
func (r *recorder) write(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := json.NewEncoder(f)
	for _, m := range r.all() {
		if err := lines.Encode(m); err != nil {
			return err
		}
	}
	return nil
}

// close leaves the broker.
func (r *recorder) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = r.manager.Disconnect(ctx)
}
