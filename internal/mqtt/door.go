package mqtt

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/rs/zerolog"
)

const (
	helloWithin = 5 * time.Second // from the connection to the whole CONNECT packet
	maxHello    = 64 << 10        // bytes of a CONNECT packet
	moreSockets = 64              // beside the clients: who has not said hello yet
	acceptPause = 100 * time.Millisecond
	writeLimit  = 64 << 10 // bytes that wait for a client before mochi's queue fills
)

// door lets connections in for mochi, which has neither a deadline nor a limit
// before a client is known: a socket is handed over only once its whole CONNECT
// packet is here. It is mochi's listener of one endpoint, or of the program's
// own client.
type door struct {
	id       string
	listener net.Listener // nil for the program's own client
	endpoint Endpoint
	slots    chan struct{} // one for each socket, of all doors
	log      zerolog.Logger

	establish listeners.EstablishFn

	mu     sync.Mutex
	open   map[net.Conn]struct{}
	closed bool
	guests sync.WaitGroup // whom open holds, and the accepting
}

func newSlots(clients int) chan struct{} { return make(chan struct{}, clients+moreSockets) }

func newDoor(
	id string, l net.Listener, e Endpoint, slots chan struct{}, to listeners.EstablishFn,
	log zerolog.Logger,
) *door {
	return &door{
		id: id, listener: l, endpoint: e, slots: slots, establish: to,
		log: quiet(log).With().Str("listener", id).Logger(), open: make(map[net.Conn]struct{}),
	}
}

// quiet keeps strangers from filling the log.
func quiet(log zerolog.Logger) zerolog.Logger {
	return log.Sample(&zerolog.BurstSampler{Burst: 10, Period: time.Minute})
}

// ID is mochi's name of the door.
func (d *door) ID() string { return d.id }

// Address is for mochi's log.
func (d *door) Address() string { return d.endpoint.Address }

// Protocol is for mochi's log.
func (d *door) Protocol() string { return "mqtt" }

// Init does nothing: the port is bound already.
func (d *door) Init(*slog.Logger) error { return nil }

// Close does nothing: the broker shuts its doors itself, before mochi's Close.
func (d *door) Close(listeners.CloseFn) {}

// Serve accepts connections until the door is shut.
func (d *door) Serve(listeners.EstablishFn) {
	if d.listener == nil {
		return
	}
	for {
		c, err := d.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of file descriptors, say
			d.log.Error().Err(err).Msg("no MQTT connection can be accepted")
			time.Sleep(acceptPause)
			continue
		}
		d.welcome(c)
	}
}

// welcome lets a connection in if there is room.
func (d *door) welcome(c net.Conn) {
	select {
	case d.slots <- struct{}{}:
	default:
		d.log.Warn().Msg("too many MQTT connections: refused one; see broker.max_clients")
		_ = c.Close()
		return
	}
	if !d.admit(c, d.host) {
		<-d.slots
	}
}

// admit runs host with a connection until it returns, unless the door is shut.
// wait waits for it.
func (d *door) admit(c net.Conn, host func(net.Conn)) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		_ = c.Close()
		return false
	}
	d.open[c] = struct{}{}
	d.guests.Go(func() {
		defer d.dismiss(c)
		host(c)
	})
	return true
}

func (d *door) dismiss(c net.Conn) {
	_ = c.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.open, c)
}

// host waits for the CONNECT packet and hands the connection to mochi for the
// rest of its life.
func (d *door) host(raw net.Conn) {
	defer func() { <-d.slots }()
	c, hello, err := d.greet(raw)
	if err != nil {
		d.log.Debug().Err(err).Msg("a connection without an MQTT greeting")
		return
	}
	if err := d.establish(d.id, &greetedConn{newBufferedConn(c, writeLimit), hello}); err != nil {
		d.log.Debug().Err(err).Msg("an MQTT client has left")
	}
}

// hostOwn hands the program's own client to mochi.
func (d *door) hostOwn(c net.Conn) {
	if err := d.establish(d.id, newBufferedConn(c, writeLimit)); err != nil {
		d.log.Debug().Err(err).Msg("the program's own MQTT connection ended")
	}
}

// greet speaks TLS and WebSocket where the endpoint does and reads the CONNECT
// packet, all of it within five seconds. mochi sets deadlines of its own when
// the client is known.
func (d *door) greet(c net.Conn) (net.Conn, []byte, error) {
	late := time.Now().Add(helloWithin)
	_ = c.SetDeadline(late)
	if d.endpoint.TLS != nil {
		c = tls.Server(c, d.endpoint.TLS) // shakes hands with the first read
	}
	if d.endpoint.WebSocket {
		web, err := acceptWeb(c)
		if err != nil {
			return nil, nil, err
		}
		_ = web.SetDeadline(late)
		c = web
	}
	hello, err := readHello(c)
	return c, hello, err
}

// readHello reads a CONNECT packet. It reserves memory as bytes come, not as
// they are announced.
func readHello(r io.Reader) ([]byte, error) {
	var hello bytes.Buffer
	if _, err := io.CopyN(&hello, r, 1); err != nil {
		return nil, err
	}
	if hello.Bytes()[0] != 0x10 {
		return nil, errors.New("the first packet is no CONNECT")
	}
	size := int64(0)
	for shift := 0; ; shift += 7 {
		if _, err := io.CopyN(&hello, r, 1); err != nil {
			return nil, err
		}
		last := hello.Bytes()[hello.Len()-1]
		size |= int64(last&0x7f) << shift
		if size > maxHello || shift > 21 {
			return nil, fmt.Errorf("the CONNECT packet has %d bytes or more", size)
		}
		if last < 0x80 {
			break
		}
	}
	if _, err := io.CopyN(&hello, r, size); err != nil {
		return nil, err
	}
	return hello.Bytes(), nil
}

// greetedConn is a connection whose first bytes were read already.
type greetedConn struct {
	*bufferedConn
	hello []byte
}

// Read reads the first bytes again, then the others.
func (c *greetedConn) Read(p []byte) (int, error) {
	if len(c.hello) > 0 {
		n := copy(p, c.hello)
		c.hello = c.hello[n:]
		return n, nil
	}
	return c.bufferedConn.Read(p)
}

// shut stops the accepting.
func (d *door) shut() {
	if d.listener != nil {
		_ = d.listener.Close()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
}

// hangUp closes every connection, rudely.
func (d *door) hangUp() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for c := range d.open {
		_ = c.Close()
	}
}

// wait returns when everybody has left.
func (d *door) wait() { d.guests.Wait() }
