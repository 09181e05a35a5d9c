package mqtt_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/rs/zerolog"

	"github.com/wheelhouse-mqtt/wheelhouse/internal/mqtt"
)

// TestRefusals: what is wrong is said in words that name the key, and not a
// thousand times.
func TestRefusals(t *testing.T) {
	raw := func(answer ...byte) func(context.Context) (net.Conn, error) {
		return func(context.Context) (net.Conn, error) {
			near, far := net.Pipe()
			go func() {
				defer far.Close()
				_, _ = packets.ReadPacket(far)
				_, _ = far.Write(answer)
			}()
			return near, nil
		}
	}
	refuse := func(code byte) func(context.Context) (net.Conn, error) {
		return (&fakeBroker{answer: func(int, *packets.ControlPacket) ([]packets.Packet, bool) {
			return []packets.Packet{connack(code, &packets.Properties{ReasonString: "because"})}, false
		}}).Dial
	}
	for name, c := range map[string]struct {
		dial func(context.Context) (net.Conn, error)
		want []string
	}{
		"password":                   {refuse(0x86), []string{"mqtt.user", "mqtt.password"}},
		"not authorized":             {refuse(0x87), []string{"mqtt.user", "mqtt.password"}},
		"protocol version":           {refuse(0x84), []string{"MQTT 3", "mosquitto"}},
		"client id":                  {refuse(0x85), []string{"mqtt.client_id"}},
		"busy":                       {refuse(0x89), []string{"0x89", "because"}},
		"hangs up":                   {raw(), []string{"MQTT 3"}},
		"answers as MQTT 3.1.1 does": {raw(0x20, 2, 0, 1), []string{"MQTT 3"}},
		"nobody there": {func(context.Context) (net.Conn, error) {
			return nil, errors.New("connection refused")
		}, []string{"connection refused"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log lines
				client, _ := startClient(t, mqtt.ClientOptions{
					Dial: c.dial, User: "u", Password: "hush", Log: zerolog.New(&log)})
				wait(time.Hour)
				for _, w := range c.want {
					if !strings.Contains(client.Stats().LastError, w) || !strings.Contains(log.String(), w) {
						t.Errorf("no word of %q in %q, nor in\n%s", w, client.Stats().LastError, log.String())
					}
				}
				if strings.Contains(log.String(), "hush") {
					t.Error("the password is in the log")
				}
				if log.count() > 3 {
					t.Errorf("%d lines of log in an hour", log.count())
				}
			})
		})
	}
}

func TestNewClientErrors(t *testing.T) {
	for url, want := range map[string]string{
		"":                        "unknown scheme",
		"http://host":             "unknown scheme",
		"mqtt://":                 "no host",
		"mqtt://user:hush@host":   "mqtt.user",
		"mqtt://user:hush@ho st%": "no URL",
		"mqtt://host:port":        "no URL",
	} {
		_, err := mqtt.NewClient(mqtt.ClientOptions{URL: url})
		said := fmt.Sprint(err)
		if !strings.Contains(said, "mqtt.url") || !strings.Contains(said, want) ||
			strings.Contains(said, "hush") {
			t.Errorf("%q: %v", url, err)
		}
	}
	for _, url := range []string{
		"mqtt://h", "tcp://h:1", "mqtts://h", "ssl://h", "tls://h", "ws://h/mqtt", "wss://[::1]/mqtt",
	} {
		if _, err := mqtt.NewClient(mqtt.ClientOptions{URL: url}); err != nil {
			t.Errorf("%q: %v", url, err)
		}
	}
}
