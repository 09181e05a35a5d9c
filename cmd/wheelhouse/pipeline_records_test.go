package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// counting is the first request of a car: what is recorded from then on counts
// in its totals. It reports nothing that the fixtures report.
const counting = `{"apiVersion":"2.1","appVersion":"0.28.1.0019","timestamp":1748761200000}`

// sent posts fixtures a minute and a half after the last of them was sent, to a
// car that has been counting since the morning.
func (p *pipeline) fixtures(names ...string) {
	p.t.Helper()
	p.post("polestar", counting)
	p.until(noon)
	for _, name := range names {
		p.post("polestar", webhookBody(p.t, name))
	}
}

// What the fixtures' records add up to is what the app's own sums say, in any
// order and twice.
func TestDrivesOfFixtures(t *testing.T) {
	whole := map[string]any{
		"start": "2025-06-01T07:30:00Z", "end": "2025-06-01T07:43:00Z", "duration_min": 13.0,
		"distance_km": 12.0, "energy_kwh": 2.5, "consumption_kwh_100km": 20.9, "points": 121.0,
		"battery_start": 64.0, "battery_end": 61.0, "battery_used": 3.0,
		"start_latitude": 56.1, "start_longitude": 3.2,
	}
	second := map[string]any{"distance_km": 1.0, "energy_kwh": 0.01, "points": 11.0}
	for _, test := range []struct {
		name   string
		bodies []string
		trip   map[string]any
		topics map[string]string
	}{
		{"a backlog of one drive", []string{"drivepoints"}, whole, map[string]string{
			"total_distance": "12", "total_energy_used": "2.5", "trip_distance": "12", "trip_energy": "2.5",
			"trip_consumption": "20.9", "trip_duration": "13", "trip_average_speed": "55",
			"trip_start": "2025-06-01T07:30:00Z", "trip_end": "2025-06-01T07:43:00Z",
		}},
		{"twice", []string{"drivepoints", "drivepoints"}, whole, map[string]string{"total_distance": "12"}},
		{"two drives, the first without its end", []string{"drivepoints-missing-end"}, second, map[string]string{
			"total_distance": "2.1", "total_energy_used": "0.26", "trip_distance": "1", "trip_energy": "0.01",
		}},
		{"the second again without a place", []string{"drivepoints-missing-end", "drivepoints-nolocation"}, second,
			map[string]string{"total_distance": "2.1"}},
		{"and first without a place", []string{"drivepoints-nolocation", "drivepoints-missing-end"}, second,
			map[string]string{"total_distance": "2.1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			plumb(t, setup{}, func(p *pipeline) {
				p.fixtures(test.bodies...)
				p.pass(30 * time.Minute) // beyond the drive's own time
				p.docShows("last_trip", test.trip)
				p.shows(test.topics)
			})
		})
	}
}

// Coordinates that were there are never erased by a version without them.
func TestPlacesAreKept(t *testing.T) {
	place := func(bodies ...string) (doc map[string]any) {
		plumb(t, setup{}, func(p *pipeline) {
			p.fixtures(bodies...)
			p.pass(30 * time.Minute)
			doc = p.document("last_trip")
		})
		return doc
	}
	want := place("drivepoints-missing-end")
	if want["start_latitude"] == nil || want["end_longitude"] == nil {
		t.Fatalf("no place in %v", want)
	}
	for _, order := range [][]string{
		{"drivepoints-missing-end", "drivepoints-nolocation"}, {"drivepoints-nolocation", "drivepoints-missing-end"},
	} {
		if d := cmp.Diff(want, place(order...)); d != "" {
			t.Errorf("%v: %s", order, d)
		}
	}
}

// A session that was resumed is one session, whichever version came first; one
// that is open is none yet.
func TestChargesOfFixturesAreOne(t *testing.T) {
	short := map[string]any{
		"energy_kwh": 11.83, "energy_measured_kwh": 11.83, "energy_source": "measured", "battery_start": 21.0,
		"battery_end": 36.0, "battery_added": 15.0, "duration_min": 4.9, "peak_power_kw": 148.0, "dc": true, "points": 60.0,
	}
	merged := map[string]any{
		"energy_kwh": 18.13, "energy_measured_kwh": 18.13, "energy_source": "measured", "battery_start": 21.0,
		"battery_end": 44.0, "battery_added": 23.0, "coverage": 1.0, "points": 102.0,
	}
	for _, test := range []struct {
		name   string
		bodies []string
		charge map[string]any
		total  string
	}{
		{"the first part", []string{"charging-session"}, short, "11.83"},
		{"resumed", []string{"charging-session", "charging-session-merged"}, merged, "18.13"},
		{"the resumed one first", []string{"charging-session-merged", "charging-session"}, merged, "18.13"},
		{"and twice", []string{"charging-session-merged", "charging-session", "charging-session-merged"}, merged, "18.13"},
		{"beside an open one", []string{"charging-session-open", "charging-session"}, short, "11.83"},
	} {
		t.Run(test.name, func(t *testing.T) {
			plumb(t, setup{}, func(p *pipeline) {
				p.fixtures(test.bodies...)
				p.pass(2 * time.Minute)
				p.docShows("last_charge", test.charge)
				p.shows(map[string]string{"total_energy_charged": test.total, "last_charge_energy": test.total})
			})
		})
	}
	t.Run("only an open one", func(t *testing.T) {
		plumb(t, setup{}, func(p *pipeline) {
			p.fixtures("charging-session-open")
			p.shows(map[string]string{"last_charge": "", "last_charge_energy": "", "total_energy_charged": ""})
		})
	})
}

// A snapshot that waited counts as of its newest point: it fills what nothing
// newer is known of, and changes nothing else.
func TestStaleSnapshots(t *testing.T) {
	plumb(t, setup{start: noon}, func(p *pipeline) {
		at := func(ago time.Duration) int64 { return p.now().Add(-ago).UnixMilli() }
		p.post("polestar", fmt.Sprintf(
			`{"apiVersion":"2.1","timestamp":%d,"stateOfCharge":0.5,"selectedGear":"P"}`, at(time.Minute)))
		p.post("polestar", fmt.Sprintf(`{"apiVersion":"2.1","timestamp":%d,"stateOfCharge":0.6,"selectedGear":"D",
			"ambientTemperature":12.0,"lat":56.1,"lon":3.2,"alt":4.0,"drivingPoints":[{"driving_point_epoch_time":%d,
			"distance_delta":100.0,"energy_delta":1.0,"state_of_charge":0.6,"lat":56.1,"lon":3.2,"alt":4.0}]}`,
			at(0), at(2*time.Minute)))
		p.shows(map[string]string{
			"battery": "50", "gear": "P", "outside_temperature": "12", "altitude": "4",
			"location": `{"latitude":56.1,"longitude":3.2,"gps_accuracy":10,"altitude":4}`,
		})
		p.pass(time.Minute)
		p.docShows("diagnostics", map[string]any{"stale_snapshots": 1.0})
		p.post("polestar", fmt.Sprintf(`{"apiVersion":"2.1","timestamp":%d,"stateOfCharge":0.49}`, at(0)))
		p.shows(map[string]string{"battery": "49"})
	})
}

// A report with an impossible time counts as of its receipt, and says so. A
// clock that ran ahead and was set right does not stop the car.
func TestWrongClocks(t *testing.T) {
	for name, at := range map[string]time.Time{
		"1970": time.Unix(3600, 0), "2019": time.Date(2019, 12, 31, 23, 59, 59, 0, time.UTC),
		"2100": time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), "a day ahead": noon.Add(24*time.Hour + time.Minute),
	} {
		t.Run(name, func(t *testing.T) {
			plumb(t, setup{start: noon}, func(p *pipeline) {
				body := strings.ReplaceAll(webhookBody(t, "live-2.1-drivepoint"), "1748763307", fmt.Sprint(at.Unix()))
				p.post("polestar", body)
				p.shows(map[string]string{
					"battery": "81", "online": "ON", "total_distance": "", "last_trip": "",
				})
				p.docShows("diagnostics", map[string]any{
					"clock_problem": true, "records_with_wrong_clock": 1.0, "new_records": 0.0,
				})
				kept := collect(t, p.store.Read(p.t.Context()).ApartRecords("polestar"))
				if len(kept) != 1 || kept[0].Kind != "point" {
					t.Errorf("kept apart: %v", kept)
				}
				p.pass(2 * time.Minute)
				p.post("polestar", fmt.Sprintf(`{"apiVersion":"2.1","timestamp":%d,"stateOfCharge":0.4}`,
					p.now().UnixMilli()))
				p.pass(time.Minute)
				p.shows(map[string]string{"battery": "40"})
				p.docShows("diagnostics", map[string]any{"clock_problem": false, "records_with_wrong_clock": 1.0})
			})
		})
	}
	t.Run("ahead for an hour, then right", func(t *testing.T) {
		plumb(t, setup{start: noon}, func(p *pipeline) {
			for i, ahead := range []time.Duration{time.Hour, 0, 0, 0, 0} {
				p.pass(time.Minute)
				p.post("polestar", fmt.Sprintf(
					`{"apiVersion":"2.1","timestamp":%d,"stateOfCharge":0.5%d,"speed":%d.0}`,
					p.now().Add(ahead).UnixMilli(), i, 10*i))
			}
			p.shows(map[string]string{"battery": "54", "speed": "144"})
		})
	})
}

// An app of API 1.0 is welcome and told of, an API of the future is kept.
func TestOtherAPIs(t *testing.T) {
	plumb(t, setup{start: noon}, func(p *pipeline) {
		for range 3 {
			p.post("polestar", webhookBody(t, "legacy-1.0"))
		}
		p.shows(map[string]string{"online": "ON", "battery": "", "speed": ""})
		p.pass(time.Minute)
		p.docShows("diagnostics", map[string]any{"legacy_api": true, "unknown_api": false, "requests": 3.0})
		if n := strings.Count(p.log.String(), "update Car Stats Viewer"); n != 1 {
			t.Errorf("warned %d times", n)
		}
		const future = `{"apiVersion":"3.0","charge":{"state":0.5},"stateOfCharge":81}`
		p.post("polestar", future)
		p.shows(map[string]string{"battery": ""})
		p.pass(time.Minute)
		p.docShows("diagnostics", map[string]any{
			"legacy_api": false, "unknown_api": true, "api_version": "3.0",
		})
		kept, err := p.store.Read(p.t.Context()).Unknown("polestar")
		if d := cmp.Diff([]string{future}, kept); err != nil || d != "" {
			t.Error(err, d)
		}
	})
}

// The diagnostics say everything that a driver may ask about his car's posts.
func TestDiagnostics(t *testing.T) {
	plumb(t, setup{start: noon, calm: 30 * time.Second}, func(p *pipeline) {
		p.post("polestar", webhookBody(t, "live-2.1"))
		p.docShows("diagnostics", map[string]any{"mode": "ticks", "requests": 1.0, "last_error": ""})
		body := webhookBody(t, "live-2.1-drivepoint")
		for range 2 {
			p.post("polestar", body)
		}
		p.post("polestar", webhookBody(t, "charging-session"))
		p.post("polestar", `{"apiVersion":"2.1","drivingPoints":["x",7]}`)
		p.pass(30 * time.Second)
		if status, _ := p.send("/csv/polestar", "hello"); status != 400 {
			t.Error(status)
		}
		p.pass(30 * time.Second)
		want := map[string]any{
			"last_request": "2025-06-01T07:36:40Z", "source": "http", "app_version": "0.28.1.0019",
			"api_version": "2.1", "mode": "both", "requests": 5.0, "points": 2.0, "sessions": 1.0,
			"new_records": 62.0, "changed_records": 0.0, "duplicates": 1.0, "skipped_items": 2.0,
			"records_with_wrong_clock": 0.0, "stale_snapshots": 0.0, "last_body_bytes": 44.0,
			"clock_problem": false, "legacy_api": false, "unknown_api": false,
			"last_error": "400 not JSON at byte 0", "last_error_at": "2025-06-01T07:37:10Z",
		}
		got := p.document("diagnostics")
		if e, _ := got["last_error"].(string); strings.HasPrefix(e, "400 not JSON at byte 0") {
			got["last_error"] = want["last_error"]
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		if got := p.topics("bridge")["webhook_errors"]; got != "1" {
			t.Errorf("webhook_errors %q", got)
		}
		told := 0
		for _, m := range p.shelf.sent {
			if m.Topic == "wheelhouse/polestar/diagnostics" {
				told++
			}
		}
		if told != 2 {
			t.Errorf("the diagnostics were told %d times in a minute", told)
		}
	})
}
