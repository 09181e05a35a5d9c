package bridge_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-mqtt/wheelhouse/bridge"
	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// Twenty minutes after its last point a trip is over, and a late point opens it
// again.
func TestTripEndsByTheClock(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := move(t, atOnce)
		now := clock()
		h.take(car.Batch{Last: true, Points: []car.Point{nowPoint(now, 0, car.Begin)}})
		h.take(car.Batch{Last: true, Points: []car.Point{nowPoint(now, 5, 0)}})
		h.expect(map[string]string{"trip_distance": "0.2", "trip_end": "", "last_trip": ""})
		fields := len(h.broker.announced[len(h.broker.announced)-1].Fields)
		h.pass(20 * time.Minute)
		h.expect(map[string]string{"trip_end": ""})
		h.pass(6 * time.Second)
		h.expect(map[string]string{"trip_end": "2026-05-01T12:00:05Z"})
		if got := decode(t, h.value("last_trip"))["points"]; got != 2.0 {
			t.Errorf("last_trip has %v points, want 2", got)
		}
		if got := len(h.broker.announced[len(h.broker.announced)-1].Fields); got != fields+1 {
			t.Errorf("%d fields are announced, want %d: the end is shown for the first time", got, fields+1)
		}
		h.take(car.Batch{Last: true, Points: []car.Point{nowPoint(now, 1100, 0)}})
		h.expect(map[string]string{"trip_distance": "0.3", "trip_end": "None"})
		h.pass(19 * time.Minute)
		if got := decode(t, h.value("last_trip"))["points"]; got != 3.0 {
			t.Errorf("last_trip has %v points, want 3", got)
		}
	})
}

// Records without a report, sent late, move nothing but the records' topics.
func TestLateRecords(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := move(t, atOnce)
		now := clock()
		h.take(car.Batch{Last: true, Points: []car.Point{
			nowPoint(now, 0, car.Begin), nowPoint(now, 5, car.End)}})
		before := h.retained()
		h.take(car.Batch{Last: true, Points: []car.Point{
			nowPoint(now, -9000, car.Begin), nowPoint(now, -8995, car.End)}})
		if diff := cmp.Diff(before, h.retained()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestSessionsAreToldOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := move(t, atOnce, func(o *bridge.Options) {
			o.Profiles = map[car.ID]bridge.Profile{blue: {Capacity: 68_000}}
		})
		now := clock()
		ended := func(minutes int, wh float64) car.Session {
			end := now.Add(-time.Duration(minutes) * time.Minute).UnixMilli()
			return car.Session{Start: end - 60_000, End: end, Energy: wh, SoC: 0.1,
				Outside: car.Missing(), Lat: car.Missing(), Lon: car.Missing()}
		}
		tell := func(want int, why string, sessions ...car.Session) {
			t.Helper()
			for range 2 { // and once more
				h.take(car.Batch{Last: true, Sessions: sessions})
			}
			if got := len(h.events()); got != want {
				t.Errorf("%s: %d events, want %d", why, got, want)
			}
		}
		tell(1, "a session", ended(5, 6000))
		h.expect(map[string]string{"last_charge_energy": "6.8",
			"last_charge_end": "2026-05-01T11:55:00Z"})
		tell(1, "the next one, though it ends the reach of the one before", ended(2, 6000))
		tell(1, "a better version", ended(2, 7000))
		tell(0, "an old one", ended(11, 6000))
		h.expect(map[string]string{"last_charge_end": "2026-05-01T11:58:00Z"})
		tell(0, "an open one", car.Session{Start: now.UnixMilli(), Energy: 0})
		h.expect(map[string]string{"last_charge_end": "2026-05-01T11:58:00Z"})

		// Records of one session in one commit are one event.
		s := ended(1, 6000)
		takeAll(h, car.Batch{Car: blue, Sessions: []car.Session{s}},
			car.Batch{Car: blue, Last: true, ChargePoints: []car.ChargePoint{{At: s.Start, SoC: 0.5}}})
		if got := h.events(); len(got) != 1 {
			t.Errorf("one commit told of %v", got)
		}
	})
}

func TestRawNeverGoesBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := move(t)
		now := clock()
		raw := func(at time.Time, text string) {
			h.take(car.Batch{Report: Values{"soc": 0.5}.Report(at), Raw: text, Last: true})
		}
		raw(now, "new")
		raw(now.Add(-time.Minute), "old")
		h.take(car.Batch{Last: true})
		h.take(car.Batch{Points: []car.Point{at(0, 0)}})
		h.expect(map[string]string{"raw": "new"})
	})
}

// A body whose end has not come yet is no request.
func TestUnfinishedRequest(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := move(t)
		h.take(car.Batch{Points: []car.Point{at(0, 0)}})
		h.expect(map[string]string{"last_seen": "", "online": "OFF"})
		if got := decode(t, h.value("diagnostics")); got["last_request"] != "" || got["requests"] != 0.0 {
			t.Errorf("diagnostics: %v", got)
		}
		h.take(car.Batch{Last: true})
		h.expect(map[string]string{"last_seen": "2026-05-01T12:00:00Z", "online": "ON"})
	})
}

func TestDiagnostics(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := move(t)
		now := clock()
		h.take(car.Batch{Points: []car.Point{nowPoint(now, 0, 0)},
			Report: Values{"soc": 0.5}.Report(now), Last: true,
			Request: car.Request{Source: "http", Bytes: 500, AppVersion: "0.28", APIVersion: "2.1",
				Points: 1, HasReport: true, Skipped: 2, SkippedWhy: "drivingPoints[3] is no object"}})
		want := map[string]any{
			"last_request": "2026-05-01T12:00:00Z", "source": "http",
			"app_version": "0.28", "api_version": "2.1", "mode": "points",
			"requests": 1.0, "points": 1.0, "sessions": 0.0, "new_records": 1.0,
			"changed_records": 0.0, "duplicates": 0.0, "skipped_items": 2.0, "records_with_wrong_clock": 0.0,
			"stale_snapshots": 0.0, "last_body_bytes": 500.0, "clock_problem": false, "legacy_api": false,
			"unknown_api": false, "last_error": "drivingPoints[3] is no object",
			"last_error_at": "2026-05-01T12:00:00Z",
		}
		if diff := cmp.Diff(want, decode(t, h.value("diagnostics"))); diff != "" {
			t.Error(diff)
		}

		// What comes in the same minute is told at its end, together.
		h.broker.news()
		h.pass(10 * time.Second)
		h.take(car.Batch{Points: []car.Point{nowPoint(now, 0, car.End), {At: 1}},
			Report: Values{"soc": 0.5}.Report(now), Last: true,
			Request: car.Request{HasReport: true, ClockWrong: true, Stale: true}})
		for _, answer := range []struct {
			id     car.ID
			status int
			reason string
		}{{blue, 200, "ok"}, {blue, 401, "wrong password"}, {"nobody", 404, "no car"}} {
			synctest.Wait() // a busy bridge would only count it
			h.Answered(answer.id, answer.status, answer.reason)
		}
		synctest.Wait()
		h.pass(49 * time.Second)
		if got := topics(h, "diagnostics"); got != 0 {
			t.Errorf("diagnostics were published %d times within a minute", got)
		}
		h.pass(time.Second)
		if got := topics(h, "diagnostics"); got != 1 {
			t.Errorf("diagnostics were published %d times after a minute, want once", got)
		}
		for key, x := range map[string]any{"mode": "both", "requests": 2.0, "changed_records": 1.0,
			"records_with_wrong_clock": 1.0, "stale_snapshots": 1.0, "clock_problem": true,
			"last_error": "401 wrong password", "last_error_at": "2026-05-01T12:00:10Z"} {
			if got := decode(t, h.value("diagnostics"))[key]; got != x {
				t.Errorf("%s is %v, want %v", key, got, x)
			}
		}
		h.pass(time.Minute)
		got := h.values(car.BridgeID)
		if got["webhook_requests"] != "3" || got["webhook_errors"] != "2" || got["version"] != "1.2.3" {
			t.Errorf("the program's values: %v", got)
		}

		// A kind of request of a week ago says nothing of the app's settings.
		h.pass(8 * 24 * time.Hour)
		h.take(car.Batch{Last: true, Request: car.Request{LegacyAPI: true}})
		h.pass(time.Minute)
		// An upload says as little.
		h.take(car.Batch{Last: true, Request: car.Request{HasReport: true, Points: 250}})
		if got := decode(t, h.value("diagnostics"))["mode"]; got != "unknown" {
			t.Errorf("mode is %v, want unknown", got)
		}
	})
}

// topics counts the messages on a topic of blue's, and keeps the rest for later.
func topics(h *home, key string) (n int) {
	for _, m := range h.broker.news() {
		if m.Topic == "w/blue/"+key {
			n++
		}
	}
	return n
}

// A restart says everything again, and nothing else.
func TestRestart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "test.db")
		h := move(t)
		h.restart(path)
		now := clock()
		h.take(car.Batch{
			Last: true, Request: car.Request{Points: 121, Sessions: 1, HasReport: true},
			Sessions: fixture(t, "charging-session").Sessions, Points: fixture(t, "drivepoints").Points,
			Report: Values{"soc": 0.5, "level": 34_000, "speed": 20, "gear": "D", "outside": -3.25,
				"app": "0.28", "plug": false, "power": 9000, "lat": 56.0, "lon": 3.0}.Report(now),
		})
		h.take(car.Batch{Last: true, Request: car.Request{Points: 2},
			Points: []car.Point{nowPoint(now, 1, car.Begin), nowPoint(now, 2, 0)}})
		h.report(now.Add(2*time.Second), Values{"outside": -3, "gear": "nonsense", "speed": 20,
			"power": 9000})
		h.pass(time.Minute)
		want, fields := h.retained(), h.broker.announced[len(h.broker.announced)-1]
		h.broker.retained = map[string]string{}
		h.broker.news()
		h.restart(path)
		want["w/bridge/started"] = "2026-05-01T12:01:00Z"
		if diff := cmp.Diff(want, h.retained()); diff != "" {
			t.Error(diff)
		}
		if len(want) < 28 {
			t.Errorf("only %d topics", len(want))
		}
		var ids []car.ID
		for _, d := range h.broker.announced {
			ids = append(ids, d.ID)
		}
		if diff := cmp.Diff([]car.ID{car.BridgeID, blue}, ids); diff != "" {
			t.Error(diff)
		}
		again := h.broker.announced[len(h.broker.announced)-1]
		if got, want := names(again), names(fields); got != want {
			t.Errorf("announced %s\nwant      %s", got, want)
		}
		for _, m := range h.broker.news() {
			if strings.HasSuffix(m.Topic, "/event") {
				t.Errorf("a restart tells of %s", m.Payload)
			}
		}
	})
}

func names(d car.Device) string { return strings.Join(car.Table{Fields: d.Fields}.Keys(), " ") }

func TestDevice(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := move(t, func(o *bridge.Options) {
			o.Profiles = map[car.ID]bridge.Profile{"red": {Name: "Rosso", Manufacturer: "Alfa",
				Model: "Elettrica", VIN: "X1"}}
		})
		h.take(car.Batch{Car: "polestar_2", Last: true})
		h.take(car.Batch{Car: "red", Last: true})
		got := h.broker.announced[1:]
		for i := range got {
			got[i].Fields = nil
		}
		want := []car.Device{{ID: "polestar_2", Name: "Polestar 2"},
			{ID: "red", Name: "Rosso", Manufacturer: "Alfa", Model: "Elettrica", Serial: "X1"}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// Old records go; the totals and the newest trips stay as they were.
func TestRetention(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const day = 24 * time.Hour
		path := filepath.Join(t.TempDir(), "test.db")
		h := move(t, atOnce, func(o *bridge.Options) {
			o.Keep = 10 * day
			o.Profiles = map[car.ID]bridge.Profile{blue: {Capacity: 68_000}}
		})
		h.restart(path)
		charge := func() {
			now := clock().UnixMilli()
			h.take(car.Batch{Last: true, Sessions: []car.Session{{Start: now, End: now + 60_000, SoC: 0.1}}})
		}
		drive := func() {
			now := clock()
			for s := range 60 {
				h.take(car.Batch{Last: true, Points: []car.Point{nowPoint(now, float64(s*60), 0)}})
				h.pass(time.Minute)
			}
		}
		drive()
		charge()
		h.pass(day)
		charge()
		drive()
		h.pass(day)
		drive()
		h.pass(9*day - 30*time.Minute) // to the middle of the trip before the last
		stored := func() int {
			return len(all(t, h.options.Store.Read(context.Background()).Points(blue, 0, 1<<60)))
		}
		for stored() != 120 {
			h.pass(6 * time.Hour)
			if clock().After(noon.Add(30 * day)) {
				t.Fatalf("%d points are left, want 120", stored())
			}
		}
		h.pass(5 * day)
		if got := stored(); got != 120 {
			t.Errorf("%d points are left, want 120: the newest two trips stay whole", got)
		}
		want := map[string]string{"total_distance": "18", "total_energy_charged": "13.6",
			"trip_distance": "6", "last_trip": h.value("last_trip")}
		h.expect(want)
		if got := decode(t, h.value("last_trip"))["points"]; got != 60.0 {
			t.Errorf("last_trip has %v points, want 60", got)
		}
		if got := len(all(t, h.options.Store.Read(context.Background()).Charges(blue))); got != 1 {
			t.Errorf("%d charges are left, want 1", got)
		}
		h.report(clock(), Values{"soc": 0.5})
		before := h.values(blue)
		h.pass(time.Minute)
		h.broker.retained = map[string]string{}
		h.restart(path)
		h.expect(want)
		if diff := cmp.Diff(before, h.values(blue)); diff != "" {
			t.Error("a restart changes", diff)
		}
	})
}

// Removing old records keeps no post waiting.
func TestPruningKeepsNobodyWaiting(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := move(t, func(o *bridge.Options) { o.Keep = time.Hour })
		points := make([]car.Point, 1000)
		for i := range points {
			points[i] = nowPoint(clock(), float64(i-4000), 0)
		}
		h.take(car.Batch{Last: true, Points: points})
		h.take(car.Batch{Last: true, Points: []car.Point{nowPoint(clock(), 0, 0)}})
		h.pass(7 * time.Hour)
		h.stop() // a pruner under way is waited for
	})
}
