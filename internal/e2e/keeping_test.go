//go:build homeassistant

package e2e

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	_ "modernc.org/sqlite" // reads Home Assistant's recorder

	"github.com/wheelhouse-mqtt/wheelhouse/carstats/sim"
)

// wholeDatabase: a car uploads years at once, and Home Assistant hears of nothing
// but what is new.
func wholeDatabase(h *house) {
	h.opens()
	h.reports(polestar, parked())
	h.agrees(patience)
	c, err := sim.New(sim.Options{URL: h.program.url(polestar), User: polestar, Password: carPassword, Seed: 2})
	h.must(err)
	began := time.Now()
	history := sim.History{Seed: 2, Days: 257, Start: began.AddDate(0, 0, -258).Truncate(24 * time.Hour)}
	h.must(c.UploadDatabase(context.Background(), history))
	took := time.Since(began)
	h.agrees(patience)
	heard := h.recorder.since(began)
	h.figures.measured(h.Name(), "100 000 points uploaded in", took.Round(time.Millisecond), "-")
	h.figures.measured(h.Name(), "messages meanwhile", len(heard), "-")
}

// hourOfDriving: how many rows Home Assistant's recorder writes in one hour on the
// motorway. The reports' own time counts, so that the hour may pass in a minute.
func hourOfDriving(h *house) {
	h.opens()
	o := sim.Options{Seed: 3, Script: sim.Day{sim.Drive(140)}, Start: time.Now(), SoC: 0.9}
	c, err := sim.New(o)
	h.must(err)
	posts := 0
	pace := time.NewTicker(20 * time.Millisecond) // so that no value is overtaken by the next
	defer pace.Stop()
	for c.Snapshot().At.Before(o.Start.Add(time.Hour)) {
		h.must(h.program.post(polestar, string(c.Step())))
		if posts++; posts == 100 { // by now all is announced
			h.agrees(patience)
			h.enables("consumption_now", "altitude", "trip_duration", "trip_average_speed", "battery_capacity")
		}
		<-pace.C
	}
	h.agrees(patience)
	h.must(h.ha.stop())
	rows, err := recorded(filepath.Join(h.ha.dir, "home-assistant_v2.db"))
	h.must(err)
	for _, id := range slices.Sorted(maps.Keys(rows)) {
		bar := 120
		switch key := strings.TrimPrefix(id, "sensor.polestar_"); {
		case !strings.Contains(id, "."+polestar+"_"):
			continue
		case key == "speed", key == "power", key == "consumption_now":
			bar = posts
		case id == tracker:
			bar = 360
		}
		h.figures.measured(h.Name(), fmt.Sprintf("rows of %s for %d posts", id, posts), rows[id], bar)
		if rows[id] > bar {
			h.Errorf("%s: %d rows, want at most %d", id, rows[id], bar)
		}
	}
}

// recorded counts the rows of each entity in Home Assistant's database.
func recorded(path string) (rows map[string]int, err error) {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	found, err := db.Query(`select m.entity_id, count(*) from states join states_meta m using (metadata_id) group by 1`)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	rows = map[string]int{}
	for found.Next() {
		var id string
		var n int
		if err := found.Scan(&id, &n); err != nil {
			return nil, err
		}
		rows[id] = n
	}
	return rows, found.Err()
}

// statistics: after two runs of Home Assistant's statistics nothing is wrong with
// them, and the energy dashboard takes what the car tells.
func statistics(h *house) {
	ahead := h.livesWith(polestar)
	h.eventually("two runs of the statistics", 11*time.Minute, func() error {
		var found map[string][]json.RawMessage
		err := h.ha.socket.call(&found, "recorder/statistics_during_period", map[string]any{
			"start_time": time.Now().Add(-time.Hour).Format(time.RFC3339), "period": "5minute",
			"statistic_ids": []string{"sensor.polestar_total_energy_charged"},
		})
		if n := len(found["sensor.polestar_total_energy_charged"]); err == nil && n < 2 {
			err = fmt.Errorf("%d", n)
		}
		return err
	})
	var issues map[string]json.RawMessage
	h.must(h.ha.socket.call(&issues, "recorder/validate_statistics", nil))
	for id, issue := range issues {
		if strings.Contains(id, "."+polestar+"_") || strings.Contains(id, ".wheelhouse_") {
			h.Errorf("statistics of %s: %s", id, issue)
		}
	}
	h.must(h.energy("sensor.polestar_total_energy_charged", "sensor.polestar_total_energy_used"))

	charging := parked()
	charging.Ignition, charging.Plugged, charging.Power = "Accessory", true, -10500
	charging.Timestamp = max(time.Now().UnixMilli(), ahead.UnixMilli()) // what was before would be late
	h.reportsAs(polestar, charging)
	h.shows("binary_sensor.polestar_charging", "on")
	h.devicePage("Polestar 2")
}

// energy puts sensors into the energy dashboard and returns what it says against
// them.
func (h *house) energy(ids ...string) error {
	var devices []map[string]any
	for _, id := range ids {
		devices = append(devices, map[string]any{"stat_consumption": id})
	}
	if err := h.ha.socket.call(nil, "energy/save_prefs", map[string]any{"device_consumption": devices}); err != nil {
		return err
	}
	var found struct {
		Issues [][]struct {
			Type     string `json:"type"`
			Affected any    `json:"affected_entities"`
		} `json:"device_consumption"`
	}
	if err := h.ha.socket.call(&found, "energy/validate", nil); err != nil {
		return err
	}
	var errs []error
	for _, issues := range found.Issues {
		for _, i := range issues {
			errs = append(errs, fmt.Errorf("energy dashboard: %s: %v", i.Type, i.Affected))
		}
	}
	return errors.Join(errs...)
}
