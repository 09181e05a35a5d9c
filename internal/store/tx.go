package store

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// ErrNoCar is the error of a write for a car that was never made, or forgotten.
var ErrNoCar = errors.New("no such car: it must be made first")

// Tx is one transaction. Its Reader sees what it wrote. It may be used by one
// goroutine, and only inside the function given to Store.Write.
type Tx struct {
	Reader
	store  *Store
	failed error // the first statement that failed: what follows cannot be trusted
}

// known is what the store remembers of a car, so that a live point needs no
// read. Whatever fails empties the memory.
type known struct {
	since   int64
	horizon int64
	newest  map[string]int64 // by kind of record: time of the newest one stored
}

// known returns what is remembered of a car, or reads it.
func (tx *Tx) known(id car.ID) (*known, error) {
	if k, ok := tx.store.cars[id]; ok {
		return k, nil
	}
	k, ok, err := queryOne(tx.Reader, func(columns scan) (*known, error) {
		k := &known{newest: map[string]int64{}}
		return k, columns(&k.since, &k.horizon)
	}, `SELECT since, horizon FROM cars WHERE id = $1 AND forgotten = 0`, id)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("store: car %s: %w", id, ErrNoCar)
	}
	tx.store.cars[id] = k
	return k, nil
}

// forgetKnown makes the next use of the car read it again.
func (tx *Tx) forgetKnown(id car.ID) { delete(tx.store.cars, id) }

// exec runs a statement and returns how many rows it wrote. If it fails the
// transaction can only be rolled back.
func (tx *Tx) exec(text string, args ...any) (rows int, err error) {
	defer func() { tx.failed = cmp.Or(tx.failed, err) }()
	stmt, err := tx.on.get(tx.ctx, text)
	if err != nil {
		return 0, explain(tx.on.path, err)
	}
	result, err := stmt.ExecContext(tx.ctx, args...)
	if err != nil {
		return 0, explain(tx.on.path, err)
	}
	n, err := result.RowsAffected()
	return int(n), err
}
