package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/carstats/sim"
)

// released builds the program as it is released.
func released(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "wheelhouse")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return path
}

// BenchmarkBigBody: the most memory the program ever holds while one body of
// about 65 MB comes in.
func BenchmarkBigBody(b *testing.B) {
	binary := released(b)
	for b.Loop() {
		history := sim.History{Days: 1010, Start: longAgo}
		if testing.Short() {
			history.Days = 200
		}
		house := serve(b, binary, b.TempDir())
		figure(b, house.memory(b, "VmHWM"), "MB-before")
		start := time.Now()
		size, points := postDatabase(b, house.webhook, history)
		figure(b, float64(size)/1e6, "MB-body")
		figure(b, time.Since(start).Seconds(), "s")
		figure(b, house.memory(b, "VmHWM"), "MB-peak")
		if n := house.points(b, "volvo"); n != points {
			b.Errorf("%d points are stored of %d", n, points)
		}
	}
}

// longAgo is when histories begin that must not end in our future.
var longAgo = time.Date(2020, 1, 2, 0, 0, 0, 0, time.UTC)

// BenchmarkMillion: what memory the program holds after each quarter of a
// million points, and the most it ever held.
func BenchmarkMillion(b *testing.B) {
	binary := released(b)
	for b.Loop() {
		days := 428 // a quarter of a million points each
		if testing.Short() {
			days = 43
		}
		house := serve(b, binary, b.TempDir())
		points := 0
		for quarter := range 4 {
			h := sim.History{
				Days: days, Kilometres: 58.35, Seed: uint64(quarter), Start: longAgo.AddDate(0, 0, quarter*days),
			}
			for range h.Points() {
				points++
			}
			if err := upload(house.webhook, "volvo", sim.Newest, h); err != nil {
				b.Fatal(err)
			}
			figure(b, house.memory(b, "VmRSS"), fmt.Sprintf("MB-after-%d/4", quarter+1))
		}
		figure(b, house.memory(b, "VmHWM"), "MB-peak")
		if n := house.points(b, "volvo"); n != points {
			b.Errorf("%d points are stored of %d", n, points)
		}
	}
}

// BenchmarkIdle: what memory the program holds with ten cars, each with a month
// behind it, and a subscriber, some time after the last post.
func BenchmarkIdle(b *testing.B) {
	binary := released(b)
	for b.Loop() {
		house := serve(b, binary, b.TempDir())
		s := subscribe(b, house.broker, "#")
		for c := range 10 {
			h := sim.History{Days: 30, Seed: uint64(c)}
			if err := upload(house.webhook, fmt.Sprint("car", c), sim.Newest, h); err != nil {
				b.Fatal(err)
			}
		}
		s.quiet(b)
		figure(b, house.memory(b, "VmRSS"), "MB-at-once")
		<-time.After(long(15 * time.Second)) // what a burst left is given back every 10 s
		figure(b, house.memory(b, "VmRSS"), "MB-idle")
		figure(b, house.memory(b, "VmHWM"), "MB-peak")
	}
}

// BenchmarkStart: from the start of the process to serving, with nothing and with
// a year's database.
func BenchmarkStart(b *testing.B) {
	binary := released(b)
	for b.Loop() {
		empty, full := b.TempDir(), b.TempDir()
		house := serve(b, binary, full)
		if err := upload(house.webhook, "volvo", sim.Newest, sim.History{Days: 365}); err != nil {
			b.Fatal(err)
		}
		house.kill()
		figure(b, medianStart(b, binary, func() string { return b.TempDir() }), "ms-first")
		figure(b, medianStart(b, binary, func() string { return empty }), "ms-empty")
		figure(b, medianStart(b, binary, func() string { return full }), "ms-year")
	}
}

func medianStart(b *testing.B, binary string, state func() string) float64 {
	var took []time.Duration
	for range 7 {
		house := serve(b, binary, state())
		took = append(took, house.began)
		house.stop(b)
	}
	slices.Sort(took)
	return float64(took[len(took)/2]) / 1e6
}

// postDatabase sends a whole history in one body, as app 0.25.2 does, and
// returns how long that was and how many points were in it.
func postDatabase(b *testing.B, webhook string, h sim.History) (size int64, points int) {
	b.Helper()
	release, err := sim.ReleaseOf("0.25.2")
	if err != nil {
		b.Fatal(err)
	}
	for range h.Points() {
		points++
	}
	_, state := tickState(0, time.Now().UnixMilli())
	size, err = io.Copy(io.Discard, release.Database(state, h))
	if err != nil {
		b.Fatal(err)
	}
	l, err := connect(webhook)
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	_, err = l.Write(head(car.ID("volvo"), int(size)))
	body := release.Database(state, h)
	if err == nil {
		_, err = io.Copy(l.Conn, body)
	}
	if err := errors.Join(err, body.Close()); err != nil {
		b.Fatal(err)
	}
	if err := l.answer(); err != nil {
		b.Fatal(err)
	}
	return size, points
}
