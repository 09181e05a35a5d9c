package sim_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
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
			if n <= 7 || n == 11 {
				return http.StatusOK, time.Hour
			}
			return http.StatusOK, 0
		}}
		var waited []time.Duration
		var errs []error
		c := hook.car(sim.Options{Script: sim.Day{sim.Park(time.Minute)}, Log: func(e sim.Event) {
			waited, errs = append(waited, e.Took.Truncate(time.Second)), append(errs, e.Err)
		}})
		during(t, c, 20*time.Minute)
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
		if len(hook.posts) < 40 {
			t.Fatalf("%d posts", len(hook.posts))
		}
		var pauses []time.Duration // after the last time-out
		for i := range hook.posts[12:40] {
			pauses = append(pauses, hook.posts[i+12].at.Sub(hook.posts[i+11].at)/time.Second)
		}
		for i, want := range map[int]time.Duration{0: 30, 3: 30, 4: 25, 8: 25, 9: 20, 14: 15, 19: 10,
			24: 5, 27: 5} {
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
		i := slices.IndexFunc(hook.posts, behind)
		if i < 0 {
			t.Fatal("nothing was late")
		}
		stale := hook.posts[i]
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
		{"both", sim.Options{}, func(n int) bool { return n > 50 },
			func(n int) bool { return n > 30 }, 1},
		{"ticks", sim.Options{Mode: sim.Ticks}, func(n int) bool { return n > 80 },
			func(n int) bool { return n == 0 }, 0},
		{"points", sim.Options{Mode: sim.Points}, func(n int) bool { return n == 1 },
			func(n int) bool { return n > 30 }, 1},
		{"before the arrays", sim.Options{Version: "0.25.1"},
			func(n int) bool { return n == 181 }, func(n int) bool { return n == 0 }, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tt.options.Script = day
				hook := &webhook{t: t}
				during(t, hook.car(tt.options), 901*time.Second)
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
	night := sim.ChargeAC(1, time.Hour)
	night.Asleep = true
	tests := []struct {
		name   string
		what   sim.Activity
		silent time.Duration
	}{
		{"parked", sim.Park(time.Hour), 55 * time.Minute},
		{"charging", night, 50 * time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hook := &webhook{t: t}
				c := hook.car(sim.Options{Script: sim.Day{tt.what, sim.Drive(1)}})
				var asleep sim.Snapshot
				time.AfterFunc(30*time.Minute, func() { asleep = c.Snapshot() })
				during(t, c, 62*time.Minute)
				var longest time.Duration
				for i := range hook.posts[1:] {
					longest = max(longest, hook.posts[i+1].at.Sub(hook.posts[i].at))
				}
				if longest < tt.silent-5*time.Second || longest > tt.silent+6*time.Second {
					t.Errorf("silent for %v, want %v", longest, tt.silent)
				}
				if asleep.Doing != "asleep" {
					t.Errorf("half an hour later: %+v", asleep)
				}
			})
		})
	}
}

// Android's client now and then sends a request twice.
func TestDuplicates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hook := &webhook{t: t}
		during(t, hook.car(sim.Options{Script: parked, Duplicates: 1}), 61*time.Second)
		for i := 0; i+1 < len(hook.posts); i += 2 {
			if string(hook.posts[i].raw) != string(hook.posts[i+1].raw) {
				t.Fatalf("posts %d and %d differ", i, i+1)
			}
		}
		if len(hook.posts) != 26 {
			t.Errorf("%d posts, want 26", len(hook.posts))
		}
	})
}

// A fast car lives faster, but never further ahead of us than a receiver
// believes.
func TestSpeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hook := &webhook{t: t}
		c := hook.car(sim.Options{Start: time.Now(), Speed: 60, Script: parked})
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
	c, err := sim.New(sim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Run(t.Context()); err == nil || errors.Is(err, t.Context().Err()) {
		t.Errorf("without a url: %v", err)
	}
}

func TestParseMode(t *testing.T) {
	for s, want := range map[string]sim.Mode{"": sim.Both, "2": sim.Both, "both": sim.Both,
		"0": sim.Ticks, "ticks": sim.Ticks, "1": sim.Points, "points": sim.Points} {
		if got, err := sim.ParseMode(s); got != want || err != nil {
			t.Errorf("%q is %v, error %v", s, got, err)
		}
	}
	if _, err := sim.ParseMode("all"); err == nil {
		t.Error("all is a mode")
	}
}

// The fork takes a redirect for success, and loses what it sent.
func TestForkTakesRedirectsForSuccess(t *testing.T) {
	for fork, want := range map[string]bool{"": false, sim.Boessi: true} {
		ok := false
		ctx, cancel := context.WithCancel(t.Context())
		server := httptest.NewServer(http.RedirectHandler("/csv/car/", http.StatusSeeOther))
		c, err := sim.New(sim.Options{URL: server.URL, Fork: fork, Log: func(e sim.Event) {
			ok = e.OK && e.Status == http.StatusSeeOther
			cancel()
		}})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
		server.Close()
		if ok != want {
			t.Errorf("fork %q: delivered %v", fork, ok)
		}
	}
}

// What the server says, and that there is none, is told without the address:
// it may hold a token.
func TestEventsKeepSecrets(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	server := httptest.NewServer(http.NotFoundHandler())
	address := server.URL + "/csv/token?key=secret"
	server.Close()
	var event sim.Event
	c, err := sim.New(sim.Options{URL: address, User: "u", Password: "secret", Log: func(e sim.Event) {
		event = e
		cancel()
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v", err)
	}
	text := fmt.Sprintf("%+v", event)
	if event.Err == nil || strings.Contains(text, "secret") || strings.Contains(text, "token") {
		t.Errorf("event %s", text)
	}
}

// People who watch see the car go through its day.
func TestSnapshots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hook := &webhook{t: t}
		var c *sim.Car
		seen := map[string]sim.Snapshot{}
		c = hook.car(sim.Options{
			Script: sim.Day{sim.Drive(4), sim.Park(10 * time.Minute), sim.ChargeDC(0.8)},
			Log: func(sim.Event) {
				s := c.Snapshot()
				seen[s.Doing] = s
			},
		})
		during(t, c, time.Hour)
		driving, charging, parked := seen["driving"], seen["charging"], seen["parked"]
		if driving.SoC < 60 || driving.At.IsZero() || driving.OK == 0 {
			t.Errorf("driving: %+v", driving)
		}
		if charging.Power > -30 || charging.Speed != 0 {
			t.Errorf("charging: %+v", charging)
		}
		if parked.Power <= 0 || parked.Failed != 0 || parked.Last.Status != http.StatusOK {
			t.Errorf("parked: %+v", parked)
		}
	})
}
