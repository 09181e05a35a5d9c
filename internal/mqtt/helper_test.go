package mqtt_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/mqtt"
)

const status = "wheelhouse/status"

var home = mqtt.User{Name: "home", Password: "secret"}

// quick is how long something that should happen may take.
const quick = 10 * time.Second

// startBroker runs a broker with the user home until the test ends.
func startBroker(t testing.TB, o mqtt.BrokerOptions) *mqtt.Broker {
	t.Helper()
	b, _ := startBrokerUntil(t, o)
	return b
}

// startBrokerUntil also returns what ends it.
func startBrokerUntil(t testing.TB, o mqtt.BrokerOptions) (*mqtt.Broker, func()) {
	t.Helper()
	if o.Topics.Prefix == "" {
		o.Topics.Prefix, o.Discovery = "wheelhouse", "homeassistant"
	}
	if o.Users == nil {
		o.Users = []mqtt.User{home}
	}
	b, err := mqtt.NewBroker(o)
	if err != nil {
		t.Fatal(err)
	}
	return b, run(t, "broker", b.Run)
}

// run runs a service until the returned function is called, or the test ends.
func run(t testing.TB, name string, service func(context.Context) error) func() {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- service(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(quick):
			t.Errorf("%s does not end", name)
		}
	})
	t.Cleanup(stop)
	return stop
}

// startClient runs a client until the test ends or stop is called.
func startClient(t testing.TB, o mqtt.ClientOptions) (c *mqtt.Client, stop func()) {
	t.Helper()
	if o.ClientID == "" {
		o.ClientID = "wheelhouse_test"
	}
	c, err := mqtt.NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	return c, run(t, "client", c.Run)
}

// drained waits until the broker has everything.
func drained(t testing.TB, c *mqtt.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), quick)
	defer cancel()
	if err := c.Drained(ctx); err != nil {
		t.Fatalf("not drained: %v; %+v", err, c.Stats())
	}
}

// await waits until ok, looking now and then.
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(quick); !ok(); {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("did not happen: %s", what)
		}
	}
}

// peer is some other MQTT client.
type peer struct {
	*paho.Client
	ack *paho.Connack
	got chan *paho.Publish
}

// peerOptions is what a test wants to say at CONNECT.
type peerOptions struct {
	dial  func() (net.Conn, error)
	user  mqtt.User
	id    string
	setup func(*paho.Connect)
	take  func(*paho.Publish) // called for each message, instead of got
}

func connectPeer(t testing.TB, o peerOptions) (*peer, error) {
	t.Helper()
	conn, err := o.dial()
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{got: make(chan *paho.Publish, 1<<16)}
	if o.take == nil {
		o.take = func(m *paho.Publish) { p.got <- m }
	}
	receive := func(r paho.PublishReceived) (bool, error) { o.take(r.Packet); return true, nil }
	p.Client = paho.NewClient(paho.ClientConfig{
		Conn:              packets.NewThreadSafeConn(conn),
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){receive},
	})
	c := &paho.Connect{
		ClientID: o.id, KeepAlive: 60, CleanStart: true,
		Properties: &paho.ConnectProperties{RequestProblemInfo: true},
		Username:   o.user.Name, UsernameFlag: true, Password: []byte(o.user.Password), PasswordFlag: true,
	}
	if o.setup != nil {
		o.setup(c)
	}
	ctx, cancel := context.WithTimeout(context.Background(), quick)
	defer cancel()
	p.ack, err = p.Connect(ctx, c)
	if err == nil {
		t.Cleanup(func() { _ = p.Disconnect(&paho.Disconnect{}) })
	}
	return p, err
}

func newPeer(t testing.TB, o peerOptions) *peer {
	t.Helper()
	if o.user.Name == "" {
		o.user = home
	}
	p, err := connectPeer(t, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// tcp dials an endpoint of a broker.
func tcp(addr net.Addr) func() (net.Conn, error) {
	return func() (net.Conn, error) { return net.Dial(addr.Network(), addr.String()) }
}

func (p *peer) subscribe(t testing.TB, filters ...string) *paho.Suback {
	t.Helper()
	s := &paho.Subscribe{}
	for _, f := range filters {
		s.Subscriptions = append(s.Subscriptions, paho.SubscribeOptions{Topic: f, QoS: 1})
	}
	ack, err := p.Subscribe(context.Background(), s)
	if err != nil && ack == nil {
		t.Fatal(err)
	}
	return ack
}

// publish publishes at QoS 1 and returns the reason code.
func (p *peer) publish(t testing.TB, m car.Message) byte {
	t.Helper()
	ack, err := p.Publish(context.Background(),
		&paho.Publish{Topic: m.Topic, Payload: []byte(m.Payload), QoS: 1, Retain: m.Retain})
	if ack == nil {
		t.Fatal(err)
	}
	return ack.ReasonCode
}

// next is the next message, as "topic payload", "+r" behind a retained one.
func (p *peer) next(t testing.TB) string {
	t.Helper()
	select {
	case m := <-p.got:
		return show(m)
	case <-time.After(quick):
		t.Fatal("no message")
	}
	return ""
}

func show(m *paho.Publish) string {
	s := fmt.Sprintf("%s %s", m.Topic, m.Payload)
	if m.Retain {
		s += " +r"
	}
	return s
}

// expect compares the next messages.
func (p *peer) expect(t testing.TB, want ...string) {
	t.Helper()
	for _, w := range want {
		if got := p.next(t); got != w {
			t.Fatalf("got %q, want %q", got, w)
		}
	}
}

func loopback(o mqtt.Endpoint) []mqtt.Endpoint {
	o.Address = "127.0.0.1:0"
	return []mqtt.Endpoint{o}
}

func retained(topic, payload string) car.Message {
	return car.Message{Topic: topic, Payload: payload, Retain: true}
}
