package sim_test

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-mqtt/wheelhouse/carstats/sim"
)

// parked is a car that only ticks.
var parked = sim.Day{sim.Park(5 * time.Minute)}

// The period of the ticks is 5 s and the latency.
func TestTicks(t *testing.T) {
	for name, tt := range map[string]struct {
		latency time.Duration
		want    int
	}{"at once": {0, 13}, "a second late": {time.Second, 11}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hook := &webhook{t: t, answer: func(int, post) (int, time.Duration) {
					return http.StatusOK, tt.latency
				}}
				during(t, hook.car(sim.Options{Script: parked}), time.Minute+time.Millisecond)
				if got := len(hook.posts); got != tt.want {
					t.Errorf("%d ticks in a minute, want %d", got, tt.want)
				}
				first, last := hook.posts[0], hook.posts[len(hook.posts)-1]
				if got := last.body.Time - first.body.Time; got != last.at.Sub(first.at).Milliseconds() {
					t.Errorf("the car's clock advanced by %d ms, ours by %v", got, last.at.Sub(first.at))
				}
			})
		})
	}
}

// Only 200 is success: everything else is sent again with the next request.
func TestQueueIsKeptUntilOK(t *testing.T) {
	for _, status := range []int{201, 204, 302, 307, 401, 413, 500} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hook := &webhook{t: t, answer: func(n int, _ post) (int, time.Duration) {
					if n <= 30 {
						return status, 0
					}
					return http.StatusOK, 0
				}}
				c := hook.car(sim.Options{Script: sim.Day{sim.Drive(3)}})
				during(t, c, 4*time.Minute+time.Second)
				queued := 0
				for i, p := range hook.posts[:31] {
					if len(p.body.Points) < queued {
						t.Fatalf("post %d carries %d points, %d were queued", i, len(p.body.Points), queued)
					}
					queued = len(p.body.Points)
				}
				if queued < 5 || len(hook.posts[31].body.Points) > 1 {
					t.Errorf("%d points queued, then %d", queued, len(hook.posts[31].body.Points))
				}
				if s := c.Snapshot(); s.Failed != 30 || s.OK != len(hook.posts)-30 || s.Queued != 0 {
					t.Errorf("snapshot %+v", s)
				}
			})
		})
	}
}

// Each time-out makes the app wait longer, five successes less long again.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hook := &webhook{t: t, answer: func(n int, _ post) (int, time.Duration) {
			if n <= 7 {
				return http.StatusOK, time.Hour
			}
			return http.StatusOK, 0
		}}
		var waited []time.Duration
		var errs []error
		c := hook.car(sim.Options{Script: sim.Day{sim.Park(time.Minute)}, Log: func(e sim.Event) {
			waited, errs = append(waited, e.Took.Truncate(time.Second)), append(errs, e.Err)
		}})
		during(t, c, 15*time.Minute)
		var want []time.Duration
		for _, s := range []time.Duration{5, 10, 15, 20, 25, 30, 30, 0} {
			want = append(want, s*time.Second)
		}
		if diff := cmp.Diff(want, waited[:8]); diff != "" {
			t.Errorf("waited for the answers (-want +got):\n%s", diff)
		}
		if errs[0] == nil || errs[7] != nil {
			t.Errorf("errors %v", errs)
		}
		var pauses []time.Duration
		for i := range hook.posts[9:38] {
			pauses = append(pauses, hook.posts[i+9].at.Sub(hook.posts[i+8].at)/time.Second)
		}
		for i, want := range map[int]time.Duration{0: 30, 2: 30, 3: 25, 7: 25, 8: 20, 13: 15, 18: 10, 23: 5, 28: 5} {
			if pauses[i] != want {
				t.Errorf("pause %d is %d s, want %d: %v", i, pauses[i], want, pauses)
			}
		}
	})
}

// What waits behind a time-out is sent with the car as it was, under a
// timestamp of now.
func TestStaleSnapshots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hook := &webhook{t: t, answer: func(n int, _ post) (int, time.Duration) {
			if n >= 60 && n < 66 {
				return http.StatusOK, time.Hour
			}
			return http.StatusOK, 0
		}}
		during(t, hook.car(sim.Options{Script: sim.Day{sim.Drive(20)}}), 10*time.Minute)
		behind := func(p post) bool {
			return hasPoints(p) && p.body.Time-p.body.Points[len(p.body.Points)-1].At > 15_000
		}
		stale := hook.posts[slices.IndexFunc(hook.posts, behind)]
		last := stale.body.Points[len(stale.body.Points)-1]
		if *stale.body.Lat != *last.Lat || *stale.body.SoC != last.SoC {
			t.Errorf("a snapshot that waited %d ms is not the point's", stale.body.Time-last.At)
		}
	})
}

func TestModes(t *testing.T) {
	ticks := func(p post) bool { return !hasPoints(p) && !hasSessions(p) }
	day := sim.Day{sim.Drive(3), sim.Park(time.Minute), sim.ChargeDC(0.74)}
	tests := []struct {
		name     string
		options  sim.Options
		ticks    func(n int) bool
		points   func(n int) bool
		sessions int
	}{
		{"both", sim.Options{}, func(n int) bool { return n > 50 }, func(n int) bool { return n > 30 }, 1},
		{"ticks", sim.Options{Mode: sim.Ticks}, func(n int) bool { return n > 80 },
			func(n int) bool { return n == 0 }, 0},
		{"points", sim.Options{Mode: sim.Points}, func(n int) bool { return n == 1 },
			func(n int) bool { return n > 30 }, 1},
		{"before the arrays", sim.Options{Version: "0.25.1"}, func(n int) bool { return n == 180 },
			func(n int) bool { return n == 0 }, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tt.options.Script = day
				hook := &webhook{t: t}
				during(t, hook.car(tt.options), 15*time.Minute)
				if n := hook.with(ticks); !tt.ticks(n) {
					t.Errorf("%d requests without arrays", n)
				}
				if n := hook.with(hasPoints); !tt.points(n) {
					t.Errorf("%d requests with points", n)
				}
				if n := hook.with(hasSessions); n < tt.sessions || tt.sessions == 0 && n > 0 {
					t.Errorf("%d requests with sessions, want %d", n, tt.sessions)
				}
			})
		})
	}
}

// In mode Points the app ticks again while its last request has failed.
func TestPointsModeTicksAfterFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hook := &webhook{t: t, answer: func(n int, got post) (int, time.Duration) {
			if n > 5 && n < 12 {
				return http.StatusBadGateway, 0
			}
			return http.StatusOK, 0
		}}
		during(t, hook.car(sim.Options{Mode: sim.Points, Script: sim.Day{sim.Drive(2)}}), 3*time.Minute)
		held := hook.with(func(p post) bool { return len(p.body.Points) > 1 })
		for _, p := range hook.posts[13:] {
			if !hasPoints(p) {
				t.Errorf("a tick after everything was delivered")
			}
		}
		if held < 3 {
			t.Errorf("%d requests with a backlog", held)
		}
	})
}

// A head unit that sleeps sends nothing, and ticks as soon as it wakes up.
func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hook := &webhook{t: t}
		c := hook.car(sim.Options{Script: sim.Day{sim.Park(time.Hour), sim.Drive(1)}})
		var asleep sim.Snapshot
		time.AfterFunc(30*time.Minute, func() { asleep = c.Snapshot() })
		during(t, c, 61*time.Minute)
		var longest time.Duration
		for i := range hook.posts[1:] {
			longest = max(longest, hook.posts[i+1].at.Sub(hook.posts[i].at))
		}
		if longest < 54*time.Minute || longest > 55*time.Minute+6*time.Second {
			t.Errorf("silent for %v", longest)
		}
		if asleep.Doing != "asleep" {
			t.Errorf("half an hour later: %+v", asleep)
		}
	})
}

// Android's client now and then sends a request twice.
func TestDuplicates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hook := &webhook{t: t}
		during(t, hook.car(sim.Options{Script: parked, Duplicates: 1}), time.Minute)
		for i := 0; i+1 < len(hook.posts); i += 2 {
			if string(hook.posts[i].raw) != string(hook.posts[i+1].raw) {
				t.Fatalf("posts %d and %d differ", i, i+1)
			}
		}
		if len(hook.posts) != 24 {
			t.Errorf("%d posts, want 24", len(hook.posts))
		}
	})
}

// A fast car lives faster, but never further ahead of us than a receiver
// believes.
func TestSpeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hook := &webhook{t: t}
		c := hook.car(sim.Options{Start: time.Now(), Speed: 60, Script: sim.Day{sim.Park(2 * time.Minute)}})
		during(t, c, time.Minute)
		if n := len(hook.posts); n < 715 || n > 722 {
			t.Errorf("%d ticks in an hour of the car's", n)
		}
		during(t, c, time.Hour)
		last := hook.posts[len(hook.posts)-1]
		if ahead := last.body.Time - last.at.UnixMilli(); ahead < 22*3600e3 || ahead > 23*3600e3 {
			t.Errorf("%d ms ahead of our clock", ahead)
		}
	})
}

func TestOptionsThatCannotWork(t *testing.T) {
	for name, o := range map[string]sim.Options{
		"version":       {Version: "1.0"},
		"no address":    {URL: "house.example/csv"},
		"other scheme":  {URL: "mqtt://house.example"},
		"powerless old": {Version: "0.28.0", NoPower: true},
		"fork":          {Fork: "someone"},
		"speed":         {Speed: -1},
		"full":          {SoC: 1.1},
		"drive":         {Script: sim.Day{sim.Drive(0)}},
		"park":          {Script: sim.Day{sim.Park(0)}},
		"charge":        {Script: sim.Day{sim.ChargeDC(1.1)}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := sim.New(o); err == nil {
				t.Error("accepted")
			}
		})
	}
	if _, err := sim.ParseMode("all"); err == nil {
		t.Error("mode accepted")
	}
	c, err := sim.New(sim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Run(t.Context()); err == nil || errors.Is(err, t.Context().Err()) {
		t.Errorf("without a url: %v", err)
	}
}
