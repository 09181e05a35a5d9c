//go:build homeassistant

package e2e

import (
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/carstats/sim"
)

// polestar is the car of most scenarios.
const polestar = "polestar"

// outing is a drive and a charge: after it a car has shown all that it has.
var outing = sim.Day{sim.Drive(1), sim.Park(20 * time.Second), sim.ChargeDC(0.73), sim.Park(time.Minute)}

// goesOut lets a car drive and charge, and returns what its clock shows then: its
// outing begins now, since totals count from a car's first request on, and takes
// some minutes of its own time.
func (h *house) goesOut(name string) time.Time {
	h.Helper()
	c, err := sim.New(sim.Options{Seed: 1, Script: outing, Start: time.Now()})
	h.must(err)
	for more := 2; more > 0; {
		h.must(h.program.post(name, string(c.Step())))
		if len(c.Truth().Charges) > 0 {
			more--
		}
	}
	return c.Snapshot().At
}

// parked is the state of a car that stands at home.
func parked() sim.State {
	return sim.State{
		Gear: "P", Ignition: "Off", SoC: 0.72, Level: 56160, Outside: 11.5,
		Lat: 56.171864, Lon: 3.2, Alt: 60,
	}
}

// reports posts a car's state as of now.
func (h *house) reports(name string, s sim.State) {
	h.Helper()
	s.Timestamp = time.Now().UnixMilli()
	h.reportsAs(name, s)
}

// reportsAs posts a car's state with the time that it has.
func (h *house) reportsAs(name string, s sim.State) {
	h.Helper()
	release, err := sim.ReleaseOf(sim.Newest)
	h.must(err)
	h.must(h.program.post(name, string(release.LiveBody(nil, s))))
}
