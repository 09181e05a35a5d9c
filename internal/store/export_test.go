package store

import "context"

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
