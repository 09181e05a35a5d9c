package mqtt_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/wheelhouse-mqtt/wheelhouse/internal/mqtt"
)

// directory is whom a client asks for its broker.
type directory struct {
	mu     sync.Mutex
	server mqtt.Server
	err    error
	asked  int
}

func (d *directory) ask(context.Context) (mqtt.Server, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	return d.server, d.err
}

func (d *directory) tell(s mqtt.Server, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.server, d.err = s, err
}

func (d *directory) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked
}

// entry is a user of a broker, which the tests reach by Dial, not by its URL.
func entry(u mqtt.User) mqtt.Server {
	return mqtt.Server{URL: "mqtt://broker", User: u.Name, Password: u.Password}
}

// A broker that is installed a day after the program is found, and its absence
// is told once.
func TestServerAppearsLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lines
		b := startBroker(t, mqtt.BrokerOptions{})
		d := &directory{err: errors.New("no broker: install one")}
		c, _ := startClient(t, mqtt.ClientOptions{
			Dial: door(b), Server: d.ask, Log: zerolog.New(&log)})
		wait(24 * time.Hour)
		if got := c.Stats().LastError; got != "no broker: install one" {
			t.Errorf("the reason is %q", got)
		}
		if log.count() != 1 || !strings.Contains(log.String(), "no broker: install one") {
			t.Errorf("%d lines of log in a day:\n%s", log.count(), log.String())
		}
		if d.count() < 2000 {
			t.Errorf("asked %d times a day", d.count())
		}
		d.tell(entry(home), nil)
		wait(slowest)
		if !c.Stats().Connected {
			t.Errorf("not connected: %+v", c.Stats())
		}
	})
}

// slowest is how long a client may take to notice a change.
const slowest = 32 * time.Second

// door reaches a broker as the network would: passwords count.
func door(b *mqtt.Broker) func(context.Context) (net.Conn, error) {
	return func(context.Context) (net.Conn, error) { return mqtt.DialDoor(b) }
}

// A new password is asked for when the old one does not work any more, and needs
// no long wait: the broker knew it first.
func TestServerChangesPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lines
		first, stop := startBrokerUntil(t, mqtt.BrokerOptions{})
		now := atomic.Pointer[mqtt.Broker]{}
		now.Store(first)
		d := &directory{server: entry(home)}
		c, _ := startClient(t, mqtt.ClientOptions{
			Dial:   func(context.Context) (net.Conn, error) { return mqtt.DialDoor(now.Load()) },
			Server: d.ask, Log: zerolog.New(&log)})
		c.Publish(retained("a", "1"))
		drained(t, c)
		other := mqtt.User{Name: "addons", Password: "hush-hush"}
		now.Store(startBroker(t, mqtt.BrokerOptions{Users: []mqtt.User{other}}))
		stop()
		wait(4 * time.Minute)
		if s := c.Stats(); s.Connected || !strings.Contains(s.LastError, "password") {
			t.Errorf("with the old password: %+v", s)
		}
		d.tell(entry(other), nil)
		wait(4 * time.Second)
		drained(t, c)
		observer(t, now.Load(), "a").expect(t, "a 1 +r")
		if log.count() > 6 || strings.Contains(log.String(), "hush") {
			t.Errorf("the log:\n%s", log.String())
		}
	})
}

// A server without a user is greeted without one, also after one that had one.
func TestServerLosesItsUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var users []string
		f := &fakeBroker{answer: func(_ int, p *packets.ControlPacket) ([]packets.Packet, bool) {
			if c, ok := p.Content.(*packets.Connect); ok {
				users = append(users, fmt.Sprintf("%s %v %v", c.Username, c.UsernameFlag, c.PasswordFlag))
			}
			return obey(p), true
		}}
		d := &directory{server: entry(home)}
		startClient(t, mqtt.ClientOptions{
			Dial: f.Dial, Server: d.ask, User: "options", Password: "options"})
		wait(time.Minute)
		d.tell(mqtt.Server{URL: "mqtts://broker"}, nil)
		f.cut()
		wait(time.Minute)
		want := []string{"home true true", " false false"}
		if diff := cmp.Diff(want, users); diff != "" {
			t.Error(diff)
		}
	})
}

// Whoever is asked and does not answer keeps nobody from stopping.
func TestServerKeepsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		c, stop := startClient(t, mqtt.ClientOptions{
			Server: func(ctx context.Context) (mqtt.Server, error) {
				<-ctx.Done()
				return mqtt.Server{}, ctx.Err()
			},
		})
		wait(time.Minute)
		if c.Stats().LastError == "" {
			t.Error("silence has no end")
		}
		stop()
		if took := time.Since(begun); took > 61*time.Second {
			t.Errorf("it took %v to stop", took-time.Minute)
		}
	})
}

// What cannot be a broker is told like any other failure.
func TestServerWithoutAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &directory{server: mqtt.Server{URL: "http://broker"}}
		c, _ := startClient(t, mqtt.ClientOptions{Server: d.ask})
		wait(time.Minute)
		if got := c.Stats().LastError; !strings.Contains(got, "unknown scheme") {
			t.Errorf("the reason is %q", got)
		}
	})
}
