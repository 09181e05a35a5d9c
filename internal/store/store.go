// Package store keeps what cars reported: what it acknowledged is on disk.
//
// A [Store] is one database. Writing goes through [Store.Write], one durable
// transaction at a time; reading through a [Reader], which a [Tx] is too.
// Records merge by the rules of package car, so any order, repetition and
// splitting of the same records leaves the same content and the same totals.
package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// Store is an open database. Its methods may be used by several goroutines.
type Store struct {
	path    string
	writer  *sql.DB
	conn    *sql.Conn     // the writer's one connection
	turn    chan struct{} // held while writing; guards conn and cars
	write   *statements   // on conn
	readers *sql.DB
	read    *statements // on readers
	cars    map[car.ID]*known
}

// Open opens the database at path, makes it if there is none, and brings its
// schema up to date. The file is readable by its owner only; its directory must
// exist. Errors say what the user can do.
func Open(ctx context.Context, path string) (*Store, error) {
	writer, err := openWriter(ctx, path)
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, writer: writer, turn: make(chan struct{}, 1), cars: map[car.ID]*known{}}
	if err := s.start(ctx); err != nil {
		_ = writer.Close()
		return nil, explain(path, err)
	}
	return s, nil
}

func (s *Store) start(ctx context.Context) error {
	if err := migrateUp(ctx, s.writer); err != nil {
		return err
	}
	conn, err := s.writer.Conn(ctx)
	if err != nil {
		return err
	}
	s.conn, s.write = conn, newStatements(s.path, conn.PrepareContext)
	s.readers, err = openReaders(s.path)
	if err != nil {
		return err
	}
	s.read = newStatements(s.path, s.readers.PrepareContext)
	return nil
}

// OpenReadOnly opens a database that another program may be writing, for
// Read only. Its schema is not looked at: the program brings it up to date.
func OpenReadOnly(ctx context.Context, path string) (*Reading, error) {
	readers, err := openReaders(path)
	if err != nil {
		return nil, err
	}
	r := &Reading{readers: readers, read: newStatements(path, readers.PrepareContext)}
	if err := readers.PingContext(ctx); err != nil {
		return nil, errors.Join(explain(path, err), readers.Close())
	}
	return r, nil
}

// Reading is a database that is only read.
type Reading struct {
	readers *sql.DB
	read    *statements
}

// Read returns a Reader that sees what is committed.
func (r *Reading) Read(ctx context.Context) Reader { return Reader{ctx: ctx, on: r.read} }

// Close closes the database.
func (r *Reading) Close() error { return r.readers.Close() }

// Close waits for the write under way, moves the write-ahead log into the
// database and closes it.
func (s *Store) Close() error {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	return explain(s.path, errors.Join(
		s.read.close(), s.readers.Close(), s.write.close(), s.conn.Close(), s.writer.Close()))
}

// Ping says whether the store is open and writable. It writes nothing.
func (s *Store) Ping(ctx context.Context) error {
	return s.Write(ctx, func(*Tx) error { return nil })
}

// Write runs f in one transaction, which is durable when Write returns nil, and
// rolled back if f fails. ctx ends only the wait for other writers: what has
// begun is finished. f must not keep the Tx, nor call the Store.
func (s *Store) Write(ctx context.Context, f func(*Tx) error) error {
	if err := s.take(ctx); err != nil {
		return err
	}
	defer func() { <-s.turn }()
	return s.transact(context.WithoutCancel(ctx), f)
}

// take waits for the turn to write, unless ctx ends first.
func (s *Store) take(ctx context.Context) error {
	if ctx.Err() == nil {
		select {
		case s.turn <- struct{}{}:
			return nil
		case <-ctx.Done():
		}
	}
	return fmt.Errorf("store: waiting to write: %w", ctx.Err())
}

func (s *Store) transact(ctx context.Context, f func(*Tx) error) error {
	if _, err := s.conn.ExecContext(ctx, begin); err != nil {
		return explain(s.path, err)
	}
	done := false
	defer func() {
		if !done { // f or the commit failed, or f panicked
			_, _ = s.conn.ExecContext(ctx, "ROLLBACK")
			clear(s.cars)
		}
	}()
	tx := &Tx{Reader: Reader{ctx: ctx, on: s.write}, store: s}
	if err := cmp.Or(f(tx), tx.failed); err != nil {
		return err
	}
	if _, err := s.conn.ExecContext(ctx, "COMMIT"); err != nil {
		return explain(s.path, err)
	}
	done = true
	return nil
}
