package main

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-mqtt/wheelhouse/carstats/sim"
)

// BenchmarkYear uploads a year of driving and charging twice, each request after
// the answer to the one before, as the app does.
func BenchmarkYear(b *testing.B) {
	for b.Loop() {
		house := serve(b, "wheelhouse", b.TempDir())
		year := sim.History{Days: 365}
		if testing.Short() {
			year.Days = 60
		}
		points := 0
		for range year.Points() {
			points++
		}
		start := time.Now()
		if err := upload(house.webhook, "volvo", sim.Newest, year); err != nil {
			b.Fatal(err)
		}
		figure(b, time.Since(start).Seconds(), "s/year")
		figure(b, float64(points)/time.Since(start).Seconds(), "points/s")
		if n := house.points(b, "volvo"); n != points {
			b.Fatalf("%d points are stored of %d", n, points)
		}
		before := watchWrites(b, house)
		topics := retainedNow(b, house.broker)
		start = time.Now()
		if err := upload(house.webhook, "volvo", sim.Newest, year); err != nil {
			b.Fatal(err)
		}
		figure(b, time.Since(start).Seconds(), "s/second-time")
		before.check(b)
		if diff := cmp.Diff(topics, retainedNow(b, house.broker)); diff != "" {
			b.Errorf("an upload of what is known changes topics (-before +after):\n%s", diff)
		}
		figure(b, reference(b, year), "s/bare")
	}
}

// reference is how long a handler takes that only reads the bodies.
func reference(b *testing.B, h sim.History) float64 {
	plain := bare(b)
	start := time.Now()
	if err := upload(plain.webhook, "volvo", sim.Newest, h); err != nil {
		b.Fatal(err)
	}
	return time.Since(start).Seconds()
}

// writes watches a program's database through triggers that count every row
// which is written into the tables of records, also with the same content.
type writes struct{ db *sql.DB }

func watchWrites(b *testing.B, house *subject) writes {
	b.Helper()
	db, err := sql.Open("sqlite", filepath.Join(house.state, "wheelhouse.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	statements := []string{"CREATE TABLE written (what TEXT)"}
	for _, table := range []string{"points", "charge_points", "sessions", "charges"} {
		for _, act := range []string{"INSERT", "UPDATE", "DELETE"} {
			statements = append(statements, strings.NewReplacer("TABLE", table, "ACT", act).Replace(
				"CREATE TRIGGER TABLE_ACT AFTER ACT ON TABLE BEGIN INSERT INTO written VALUES ('ACT TABLE'); END"))
		}
	}
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			b.Fatal(err)
		}
	}
	return writes{db}
}

func (w writes) check(b *testing.B) {
	b.Helper()
	rows, err := w.db.Query("SELECT what, COUNT(*) FROM written GROUP BY what")
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var what string
		var n int
		if err := rows.Scan(&what, &n); err != nil {
			b.Fatal(err)
		}
		b.Errorf("an upload of what is known writes rows: %s, %d times", what, n)
	}
}
