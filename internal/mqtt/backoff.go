package mqtt

import (
	"math/rand/v2"
	"time"
)

const (
	stable    = 30 * time.Second       // a connection that lived so long was one
	firstWait = 500 * time.Millisecond // after the first failure, then doubled
	quickWait = 3 * time.Second        // and at most this, while a restart of the broker is likely
	quickFor  = 5 * time.Minute
	slowWait  = 30 * time.Second // after that, and when the broker said no
)

// backoff says how long to wait before the next attempt to connect. It counts a
// connection that did not live as a failure: autopaho starts afresh after each
// successful CONNECT, and would hammer a broker that accepts and then hangs up.
type backoff struct {
	failures int
	since    time.Time // of the first failure
	born     time.Time // of the present connection
	no       bool      // the broker refused: it will refuse again
}

// wait is asked before each attempt to connect; its argument, the attempts since
// the last connection, says too little.
func (b *backoff) wait(int) time.Duration {
	if b.failures == 0 {
		return 0
	}
	d := slowWait
	if !b.no && time.Since(b.since) < quickFor {
		d = min(firstWait<<min(b.failures-1, 10), quickWait)
	}
	return d + rand.N(d/20) // many programs after one power cut
}

// failed notes an attempt that brought no connection.
func (b *backoff) failed(no bool) {
	if b.failures == 0 {
		b.since = time.Now()
	}
	b.failures++
	b.no = no
}

// up notes a connection.
func (b *backoff) up() { b.born, b.no = time.Now(), false }

// down notes its end.
func (b *backoff) down() {
	if time.Since(b.born) >= stable {
		b.failures = 0
		return
	}
	b.failed(false)
}
