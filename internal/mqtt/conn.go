package mqtt

import (
	"bufio"
	"net"
	"sync"
	"time"
)

const (
	readBuffer  = 16 << 10        // bytes read from the network at once
	flushLimit  = 256 << 10       // bytes that wait to be written before a writer has to
	closeFlush  = 1 * time.Second // what Close gives the last bytes to leave
	firstBuffer = 4 << 10
)

// bufferedConn gathers small writes while the one before is still being
// written, and reads in large pieces. An MQTT library writes a packet in three
// to five pieces and reads it in four: without this each piece is a system call,
// a TLS record or a WebSocket frame of its own.
//
// Nothing waits for company: as soon as the line is idle, what is there leaves.
type bufferedConn struct {
	net.Conn
	sync.Mutex // held by paho while it writes the pieces of one packet

	in *bufio.Reader

	out     sync.Mutex
	room    sync.Cond // out has shrunk, or failed
	pending []byte
	err     error
	limit   int // bytes of pending at which Write waits; 0: none

	kick chan struct{} // something is pending, or the end
	gone chan struct{} // the flusher has left
}

// newBufferedConn wraps a connection. Its one goroutine ends with Close, which
// waits for it.
func newBufferedConn(c net.Conn, limit int) *bufferedConn {
	b := &bufferedConn{
		Conn:    c,
		in:      bufio.NewReaderSize(c, readBuffer),
		pending: make([]byte, 0, firstBuffer),
		limit:   limit,
		kick:    make(chan struct{}, 1),
		gone:    make(chan struct{}),
	}
	b.room.L = &b.out
	go b.flush()
	return b
}

// Read reads what has arrived.
func (b *bufferedConn) Read(p []byte) (int, error) { return b.in.Read(p) }

// Write takes p and returns; an error is that of an earlier write.
func (b *bufferedConn) Write(p []byte) (int, error) {
	b.out.Lock()
	defer b.out.Unlock()
	for b.limit > 0 && len(b.pending) >= b.limit && b.err == nil {
		b.room.Wait()
	}
	if b.err != nil {
		return 0, b.err
	}
	b.pending = append(b.pending, p...)
	b.signal()
	return len(p), nil
}

// Close lets what was written leave, for a second at most, and closes.
func (b *bufferedConn) Close() error {
	hurry := time.AfterFunc(closeFlush, func() { _ = b.Conn.Close() })
	defer hurry.Stop()
	b.fail(net.ErrClosed)
	<-b.gone
	return b.Conn.Close()
}

// fail ends the writing; the first reason counts.
func (b *bufferedConn) fail(err error) {
	b.out.Lock()
	defer b.out.Unlock()
	if b.err == nil {
		b.err = err
	}
	b.room.Broadcast()
	b.signal()
}

func (b *bufferedConn) signal() {
	select {
	case b.kick <- struct{}{}:
	default: // it will look anyway
	}
}

// flush writes what is pending until Close, or until writing fails.
func (b *bufferedConn) flush() {
	defer close(b.gone)
	spare := make([]byte, 0, firstBuffer)
	for range b.kick {
		b.out.Lock()
		full, ended := b.pending, b.err != nil
		b.pending = spare[:0]
		b.room.Broadcast()
		b.out.Unlock()
		if len(full) > 0 {
			if _, err := b.Conn.Write(full); err != nil {
				b.fail(err)
				return
			}
		}
		if ended {
			return
		}
		if spare = full; cap(spare) > flushLimit {
			spare = nil // once was enough
		}
	}
}
