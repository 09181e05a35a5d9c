package mqtt

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho/log"
	"github.com/eclipse/paho.golang/paho/session"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// ledger gives out packet identifiers and hands the answers to those who wait
// for them, for one connection after the other. It takes the place of paho's
// session state: nothing is stored and sent again behind the outbox's back, a
// lost connection ends every wait at once (paho's leaves them to their timeout),
// and a message costs neither a goroutine nor a timer.
//
// It knows QoS 0 and 1, which is all that is published and subscribed to here.
// How many messages are in flight is the outbox's business.
type ledger struct {
	mu      sync.Mutex
	conn    io.Writer // nil while there is none
	epoch   int       // counts connections
	orders  *orders   // what is acknowledged later
	last    uint16
	waiting map[uint16]wait
}

// wait is somebody's wait for an answer. A zero packet says that none will come.
type wait struct {
	answer func(packets.ControlPacket)
	since  time.Time // zero: waits as long as it takes
}

var _ session.SessionManager = (*ledger)(nil)

// publish sends a message at QoS 1. The answer comes later, from another
// goroutine, exactly once if publish returns nil.
func (l *ledger) publish(m car.Message, answer func(packets.ControlPacket)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := &packets.Publish{
		Topic: m.Topic, Payload: []byte(m.Payload), QoS: 1, Retain: m.Retain,
		Properties: &packets.Properties{},
	}
	if m.Correlation != "" {
		p.Properties.CorrelationData = []byte(m.Correlation)
	}
	if err := l.enter(p, wait{answer, time.Now()}); err != nil {
		return err
	}
	// A connection that fails here is on its way to ConnectionLost, which answers.
	_, _ = p.WriteTo(l.conn)
	return nil
}

// enter gives a packet a free identifier.
func (l *ledger) enter(p session.Packet, w wait) error {
	if l.conn == nil {
		return session.ErrNoConnection
	}
	if len(l.waiting) == 1<<16-1 {
		return session.ErrPacketIdentifiersExhausted
	}
	for taken := true; taken; _, taken = l.waiting[l.last] {
		if l.last++; l.last == 0 {
			l.last = 1
		}
	}
	l.waiting[l.last] = w
	p.SetIdentifier(l.last)
	return nil
}

// expire ends the waits for messages that were sent before t.
func (l *ledger) expire(t time.Time) {
	l.end(func(w wait) bool { return !w.since.IsZero() && w.since.Before(t) })
}

// end tells those who wait, and are meant, that no answer will come.
func (l *ledger) end(meant func(wait) bool) {
	l.mu.Lock()
	var over []wait
	for id, w := range l.waiting {
		if meant(w) {
			over = append(over, w)
			delete(l.waiting, id)
		}
	}
	l.mu.Unlock()
	for _, w := range over {
		w.answer(packets.ControlPacket{})
	}
}

// ConAckReceived begins a connection.
func (l *ledger) ConAckReceived(conn io.Writer, _ *packets.Connect, _ *packets.Connack) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn, l.waiting = conn, make(map[uint16]wait)
	l.epoch++
	return nil
}

// ConnectionLost ends a connection and every wait on it.
func (l *ledger) ConnectionLost(*packets.Disconnect) error {
	l.mu.Lock()
	l.conn = nil
	l.mu.Unlock()
	l.end(func(wait) bool { return true })
	return nil
}

// AddToSession gives paho's packet an identifier. The answer goes to resp, which
// has room for it.
func (l *ledger) AddToSession(
	ctx context.Context, p session.Packet, resp chan<- packets.ControlPacket,
) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	return l.enter(p, wait{answer: func(p packets.ControlPacket) { resp <- p }})
}

// PacketReceived hands an answer to who waits for it, a message to paho's handlers.
func (l *ledger) PacketReceived(p *packets.ControlPacket, messages chan<- *packets.Publish) error {
	if m, ok := p.Content.(*packets.Publish); ok {
		l.mu.Lock()
		epoch := l.epoch
		l.mu.Unlock()
		if !l.orders.take(m, epoch) {
			messages <- m
		}
		return nil
	}
	l.mu.Lock()
	w, ok := l.waiting[p.PacketID()]
	delete(l.waiting, p.PacketID())
	l.mu.Unlock()
	if ok {
		w.answer(*p)
	}
	return nil
}

// Ack acknowledges a message after its handlers have returned.
func (l *ledger) Ack(m *packets.Publish) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ack(m)
}

// ackOf acknowledges an order, unless its connection is gone: the identifier
// means nothing on another one.
func (l *ledger) ackOf(o order) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.epoch != o.epoch {
		return nil
	}
	return l.ack(o.Publish)
}

func (l *ledger) ack(m *packets.Publish) error {
	if m.QoS == 0 || l.conn == nil {
		return nil // unacknowledged, the broker sends it again
	}
	p := packets.Puback{PacketID: m.PacketID, Properties: &packets.Properties{}}
	_, err := p.WriteTo(l.conn)
	return err
}

// current says whether a connection is still there.
func (l *ledger) current(epoch int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conn != nil && l.epoch == epoch
}

// Close ends the last connection.
func (l *ledger) Close() error { return l.ConnectionLost(nil) }

// SetErrorLogger does nothing: a ledger has nothing to log.
func (l *ledger) SetErrorLogger(log.Logger) {}

// SetDebugLogger does nothing: a ledger has nothing to log.
func (l *ledger) SetDebugLogger(log.Logger) {}
