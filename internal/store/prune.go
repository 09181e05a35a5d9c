package store

import (
	"context"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// chunk is how many rows one transaction removes, so that no post waits long.
const chunk = 2000

// sweep is a DELETE of the oldest rows: of car $1, before $2, at most $3.
type sweep struct {
	text   string
	before int64
}

const (
	sweepPoints = `DELETE FROM points WHERE car = $1 AND at IN (SELECT at FROM points
		WHERE car = $1 AND at < $2 ORDER BY at LIMIT $3)`
	sweepChargePoints = `DELETE FROM charge_points WHERE car = $1 AND at IN (SELECT at
		FROM charge_points WHERE car = $1 AND at < $2 ORDER BY at LIMIT $3)`
	sweepSessions = `DELETE FROM sessions WHERE car = $1 AND start IN (SELECT DISTINCT start
		FROM sessions WHERE car = $1 AND start < $2 ORDER BY start LIMIT $3)`
	sweepCharges = `DELETE FROM charges WHERE car = $1 AND start IN (SELECT start FROM charges
		WHERE car = $1 AND start < $2 ORDER BY start LIMIT $3)`
	sweepApart = `DELETE FROM apart WHERE car = $1 AND (kind, at, body) IN (SELECT kind, at, body
		FROM apart WHERE car = $1 AND received < $2 LIMIT $3)`
	sweepUnknown = `DELETE FROM unknown_bodies WHERE car = $1 AND n IN (SELECT n
		FROM unknown_bodies WHERE car = $1 AND received < $2 ORDER BY n LIMIT $3)`
)

// Prune removes a car's records from before that time, in many short
// transactions, and returns how many rows went. No total falls: the sums of
// points stay, and the energy that chargedWh reads from the summaries of removed
// charges goes to Car.KeptChargedWh. What is removed is known for ever: if it is
// sent again it is neither stored nor counted. A charging session that lies
// across the time stays whole.
func (s *Store) Prune(
	ctx context.Context, id car.ID, before time.Time, chargedWh func(summary []byte) float64,
) (removed int, err error) {
	var horizon int64
	err = s.Write(ctx, func(tx *Tx) error {
		horizon, err = tx.setHorizon(id, before.UnixMilli())
		return err
	})
	if err != nil {
		return 0, err
	}
	if err := s.pruneCharges(ctx, id, horizon+lead, chargedWh); err != nil {
		return 0, err
	}
	return s.sweep(ctx, id, active, []sweep{
		{sweepPoints, horizon},
		{sweepChargePoints, horizon},
		{sweepSessions, horizon + lead},
		{sweepApart, before.UnixMilli()},
		{sweepUnknown, before.UnixMilli()},
	})
}

// setHorizon moves the car's horizon up to the time, or to where the session
// begins that lies across it, and returns it.
func (tx *Tx) setHorizon(id car.ID, before int64) (int64, error) {
	c, err := tx.known(id)
	if err != nil {
		return 0, err
	}
	across, err := tx.across(id, before)
	if err != nil {
		return 0, err
	}
	horizon := max(c.horizon, min(before, across))
	_, err = tx.exec(`UPDATE cars SET horizon = $2 WHERE id = $1`, id, horizon)
	tx.forgetKnown(id)
	return horizon, err
}

// across returns when the first point can be of a session that began before the
// time and had not ended then, or forEver.
func (tx *Tx) across(id car.ID, at int64) (int64, error) {
	start, ok, err := tx.SessionAt(id, at)
	if err != nil || !ok {
		return forEver, err
	}
	session, _, err := tx.Session(id, start)
	if err != nil || session.End >= at {
		return start - lead, err
	}
	curve, err := tx.SessionPoints(id, start)
	if err != nil || len(curve) > 0 && curve[len(curve)-1].At >= at {
		return start - lead, err
	}
	return forEver, nil
}

// Forget removes a car, what it has shown and its state. Its records and totals
// stay, and are there again if the car comes back; with data they go too.
// To forget a car that is not there is no error.
func (s *Store) Forget(ctx context.Context, id car.ID, data bool) error {
	if err := s.Write(ctx, func(tx *Tx) error { return tx.forget(id, data) }); err != nil || !data {
		return err
	}
	return s.erase(ctx, id)
}

// erase removes all records of a forgotten car, and at last the car.
func (s *Store) erase(ctx context.Context, id car.ID) error {
	_, err := s.sweep(ctx, id, forgotten, []sweep{
		{sweepPoints, forEver},
		{sweepChargePoints, forEver},
		{sweepSessions, forEver},
		{sweepCharges, forEver},
		{sweepApart, forEver},
		{sweepUnknown, forEver},
	})
	if err != nil {
		return err
	}
	return s.Write(ctx, func(tx *Tx) error {
		_, err := tx.exec(`DELETE FROM cars WHERE id = $1 AND forgotten = 1`, id)
		return err
	})
}

// forget hides the car. If its records are to go as well, their totals go at
// once and none counts any more: it holds at every moment of the erasing.
func (tx *Tx) forget(id car.ID, data bool) error {
	if _, err := tx.exec(`UPDATE cars SET forgotten = 1, seen = '[]' WHERE id = $1`, id); err != nil {
		return err
	}
	if _, err := tx.exec(`DELETE FROM states WHERE car = $1`, id); err != nil {
		return err
	}
	tx.forgetKnown(id)
	if !data {
		return nil
	}
	_, err := tx.exec(`UPDATE cars SET since = $2, distance_mm = 0, energy_mwh = 0,
		kept_charged_wh = 0, horizon = 0 WHERE id = $1`, id, int64(forEver))
	return err
}

// Whether a car is there, as cars.forgotten says.
const (
	active    = 0
	forgotten = 1
)

// sweep removes rows as long as the car is what it was: it may come back or be
// forgotten meanwhile.
func (s *Store) sweep(
	ctx context.Context, id car.ID, state int, sweeps []sweep,
) (removed int, err error) {
	for _, sweep := range sweeps {
		for n := 1; n > 0; removed += n {
			if n, err = s.sweepOnce(ctx, id, state, sweep); err != nil {
				return removed, err
			}
		}
	}
	return removed, nil
}

func (s *Store) sweepOnce(
	ctx context.Context, id car.ID, state int, sweep sweep,
) (removed int, err error) {
	err = s.Write(ctx, func(tx *Tx) error {
		is, ok, err := queryOne(tx.Reader, value[int],
			`SELECT forgotten FROM cars WHERE id = $1`, id)
		if err != nil || !ok || is != state {
			return err
		}
		removed, err = tx.exec(sweep.text, id, sweep.before, chunk)
		tx.forgetKnown(id)
		return err
	})
	return removed, err
}
