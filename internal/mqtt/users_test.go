package mqtt_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/mqtt"
)

func TestUsersNeedNamesAndPasswords(t *testing.T) {
	for _, u := range []mqtt.User{{Name: "a"}, {Password: "b"}, {Name: "a/b", Password: "c"}} {
		if _, err := mqtt.NewBroker(mqtt.BrokerOptions{Users: []mqtt.User{u}}); err == nil ||
			!strings.Contains(err.Error(), "broker.users") {
			t.Errorf("%+v: %v", u, err)
		}
	}
}

func TestWhoGetsIn(t *testing.T) {
	b := startBroker(t, mqtt.BrokerOptions{Endpoints: loopback(mqtt.Endpoint{})})
	for _, c := range []struct {
		user mqtt.User
		anon bool
		want byte
	}{
		{user: home},
		{user: mqtt.User{Name: "home", Password: "wrong"}, want: 0x86},
		{user: mqtt.User{Name: "nobody", Password: "secret"}, want: 0x86},
		{anon: true, want: 0x86},
	} {
		anonymous := func(p *paho.Connect) {
			if c.anon {
				p.UsernameFlag, p.PasswordFlag = false, false
			}
		}
		p, err := connectPeer(t, peerOptions{dial: tcp(b.Addr(0)), user: c.user, setup: anonymous})
		if p.ack == nil || p.ack.ReasonCode != c.want {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestNobodyTakesASessionOver: a client id belongs to its user, and the
// program's to the program.
func TestNobodyTakesASessionOver(t *testing.T) {
	guest := mqtt.User{Name: "guest", Password: "g"}
	b := startBroker(t, mqtt.BrokerOptions{
		Endpoints: loopback(mqtt.Endpoint{}), Users: []mqtt.User{home, guest}})
	own, _ := startClient(t, mqtt.ClientOptions{
		Dial: b.Dial, Status: status, ClientID: "same", User: "home"})
	drained(t, own)
	first := newPeer(t, peerOptions{dial: tcp(b.Addr(0)), id: "same"})
	first.subscribe(t, "a")
	second := newPeer(t, peerOptions{dial: tcp(b.Addr(0)), id: "same", user: guest})
	second.publish(t, car.Message{Topic: "a", Payload: "1"})
	first.expect(t, "a 1")
	if s := own.Stats(); !s.Connected || s.Reconnects > 0 {
		t.Errorf("the program's own client: %+v", s)
	}
	third := newPeer(t, peerOptions{dial: tcp(b.Addr(0)), id: "same"})
	select {
	case <-first.Done():
	case <-time.After(quick):
		t.Error("the user's own client id is not taken over")
	}
	third.publish(t, car.Message{Topic: "a", Payload: "2"})
}

// TestCarsOnly: a user with cars subscribes to anything and gets what is theirs.
func TestCarsOnly(t *testing.T) {
	guest := mqtt.User{Name: "guest", Password: "g", Cars: []car.ID{"mine"}}
	wall := mqtt.User{Name: "wall", Password: "w", ReadOnly: true}
	b := startBroker(t, mqtt.BrokerOptions{
		Endpoints: loopback(mqtt.Endpoint{}), Users: []mqtt.User{home, guest, wall}})
	c, _ := startClient(t, mqtt.ClientOptions{Dial: b.Dial, Status: status})
	c.Publish(retained("wheelhouse/theirs/battery", "1"), retained("wheelhouse/mine/battery", "2"))
	drained(t, c)
	p := newPeer(t, peerOptions{dial: tcp(b.Addr(0)), user: guest})
	granted := p.subscribe(t, "wheelhouse/+/battery", "other", "$share/g/#").Reasons
	if !slices.Equal(granted, []byte{0, 0x87, 0x87}) {
		t.Errorf("granted %x", granted)
	}
	p.expect(t, "wheelhouse/mine/battery 2 +r")
	c.Publish(retained("wheelhouse/theirs/battery", "3"), retained("wheelhouse/mine/battery", "4"))
	p.expect(t, "wheelhouse/mine/battery 4")

	orders := newPeer(t, peerOptions{dial: tcp(b.Addr(0)), id: "orders"})
	orders.subscribe(t, "wheelhouse/+/command/#")
	readOnly := newPeer(t, peerOptions{dial: tcp(b.Addr(0)), user: wall})
	for _, w := range []struct {
		by    *peer
		topic string
		want  byte
	}{
		{p, "wheelhouse/mine/battery", 0x87},
		{p, "wheelhouse/theirs/command/honk", 0x87},
		{p, "wheelhouse/mine/command/honk", 0},
		{readOnly, "wheelhouse/mine/command/honk", 0x87},
		{orders, "wheelhouse/status", 0x87},
		{orders, "wheelhouse/theirs/command/honk", 0},
	} {
		if got := w.by.publish(t, car.Message{Topic: w.topic, Payload: "x"}); got != w.want {
			t.Errorf("%s: code %#x, want %#x", w.topic, got, w.want)
		}
	}
	orders.expect(t, "wheelhouse/mine/command/honk x", "wheelhouse/theirs/command/honk x")
}

// TestWillsNeedPermission: a last will is a message like any other.
func TestWillsNeedPermission(t *testing.T) {
	b := startBroker(t, mqtt.BrokerOptions{Endpoints: loopback(mqtt.Endpoint{})})
	watch := newPeer(t, peerOptions{dial: tcp(b.Addr(0)), id: "watch"})
	watch.subscribe(t, "#")
	for _, topic := range []string{"wheelhouse/status", "mine/status"} {
		p := newPeer(t, peerOptions{dial: tcp(b.Addr(0)), id: topic, setup: func(c *paho.Connect) {
			c.WillMessage = &paho.WillMessage{Topic: topic, Payload: []byte("offline"), QoS: 1, Retain: true}
			c.WillProperties = &paho.WillProperties{}
		}})
		p.TerminateConnectionForTest()
		<-p.Done()
	}
	watch.expect(t, "mine/status offline")
}
