package mqtt_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/mqtt"
)

// TestOrders: an order of another broker is acknowledged when it has been dealt
// with, and one that failed or whose connection broke comes again.
func TestOrders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		acks := make(chan uint16, 10)
		// On each connection it sends the orders 1 and 2, and something else.
		f := &fakeBroker{answer: func(_ int, p *packets.ControlPacket) ([]packets.Packet, bool) {
			switch a := p.Content.(type) {
			case *packets.Puback:
				acks <- a.PacketID
			case *packets.Subscribe:
				answers := obey(p)
				for id, topic := range []string{"order/a", "order/b", "other"} {
					answers = append(answers, &packets.Publish{
						Topic: topic, QoS: 1, PacketID: uint16(id) + 1, Properties: &packets.Properties{}})
				}
				return answers, true
			}
			return obey(p), true
		}}
		var mu sync.Mutex
		var seen []string
		var fails error
		see := func(m mqtt.Inbound) error {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, m.Topic)
			return fails
		}
		startClient(t, mqtt.ClientOptions{Dial: f.Dial, Orders: []string{"order/+"},
			OnMessage: func(m mqtt.Inbound) { _ = see(m) },
			OnOrder: func(_ context.Context, m mqtt.Inbound) error {
				err := see(m)
				<-time.After(10 * time.Second)
				return err
			}})
		fail := func(err error) {
			mu.Lock()
			defer mu.Unlock()
			fails = err
		}
		expect := func(after time.Duration, topics []string, ids ...uint16) {
			t.Helper()
			wait(after)
			var got []uint16
			for len(acks) > 0 {
				got = append(got, <-acks)
			}
			mu.Lock()
			defer mu.Unlock()
			slices.Sort(seen)
			if !slices.Equal(seen, topics) || !slices.Equal(got, ids) {
				t.Errorf("seen %q, acknowledged %v; want %q, %v", seen, got, topics, ids)
			}
			seen = nil
		}
		expect(5*time.Second, []string{"order/a", "other"}, 3)
		expect(10*time.Second, []string{"order/b"}, 1)
		f.cut() // while order/b is being dealt with
		expect(8*time.Second, []string{"order/a", "other"}, 3)
		expect(15*time.Second, []string{"order/b"}, 1)
		f.cut()
		fail(errors.New("disk full"))
		expect(time.Minute, []string{"order/a", "order/b", "other"}, 3)
		fail(nil)
		f.cut()
		expect(8*time.Second, []string{"order/a", "other"}, 3)
		f.cut() // while order/a is being dealt with and order/b waits
		expect(time.Minute, []string{"order/a", "order/b", "other"}, 3, 1, 2)
	})
}

// TestOrdersOfTheEmbeddedBroker: their sender hears of them when they have been
// dealt with, and nobody else does.
func TestOrdersOfTheEmbeddedBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []string
		b := startBroker(t, mqtt.BrokerOptions{
			Orders: []string{"order/#"},
			OnOrder: func(_ context.Context, m mqtt.Inbound) error {
				<-time.After(time.Second)
				seen = append(seen, fmt.Sprint(m.Topic, " ", string(m.Payload), " ", m.Retained))
				if string(m.Payload) == "bad" {
					return errors.New("no")
				}
				return nil
			}})
		o := observer(t, b, "#")
		p := newPeer(t, peerOptions{dial: network(t, b)})
		start := time.Now()
		code := p.publish(t, retained("order/a", "good"))
		if took := time.Since(start); code != 0 || took != time.Second {
			t.Errorf("code %#x after %v", code, took)
		}
		if code := p.publish(t, retained("order/a", "bad")); code < 0x80 {
			t.Errorf("code %#x", code)
		}
		bad := &paho.Publish{Topic: "order/a", Payload: []byte("bad")} // at QoS 0
		if _, err := p.Publish(t.Context(), bad); err != nil {
			t.Error(err)
		}
		p.publish(t, car.Message{Topic: "other", Payload: "x"})
		o.expect(t, "other x")
		want := []string{"order/a good true", "order/a bad true", "order/a bad false"}
		if !slices.Equal(seen, want) {
			t.Errorf("seen %q", seen)
		}
		if len(observer(t, b, "order/#").got) > 0 {
			t.Error("an order is retained")
		}
	})
}
