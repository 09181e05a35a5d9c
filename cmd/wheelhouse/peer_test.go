package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
)

// peer is another client of a broker. It knows what the broker retains, as far
// as it may read, and every message since it has come.
type peer struct {
	client *paho.Client
	id     string

	mu      sync.Mutex
	kept    map[string]string // retained payloads by topic
	live    []string          // what was published since, "TOPIC PAYLOAD"
	answers []string          // what of it carries a correlation, "CORRELATION TOPIC PAYLOAD"
	changed chan struct{}     // closed and made anew with each message
}

// login is how a peer gets in.
type login struct {
	address, user, password string
	tls                     *tls.Config
}

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// newPeer connects, subscribes to everything, and waits until the broker has told
// what it retains.
func newPeer(ctx context.Context, l login) (*peer, error) {
	conn, err := dial(ctx, l)
	if err != nil {
		return nil, err
	}
	p := &peer{
		id: fmt.Sprint("peer-", conn.LocalAddr()), kept: map[string]string{}, changed: make(chan struct{}),
	}
	p.client = paho.NewClient(paho.ClientConfig{
		Conn:              packets.NewThreadSafeConn(conn), // a packet to TLS is written in pieces
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){p.hear},
	})
	_, err = p.client.Connect(ctx, &paho.Connect{
		ClientID: p.id, CleanStart: true, KeepAlive: 30,
		Username: l.user, UsernameFlag: l.user != "", Password: []byte(l.password), PasswordFlag: l.password != "",
	})
	if err != nil {
		return nil, err
	}
	return p, p.look(ctx)
}

func dial(ctx context.Context, l login) (net.Conn, error) {
	if l.tls != nil {
		return (&tls.Dialer{Config: l.tls}).DialContext(ctx, "tcp", l.address)
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", l.address)
}

// look subscribes to everything. A message of its own ends what the broker
// retains; who may not write is sent the program's status a second time.
func (p *peer) look(ctx context.Context) error {
	if err := p.subscribe(ctx, "#"); err != nil {
		return err
	}
	sentinel := "peer/" + p.id
	if _, err := p.publish(ctx, sentinel, "here", false); err != nil {
		p.mu.Lock()
		sentinel = "wheelhouse/status"
		delete(p.kept, sentinel)
		p.mu.Unlock()
		if err := p.subscribe(ctx, sentinel); err != nil {
			return err
		}
	}
	return p.until(ctx, func() bool {
		_, kept := p.kept[sentinel]
		return kept || slices.Contains(p.live, sentinel+" here")
	})
}

func (p *peer) subscribe(ctx context.Context, filter string) error {
	_, err := p.client.Subscribe(ctx, &paho.Subscribe{
		Subscriptions: []paho.SubscribeOptions{{Topic: filter, QoS: 1, RetainAsPublished: true}},
	})
	return err
}

func (p *peer) hear(m paho.PublishReceived) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	topic, payload := m.Packet.Topic, string(m.Packet.Payload)
	p.live = append(p.live, topic+" "+payload)
	if q := m.Packet.Properties; q != nil && q.CorrelationData != nil {
		p.answers = append(p.answers, string(q.CorrelationData)+" "+topic+" "+payload)
	}
	switch {
	case m.Packet.Retain && payload == "":
		delete(p.kept, topic)
	case m.Packet.Retain:
		p.kept[topic] = payload
	}
	close(p.changed)
	p.changed = make(chan struct{})
	return true, nil
}

// until waits until good holds. good may look at kept and live.
func (p *peer) until(ctx context.Context, good func() bool) error {
	for {
		p.mu.Lock()
		ok, changed := good(), p.changed
		p.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-p.client.Done():
			p.mu.Lock()
			defer p.mu.Unlock()
			if good() {
				return nil
			}
			return errors.New("the broker has hung up")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// snapshot is what the broker retains now.
func (p *peer) snapshot() map[string]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.kept)
}

// heard is what was published so far.
func (p *peer) heard() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.live)
}

// publish publishes at QoS 1 and returns the broker's reason code.
func (p *peer) publish(ctx context.Context, topic, payload string, retain bool) (reason byte, err error) {
	answer, err := p.client.Publish(ctx, &paho.Publish{
		Topic: topic, Payload: []byte(payload), QoS: 1, Retain: retain,
	})
	if answer != nil {
		reason = answer.ReasonCode
	}
	return reason, err
}

// question publishes something that is to be answered on a topic, "" for none.
func (p *peer) question(ctx context.Context, topic, payload, answer, mark string) error {
	_, err := p.client.Publish(ctx, &paho.Publish{
		Topic: topic, Payload: []byte(payload), QoS: 1,
		Properties: &paho.PublishProperties{ResponseTopic: answer, CorrelationData: []byte(mark)},
	})
	return err
}

func (p *peer) leave() { _ = p.client.Disconnect(&paho.Disconnect{}) }
