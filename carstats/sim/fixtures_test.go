package sim_test

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/carstats/sim"
)

// body is a request body as encoding/json reads it: an oracle that shares no
// code with the writer.
type body struct {
	ABRP     *string         `json:"abrpPackage"`
	API      json.RawMessage `json:"apiVersion"`
	App      string          `json:"appVersion"`
	Time     int64           `json:"timestamp"`
	Speed    *float64        `json:"speed"`
	Power    *float64        `json:"power"`
	Gear     string          `json:"selectedGear"`
	Ignition string          `json:"ignitionState"`
	Plugged  bool            `json:"chargePortConnected"`
	Level    *float64        `json:"batteryLevel"`
	SoC      *float64        `json:"stateOfCharge"`
	Outside  *float64        `json:"ambientTemperature"`
	Lat      *float64        `json:"lat"`
	Lon      *float64        `json:"lon"`
	Alt      *float64        `json:"alt"`
	Points   []point         `json:"drivingPoints"`
	Sessions []session       `json:"chargingSessions"`
}

type point struct {
	At       int64    `json:"driving_point_epoch_time"`
	Distance float64  `json:"distance_delta"`
	Energy   float64  `json:"energy_delta"`
	SoC      float64  `json:"state_of_charge"`
	Marker   int      `json:"point_marker_type"`
	Lat      *float64 `json:"lat"`
	Lon      *float64 `json:"lon"`
	Alt      *float64 `json:"alt"`
}

type session struct {
	ID       int64         `json:"charging_session_id"`
	Start    int64         `json:"start_epoch_time"`
	End      int64         `json:"end_epoch_time"`
	Energy   float64       `json:"charged_energy"`
	SoC      float64       `json:"charged_soc"`
	Duration int64         `json:"chargeTime"`
	Outside  float64       `json:"outside_temp"`
	Lat      *float64      `json:"lat"`
	Lon      *float64      `json:"lon"`
	Curve    []chargePoint `json:"chargingPoints"`
}

type chargePoint struct {
	At      int64   `json:"charging_point_epoch_time"`
	Session int64   `json:"charging_session_id"`
	Energy  float64 `json:"energy_delta"`
	Power   float64 `json:"power"`
	SoC     float64 `json:"state_of_charge"`
	Marker  int     `json:"point_marker_type"`
}

func parse(t testing.TB, data []byte) body {
	t.Helper()
	var b body
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&b); err != nil {
		t.Fatalf("%v in %.200s", err, data)
	}
	return b
}

func or(x *float64) float64 {
	if x == nil {
		return car.Missing()
	}
	return *x
}

func (b body) state() sim.State {
	return sim.State{
		Timestamp: b.Time, Speed: or(b.Speed), Power: or(b.Power) / 1e3, Gear: b.Gear,
		Ignition: b.Ignition, Plugged: b.Plugged, Level: or(b.Level), SoC: or(b.SoC),
		Outside: or(b.Outside), Lat: or(b.Lat), Lon: or(b.Lon), Alt: or(b.Alt), ABRP: b.ABRP,
	}
}

func (b body) points() (points []car.Point) {
	for _, p := range b.Points {
		points = append(points, car.Point{
			At: p.At, Distance: p.Distance, Energy: p.Energy, SoC: p.SoC,
			Lat: or(p.Lat), Lon: or(p.Lon), Alt: or(p.Alt), Marker: car.Marker(p.Marker),
		})
	}
	return points
}

func (b body) sessions() (sessions []sim.Session) {
	for _, s := range b.Sessions {
		one := sim.Session{Session: car.Session{
			Start: s.Start, End: s.End, ID: s.ID, Energy: s.Energy, SoC: s.SoC,
			Duration: s.Duration, Outside: s.Outside, Lat: or(s.Lat), Lon: or(s.Lon),
		}}
		for _, p := range s.Curve {
			one.Curve = append(one.Curve, car.ChargePoint{
				At: p.At, Energy: p.Energy, Power: p.Power / 1e3, SoC: p.SoC,
				Marker: car.Marker(p.Marker),
			})
		}
		sessions = append(sessions, one)
	}
	return sessions
}

// Every fixture that is read and written again is the same to the byte.
func TestFixturesByteForByte(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d fixtures, error %v", len(files), err)
	}
	for _, file := range files {
		if strings.HasPrefix(filepath.Base(file), "legacy") {
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			b := parse(t, want)
			release, err := sim.ReleaseOf(b.App)
			if err != nil {
				t.Fatal(err)
			}
			release.API = string(b.API)
			got := release.Body(nil, b.state(), b.points(), b.sessions())
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
		})
	}
}

// API 1.0 has the fixture's keys in the fixture's order, and its values where
// they are not averages.
func TestLegacyFixture(t *testing.T) {
	want, err := os.ReadFile("testdata/legacy-1.0.json")
	if err != nil {
		t.Fatal(err)
	}
	release, err := sim.ReleaseOf("0.24.0")
	if err != nil {
		t.Fatal(err)
	}
	got := release.LegacyBody(nil, sim.State{
		Timestamp: 1748763307168, Speed: 16.5, Power: 13125, Gear: "D", Ignition: "Started",
		Level: 63180, SoC: 0.81, Outside: 14.5, Lat: 56.10123, Lon: 3.20456, Alt: 41.3,
	}, sim.Journey{
		Travelled: 15002.7, Used: 2718.3, Took: 1211000,
		Began:      date("2023-05-18T15:39:21Z"),
		ChargeFrom: date("2023-05-17T19:02:11Z"),
	})
	rounded := strings.NewReplacer("181.1874", "181.2", "220.9596", "220.9",
		"12.388687", "12.4")
	if diff := cmp.Diff(string(want), rounded.Replace(string(got))); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

// The fork's live keys carry the same values under other names.
func TestForkKeys(t *testing.T) {
	release, err := sim.ReleaseOf("0.28")
	if err != nil {
		t.Fatal(err)
	}
	release.Fork = sim.Boessi
	state := sim.State{Timestamp: 7, Speed: 1, Power: 2, Gear: "D", Ignition: "On", Level: 3,
		SoC: 0.5, Outside: 4, Lat: 56, Lon: 3, Alt: math.NaN()}
	got := string(release.PointsBody(nil, state, []car.Point{{At: 1, Lat: math.NaN(),
		Lon: math.NaN(), Alt: math.NaN()}}))
	want := `{"apiVersion":"2.1","appVersion":"0.28.1.0019","drivingPoints":[{"distance_delta":0.0,` +
		`"driving_point_epoch_time":1,"energy_delta":0.0,"state_of_charge":0.0}],` +
		`"realTimeAmbientTemperature":4.0,"realTimeBatteryLevel":3.0,` +
		`"realTimeChargePortConnected":false,"realTimeGear":"D","realTimeIgnitionState":"On",` +
		`"realTimeLat":56.0,"realTimeLon":3.0,"realTimePower":2000.0,"realTimeSpeed":1.0,` +
		`"realTimeStateOfCharge":0.5,"timestamp":7}`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

// Gson hides what means something to HTML; what comes out is JSON all the same.
func TestStringsAreEscapedAsGsonDoes(t *testing.T) {
	release, err := sim.ReleaseOf("")
	if err != nil {
		t.Fatal(err)
	}
	secret := "a=\"b\" & <c>'\\\n\r\t\b\f\x01é"
	got := release.LiveBody(nil, sim.State{ABRP: &secret})
	want := `{"abrpPackage":"a\u003d\"b\" \u0026 \u003cc\u003e\u0027\\\n\r\t\b\f\u0001é",`
	if !bytes.HasPrefix(got, []byte(want)) {
		t.Errorf("got  %s\nwant %s…", got, want)
	}
	if back := parse(t, got); *back.ABRP != secret {
		t.Errorf("read back %q", *back.ABRP)
	}
}
