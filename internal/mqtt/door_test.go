package mqtt

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

const upgrade = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"

// TestHelloInTime: who has not sent a whole CONNECT packet within five seconds
// is hung up on, and mochi never hears of it.
func TestHelloInTime(t *testing.T) {
	for name, c := range map[string]struct {
		first    string
		every    time.Duration // then a byte at a time
		endpoint Endpoint
	}{
		"silent":              {},
		"dribbling":           {first: "\x10\x40\x00\x04MQTT\x05", every: time.Second},
		"silent at WebSocket": {endpoint: Endpoint{WebSocket: true}},
		"silent after it":     {first: upgrade, endpoint: Endpoint{WebSocket: true}},
		"dribbling HTTP":      {"GET / HTTP/1.1\r\nX: ", time.Second, Endpoint{WebSocket: true}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDoor("test", nil, c.endpoint, newSlots(1), func(string, net.Conn) error {
					t.Error("established")
					return nil
				}, zerolog.Nop())
				near, far := net.Pipe()
				start := time.Now()
				d.welcome(far)
				var stranger sync.WaitGroup
				stranger.Go(func() {
					for p := []byte(c.first); ; p = []byte{'x'} {
						if _, err := near.Write(p); err != nil || c.every == 0 {
							return
						}
						<-time.After(c.every)
					}
				})
				_, _ = io.Copy(io.Discard, near)
				if took := time.Since(start); took != helloWithin {
					t.Errorf("hung up after %v", took)
				}
				d.wait()
				stranger.Wait()
			})
		})
	}
}

func TestReadHello(t *testing.T) {
	long := append([]byte{0x10, 0x80, 0x80, 0x04}, make([]byte, maxHello)...) // exactly the limit
	for name, c := range map[string]struct {
		in   []byte
		good bool
	}{
		"empty":                {nil, false},
		"shortest":             {[]byte{0x10, 0}, true},
		"no CONNECT":           {[]byte{0x30, 0}, false},
		"flags":                {[]byte{0x11, 0}, false},
		"cut off":              {[]byte{0x10, 2, 1}, false},
		"length cut off":       {[]byte{0x10, 0x80}, false},
		"length without end":   {[]byte{0x10, 0x80, 0x80, 0x80, 0x80, 0x00}, false},
		"at the limit":         {long, true},
		"above":                {[]byte{0x10, 0x81, 0x80, 0x04}, false},
		"as large as there is": {[]byte{0x10, 0xff, 0xff, 0xff, 0x7f}, false},
	} {
		got, err := readHello(bytes.NewReader(append(c.in, "rest"[:4*btoi(c.good)]...)))
		if c.good && (err != nil || !bytes.Equal(got, c.in)) || !c.good && err == nil {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func FuzzReadHello(f *testing.F) {
	f.Add([]byte{0x10, 2, 1, 2, 3})
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := readHello(bytes.NewReader(in))
		if err == nil && !bytes.HasPrefix(in, got) {
			t.Errorf("%x read as %x", in, got)
		}
	})
}

// brokenListener fails twice before it is closed.
type brokenListener struct {
	net.Listener
	fails int
}

func (l *brokenListener) Accept() (net.Conn, error) {
	if l.fails--; l.fails >= 0 {
		return nil, errors.New("too many open files")
	}
	return nil, net.ErrClosed
}

// TestAcceptGoesOn: a passing shortage of file descriptors does not close a door,
// nor does it make a busy loop.
func TestAcceptGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		newDoor("test", &brokenListener{fails: 2}, Endpoint{}, newSlots(1), nil, zerolog.Nop()).Serve(nil)
		if d := time.Since(start); d != 2*acceptPause {
			t.Errorf("took %v", d)
		}
	})
}

func TestShutDoor(t *testing.T) {
	d := newDoor("test", nil, Endpoint{}, newSlots(1), nil, zerolog.Nop())
	d.shut()
	near, far := net.Pipe()
	d.welcome(far)
	if _, err := near.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if len(d.slots) > 0 {
		t.Error("a slot is lost")
	}
}
