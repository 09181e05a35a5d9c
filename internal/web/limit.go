package web

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// limited is a listener with at most limit open connections. One more is closed
// at once: a caller that is refused tries again, one that waits holds on.
type limited struct {
	net.Listener
	limit int64
	open  atomic.Int64
	log   zerolog.Logger
}

func newLimited(l net.Listener, limit int, log zerolog.Logger) *limited {
	once := &zerolog.BurstSampler{Burst: 1, Period: time.Minute}
	return &limited{Listener: l, limit: int64(limit), log: log.Sample(once)}
}

// Accept returns the next connection within the limit.
func (l *limited) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.open.Add(1) <= l.limit {
			return &counted{Conn: conn, open: &l.open}, nil
		}
		l.open.Add(-1)
		_ = conn.Close()
		l.log.Warn().Int64("limit", l.limit).Msg("too many connections: closing new ones")
	}
}

// counted is a connection that counts until it is closed.
type counted struct {
	net.Conn
	open *atomic.Int64
	once sync.Once
}

// Close closes the connection and makes room for another.
func (c *counted) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { c.open.Add(-1) })
	return err
}
