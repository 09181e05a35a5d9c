package bridge

import (
	"cmp"
	"fmt"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// modeMemory is for how long a kind of request tells which telemetry type is
// set in the app.
const modeMemory = 7 * 24 * time.Hour

// facts are what the diagnostics say of a car's requests.
type facts struct {
	Requests   int64  `json:"requests"`
	Points     int64  `json:"points"`
	Sessions   int64  `json:"sessions"`
	New        int64  `json:"new"`
	Changed    int64  `json:"changed"`
	Duplicates int64  `json:"duplicates"`
	Skipped    int64  `json:"skipped"`
	Apart      int64  `json:"apart"`
	Stale      int64  `json:"stale"`
	Bytes      int64  `json:"bytes"` // of the last body
	App        string `json:"app"`
	API        string `json:"api"`
	Source     string `json:"source"`
	Tick       int64  `json:"tick"`  // last request without records, epoch ms
	Point      int64  `json:"point"` // last request with a few points
	ClockWrong bool   `json:"clock_wrong"`
	Legacy     bool   `json:"legacy"`
	Unknown    bool   `json:"unknown"`
	Error      string `json:"error"`
	ErrorAt    int64  `json:"error_at"`
}

// count adds what became of a batch.
func (f *facts) count(r car.Receipt) {
	f.New += int64(r.New)
	f.Changed += int64(r.Changed)
	f.Duplicates += int64(r.Known)
	f.Apart += int64(r.Apart)
}

// request notes an accepted request.
func (f *facts) request(b car.Batch) {
	q := b.Request
	f.Requests++
	f.Points += int64(q.Points)
	f.Sessions += int64(q.Sessions)
	f.Skipped += int64(q.Skipped)
	f.Bytes, f.Source = q.Bytes, q.Source
	if q.Skipped > 0 {
		f.error(q.SkippedWhy, b.Received)
	}
	f.Legacy, f.Unknown = q.LegacyAPI, q.UnknownAPI
	f.API, f.App = cmp.Or(q.APIVersion, f.API), cmp.Or(q.AppVersion, f.App)
	if !q.HasReport {
		return
	}
	f.ClockWrong = q.ClockWrong
	if q.Stale {
		f.Stale++
	}
	switch {
	case q.Points > 0 && q.Points < 10:
		f.Point = b.Received.UnixMilli()
	case q.Points == 0 && q.Sessions == 0:
		f.Tick = b.Received.UnixMilli()
	}
}

// error notes the last thing that was wrong with a request.
func (f *facts) error(why string, now time.Time) { f.Error, f.ErrorAt = why, now.UnixMilli() }

// mode is the app's telemetry type as far as the requests show it.
func (f *facts) mode(now time.Time) string {
	seen := func(ms int64) bool { return ms != 0 && now.Sub(time.UnixMilli(ms)) < modeMemory }
	switch ticks, points := seen(f.Tick), seen(f.Point); {
	case ticks && points:
		return "both"
	case ticks:
		return "ticks"
	case points:
		return "points"
	}
	return "unknown"
}

// diagnostics is the retained JSON of a car's diagnostics topic.
type diagnostics struct {
	LastRequest  string `json:"last_request"`
	Source       string `json:"source"`
	AppVersion   string `json:"app_version"`
	APIVersion   string `json:"api_version"`
	Mode         string `json:"mode"`
	Requests     int64  `json:"requests"`
	Points       int64  `json:"points"`
	Sessions     int64  `json:"sessions"`
	New          int64  `json:"new_records"`
	Changed      int64  `json:"changed_records"`
	Duplicates   int64  `json:"duplicates"`
	Skipped      int64  `json:"skipped_items"`
	Apart        int64  `json:"records_with_wrong_clock"`
	Stale        int64  `json:"stale_snapshots"`
	BodySize     int64  `json:"last_body_bytes"`
	ClockProblem bool   `json:"clock_problem"`
	LegacyAPI    bool   `json:"legacy_api"`
	UnknownAPI   bool   `json:"unknown_api"`
	LastError    string `json:"last_error"`
	LastErrorAt  string `json:"last_error_at"`
}

func (l *live) diagnostics(now time.Time) string {
	f := l.Facts
	d := diagnostics{
		LastRequest: stampOrNone(l.Received), Source: f.Source, AppVersion: f.App, APIVersion: f.API,
		Mode: f.mode(now), Requests: f.Requests, Points: f.Points, Sessions: f.Sessions,
		New: f.New, Changed: f.Changed, Duplicates: f.Duplicates, Skipped: f.Skipped,
		Apart: f.Apart, Stale: f.Stale, BodySize: f.Bytes, ClockProblem: f.ClockWrong,
		LegacyAPI: f.Legacy, UnknownAPI: f.Unknown, LastError: f.Error,
		LastErrorAt: stampOrNone(f.ErrorAt),
	}
	return document(d)
}

// stampOrNone is a time as text, "" for none.
func stampOrNone(ms int64) string {
	if ms == 0 {
		return ""
	}
	return stamp(ms)
}

// refused notes a request that was not answered 200.
func (f *facts) refused(status int, reason string, now time.Time) {
	f.error(fmt.Sprintf("%d %s", status, reason), now)
}
