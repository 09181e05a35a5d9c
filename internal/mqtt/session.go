package mqtt

import (
	"context"
	"io"
	"sync"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho/log"
	"github.com/eclipse/paho.golang/paho/session"
)

// ledger gives out packet identifiers and tells who waits for an answer, for
// one connection after the other. It takes the place of paho's session state:
// nothing is stored and sent again behind the outbox's back, a lost connection
// ends every wait at once (paho's leaves them to their timeout), and a message
// costs no goroutine.
//
// It knows QoS 0 and 1, which is all that is published and subscribed to here.
// The number in flight is the outbox's business.
type ledger struct {
	mu      sync.Mutex
	conn    io.Writer // nil while there is none
	last    uint16
	waiting map[uint16]chan<- packets.ControlPacket
}

var _ session.SessionManager = (*ledger)(nil)

// ConAckReceived begins a connection.
func (l *ledger) ConAckReceived(conn io.Writer, _ *packets.Connect, _ *packets.Connack) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.release()
	l.conn = conn
	return nil
}

// ConnectionLost ends a connection and every wait on it.
func (l *ledger) ConnectionLost(*packets.Disconnect) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.release()
	l.conn = nil
	return nil
}

// release tells everybody who waits that no answer will come.
func (l *ledger) release() {
	for _, waits := range l.waiting {
		waits <- packets.ControlPacket{} // paho's word for it; the channel has room for one
	}
	l.waiting = make(map[uint16]chan<- packets.ControlPacket)
}

// AddToSession gives a packet a free identifier. The answer goes to resp.
func (l *ledger) AddToSession(
	ctx context.Context, p session.Packet, resp chan<- packets.ControlPacket,
) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == nil {
		return session.ErrNoConnection
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(l.waiting) == 1<<16-1 {
		return session.ErrPacketIdentifiersExhausted
	}
	for l.last++; l.last == 0 || l.waiting[l.last] != nil; l.last++ {
	}
	l.waiting[l.last] = resp
	p.SetIdentifier(l.last)
	return nil
}

// PacketReceived hands an answer to who waits for it, a message to paho's handlers.
func (l *ledger) PacketReceived(p *packets.ControlPacket, messages chan<- *packets.Publish) error {
	if m, ok := p.Content.(*packets.Publish); ok {
		messages <- m
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if waits, ok := l.waiting[p.PacketID()]; ok {
		delete(l.waiting, p.PacketID())
		waits <- *p
	}
	return nil
}

// Ack acknowledges a message after its handlers have returned.
func (l *ledger) Ack(m *packets.Publish) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m.QoS == 0 || l.conn == nil {
		return nil // unacknowledged, the broker sends it again
	}
	ack := packets.Puback{PacketID: m.PacketID, Properties: &packets.Properties{}}
	_, err := ack.WriteTo(l.conn)
	return err
}

// Close ends the last connection.
func (l *ledger) Close() error { return l.ConnectionLost(nil) }

// SetErrorLogger does nothing: a ledger has nothing to log.
func (l *ledger) SetErrorLogger(log.Logger) {}

// SetDebugLogger does nothing: a ledger has nothing to log.
func (l *ledger) SetDebugLogger(log.Logger) {}
