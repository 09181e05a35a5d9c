package mqtt_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/rs/zerolog"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/mqtt"
)

func TestHotReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeBroker{answer: func(_ int, p *packets.ControlPacket) ([]packets.Packet, bool) {
			_, greets := p.Content.(*packets.Connect)
			return obey(p), greets
		}}
		var log lines
		startClient(t, mqtt.ClientOptions{Dial: f.Dial, Status: status, Log: zerolog.New(&log)})
		wait(10 * time.Second)
		if n := f.connections() - 1; n < 3 || n > 5 {
			t.Errorf("%d reconnects in 10 s", n)
		}
		wait(10 * time.Minute)
		if n := log.count(); n > 60 {
			t.Errorf("%d lines of log in ten minutes", n)
		}
	})
}

// TestConnectionLostInFlight: messages on their way when the connection breaks
// go out over the next one, at once.
func TestConnectionLostInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeBroker{answer: func(conn int, p *packets.ControlPacket) ([]packets.Packet, bool) {
			if _, ok := p.Content.(*packets.Publish); ok && conn == 1 {
				return nil, true // swallows it
			}
			return obey(p), true
		}}
		c, _ := startClient(t, mqtt.ClientOptions{Dial: f.Dial})
		c.Publish(retained("a", "1"), car.Message{Topic: "e", Payload: "1"})
		wait(time.Second)
		start := time.Now()
		f.cut()
		drained(t, c)
		if d := time.Since(start); d > time.Second {
			t.Errorf("sent again after %v", d)
		}
		if s := c.Stats(); s.Published != 2 {
			t.Errorf("%+v", s)
		}
	})
}

func TestNeverAcknowledgedIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen atomic.Int32
		f := &fakeBroker{answer: func(_ int, p *packets.ControlPacket) ([]packets.Packet, bool) {
			if _, ok := p.Content.(*packets.Publish); ok && seen.Add(1) < 3 {
				return nil, true
			}
			return obey(p), true
		}}
		c, _ := startClient(t, mqtt.ClientOptions{Dial: f.Dial})
		c.Publish(retained("a", "1"))
		wait(13 * time.Second)
		if s := c.Stats(); seen.Load() != 3 || s.Published != 1 || !s.Connected {
			t.Errorf("seen %d times; %+v", seen.Load(), s)
		}
	})
}

// TestDeadLine: a peer that is silently gone is noticed by the keep-alive.
func TestDeadLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeBroker{answer: func(conn int, p *packets.ControlPacket) ([]packets.Packet, bool) {
			if _, greets := p.Content.(*packets.Connect); greets || conn > 1 {
				return obey(p), true
			}
			return nil, true
		}}
		c, _ := startClient(t, mqtt.ClientOptions{Dial: f.Dial})
		wait(31 * time.Second)
		if n := f.connections(); n != 2 || !c.Stats().Connected {
			t.Errorf("%d connections; %+v", n, c.Stats())
		}
	})
}
