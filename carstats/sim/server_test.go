package sim_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/carstats/sim"
)

func date(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

// webhook is a strict receiver. It is a transport itself, so that a car under
// fake time can post to it without a socket.
type webhook struct {
	t       *testing.T
	answer  func(n int, got post) (status int, after time.Duration) // nil: 200 at once
	mu      sync.Mutex
	flights int
	posts   []post
}

// post is a request that arrived.
type post struct {
	at   time.Time // by our clock
	raw  []byte
	body body
}

func (w *webhook) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	w.ServeHTTP(recorder, r)
	r.Body.Close()
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return recorder.Result(), nil
}

func (w *webhook) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	n, got := w.take(r)
	status, after := http.StatusOK, time.Duration(0)
	if w.answer != nil {
		status, after = w.answer(n, got)
	}
	if after > 0 {
		select {
		case <-time.After(after):
		case <-r.Context().Done():
		}
	}
	w.mu.Lock()
	w.flights--
	w.mu.Unlock()
	out.Header().Set("Location", "/elsewhere")
	out.WriteHeader(status)
	io.WriteString(out, http.StatusText(status))
}

func (w *webhook) take(r *http.Request) (int, post) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		w.t.Errorf("body: %v", err)
	}
	if r.Method != http.MethodPost || r.URL.Path != "/csv/car" || r.ContentLength != int64(len(raw)) {
		w.t.Errorf("%s %s with %d of %d bytes", r.Method, r.URL.Path, len(raw), r.ContentLength)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flights++
	if w.flights > 1 {
		w.t.Errorf("%d requests in flight", w.flights)
	}
	got := post{time.Now(), raw, parse(w.t, raw)}
	w.posts = append(w.posts, got)
	return len(w.posts), got
}

// car is a car that posts to the webhook, from a fixed time on.
func (w *webhook) car(o sim.Options) *sim.Car {
	w.t.Helper()
	o.URL = "https://house.example/csv/car"
	o.Client = &http.Client{Transport: w}
	if o.Start.IsZero() {
		o.Start = date("2025-06-01T07:00:00Z")
	}
	c, err := sim.New(o)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// during lets the car live for a time by the fake clock.
func during(t *testing.T, c *sim.Car, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := c.Run(ctx); err != context.DeadlineExceeded {
		t.Errorf("Run: %v", err)
	}
	synctest.Wait()
}

// with counts the posts that have a property.
func (w *webhook) with(has func(post) bool) (n int) {
	for _, p := range w.posts {
		if has(p) {
			n++
		}
	}
	return n
}

func hasPoints(p post) bool   { return len(p.body.Points) > 0 }
func hasSessions(p post) bool { return len(p.body.Sessions) > 0 }

// The headers are those of the app, over a real socket.
func TestHeaders(t *testing.T) {
	tests := []struct {
		name, version, user, password, agent, auth string
	}{
		{"newest", "", "gast", "pässword", "CarStatsViewer 0.28.1.0019", "Basic Z2FzdDpww6Rzc3dvcmQ="},
		{"no credentials", "0.26", "", "", "CarStatsViewer 0.26.2.0002", ""},
		{"before it had a name", "0.25.1", "a", "", "Dalvik/2.1.0 (Linux; U; Android 12)", "Basic YTo="},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			hook := &webhook{t: t}
			var header http.Header
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				header = r.Header.Clone()
				if r.ProtoMajor != 1 || len(r.TransferEncoding) > 0 {
					t.Errorf("%s, transfer encoding %v", r.Proto, r.TransferEncoding)
				}
				hook.ServeHTTP(w, r)
			}))
			defer server.Close()
			c, err := sim.New(sim.Options{URL: server.URL + "/csv/car", User: tt.user,
				Password: tt.password, Version: tt.version, Log: func(sim.Event) { cancel() }})
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Run(ctx); err != context.Canceled {
				t.Errorf("Run: %v", err)
			}
			for key, want := range map[string]string{
				"Content-Type": "application/json;charset=UTF-8", "Accept": "application/json",
				"User-Agent": tt.agent, "Authorization": tt.auth, "Accept-Encoding": "gzip",
			} {
				if got := header.Get(key); got != want {
					t.Errorf("%s: %q, want %q", key, got, want)
				}
			}
			if !bytes.HasPrefix(hook.posts[0].raw, []byte("{")) || c.Snapshot().OK != 1 {
				t.Errorf("posts %d, snapshot %+v", len(hook.posts), c.Snapshot())
			}
		})
	}
}
