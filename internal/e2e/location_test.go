//go:build homeassistant

package e2e

import (
	"fmt"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/carstats/sim"
)

const tracker = "device_tracker.polestar_location"

// whereabouts: the car is at home, at work and in between; what comes late or
// without a position changes nothing.
func whereabouts(h *house) {
	h.opens()
	start := time.Now().Add(-2 * time.Minute)
	after := func(d time.Duration, lat, lon float64) {
		s := parked()
		s.Timestamp, s.Lat, s.Lon = start.Add(d).UnixMilli(), lat, lon
		h.reportsAs(polestar, s)
	}
	after(0, 56.171864, 3.2)
	h.shows(tracker, "home")
	after(15*time.Second, 56.1, 3.3)
	h.shows(tracker, "not_home")
	after(30*time.Second, 56.028136, 3.2)
	h.shows(tracker, "Work")
	h.stays("without a fix", "Work", func() { after(45*time.Second, car.Missing(), car.Missing()) })
	h.stays("with half a fix", "Work", func() { after(60*time.Second, 56.171864, car.Missing()) })
	h.stays("late", "Work", func() { after(10*time.Second, 56.171864, 3.2) })
	h.stays("late points", "Work", func() {
		h.must(h.program.post(polestar, raw(map[string]string{
			"timestamp": fmt.Sprint(start.Add(70 * time.Second).UnixMilli()), "lat": "", "lon": "", "alt": "",
			"drivingPoints": fmt.Sprintf(`[{"driving_point_epoch_time":%d,"distance_delta":100,"energy_delta":20,`+
				`"state_of_charge":0.7,"lat":56.171864,"lon":3.2}]`, start.Add(5*time.Second).UnixMilli()),
		})))
	})
	after(90*time.Second, 56.171864, 3.2)
	h.shows(tracker, "home")
	if s := h.state(tracker); s.attribute("source_type") != "gps" || s.attribute("gps_accuracy") != "10" {
		h.Errorf("attributes %v", s.Attributes)
	}
	h.agrees(patience)
}

// stays checks that the tracker does not leave a zone when something is posted,
// nor any coordinate of it.
func (h *house) stays(what, zone string, post func()) {
	h.Helper()
	before := h.state(tracker)
	post()
	h.always(what, time.Second, func() error {
		var s state
		if err := h.ha.rest.get("/api/states/"+tracker, &s); err != nil {
			return err
		}
		if s.State != zone || !s.Updated.Equal(before.Updated) {
			return fmt.Errorf("%s, updated %v, before %v", s.State, s.Updated, before.Updated)
		}
		return nil
	})
}

// happenings: what happens to a car is an event with its type, and is told once.
func happenings(h *house) {
	const activity = "event.polestar_activity"
	h.opens()
	h.reports(polestar, parked())
	h.agrees(patience)
	parkedThen := parked()
	parkedThen.Ignition = "On"
	driving, plugged := parked(), parked()
	driving.Ignition, driving.Gear, driving.Speed = "Started", "D", 20
	plugged.Plugged, plugged.Power = true, -11e3
	for _, step := range []struct {
		state sim.State
		last  string // of the events that it brings
	}{{driving, "drive_started"}, {parkedThen, "drive_ended"}, {plugged, "charge_started"}, {parked(), "unplugged"}} {
		h.reports(polestar, step.state)
		h.eventually(step.last, patience, func() error {
			if is := h.state(activity).attribute("event_type"); is != step.last {
				return fmt.Errorf("it is %q", is)
			}
			return nil
		})
	}
	before := h.state(activity)
	h.must(h.ha.stop())
	h.must(h.ha.start())
	h.agrees(patience)
	if after := h.state(activity); after.State != before.State {
		h.Errorf("after a restart the last event was at %s, not %s", after.State, before.State)
	}
}
