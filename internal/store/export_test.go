package store

import (
	"context"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// Written returns how many rows the store wrote since it was opened.
func (s *Store) Written() (n int) {
	_ = s.Write(context.Background(), func(*Tx) error {
		return s.conn.QueryRowContext(context.Background(), "SELECT total_changes()").Scan(&n)
	})
	return n
}

// Fail runs a statement that fails.
func (tx *Tx) Fail() error {
	_, err := tx.exec("INSERT INTO nowhere VALUES ($1)", 1)
	return err
}

// MigrateDown takes the schema of the database at path back to nothing.
func MigrateDown(ctx context.Context, path string) error {
	db, err := openWriter(ctx, path)
	if err != nil {
		return err
	}
	defer db.Close()
	provider, err := newProvider(db)
	if err != nil {
		return err
	}
	_, err = provider.DownTo(ctx, 0)
	return err
}

// Synchronous returns how the writer flushes: 2 is FULL.
func (s *Store) Synchronous() (n int) {
	_ = s.Write(context.Background(), func(*Tx) error {
		return s.conn.QueryRowContext(context.Background(), "PRAGMA synchronous").Scan(&n)
	})
	return n
}

// ForgetHalf is Forget with data, interrupted before the first record went, and
// ForgetRest what was left to do.
func (s *Store) ForgetHalf(ctx context.Context, id car.ID) error {
	return s.Write(ctx, func(tx *Tx) error { return tx.forget(id, true) })
}

func (s *Store) ForgetRest(ctx context.Context, id car.ID) error { return s.erase(ctx, id) }
