package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// This file alone knows which database it is.

const (
	driverName = "sqlite"
	dialect    = goose.DialectSQLite3

	// begin takes the write lock at once, so that no transaction fails in its
	// middle because another process writes too.
	begin = "BEGIN IMMEDIATE"

	maxReaders = 2
)

//go:embed migrations/*.sql
var migrations embed.FS

// openWriter opens path for writing, on one connection: SQLite has one writer.
// The log is flushed to the disk at every commit (synchronous FULL), because
// what is acknowledged must survive a power cut.
func openWriter(ctx context.Context, path string) (*sql.DB, error) {
	if err := makePrivate(path); err != nil {
		return nil, fmt.Errorf("store: %w: its directory must exist, and this user must be "+
			"allowed to write both", err)
	}
	db, err := openFile(path, "journal_mode(WAL)", "synchronous(FULL)", "cache_size(-2048)",
		"journal_size_limit(16777216)")
	if err != nil {
		return nil, explain(path, err)
	}
	db.SetMaxOpenConns(1)
	if err := db.PingContext(ctx); err != nil {
		_ = db.Close()
		return nil, explain(path, err)
	}
	return db, nil
}

// openReaders opens path for reading while others write.
func openReaders(path string) (*sql.DB, error) {
	db, err := openFile(path, "query_only(1)", "cache_size(-1024)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(maxReaders)
	db.SetMaxIdleConns(maxReaders)
	return db, nil
}

func openFile(path string, pragmas ...string) (*sql.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	query := url.Values{"_pragma": append([]string{"busy_timeout(5000)"}, pragmas...)}
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}
	return sql.Open(driverName, dsn.String())
}

// makePrivate makes the file if there is none, for its owner only. SQLite gives
// its log the same mode.
func makePrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return err
	}
	return f.Chmod(0o600)
}

// migrateUp brings the schema up to date, and refuses one that is newer than
// this program.
func migrateUp(ctx context.Context, db *sql.DB) error {
	_, err := db.ExecContext(ctx, `SELECT COUNT(*) FROM `+goose.DefaultTablename)
	if damaged(err) { // goose would take the table for missing
		return err
	}
	provider, err := newProvider(db)
	if err != nil {
		return err
	}
	have, know, err := provider.GetVersions(ctx)
	if err != nil {
		return err
	}
	if have > know {
		return fmt.Errorf("its schema %d is newer than this program's %d: install the newer "+
			"program again, or move the file away to start with an empty one", have, know)
	}
	_, err = provider.Up(ctx)
	return err
}

func newProvider(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(dialect, db, files, goose.WithDisableGlobalRegistry(true))
}

// explain adds to an error which file is meant, and what the user can do.
func explain(path string, err error) error {
	if err == nil {
		return nil
	}
	advice := ""
	switch code(err) {
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
		advice = ": the file is damaged or no database: stop the program, move the file and its " +
			"-wal and -shm away, then restore a backup or start with an empty one"
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		advice = ": let this user write the file and its directory"
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		advice = ": another program holds the file: end it"
	case sqlite3.SQLITE_FULL:
		advice = ": the disk is full: make room"
	case sqlite3.SQLITE_IOERR:
		advice = ": the disk fails: check it and its free space"
	}
	return fmt.Errorf("store %s: %w%s", path, err, advice)
}

// code is SQLite's primary result code of an error, 0 if it is not SQLite's.
func code(err error) int {
	var failure *sqlite.Error
	if !errors.As(err, &failure) {
		return 0
	}
	return failure.Code() & 0xff // without the extended part
}

func damaged(err error) bool {
	return code(err) == sqlite3.SQLITE_CORRUPT || code(err) == sqlite3.SQLITE_NOTADB
}
