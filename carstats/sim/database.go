package sim

import (
	"io"
	"iter"
)

// Database is one body with a whole history in it, as app 0.25.2 sent it. It
// is made while it is read and never held in memory; Close it if it is not
// read to its end.
func (r Release) Database(s State, h History) io.ReadCloser {
	next, stop := iter.Pull(r.pieces(s, h))
	return &database{next: next, stop: stop}
}

type database struct {
	next func() ([]byte, bool)
	stop func()
	rest []byte
}

func (d *database) Read(p []byte) (int, error) {
	for len(d.rest) == 0 {
		piece, ok := d.next()
		if !ok {
			return 0, io.EOF
		}
		d.rest = piece
	}
	n := copy(p, d.rest)
	d.rest = d.rest[n:]
	return n, nil
}

func (d *database) Close() error {
	d.stop()
	return nil
}

// pieces yields the body in pieces of about 32 kB, each valid until the next.
func (r Release) pieces(s State, h History) iter.Seq[[]byte] {
	const piece = 32 << 10
	return func(yield func([]byte) bool) {
		buf := r.head(make([]byte, 0, 2*piece), s)
		n := 0 // elements of the present array
		flush := func() bool {
			n++
			if len(buf) < piece {
				return true
			}
			full := buf
			buf = buf[:0]
			return yield(full)
		}
		for session := range h.ChargingSessions() {
			buf = AppendSession(separate(buf, n, sessionsKey), r.bulk(session))
			if !flush() {
				return
			}
		}
		buf, n = closeArray(buf, n), 0
		for p := range h.Points() {
			buf = AppendPoint(separate(buf, n, pointsKey), p)
			if !flush() {
				return
			}
		}
		yield(r.tail(closeArray(buf, n), s))
	}
}
