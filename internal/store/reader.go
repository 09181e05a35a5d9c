package store

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"sync"
)

// Reader reads records: those committed, or inside a [Tx] also its own. It
// reads in pages and holds nothing open in between, so a loop may take its
// time, end early, or write; what others write meanwhile may or may not show.
type Reader struct {
	ctx context.Context
	on  *statements
}

// Read returns a Reader of what is committed. ctx ends its reads.
func (s *Store) Read(ctx context.Context) Reader { return Reader{ctx: ctx, on: s.read} }

// statements are the prepared statements of one connection or pool, prepared at
// their first use.
type statements struct {
	path    string
	prepare func(context.Context, string) (*sql.Stmt, error)
	mu      sync.Mutex // guards ready
	ready   map[string]*sql.Stmt
}

func newStatements(
	path string, prepare func(context.Context, string) (*sql.Stmt, error),
) *statements {
	return &statements{path: path, prepare: prepare, ready: map[string]*sql.Stmt{}}
}

func (s *statements) get(ctx context.Context, query string) (*sql.Stmt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stmt, ok := s.ready[query]; ok {
		return stmt, nil
	}
	stmt, err := s.prepare(ctx, query)
	if err == nil {
		s.ready[query] = stmt
	}
	return stmt, err
}

// close finalizes the statements: those of a single connection are nobody
// else's, and SQLite keeps a database open for them.
func (s *statements) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, stmt := range s.ready {
		errs = append(errs, stmt.Close())
	}
	clear(s.ready)
	return errors.Join(errs...)
}

// scan reads the columns of one row, as sql.Rows.Scan does.
type scan = func(columns ...any) error

// query returns all rows of a query.
func query[T any](r Reader, read func(scan) (T, error), text string, args ...any) ([]T, error) {
	stmt, err := r.on.get(r.ctx, text)
	if err != nil {
		return nil, explain(r.on.path, err)
	}
	rows, err := stmt.QueryContext(r.ctx, args...)
	if err != nil {
		return nil, explain(r.on.path, err)
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		row, err := read(rows.Scan)
		if err != nil {
			return nil, explain(r.on.path, err)
		}
		all = append(all, row)
	}
	return all, explain(r.on.path, rows.Err())
}

// queryOne returns the first row of a query, and whether there was one.
func queryOne[T any](
	r Reader, read func(scan) (T, error), text string, args ...any,
) (row T, ok bool, err error) {
	all, err := query(r, read, text, args...)
	if err != nil || len(all) == 0 {
		return row, false, err
	}
	return all[0], true, nil
}

// value reads a row of one column.
func value[T any](columns scan) (x T, err error) { return x, columns(&x) }

// The rows of a page: few at first, because most loops end early.
const (
	firstPage = 64
	lastPage  = 1024
)

// pages yields the rows of all pages. next reads the page of at most limit rows
// that comes after last, or the first one if last is nil.
func pages[T any](next func(last *T, limit int) ([]T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var last *T
		for limit := firstPage; ; limit = min(2*limit, lastPage) {
			page, err := next(last, limit)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, row := range page {
				if !yield(row, nil) {
					return
				}
			}
			if len(page) < limit {
				return
			}
			last = &page[len(page)-1]
		}
	}
}
