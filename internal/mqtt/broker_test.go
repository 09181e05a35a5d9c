package mqtt_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/mqtt"
)

func TestRetainedOutlivesADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := startBroker(t, mqtt.BrokerOptions{})
		c, _ := startClient(t, mqtt.ClientOptions{Dial: b.Dial})
		c.Publish(retained("homeassistant/x", "config"))
		drained(t, c)
		wait(25 * time.Hour)
		observer(t, b, "homeassistant/#").expect(t, "homeassistant/x config +r")
	})
}

func TestSubscribersAreGrantedQoS0(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := observer(t, startBroker(t, mqtt.BrokerOptions{}))
		if got := o.subscribe(t, "a", "b/#").Reasons; !slices.Equal(got, []byte{0, 0}) {
			t.Errorf("granted %v", got)
		}
	})
}

// TestRequestsAndResponses: two clients that send and receive at QoS 1 at the
// same time lose nothing.
func TestRequestsAndResponses(t *testing.T) {
	const n = 1500
	b := startBroker(t, mqtt.BrokerOptions{Endpoints: loopback(mqtt.Endpoint{})})
	few := func(c *paho.Connect) { c.Properties.ReceiveMaximum = new(uint16(20)) }
	server := newPeer(t, peerOptions{dial: tcp(b.Addr(0)), id: "server", setup: few})
	client := newPeer(t, peerOptions{dial: tcp(b.Addr(0)), id: "client", setup: few})
	server.subscribe(t, "request")
	client.subscribe(t, "response")
	var both sync.WaitGroup
	defer both.Wait()
	publish := func(p *peer, topic string, payload []byte) {
		ctx, cancel := context.WithTimeout(context.Background(), quick)
		defer cancel()
		if _, err := p.Publish(ctx, &paho.Publish{Topic: topic, QoS: 1, Payload: payload}); err != nil {
			t.Errorf("%s: %v", topic, err)
		}
	}
	both.Go(func() {
		for range n {
			select {
			case m := <-server.got:
				publish(server, "response", m.Payload)
			case <-time.After(quick):
				return
			}
		}
	})
	for range 10 {
		both.Go(func() {
			for i := range n / 10 {
				publish(client, "request", []byte(fmt.Sprint(i)))
			}
		})
	}
	for i := range n {
		select {
		case <-client.got:
		case <-time.After(quick):
			t.Fatalf("%d responses to %d requests", i, n)
		}
	}
}

// gated is a connection that can be kept from reading.
type gated struct {
	net.Conn
	open sync.RWMutex
}

func (g *gated) Read(p []byte) (int, error) {
	g.open.RLock()
	defer g.open.RUnlock()
	return g.Conn.Read(p)
}

// TestSlowSubscriber: one who does not read for a while gets everything in the
// end, and does not slow down others meanwhile.
func TestSlowSubscriber(t *testing.T) {
	const n = 20_000
	b := startBroker(t, mqtt.BrokerOptions{Endpoints: loopback(mqtt.Endpoint{})})
	var line *gated
	slow := newPeer(t, peerOptions{id: "slow", dial: func() (net.Conn, error) {
		c, err := tcp(b.Addr(0))()
		line = &gated{Conn: c}
		return line, err
	}})
	slow.subscribe(t, "many")
	fast := newPeer(t, peerOptions{id: "fast", dial: tcp(b.Addr(0))})
	fast.subscribe(t, "many")
	c, _ := startClient(t, mqtt.ClientOptions{Dial: b.Dial})
	// A read that waits holds the lock: one message lets it return.
	blocked := make(chan struct{})
	go func() { line.open.Lock(); close(blocked) }()
	c.Publish(car.Message{Topic: "many", Payload: "first"})
	<-blocked
	for i := range n {
		if i%500 == 0 {
			drained(t, c)
		}
		c.Publish(car.Message{Topic: "many", Payload: fmt.Sprint(i)})
	}
	drained(t, c)
	fast.expect(t, "many first")
	for i := range n {
		fast.expect(t, fmt.Sprint("many ", i))
	}
	line.open.Unlock()
	slow.expect(t, "many first")
	for i := range n {
		slow.expect(t, fmt.Sprint("many ", i))
	}
}

func TestThirtyThousandRetained(t *testing.T) {
	const n = 30_000
	b := startBroker(t, mqtt.BrokerOptions{Endpoints: loopback(mqtt.Endpoint{})})
	c, _ := startClient(t, mqtt.ClientOptions{Dial: b.Dial})
	for i := range n {
		c.Publish(retained(fmt.Sprint("many/", i), "x"))
	}
	drained(t, c)
	p := newPeer(t, peerOptions{dial: tcp(b.Addr(0))})
	p.subscribe(t, "many/#")
	for i := range n {
		select {
		case <-p.got:
		case <-time.After(quick):
			t.Fatalf("%d of %d", i, n)
		}
	}
}

// connect is a CONNECT packet's beginning that announces n bytes.
func announce(kind byte, n int) []byte {
	p := []byte{kind}
	for ; n > 127; n >>= 7 {
		p = append(p, byte(n)|0x80)
	}
	return append(p, byte(n))
}

// hungUp waits until the other side closes.
func hungUp(t testing.TB, c net.Conn, within time.Duration) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(within))
	_, err := io.Copy(io.Discard, c)
	if n, ok := errors.AsType[net.Error](err); ok && n.Timeout() {
		t.Error("the connection stays open")
	}
}

// TestStrangers: who has not said hello costs nearly nothing.
func TestStrangers(t *testing.T) {
	b := startBroker(t, mqtt.BrokerOptions{Endpoints: loopback(mqtt.Endpoint{}), MaxClients: 100})
	before := heap()
	var idle []net.Conn
	for range 100 {
		c, err := tcp(b.Addr(0))()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		idle = append(idle, c)
	}
	for _, c := range idle[:4] {
		_, _ = c.Write(announce(0x10, 268435455))
		hungUp(t, c, time.Second) // well before the five seconds
	}
	for _, c := range idle[4:8] {
		_, _ = c.Write(announce(0x10, 60_000))
	}
	for _, c := range idle[8:12] {
		_, _ = c.Write(announce(0x30, 10)) // a PUBLISH
		hungUp(t, c, time.Second)
	}
	if grown := heap() - before; grown > 4<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestPacketLimit(t *testing.T) {
	b := startBroker(t, mqtt.BrokerOptions{Endpoints: loopback(mqtt.Endpoint{}), MaxPacket: 100_000})
	var line net.Conn
	p := newPeer(t, peerOptions{dial: func() (c net.Conn, err error) {
		line, err = tcp(b.Addr(0))()
		return line, err
	}})
	if m := p.ack.Properties.MaximumPacketSize; m == nil || *m != 100_000 {
		t.Errorf("announced: %v", m)
	}
	p.publish(t, retained("a", strings.Repeat("x", 90_000))) // more than a CONNECT may have
	before := heap()
	_, _ = line.Write(announce(0x30, 268435455))
	select {
	case <-p.Done(): // hung up before the packet came
	case <-time.After(quick):
		t.Error("the connection stays open")
	}
	if grown := heap() - before; grown > 10<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
}

func TestSocketLimit(t *testing.T) {
	b := startBroker(t, mqtt.BrokerOptions{Endpoints: loopback(mqtt.Endpoint{}), MaxClients: 1})
	for range 65 {
		c, err := tcp(b.Addr(0))()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	c, err := tcp(b.Addr(0))()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	hungUp(t, c, time.Second)
}

func TestClientLimit(t *testing.T) {
	b := startBroker(t, mqtt.BrokerOptions{Endpoints: loopback(mqtt.Endpoint{}), MaxClients: 2})
	own, _ := startClient(t, mqtt.ClientOptions{Dial: b.Dial, Status: status})
	drained(t, own)
	for i := range 2 {
		newPeer(t, peerOptions{dial: tcp(b.Addr(0)), id: fmt.Sprint(i)})
	}
	p, err := connectPeer(t, peerOptions{dial: tcp(b.Addr(0)), user: home, id: "one too many"})
	if err == nil || p.ack == nil || p.ack.ReasonCode != 0x89 {
		t.Errorf("%v", err)
	}
	if n := b.Stats().Clients; n != 3 {
		t.Errorf("%d clients", n)
	}
}

// TestBrokerEndsWithoutStrangers: sockets that never spoke do not keep the broker.
func TestBrokerEndsWithoutStrangers(t *testing.T) {
	b, stop := startBrokerUntil(t, mqtt.BrokerOptions{Endpoints: loopback(mqtt.Endpoint{})})
	silent, err := tcp(b.Addr(0))()
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	newPeer(t, peerOptions{dial: tcp(b.Addr(0))}) // the other one is accepted by now
	start := time.Now()
	stop()
	if d := time.Since(start); d > 500*time.Millisecond {
		t.Errorf("took %v", d)
	}
}

// TestBrokerEnds: nor do clients that do not read.
func TestBrokerEnds(t *testing.T) {
	b, stop := startBrokerUntil(t, mqtt.BrokerOptions{Endpoints: loopback(mqtt.Endpoint{})})
	var line *gated
	deaf := newPeer(t, peerOptions{dial: func() (net.Conn, error) {
		c, err := tcp(b.Addr(0))()
		line = &gated{Conn: c}
		return line, err
	}})
	deaf.subscribe(t, "many")
	defer line.open.Unlock()
	blocked := make(chan struct{})
	go func() { line.open.Lock(); close(blocked) }()
	c, stopClient := startClient(t, mqtt.ClientOptions{Dial: b.Dial})
	for range 1000 {
		c.Publish(car.Message{Topic: "many", Payload: strings.Repeat("x", 32<<10)})
		drained(t, c)
	}
	<-blocked
	stopClient()
	start := time.Now()
	stop()
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("took %v", d)
	}
	if _, err := b.Dial(t.Context()); err == nil {
		t.Error("a broker that has ended lets clients in")
	}
}

// TestClientsHearOfTheEnd: who listens is told that the broker goes.
func TestClientsHearOfTheEnd(t *testing.T) {
	b, stop := startBrokerUntil(t, mqtt.BrokerOptions{Endpoints: loopback(mqtt.Endpoint{})})
	c, _ := startClient(t, mqtt.ClientOptions{
		URL: "mqtt://" + b.Addr(0).String(), User: home.Name, Password: home.Password, Status: status})
	drained(t, c)
	stop()
	await(t, "the reason", func() bool { return strings.Contains(c.Stats().LastError, "0x8b") })
}

func TestTakenPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = mqtt.NewBroker(mqtt.BrokerOptions{Endpoints: []mqtt.Endpoint{
		{Address: "127.0.0.1:0"}, {Address: l.Addr().String(), WebSocket: true}}})
	for _, want := range []string{"broker.websocket.listen", "mqtt.url", "broker.listen", "in use"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %s: %v", want, err)
		}
	}
}

// TestVersion3: a client of MQTT 3.1.1 is served.
func TestVersion3(t *testing.T) {
	b := startBroker(t, mqtt.BrokerOptions{Endpoints: loopback(mqtt.Endpoint{})})
	c, err := tcp(b.Addr(0))()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(quick))
	say := func(out string, want string) {
		t.Helper()
		_, _ = io.WriteString(c, out)
		got := make([]byte, len(want))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
			t.Errorf("got %x, want %x (%v)", got, want, err)
		}
	}
	say("\x10\x1d\x00\x04MQTT\x04\xc2\x00\x3c\x00\x03abc\x00\x04home\x00\x06secret",
		"\x20\x02\x00\x00")
	say("\x82\x06\x00\x01\x00\x01a\x01", "\x90\x03\x00\x01\x00")
	say("\x32\x06\x00\x01a\x00\x02x", "\x40\x02\x00\x02\x30\x04\x00\x01ax")
}

func TestAcknowledgementsInheritNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := observer(t, startBroker(t, mqtt.BrokerOptions{}))
		ack, err := o.Publish(t.Context(), &paho.Publish{Topic: "a", QoS: 1,
			Properties: &paho.PublishProperties{User: paho.UserProperties{{Key: "k", Value: "v"}}}})
		if err != nil || ack.Properties != nil && len(ack.Properties.User) > 0 {
			t.Errorf("%+v, %v", ack.Properties, err)
		}
	})
}

func TestSysTopicsAreCalm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := observer(t, startBroker(t, mqtt.BrokerOptions{}), "$SYS/broker/uptime")
		wait(10*time.Minute + time.Second)
		if n := len(o.got) - 1; n < 9 || n > 11 {
			t.Errorf("%d refreshes in ten minutes", n)
		}
	})
}

// TestSessionsEnd: no client's absence is remembered for more than a day,
// whether it asks for that when it comes or when it goes.
func TestSessionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := startBroker(t, mqtt.BrokerOptions{})
		come := func(id string, expiry uint32) *peer {
			return newPeer(t, peerOptions{id: id,
				dial: func() (net.Conn, error) { return b.Dial(context.Background()) },
				setup: func(c *paho.Connect) {
					c.CleanStart, c.Properties.SessionExpiryInterval = false, &expiry
				}})
		}
		long, longer := come("long", 1<<31), come("longer", 60)
		if e := long.ack.Properties.SessionExpiryInterval; e == nil || *e != 24*60*60 {
			t.Errorf("announced: %v", e)
		}
		leave := func() {
			_ = long.Disconnect(&paho.Disconnect{})
			_ = longer.Disconnect(&paho.Disconnect{
				Properties: &paho.DisconnectProperties{SessionExpiryInterval: new(uint32(1 << 31))}})
		}
		long.subscribe(t, "a/#")
		longer.subscribe(t, "a/#")
		leave()
		wait(time.Hour)
		long, longer = come("long", 1<<31), come("longer", 60)
		if !long.ack.SessionPresent || !longer.ack.SessionPresent || b.Stats().Subscriptions != 2 {
			t.Error("the sessions ended early")
		}
		leave()
		wait(25 * time.Hour)
		if n := b.Stats().Subscriptions; n != 0 {
			t.Errorf("%d subscriptions of nobody", n)
		}
		if come("long", 0).ack.SessionPresent || come("longer", 0).ack.SessionPresent {
			t.Error("a session lives")
		}
	})
}
