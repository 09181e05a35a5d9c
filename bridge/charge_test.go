package bridge_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wheelhouse-mqtt/wheelhouse/bridge"
	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

const pack = 78_000 // Wh, of the fixtures' car

// sumFixture folds the only session of a fixture.
func sumFixture(t testing.TB, name string) bridge.Charge {
	t.Helper()
	b := fixture(t, name)
	return bridge.SumCharge(b.Sessions[0], b.ChargePoints)
}

func TestChargesOfFixtures(t *testing.T) {
	tests := []struct {
		name string
		want map[string]any
	}{
		{"charging-session", map[string]any{
			"start": "2025-06-01T07:29:59Z", "end": "2025-06-01T07:34:55Z", "duration_min": 4.9,
			"energy_kwh": 11.83, "energy_source": "measured", "energy_measured_kwh": 11.83,
			"energy_by_soc_kwh": 11.7, "coverage": 1.0,
			"battery_start": 21.0, "battery_end": 36.0, "battery_added": 15.0,
			"average_power_kw": 144.1, "peak_power_kw": 148.0, "dc": true,
			"outside_temperature": 11.0, "latitude": 56.1, "longitude": 3.2, "points": 60.0,
		}},
		{"charging-session-merged", map[string]any{
			"start": "2025-06-01T07:29:59Z", "end": "2025-06-01T07:40:51Z", "duration_min": 10.9,
			"energy_kwh": 18.13, "energy_source": "measured", "energy_measured_kwh": 18.13,
			"energy_by_soc_kwh": 17.94, "coverage": 1.0,
			"battery_start": 21.0, "battery_end": 44.0, "battery_added": 23.0,
			// over the time without the 150 s in which the cable was out
			"average_power_kw": 130.2, "peak_power_kw": 148.0, "dc": true,
			"outside_temperature": 11.0, "latitude": 56.1, "longitude": 3.2, "points": 102.0,
		}},
		{"charging-session-open", map[string]any{
			"start": "2025-06-01T07:29:59Z", "end": "", "duration_min": 0.0,
			"energy_kwh": 0.0, "energy_source": "unverified", "energy_measured_kwh": 0.0,
			"energy_by_soc_kwh": nil, "coverage": 0.0,
			"battery_start": nil, "battery_end": nil, "battery_added": nil,
			"average_power_kw": nil, "peak_power_kw": nil, "dc": nil,
			"outside_temperature": 9.0, "latitude": 56.1, "longitude": 3.2, "points": 0.0,
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := decode(t, sumFixture(t, test.name).JSON(pack))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestUnpluggedTime(t *testing.T) {
	c := sumFixture(t, "charging-session-merged")
	if got := c.End - c.Start - c.Plugged; got != 150_000 {
		t.Errorf("unplugged for %d ms, want 150000", got)
	}
}

// curve is a session's points, one every few seconds: the time and the charge.
func curve(points ...car.ChargePoint) []car.ChargePoint { return points }

func charged(seconds, soc float64, marker car.Marker) car.ChargePoint {
	return car.ChargePoint{
		At: minute0 + int64(seconds*1000), SoC: soc, Power: -11_000, Energy: -15, Marker: marker,
	}
}

// session is one of so many seconds with what the app measured.
func session(seconds, wh float64) car.Session {
	s := car.Session{Start: minute0, Energy: wh, SoC: 0, Outside: car.Missing(), Lat: car.Missing(), Lon: car.Missing()}
	if seconds != 0 {
		s.End = minute0 + int64(seconds*1000)
	}
	return s
}

func TestGapsOfCharges(t *testing.T) {
	none := car.Missing()
	tests := []struct {
		name             string
		points           []car.ChargePoint
		plugged, covered int64 // ms
	}{
		{"awake", curve(charged(0, .5, 0), charged(5.5, .5, 0), charged(10, .5, 0)), 10_000, 10_000},
		{"asleep", curve(charged(0, .5, 0), charged(5.501, .6, 0)), 5_501, 0},
		{"cable out", curve(charged(0, .5, car.Begin), charged(5, .5, car.End), charged(10.501, .5, car.Begin),
			charged(15, .5, car.End)), 9_499, 9_499},
		{"asleep between markers", curve(charged(0, .5, car.End), charged(60, .51, car.Begin)), 60_000, 0},
		{"cable out, driven", curve(charged(0, .5, car.End), charged(60, .49, car.Begin)), 0, 0},
		{"cable out around lone points", curve(charged(0, .5, car.Lone), charged(60, .5, car.Lone)), 0, 0},
		{"cable out, charge unknown", curve(charged(0, none, car.End), charged(60, none, car.Begin)), 0, 0},
		{"only an end", curve(charged(0, .5, car.End), charged(60, .5, 0)), 60_000, 0},
		{"only a begin", curve(charged(0, .5, 0), charged(60, .5, car.Begin)), 60_000, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			last := test.points[len(test.points)-1].At - minute0
			c := bridge.SumCharge(session(float64(last)/1000, 0), test.points)
			if c.Plugged != test.plugged || c.Covered != test.covered {
				t.Errorf("plugged %d, covered %d ms; want %d and %d", c.Plugged, c.Covered, test.plugged, test.covered)
			}
			if c.Duration != last {
				t.Errorf("lasted %d ms, want %d: gaps are included", c.Duration, last)
			}
		})
	}
}

// awake are points every 5 s in which the charge rises evenly.
func awake(seconds int, from, to float64) (points []car.ChargePoint) {
	for s := 0; s <= seconds; s += 5 {
		points = append(points, charged(float64(s), from+(to-from)*float64(s)/float64(seconds), 0))
	}
	return points
}

func TestBestEnergy(t *testing.T) {
	none := car.Missing()
	asleep := curve(charged(0, .67, car.Begin), charged(60_869, .80, car.End))
	tests := []struct {
		name     string
		session  car.Session
		points   []car.ChargePoint
		capacity float64
		want     any // Wh
		source   bridge.EnergySource
	}{
		{"the app slept", session(60_869, 48752.06), asleep, 68_000, 8840.0, bridge.BySoC},
		{"it slept, the battery is unknown", session(60_869, 48752.06), asleep, 0, 48752.06, bridge.Unverified},
		{"measured", session(600, 7000), awake(600, .5, .6), 68_000, 7000.0, bridge.Measured},
		{"a quarter off", session(600, 8499), awake(600, .5, .6), 68_000, 8499.0, bridge.Measured},
		{"more than a quarter off", session(600, 8501), awake(600, .5, .6), 68_000, 6800.0, bridge.BySoC},
		{"1.5 kWh off", session(600, 2180), awake(600, .5, .51), 68_000, 2180.0, bridge.Measured},
		{"more than 1.5 kWh off", session(600, 2181), awake(600, .5, .51), 68_000, 680.0, bridge.BySoC},
		{"awake for half of the time", session(1200, 7000), awake(600, .5, .6), 68_000, 6800.0, bridge.BySoC},
		{"nothing measured", session(600, none), awake(600, .5, .6), 68_000, 6800.0, bridge.BySoC},
		{"nothing known", session(600, none), nil, 68_000, nil, bridge.Unverified},
		{"nothing to compare to", session(600, 7000), nil, 68_000, 7000.0, bridge.Unverified},
		{"more than the battery holds", session(600, 74_801), nil, 68_000, nil, bridge.Unverified},
		{"as much as the battery holds", session(600, 74_800), nil, 68_000, 74_800.0, bridge.Unverified},
		{"less than nothing", session(600, -1), nil, 0, nil, bridge.Unverified},
		{"the app knows the gain", with27(session(600, 60_000), .13), nil, 68_000, 8840.0, bridge.BySoC},
		{"one point shows no gain", with27(session(600, 60_000), .13), curve(charged(0, .5, 0)), 68_000, 8840.0, bridge.BySoC},
		{"one point and nothing else", session(600, 7000), curve(charged(0, .5, 0)), 68_000, 7000.0, bridge.Unverified},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			best, source := bridge.SumCharge(test.session, test.points).Best(test.capacity)
			got, known := best.Float()
			if want, has := test.want.(float64); source != test.source || known != has ||
				known && !cmp.Equal(got, want, cmpopts.EquateApprox(0, 0.001)) {
				t.Errorf("got %v (%v) by %q, want %v by %q", got, known, source, test.want, test.source)
			}
		})
	}
}

// with27 is a session as an app from 0.27 on tells it: with the charge gained.
func with27(s car.Session, gain float64) car.Session {
	s.SoC = gain
	return s
}

// What the store keeps of a charge is all of it.
func TestChargeSummary(t *testing.T) {
	for _, name := range []string{"charging-session", "charging-session-merged", "charging-session-open"} {
		want := sumFixture(t, name)
		got, err := bridge.ReadCharge(want.Summary())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	if _, err := bridge.ReadCharge([]byte("{")); err == nil {
		t.Error("half a summary was read")
	}
}

func TestChargeWithoutMuch(t *testing.T) {
	tests := []struct {
		name    string
		session car.Session
		points  []car.ChargePoint
		want    map[string]any
	}{
		{"AC", session(10, 30), curve(charged(0, .5, 0), charged(5, .5, 0)), map[string]any{
			"dc": false, "peak_power_kw": 11.0, "outside_temperature": nil, "latitude": nil}},
		{"0 °C means unknown", car.Session{Start: minute0, End: minute0 + 1}, nil,
			map[string]any{"outside_temperature": nil}},
		{"points after the end", session(1, 30), curve(charged(0, .5, 0), charged(5, .6, 0)),
			map[string]any{"average_power_kw": 21.6, "battery_added": 10.0}},
		{"an end before the start", session(-60, 30), nil, map[string]any{"duration_min": 0.0}},
		{"power out of the battery", session(5, 30),
			curve(car.ChargePoint{At: minute0, Power: 500, SoC: car.Missing()}),
			map[string]any{"peak_power_kw": 0.0, "battery_added": nil}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := decode(t, bridge.SumCharge(test.session, test.points).JSON(0))
			for key, want := range test.want {
				if got[key] != want {
					t.Errorf("%s: got %v, want %v", key, got[key], want)
				}
			}
		})
	}
}
