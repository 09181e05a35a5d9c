package mqtt

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// countingConn counts what reaches the network.
type countingConn struct {
	net.Conn
	writes int
	got    bytes.Buffer
	gate   chan struct{} // each Write waits for one
	fails  error
	closed chan struct{}
}

func newCountingConn() *countingConn {
	return &countingConn{gate: make(chan struct{}, 100), closed: make(chan struct{})}
}

func (c *countingConn) Write(p []byte) (int, error) {
	select {
	case <-c.gate:
	case <-c.closed:
		return 0, net.ErrClosed
	}
	if c.fails != nil {
		return 0, c.fails
	}
	c.writes++
	return c.got.Write(p)
}

func (c *countingConn) Close() error {
	select {
	case <-c.closed:
	default:
		close(c.closed)
	}
	return nil
}

func TestBufferedConnGathersWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		raw := newCountingConn()
		c := newBufferedConn(raw, 0)
		for range 1000 {
			_, _ = io.WriteString(c, "x")
		}
		raw.gate <- struct{}{}
		raw.gate <- struct{}{}
		raw.gate <- struct{}{}
		_ = c.Close()
		if raw.writes > 3 || raw.got.Len() != 1000 {
			t.Errorf("%d bytes in %d writes", raw.got.Len(), raw.writes)
		}
	})
}

func TestBufferedConnWritesAtOnceWhenIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		raw := newCountingConn()
		c := newBufferedConn(raw, 0)
		raw.gate <- struct{}{}
		_, _ = io.WriteString(c, "x")
		synctest.Wait() // no time passes
		if raw.got.String() != "x" {
			t.Error("the write waits for company")
		}
		_ = c.Close()
	})
}

func TestBufferedConnCloseDoesNotWaitForADeafPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		raw := newCountingConn() // nobody opens the gate
		c := newBufferedConn(raw, 0)
		_, _ = io.WriteString(c, "x")
		start := time.Now()
		_ = c.Close()
		if d := time.Since(start); d != closeFlush {
			t.Errorf("closing took %v", d)
		}
		if _, err := io.WriteString(c, "y"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("write after close: %v", err)
		}
		_ = c.Close() // a second time does no harm
	})
}

func TestBufferedConnTellsTheNextWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		raw := newCountingConn()
		raw.fails = errors.New("cable cut")
		raw.gate <- struct{}{}
		c := newBufferedConn(raw, 0)
		_, _ = io.WriteString(c, "x")
		synctest.Wait()
		if _, err := io.WriteString(c, "y"); err == nil || err.Error() != "cable cut" {
			t.Errorf("got %v", err)
		}
		_ = c.Close()
	})
}

func TestBufferedConnLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		raw := newCountingConn()
		c := newBufferedConn(raw, 4)
		wrote := make(chan int, 10)
		go func() {
			for i := range 10 {
				_, _ = io.WriteString(c, "ab")
				wrote <- i
			}
		}()
		synctest.Wait()
		// One on the wire, or taken there, and no more than the limit waiting.
		if n := len(wrote); n > 4 {
			t.Errorf("%d writes accepted of a peer that does not read", n)
		}
		for range 10 {
			raw.gate <- struct{}{}
		}
		synctest.Wait()
		if len(wrote) != 10 || raw.got.Len() != 20 {
			t.Errorf("%d writes, %d bytes", len(wrote), raw.got.Len())
		}
		_ = c.Close()
	})
}
