package sim

import "github.com/wheelhouse-mqtt/wheelhouse/car"

// queue is what the app has not delivered yet. It lives in memory only, and
// has no limit.
type queue struct {
	mode       Mode
	release    Release
	noLocation bool

	points   []car.Point
	sessions []Session
}

func (q *queue) len() int { return len(q.points) + len(q.sessions) }

func (q *queue) clear() { q.points, q.sessions = q.points[:0], nil }

// add queues what a request brings; in mode Ticks the app empties its queues
// instead.
func (q *queue) add(points []car.Point, sessions []Session) {
	if q.mode == Ticks || !q.release.arrays {
		q.clear()
		return
	}
	for _, p := range points {
		if q.noLocation {
			p.Lat, p.Lon, p.Alt = car.Missing(), car.Missing(), car.Missing()
		}
		q.points = append(q.points, p)
	}
	for _, s := range sessions {
		q.sessions = append(q.sessions, q.live(s))
	}
}

// live is a session as a live request carries it. Taking the position out
// makes the app lose the curve and the duration too.
func (q *queue) live(s Session) Session {
	if !q.release.full {
		s.SoC = 0
	}
	if q.noLocation {
		s.Lat, s.Lon = car.Missing(), car.Missing()
		s.Curve, s.Duration = nil, 0
	}
	return s
}

// bulk is a session as a database upload carries it.
func (r Release) bulk(s Session) Session {
	if !r.full {
		s.SoC, s.Duration, s.Curve = 0, 0, nil
	}
	if len(s.Curve) < 2 {
		s.Curve = nil
	}
	return s
}
