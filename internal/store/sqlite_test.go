package store_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/store"
)

func TestSQLite(t *testing.T) { suite(t, openEmpty) }

func openEmpty(t testing.TB) *store.Store {
	return openAt(t, filepath.Join(t.TempDir(), "wheelhouse.db"))
}

func openAt(t testing.TB, path string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "odd name?a=b&c#d%20.db")
	s := openAt(t, path)
	newCar(t, s, blue)
	putPoints(t, s, blue, manyPoints(base, 10)...)
	before := oneCar(t, s, blue)
	equal(t, "synchronous", 2, s.Synchronous())
	if info, err := os.Stat(path + "-wal"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the log's mode: %v, %v", info.Mode(), err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); err == nil {
		t.Error("Ping of a closed store is fine")
	}
	if _, err := os.Stat(path + "-wal"); !os.IsNotExist(err) {
		t.Errorf("the log is still there: %v", err)
	}
	s = openAt(t, path)
	equal(t, "car", before, oneCar(t, s, blue))
	c := putPoints(t, s, blue, manyPoints(base, 11)...)
	equal(t, "receipt", car.Receipt{New: 1, Known: 10}, c.Receipt)
}

// TestNothingWritten shows that a repetition writes no row at all.
func TestNothingWritten(t *testing.T) {
	s := openEmpty(t)
	points := manyPoints(base, 1000)
	everything := func(tx *store.Tx) error {
		for _, err := range []error{
			tx.MakeCar(blue, noon),
			second(tx.PutPoints(blue, noon, points)),
			second(tx.PutPoints(blue, noon, []car.Point{point(1)})),
			second(tx.PutChargePoints(blue, noon, []car.ChargePoint{{At: base}, {At: base, SoC: -1}})),
			second(tx.PutSessions(blue, noon, []car.Session{{Start: base, Energy: car.Missing()}})),
			tx.PutCharge(blue, base, []byte("{}")),
			tx.PutState(blue, []byte("{}")),
			tx.PutSeen(blue, []string{"battery"}),
		} {
			if err != nil {
				return err
			}
		}
		return nil
	}
	write(t, s, everything)
	before := s.Written()
	if before < 1000 {
		t.Fatalf("only %d rows written at first", before)
	}
	write(t, s, everything)
	equal(t, "rows written again", before, s.Written())
	points[500].Alt = 3
	write(t, s, everything)
	equal(t, "rows written for one change", before+1, s.Written())
}

func TestFileIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wheelhouse.db")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	openAt(t, path)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
}

func TestOpenErrors(t *testing.T) {
	tests := []struct {
		name string
		make func(t *testing.T, path string)
		want string
	}{
		{"no directory", func(t *testing.T, path string) {
			if err := os.Remove(filepath.Dir(path)); err != nil {
				t.Fatal(err)
			}
		}, "its directory must exist"},
		{"a directory", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, "is a directory"},
		{"no database", func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("not SQLite ", 500)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "restore a backup"},
		{"damaged", func(t *testing.T, path string) {
			closedStore(t, path)
			damage(t, path)
		}, "restore a backup"},
		{"newer", func(t *testing.T, path string) {
			closedStore(t, path)
			execute(t, path, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`)
		}, "its schema 99 is newer than this program's 2: install the newer program"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "wheelhouse.db")
			test.make(t, path)
			s, err := store.Open(t.Context(), path)
			if err == nil {
				_ = s.Close()
				t.Fatal("no error")
			}
			t.Log(err)
			if !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %q does not say %q and the path", err, test.want)
			}
		})
	}
}

func closedStore(t *testing.T, path string) {
	t.Helper()
	if err := openAt(t, path).Close(); err != nil {
		t.Fatal(err)
	}
}

// damage overwrites all pages after the first.
func damage(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 4096; i < len(data); i++ {
		data[i] = 0xa5
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func execute(t *testing.T, path, text string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(text); err != nil {
		t.Fatal(err)
	}
}

// TestMigrations goes down to nothing and up again: the schema is the same.
func TestMigrations(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wheelhouse.db")
	closedStore(t, path)
	before := schema(t, path)
	if len(before) < 9 {
		t.Fatalf("only %d tables: %v", len(before), before)
	}
	if err := store.MigrateDown(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	if rest := schema(t, path); len(rest) > 2 { // the version table and its sequence
		t.Errorf("left over: %v", rest)
	}
	closedStore(t, path)
	if diff := cmp.Diff(before, schema(t, path)); diff != "" {
		t.Error(diff)
	}
}

func schema(t *testing.T, path string) (tables []string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(`SELECT sql FROM sqlite_master WHERE type = 'table' ORDER BY name`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			t.Fatal(err)
		}
		tables = append(tables, table)
	}
	return tables
}
