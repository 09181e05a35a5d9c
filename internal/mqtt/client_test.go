package mqtt_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/mqtt"
)

// observer is a subscriber inside the embedded broker, with all rights.
func observer(t testing.TB, b *mqtt.Broker, filters ...string) *peer {
	t.Helper()
	p := newPeer(t, peerOptions{id: "observer", dial: func() (net.Conn, error) {
		return b.Dial(context.Background())
	}})
	if len(filters) > 0 {
		p.subscribe(t, filters...)
		synctest.Wait() // what is retained comes after the acknowledgement
	}
	return p
}

// wait lets fake time pass.
func wait(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestClientPublishesStatusThenStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := startBroker(t, mqtt.BrokerOptions{})
		o := observer(t, b, "#")
		c, stop := startClient(t, mqtt.ClientOptions{Dial: b.Dial, Status: status})
		c.Publish(retained("wheelhouse/a/battery", "80"),
			car.Message{Topic: "wheelhouse/a/event", Payload: "e"})
		drained(t, c)
		o.expect(t, "wheelhouse/status online", "wheelhouse/a/battery 80", "wheelhouse/a/event e")
		c.Publish(retained("wheelhouse/a/battery", "80")) // unchanged
		c.Publish(retained("wheelhouse/a/battery", "81"))
		stop() // drains, and says goodbye
		o.expect(t, "wheelhouse/a/battery 81", "wheelhouse/status offline")
		observer(t, b, "wheelhouse/+").expect(t, "wheelhouse/status offline +r")
	})
}

func TestClientForgetsAndResends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := startBroker(t, mqtt.BrokerOptions{})
		o := observer(t, b, "wheelhouse/#")
		c, _ := startClient(t, mqtt.ClientOptions{Dial: b.Dial, Status: status})
		c.Publish(retained("wheelhouse/a", "1"), retained("wheelhouse/b", "2"))
		drained(t, c)
		o.expect(t, "wheelhouse/status online", "wheelhouse/a 1", "wheelhouse/b 2")
		c.Forget("wheelhouse/a")
		drained(t, c)
		c.Resend()
		drained(t, c)
		o.expect(t, "wheelhouse/a ", "wheelhouse/status online", "wheelhouse/b 2")
		if diff := cmp.Diff(mqtt.Stats{Connected: true, Topics: 2, Published: 5}, c.Stats()); diff != "" {
			t.Error(diff)
		}
	})
}

// restarting is a broker that can be stopped and replaced by an empty one.
type restarting struct {
	mu     sync.Mutex
	broker *mqtt.Broker
}

func (r *restarting) set(b *mqtt.Broker) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broker = b
}

func (r *restarting) Dial(ctx context.Context) (net.Conn, error) {
	r.mu.Lock()
	b := r.broker
	r.mu.Unlock()
	if b == nil {
		return nil, errors.New("connection refused")
	}
	return b.Dial(ctx)
}

// TestBrokerRestart: whenever an empty broker comes back after up to five
// minutes, everything is there in five seconds.
func TestBrokerRestart(t *testing.T) {
	for _, away := range []time.Duration{0, 700 * time.Millisecond, 7 * time.Second, 4 * time.Minute} {
		t.Run(away.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first, stop := startBrokerUntil(t, mqtt.BrokerOptions{})
				r := &restarting{broker: first}
				var ups, downs atomic.Int32
				c, _ := startClient(t, mqtt.ClientOptions{Dial: r.Dial, Status: status,
					OnUp: func() { ups.Add(1) }, OnDown: func() { downs.Add(1) }})
				for i := range 50 {
					c.Publish(retained(fmt.Sprintf("wheelhouse/a/%02d", i), "1"))
				}
				drained(t, c)
				wait(time.Hour)
				r.set(nil)
				stop()
				wait(away)
				if c.Stats().Connected {
					t.Error("connected with nobody")
				}
				c.Publish(retained("wheelhouse/a/00", "2"),
					car.Message{Topic: "wheelhouse/a/event", Payload: "e"})
				second := startBroker(t, mqtt.BrokerOptions{})
				o := observer(t, second, "wheelhouse/#")
				start := time.Now()
				r.set(second)
				o.expect(t, "wheelhouse/status online", "wheelhouse/a/00 2")
				for i := 1; i < 51; i++ {
					o.next(t) // 49 states and the event
				}
				if d := time.Since(start); d > 5*time.Second {
					t.Errorf("everything back after %v", d)
				}
				if s := c.Stats(); s.Reconnects != 1 || ups.Load() != 2 || downs.Load() != 1 {
					t.Errorf("%+v, %d ups, %d downs", s, ups.Load(), downs.Load())
				}
			})
		})
	}
}

// mortal is a connection that a test can cut, and keep from being made again.
type mortal struct {
	dial func(context.Context) (net.Conn, error)
	mu   sync.Mutex
	conn net.Conn
	dead bool
}

func (m *mortal) Dial(ctx context.Context) (net.Conn, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		return nil, errors.New("no route to host")
	}
	c, err := m.dial(ctx)
	m.conn = c
	return c, err
}

func (m *mortal) cut(forGood bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead = forGood
	_ = m.conn.Close()
}

func TestLastWill(t *testing.T) {
	for name, c := range map[string]struct {
		forGood bool
		want    []string
	}{
		"a short outage is none": {false, []string{status + " online", status + " online"}},
		"a long one is told":     {true, []string{status + " online", status + " offline"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := startBroker(t, mqtt.BrokerOptions{})
				o := observer(t, b, status)
				m := &mortal{dial: b.Dial}
				client, _ := startClient(t, mqtt.ClientOptions{Dial: m.Dial, Status: status})
				drained(t, client)
				m.cut(c.forGood)
				wait(9 * time.Second)
				if c.forGood && len(o.got) > 1 {
					t.Error("the will came early")
				}
				wait(5 * time.Second)
				o.expect(t, c.want...)
				if len(o.got) > 0 {
					t.Errorf("and then %q", o.next(t))
				}
			})
		})
	}
}

// TestLateWill: a broker that delivers our will although we are there is
// contradicted.
func TestLateWill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := startBroker(t, mqtt.BrokerOptions{})
		c, stop := startClient(t, mqtt.ClientOptions{Dial: b.Dial, Status: status})
		drained(t, c)
		o := observer(t, b, status)
		o.publish(t, retained(status, mqtt.Offline))
		o.expect(t, status+" online +r", status+" offline", status+" online")
		stop() // and our own goodbye is not
		wait(time.Minute)
		o.expect(t, status+" offline")
		if len(o.got) > 0 {
			t.Errorf("and then %q", o.next(t))
		}
	})
}

// TestGoodbyeIsNotContradicted: nor is the broker's echo of our own goodbye.
func TestGoodbyeIsNotContradicted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said []string
		f := &fakeBroker{answer: func(_ int, p *packets.ControlPacket) ([]packets.Packet, bool) {
			m, ok := p.Content.(*packets.Publish)
			if !ok {
				return obey(p), true
			}
			said = append(said, string(m.Payload))
			if string(m.Payload) == mqtt.Offline { // echoes, and takes its time to acknowledge
				return []packets.Packet{&packets.Publish{
					Topic: m.Topic, Payload: m.Payload, Properties: &packets.Properties{}}}, true
			}
			return obey(p), true
		}}
		c, stop := startClient(t, mqtt.ClientOptions{Dial: f.Dial, Status: status})
		drained(t, c)
		stop()
		if !slices.Equal(said, []string{mqtt.Online, mqtt.Offline}) {
			t.Errorf("said %q", said)
		}
	})
}

func TestRefusedMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topics []string
		f := &fakeBroker{answer: func(_ int, p *packets.ControlPacket) ([]packets.Packet, bool) {
			switch m := p.Content.(type) {
			case *packets.Connect:
				limit := &packets.Properties{MaximumPacketSize: new(uint32(1000))}
				return []packets.Packet{connack(0, limit)}, true
			case *packets.Publish:
				topics = append(topics, m.Topic)
				if m.Topic == "forbidden" {
					return []packets.Packet{puback(m, 0x87)}, true
				}
			}
			return obey(p), true
		}}
		var log lines
		c, _ := startClient(t, mqtt.ClientOptions{Dial: f.Dial, Log: zerolog.New(&log)})
		c.Publish(retained("large", strings.Repeat("x", 1000)))
		c.Publish(retained("forbidden", "1"), retained("fine", "1"))
		drained(t, c)
		wait(time.Hour)
		if !slices.Equal(topics, []string{"forbidden", "fine"}) {
			t.Errorf("sent %v", topics)
		}
		s := c.Stats()
		if s.Refused != 2 || s.Published != 1 || !s.Connected || !strings.Contains(log.String(), "0x87") {
			t.Errorf("%+v\n%s", s, log.String())
		}
	})
}

// TestWindow: no more is in flight than the broker wants, nor than twenty.
func TestWindow(t *testing.T) {
	for _, c := range []struct{ broker, want int }{{0, 20}, {3, 3}, {1000, 20}} {
		t.Run(fmt.Sprint(c.broker), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var inFlight atomic.Int32
				f := &fakeBroker{answer: func(_ int, p *packets.ControlPacket) ([]packets.Packet, bool) {
					switch p.Content.(type) {
					case *packets.Connect:
						props := &packets.Properties{}
						if c.broker > 0 {
							props.ReceiveMaximum = new(uint16(c.broker))
						}
						return []packets.Packet{connack(0, props)}, true
					case *packets.Publish:
						inFlight.Add(1)
						return nil, true
					}
					return obey(p), true
				}}
				client, _ := startClient(t, mqtt.ClientOptions{Dial: f.Dial})
				for i := range 100 {
					client.Publish(retained(fmt.Sprint(i), "1"))
				}
				wait(time.Second)
				if n := int(inFlight.Load()); n != c.want || client.Stats().InFlight != n {
					t.Errorf("%d in flight", n)
				}
			})
		})
	}
}

// TestConnectPacket: what the client says of itself.
func TestConnectPacket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		greeting := make(chan *packets.Connect, 1)
		wishes := make(chan *packets.Subscribe, 1)
		f := &fakeBroker{answer: func(_ int, p *packets.ControlPacket) ([]packets.Packet, bool) {
			switch c := p.Content.(type) {
			case *packets.Connect:
				greeting <- c
			case *packets.Subscribe:
				wishes <- c
			}
			return obey(p), true
		}}
		startClient(t, mqtt.ClientOptions{Dial: f.Dial, Status: status, User: "u", Password: "p",
			Filters: []mqtt.Filter{{Topic: "orders/+", NoRetained: true}, {Topic: "homeassistant/#"}}})
		got := <-greeting
		problems := byte(1) // what leaving it out means
		if p := got.Properties.RequestProblemInfo; p != nil {
			problems = *p
		}
		type said struct {
			CleanStart                             bool
			KeepAlive, Receive                     uint16
			Session, Delay                         uint32
			Problems, QoS                          byte
			Retain                                 bool
			User, Password, Topic, Payload, Client string
		}
		if diff := cmp.Diff(said{
			KeepAlive: 15, Receive: 20, Session: 60, Delay: 10, Problems: 1, QoS: 1, Retain: true,
			User: "u", Password: "p", Topic: status, Payload: "offline", Client: "wheelhouse_test",
		}, said{
			got.CleanStart, got.KeepAlive, *got.Properties.ReceiveMaximum,
			*got.Properties.SessionExpiryInterval, *got.WillProperties.WillDelayInterval,
			problems, got.WillQOS, got.WillRetain,
			got.Username, string(got.Password), got.WillTopic, string(got.WillMessage), got.ClientID,
		}); diff != "" {
			t.Errorf("CONNECT (-want +got):\n%s", diff)
		}
		want := []packets.SubOptions{
			{Topic: status, QoS: 1, RetainHandling: 2, RetainAsPublished: true},
			{Topic: "orders/+", QoS: 1, RetainHandling: 2, RetainAsPublished: true},
			{Topic: "homeassistant/#", QoS: 1},
		}
		if diff := cmp.Diff(want, (<-wishes).Subscriptions); diff != "" {
			t.Errorf("SUBSCRIBE (-want +got):\n%s", diff)
		}
	})
}

// TestMessagesArriveInOrder: of a thousand none is lost or overtaken, and
// OnUp comes first.
func TestMessagesArriveInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := startBroker(t, mqtt.BrokerOptions{})
		o := observer(t, b)
		o.publish(t, retained("in/kept", "0"))
		var got []string
		_, stop := startClient(t, mqtt.ClientOptions{Dial: b.Dial, Status: status,
			Filters: []mqtt.Filter{{Topic: "in/#"}, {Topic: "order/#", NoRetained: true}},
			OnUp:    func() { got = append(got, "up") },
			OnDown:  func() { got = append(got, "down") },
			OnMessage: func(m mqtt.Inbound) {
				got = append(got, fmt.Sprint(m.Topic, " ", string(m.Payload), " ", m.Retained))
			}})
		wait(time.Millisecond)
		want := []string{"up", "in/kept 0 true"}
		for i := range 1000 {
			o.publish(t, car.Message{Topic: "in/x", Payload: fmt.Sprint(i)})
			want = append(want, fmt.Sprintf("in/x %d false", i))
		}
		o.publish(t, retained("in/y", "1"))    // as it happens: no flag
		o.publish(t, retained("order/y", "1")) // as its sender set it
		want = append(want, "in/y 1 false", "order/y 1 true", "down")
		synctest.Wait()
		stop()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestDrainedGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := mqtt.NewClient(mqtt.ClientOptions{URL: "mqtt://nobody"})
		if err != nil {
			t.Fatal(err)
		}
		c.Publish(retained("a", "1"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Drained(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// TestShutdownIsBounded: a broker that has stopped listening does not hold up
// the end.
func TestShutdownIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeBroker{answer: func(_ int, p *packets.ControlPacket) ([]packets.Packet, bool) {
			if _, ok := p.Content.(*packets.Publish); ok {
				return nil, true
			}
			return obey(p), true
		}}
		c, stop := startClient(t, mqtt.ClientOptions{Dial: f.Dial, Status: status})
		c.Publish(retained("a", "1"))
		wait(10 * time.Second)
		start := time.Now()
		stop()
		if d := time.Since(start); d > 6*time.Second {
			t.Errorf("took %v", d)
		}
	})
}
