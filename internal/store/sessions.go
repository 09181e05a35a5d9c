package store

import (
	"iter"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

const sessionColumns = "start, ended, app_id, energy, soc, duration, outside, lat, lon, points"

func sessionRow(s car.Session) []any {
	return []any{s.Start, s.End, s.ID, number(s.Energy), number(s.SoC), s.Duration,
		number(s.Outside), number(s.Lat), number(s.Lon), int64(s.Points)}
}

func readSession(columns scan) (s car.Session, err error) {
	return s, columns(&s.Start, &s.End, &s.ID, (*number)(&s.Energy), (*number)(&s.SoC), &s.Duration,
		(*number)(&s.Outside), (*number)(&s.Lat), (*number)(&s.Lon), &s.Points)
}

// PutSessions stores versions of charging sessions, received at that time by
// our clock. A session's energy is kept however absurd: the app multiplies the
// power by the time its head unit slept, and the rest of the session is true.
func (tx *Tx) PutSessions(
	id car.ID, received time.Time, sessions []car.Session,
) (change Change, err error) {
	if len(sessions) == 0 {
		return change, nil
	}
	c, err := tx.known(id)
	if err != nil {
		return change, err
	}
	for _, s := range sessions {
		s = tidySession(s)
		switch {
		case wrongTimes(s, received):
			change.Apart++
			err = tx.setApart(id, "session", s.Start, received, sessionColumns, sessionRow(s))
		case s.Start-lead < c.horizon: // pruned, so known
			change.Known++
		default:
			err = tx.putSession(id, s, &change)
		}
		if err != nil {
			return change, err
		}
	}
	return change, nil
}

func wrongTimes(s car.Session, received time.Time) bool {
	return car.ClockWrong(time.UnixMilli(s.Start), received) ||
		s.End != 0 && car.ClockWrong(time.UnixMilli(s.End), received)
}

func tidySession(s car.Session) car.Session {
	s.Lat, s.Lon = onEarth(s.Lat, s.Lon)
	s.Energy, s.SoC, s.Outside = finite(s.Energy), finite(s.SoC), finite(s.Outside)
	return s
}

// putSession stores one version, and says whether the session is another now.
func (tx *Tx) putSession(id car.ID, s car.Session, change *Change) error {
	before, known, err := tx.Session(id, s.Start)
	if err != nil {
		return err
	}
	_, err = tx.exec(`INSERT INTO sessions (car, digest, `+sessionColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (car, start, digest) DO NOTHING`,
		append([]any{id, sessionDigest(s)}, sessionRow(s)...)...)
	if err != nil {
		return err
	}
	after, _, err := tx.Session(id, s.Start)
	if err != nil {
		return err
	}
	switch {
	case !known:
		change.New++
	case sessionDigest(after) == sessionDigest(before):
		change.Known++
		return nil
	default:
		change.Changed++
	}
	change.extend(s.Start)
	return nil
}

func sessionDigest(s car.Session) string { return digest(asJSON(sessionColumns, sessionRow(s))) }

// Session returns the session that started then, merged from all its versions,
// and whether there is one.
func (r Reader) Session(id car.ID, start int64) (car.Session, bool, error) {
	versions, err := query(r, readSession, `SELECT `+sessionColumns+` FROM sessions
		WHERE car = $1 AND start = $2`, id, start)
	if err != nil || len(versions) == 0 {
		return car.Session{}, false, err
	}
	return car.MergeSessions(versions), true, nil
}

// Sessions yields a car's charging sessions with from <= Start < to (epoch ms),
// each merged from all its versions, in order of time.
func (r Reader) Sessions(id car.ID, from, to int64) iter.Seq2[car.Session, error] {
	return pages(func(last *car.Session, limit int) ([]car.Session, error) {
		start := from
		if last != nil {
			start = last.Start + 1
		}
		versions, err := query(r, readSession, `SELECT `+sessionColumns+` FROM sessions
			WHERE car = $1 AND start IN (SELECT DISTINCT start FROM sessions
				WHERE car = $1 AND start >= $2 AND start < $3 ORDER BY start LIMIT $4)
			ORDER BY start`, id, start, to, limit)
		return mergeVersions(versions), err
	})
}

// mergeVersions merges neighbours of the same session.
func mergeVersions(versions []car.Session) []car.Session {
	var sessions []car.Session
	for len(versions) > 0 {
		n := 1
		for n < len(versions) && versions[n].Start == versions[0].Start {
			n++
		}
		sessions = append(sessions, car.MergeSessions(versions[:n]))
		versions = versions[n:]
	}
	return sessions
}

// lead is how long before its session's start a charging point may be: the app
// takes the two times one after the other.
const lead = 5000 // ms

// SessionAt returns the start of the session that a charging point at that time
// belongs to, which is the one that had begun last, and whether there is one.
func (r Reader) SessionAt(id car.ID, at int64) (start int64, ok bool, err error) {
	return queryOne(r, value[int64], `SELECT start FROM sessions
		WHERE car = $1 AND start <= $2 ORDER BY start DESC LIMIT 1`, id, min(at, forEver-lead)+lead)
}

// SessionPoints returns the charging points that belong to the session which
// started then, in order of time.
func (r Reader) SessionPoints(id car.ID, start int64) ([]car.ChargePoint, error) {
	next, ok, err := queryOne(r, value[int64], `SELECT start FROM sessions
		WHERE car = $1 AND start > $2 ORDER BY start LIMIT 1`, id, start)
	if err != nil {
		return nil, err
	}
	if !ok {
		next = forEver
	}
	return query(r, readChargePoint, `SELECT `+chargePointColumns+` FROM charge_points
		WHERE car = $1 AND at >= $2 AND at < $3 ORDER BY at`, id, start-lead, next-lead)
}
