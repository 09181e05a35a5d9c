package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// forEver is a time that never comes.
const forEver = math.MaxInt64

// Car is what the store holds about one car.
type Car struct {
	ID            car.ID
	Since         time.Time // totals count records from here on
	Seen          []string  // keys of fields that the car has shown
	State         []byte    // as PutState got it, nil if never
	DistanceMM    int64     // total, mm
	EnergyMWh     int64     // total, mWh
	KeptChargedWh float64   // energy of charges since Since that Prune removed, Wh
	Horizon       int64     // epoch ms: records before it are gone, or 0
}

// Cars returns all cars that are not forgotten, by id.
func (r Reader) Cars() ([]Car, error) {
	return query(r, readCar, `SELECT cars.id, cars.since, cars.seen, states.state,
		cars.distance_mm, cars.energy_mwh, cars.kept_charged_wh, cars.horizon
		FROM cars LEFT JOIN states ON states.car = cars.id
		WHERE cars.forgotten = 0 ORDER BY cars.id`)
}

func readCar(columns scan) (c Car, err error) {
	var since int64
	var seen []byte
	err = columns(&c.ID, &since, &seen, &c.State,
		&c.DistanceMM, &c.EnergyMWh, &c.KeptChargedWh, &c.Horizon)
	if err != nil {
		return c, err
	}
	c.Since = time.UnixMilli(since).UTC()
	return c, json.Unmarshal(seen, &c.Seen)
}

// MakeCar makes a car whose totals count from that time on. A car that is there
// already stays as it is. One that was forgotten with its records kept comes
// back with them, and with the totals and the time it had.
func (tx *Tx) MakeCar(id car.ID, at time.Time) error {
	_, err := tx.known(id)
	if !errors.Is(err, ErrNoCar) {
		return err
	}
	if _, err := tx.exec(`INSERT INTO cars (id, since) VALUES ($1, $2)
		ON CONFLICT (id) DO UPDATE SET forgotten = 0`, id, at.UnixMilli()); err != nil {
		return err
	}
	c, err := tx.known(id)
	if err != nil || c.since != forEver {
		return err
	}
	return tx.SetSince(id, at) // it comes back before all its records were erased
}

// SetSince makes the car's totals count from that time on, by the records that
// are there: what Prune removed is in them no more.
func (tx *Tx) SetSince(id car.ID, at time.Time) error {
	if _, err := tx.known(id); err != nil {
		return err
	}
	var mm, mwh int64
	for p, err := range tx.Points(id, at.UnixMilli(), forEver) {
		if err != nil {
			return err
		}
		moreMM, moreMWh := points.weigh(p)
		mm, mwh = mm+moreMM, mwh+moreMWh
	}
	_, err := tx.exec(`UPDATE cars SET since = $2, distance_mm = $3, energy_mwh = $4,
		kept_charged_wh = 0 WHERE id = $1`, id, at.UnixMilli(), mm, mwh)
	tx.forgetKnown(id)
	return err
}

func (tx *Tx) addTotals(id car.ID, mm, mwh int64) error {
	if mm == 0 && mwh == 0 {
		return nil
	}
	_, err := tx.exec(`UPDATE cars SET distance_mm = distance_mm + $2,
		energy_mwh = energy_mwh + $3 WHERE id = $1`, id, mm, mwh)
	return err
}

// Totals returns the distance (mm) and energy (mWh) of a car's driving points
// since Car.Since: exact sums of rounded numbers, the same in any order.
func (r Reader) Totals(id car.ID) (distanceMM, energyMWh int64, err error) {
	sums, ok, err := queryOne(r, func(columns scan) (x [2]int64, err error) {
		return x, columns(&x[0], &x[1])
	}, `SELECT distance_mm, energy_mwh FROM cars WHERE id = $1`, id)
	if err == nil && !ok {
		err = fmt.Errorf("store: car %s: %w", id, ErrNoCar)
	}
	return sums[0], sums[1], err
}

// PutState keeps the engine's state of a car, a text only the engine reads.
func (tx *Tx) PutState(id car.ID, state []byte) error {
	if _, err := tx.known(id); err != nil {
		return err
	}
	_, err := tx.exec(`INSERT INTO states (car, state) VALUES ($1, $2)
		ON CONFLICT (car) DO UPDATE SET state = excluded.state
		WHERE states.state <> excluded.state`, id, string(state))
	return err
}

// PutSeen keeps the keys of the fields that a car has shown.
func (tx *Tx) PutSeen(id car.ID, keys []string) error {
	if _, err := tx.known(id); err != nil {
		return err
	}
	if keys == nil {
		keys = []string{}
	}
	seen, err := json.Marshal(keys)
	if err != nil {
		return err
	}
	_, err = tx.exec(`UPDATE cars SET seen = $2 WHERE id = $1 AND seen <> $2`, id, string(seen))
	return err
}
