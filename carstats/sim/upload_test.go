package sim_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/carstats/sim"
)

// A year is as long as a year of the real thing, whatever the seed, and its
// points sum up to what the car really did.
func TestYear(t *testing.T) {
	for seed := range uint64(2) {
		h := sim.History{Seed: seed, Days: 365}
		points, sessions := 0, 0
		var last int64
		var sum car.Point
		for p := range h.Points() {
			if p.At <= last {
				t.Fatalf("a point at %d after one at %d", p.At, last)
			}
			last = p.At
			points++
			sum.Distance, sum.Energy = sum.Distance+p.Distance, sum.Energy+p.Energy
		}
		last = 0
		for s := range h.ChargingSessions() {
			sessions++
			if s.ID != int64(sessions) || s.Start <= last || s.End <= s.Start || len(s.Curve) == 0 {
				t.Fatalf("session %d: %d from %d to %d", sessions, s.ID, s.Start, s.End)
			}
			last = s.Start
		}
		truth := h.Truth()
		near(t, "distance", sum.Distance, truth.Distance(), 0.1)
		near(t, "energy", sum.Energy, truth.Used(), 0.1)
		near(t, "kilometres", sum.Distance/1e3, 14200, 10)
		if requests := (points+249)/250 + sessions; requests != 819 || sessions != 250 {
			t.Errorf("seed %d: %d points and %d sessions, %d requests", seed, points, sessions, requests)
		}
		if len(truth.Trips) != 730 || len(truth.Charges) != 250 {
			t.Errorf("%d trips, %d charges", len(truth.Trips), len(truth.Charges))
		}
	}
}

var week = sim.History{Seed: 3, Days: 7}

func recorded(h sim.History) (points, sessions int) {
	for range h.Points() {
		points++
	}
	for range h.ChargingSessions() {
		sessions++
	}
	return points, sessions
}

// Each version frames the same week in its own way, and delivers all of it.
func TestUploadFraming(t *testing.T) {
	points, sessions := recorded(week)
	chunks := (points + 249) / 250
	tests := []struct {
		version  string
		requests int
		sent     int // points, repeated ones too
		largest  int
		curves   bool
	}{
		{"0.25.2", 1, points, points, false},
		{"0.26", chunks + sessions, points + chunks - 1, 251, false},
		{"0.27", chunks + sessions, points, 250, true},
		{"0.28", chunks + sessions, points, 250, true},
	}
	for _, tt := range tests {
		t.Run(tt.version, func(t *testing.T) {
			hook := &webhook{t: t}
			c := hook.car(sim.Options{Version: tt.version})
			if err := c.UploadDatabase(t.Context(), week); err != nil {
				t.Fatal(err)
			}
			sent, largest, delivered := 0, 0, 0
			seen := map[int64]bool{}
			for _, p := range hook.posts {
				sent, largest = sent+len(p.body.Points), max(largest, len(p.body.Points))
				for _, p := range p.body.Points {
					seen[p.At] = true
				}
				for _, s := range p.body.Sessions {
					delivered++
					if curve := len(s.Curve) > 1; curve != tt.curves || (s.Duration > 0) != tt.curves {
						t.Errorf("session of %d points and %d ms", len(s.Curve), s.Duration)
					}
				}
			}
			got := []int{len(hook.posts), sent, largest, len(seen), delivered}
			if diff := cmp.Diff([]int{tt.requests, tt.sent, tt.largest, points, sessions}, got); diff != "" {
				t.Errorf("requests, points, most, different, sessions (-want +got):\n%s", diff)
			}
		})
	}
	c := (&webhook{t: t}).car(sim.Options{Version: "0.25.1"})
	if err := c.UploadDatabase(t.Context(), week); err == nil {
		t.Error("0.25.1 uploaded something")
	}
}

// A refused chunk is tried ten times and ends the upload, at once in 0.26; a
// refused session is tried for ever.
func TestUploadRefused(t *testing.T) {
	tests := []struct {
		name, version string
		refuse        func(post) bool
		posts         int
		took          time.Duration
		end           time.Duration
	}{
		{"chunk", "0.28", hasPoints, 10, 45 * time.Second, time.Hour},
		{"slice", "0.26", hasPoints, 1, 0, time.Hour},
		{"all", "0.25.2", hasPoints, 1, 0, time.Hour},
		{"session", "0.28", hasSessions, 723, 3601 * time.Second, 3601 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), tt.end)
				defer cancel()
				hook := &webhook{t: t, answer: func(_ int, p post) (int, time.Duration) {
					if tt.refuse(p) {
						return http.StatusBadGateway, 0
					}
					return http.StatusOK, 0
				}}
				began := time.Now()
				err := hook.car(sim.Options{Version: tt.version}).UploadDatabase(ctx,
					sim.History{Days: 2, Kilometres: 20})
				if err == nil || time.Since(began) != tt.took {
					t.Errorf("error %v after %v, want one after %v", err, time.Since(began), tt.took)
				}
				if got := len(hook.posts); got != tt.posts {
					t.Errorf("%d requests, want %d", got, tt.posts)
				}
			})
		})
	}
}

// Live requests take turns with an upload; the webhook fails the test if two
// are ever in flight.
func TestUploadAndLifeTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hook := &webhook{t: t, answer: func(int, post) (int, time.Duration) {
			return http.StatusOK, 700 * time.Millisecond
		}}
		c := hook.car(sim.Options{Script: sim.Day{sim.Drive(20)}})
		done := make(chan error)
		go func() { done <- c.UploadDatabase(t.Context(), sim.History{Days: 30}) }()
		during(t, c, 30*time.Second)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		live := hook.with(func(p post) bool { return !hasSessions(p) && len(p.body.Points) < 10 })
		if live < 5 {
			t.Errorf("%d live requests during the upload", live)
		}
	})
}

// One huge body is the same as the one that is written in memory, and takes no
// memory itself.
func TestDatabaseIsStreamed(t *testing.T) {
	release, err := sim.ReleaseOf("0.28")
	if err != nil {
		t.Fatal(err)
	}
	state := sim.State{Timestamp: 1, Gear: "P", Ignition: "On"}
	var points []car.Point
	var sessions []sim.Session
	for p := range week.Points() {
		points = append(points, p)
	}
	for s := range week.ChargingSessions() {
		sessions = append(sessions, s)
	}
	got, err := io.ReadAll(release.Database(state, week))
	if err != nil {
		t.Fatal(err)
	}
	if want := release.Body(nil, state, points, sessions); string(want) != string(got) {
		t.Errorf("%d bytes streamed, %d in memory", len(got), len(want))
	}
	empty, _ := io.ReadAll(release.Database(state, sim.History{}))
	if want := release.LiveBody(nil, state); string(want) != string(empty) {
		t.Errorf("an empty database: %s", empty)
	}

	stream := release.Database(state, sim.History{Days: 120})
	defer stream.Close()
	before := heap()
	n, err := io.CopyN(io.Discard, stream, 8<<20)
	if grown := heap() - before; err != nil || grown > 2<<20 {
		t.Errorf("%d bytes read, %d bytes of memory, error %v", n, grown, err)
	}
}

func heap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// Up to 0.26 an upload goes through the live queue: what was refused is sent
// again with the next live request, and the app's switches count.
func TestOldUploadsGoThroughTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hook := &webhook{t: t, answer: func(n int, _ post) (int, time.Duration) {
			if n == 2 {
				return http.StatusInternalServerError, 0
			}
			return http.StatusOK, 0
		}}
		c := hook.car(sim.Options{Version: "0.26", NoLocation: true, Script: parked})
		if err := c.UploadDatabase(t.Context(), week); err == nil {
			t.Error("a failed slice was no error")
		}
		if queued := c.Snapshot().Queued; queued != 251 {
			t.Errorf("%d points queued", queued)
		}
		during(t, c, time.Second)
		last := hook.posts[len(hook.posts)-1].body
		if len(hook.posts) != 3 || len(last.Points) != 251 || last.Points[0].Lat != nil {
			t.Errorf("%d posts, the last with %d points", len(hook.posts), len(last.Points))
		}
	})
}

// A newer upload keeps positions whatever the switch says, but the live part
// of the body does not.
func TestNewUploadsIgnoreTheLocationSwitch(t *testing.T) {
	hook := &webhook{t: t}
	c := hook.car(sim.Options{NoLocation: true, Mode: sim.Ticks})
	if err := c.UploadDatabase(t.Context(), sim.History{Days: 2}); err != nil {
		t.Fatal(err)
	}
	first := hook.posts[0].body
	if first.Lat != nil || len(first.Points) != 250 || first.Points[0].Lat == nil {
		t.Errorf("position %v, %d points", first.Lat, len(first.Points))
	}
}

// In mode Ticks old uploads carry nothing.
func TestOldUploadsObeyTheMode(t *testing.T) {
	for _, version := range []string{"0.25.2", "0.26"} {
		hook := &webhook{t: t}
		c := hook.car(sim.Options{Version: version, Mode: sim.Ticks})
		if err := c.UploadDatabase(t.Context(), week); err != nil {
			t.Fatal(err)
		}
		if n := hook.with(hasPoints) + hook.with(hasSessions); n > 0 || len(hook.posts) == 0 {
			t.Errorf("%s: %d of %d requests have arrays", version, n, len(hook.posts))
		}
	}
}

// An upload ends with its context, also while it waits for its turn.
func TestUploadEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hook := &webhook{t: t, answer: func(int, post) (int, time.Duration) {
			return http.StatusOK, 4 * time.Second
		}}
		c := hook.car(sim.Options{Script: parked})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		done := make(chan error)
		time.AfterFunc(100*time.Millisecond, func() { done <- c.UploadDatabase(ctx, week) })
		live, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- c.Run(live) }()
		if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("upload: %v", err)
		}
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("run: %v", err)
		}
		if s := c.Snapshot(); s.Failed != 0 {
			t.Errorf("the end of a context counts as a failure: %+v", s)
		}
	})
}
