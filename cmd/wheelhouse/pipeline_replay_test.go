package main

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wheelhouse-mqtt/wheelhouse/bridge"
	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/carstats/sim"
)

// A past of three days with six drives and six charges, the fifth of them DC.
// The webhook was set up in the first night, so the first day comes only with
// the whole database.
var (
	past    = sim.History{Seed: 3, Start: morning.Add(-7 * time.Hour), Days: 3, Kilometres: 12, Sessions: 2}
	setUp   = past.Start.AddDate(0, 0, 1)
	present = past.Start.AddDate(0, 0, 3).Add(12 * time.Hour)
)

// lived are the requests by which the past came as it happened: a point each,
// and every other session, for the head unit slept through the rest.
func lived(t *testing.T) (bodies []string) {
	t.Helper()
	release, err := sim.ReleaseOf("0.28")
	if err != nil {
		t.Fatal(err)
	}
	nth := 0
	next, stop := iter.Pull(past.ChargingSessions())
	defer stop()
	session, more := next()
	for p := range past.Points() {
		for ; more && session.End < p.At; session, more = next() {
			if nth++; nth%2 == 0 && session.Start >= setUp.UnixMilli() {
				bodies = append(bodies, string(release.SessionBody(nil, standing(session), session)))
			}
		}
		if p.At >= setUp.UnixMilli() {
			bodies = append(bodies, string(release.PointsBody(nil, driving(p), []car.Point{p})))
		}
	}
	return bodies
}

// driving is the state of the car as it made a point, two seconds ago.
func driving(p car.Point) sim.State {
	return sim.State{
		Timestamp: p.At + 2000, Speed: 10 + float64(p.At%7), Power: 1e4 + float64(p.At%5000), Gear: "D",
		Ignition: "Started", Level: p.SoC * 78e3, SoC: p.SoC, Outside: float64(p.At % 25),
		Lat: p.Lat, Lon: p.Lon, Alt: p.Alt,
	}
}

// standing is the state of the car as the cable came out.
func standing(s sim.Session) sim.State {
	return sim.State{
		Timestamp: s.End + 2000, Gear: "P", Ignition: "On", Level: 0.8 * 78e3, SoC: 0.8,
		Outside: s.Outside, Lat: s.Lat, Lon: s.Lon, Alt: 1,
	}
}

// uploaded are the requests by which an app of a version uploads its database.
func uploaded(t *testing.T, version string) (bodies []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c, err := sim.New(sim.Options{
			URL: "https://house.example/csv", Version: version, Start: present, SoC: 0.66,
			Client: &http.Client{Transport: collector{&bodies}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.UploadDatabase(t.Context(), past); err != nil {
			t.Fatal(err)
		}
	})
	return bodies
}

// collector is a webhook that takes everything and keeps the bodies.
type collector struct{ bodies *[]string }

func (c collector) RoundTrip(r *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(r.Body)
	*c.bodies = append(*c.bodies, string(b))
	return httptest.NewRecorder().Result(), err
}

// framings are the same past in every framing.
func framings(t *testing.T) (asLive, in25, in26, in28 []string) {
	return lived(t), uploaded(t, "0.25.2"), uploaded(t, "0.26"), uploaded(t, "0.28")
}

// shuffle mixes requests as no network would.
func shuffle(seed uint64, bodies []string) []string {
	mixed := slices.Clone(bodies)
	rng := rand.New(rand.NewPCG(seed, seed))
	rng.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
	return mixed
}

// interleave takes turns with the requests of two senders, both to their ends.
func interleave(long, short []string) (mixed []string) {
	for i, body := range long {
		mixed = append(mixed, body)
		from, to := i*len(short)/len(long), (i+1)*len(short)/len(long)
		mixed = append(mixed, short[from:to]...)
	}
	return mixed
}

// outcome is everything that must not depend on how the records came.
type outcome struct {
	Topics  map[string]string
	Configs map[string]string
	Points  []car.Point
	Charges []string
	Trips   []string
}

func (p *pipeline) outcome() (o outcome) {
	p.t.Helper()
	read := p.store.Read(p.t.Context())
	o.Points = collect(p.t, read.Points("polestar", 0, math.MaxInt64))
	for trip, err := range bridge.Trips(read.Points("polestar", 0, math.MaxInt64)) {
		if err != nil {
			p.t.Fatal(err)
		}
		o.Trips = append(o.Trips, trip.JSON())
	}
	for _, c := range collect(p.t, read.Charges("polestar")) {
		o.Charges = append(o.Charges, string(c.Summary))
	}
	o.Topics = without(p.topics("polestar"), "last_seen", "diagnostics")
	o.Configs = maps.Clone(p.shelf.retained)
	maps.DeleteFunc(o.Configs, func(topic, _ string) bool {
		return !strings.HasPrefix(topic, "homeassistant/")
	})
	return o
}

func collect[T any](t *testing.T, seq iter.Seq2[T, error]) (all []T) {
	t.Helper()
	for x, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, x)
	}
	return all
}

// replay sends requests to a program that was set up when the past began, and
// returns what is left of it.
func replay(t *testing.T, bodies []string, inTime bool) (o outcome) {
	plumb(t, setup{start: setUp, calm: 30 * time.Second}, func(p *pipeline) {
		p.post("polestar", firstTick(t))
		if !inTime {
			p.until(present)
		}
		for _, body := range bodies {
			p.until(sentAt(t, body))
			p.post("polestar", body)
		}
		p.until(present.Add(time.Hour))
		p.post("polestar", tickNow(t, p))
		p.pass(2 * time.Minute)
		o = p.outcome()
	})
	return o
}

// firstTick is the request with which everything counts from then on.
func firstTick(t *testing.T) string {
	t.Helper()
	release, err := sim.ReleaseOf("")
	if err != nil {
		t.Fatal(err)
	}
	return string(release.LiveBody(nil, driving(car.Point{
		At: setUp.UnixMilli() - 2000, SoC: 0.8, Lat: 56.1, Lon: 3.2, Alt: 40,
	})))
}

// tickNow is a tick of the present.
func tickNow(t *testing.T, p *pipeline) string {
	t.Helper()
	release, err := sim.ReleaseOf("")
	if err != nil {
		t.Fatal(err)
	}
	return string(release.LiveBody(nil, sim.State{
		Timestamp: p.now().UnixMilli(), Power: 688.5, Gear: "P", Ignition: "On",
		Level: 0.7 * 78e3, SoC: 0.7, Outside: 9, Lat: 56.1, Lon: 3.2, Alt: 40,
	}))
}

func sentAt(t *testing.T, body string) time.Time {
	t.Helper()
	var b struct{ Timestamp int64 }
	if err := json.Unmarshal([]byte(body), &b); err != nil {
		t.Fatal(err)
	}
	return time.UnixMilli(b.Timestamp)
}

// Whatever way, order and repetition the records come in, they add up to the
// same, to the last bit, and to what the car really did.
func TestAnyOrderGivesTheSame(t *testing.T) {
	asLive, in25, in26, in28 := framings(t)
	if len(asLive) < 200 || len(in25) != 1 || len(in26) < 7 || len(in28) < 7 {
		t.Fatalf("%d %d %d %d requests", len(asLive), len(in25), len(in26), len(in28))
	}
	all := slices.Concat(asLive, in25, in26, in28)
	reversed := slices.Clone(all)
	slices.Reverse(reversed)
	want := replay(t, slices.Concat(asLive, in28), true)
	agreesWith(t, want, past.Truth())
	for _, test := range []struct {
		name   string
		bodies []string
	}{
		{"live, then the database of each app", all},
		{"everything twice", slices.Concat(all, all)},
		{"the newest request first", reversed},
		{"0.28 first, live last, as a queue comes", slices.Concat(in28, in26, in25, asLive)},
		{"an upload during the life, twice",
			slices.Concat(interleave(asLive, in28), interleave(asLive, in26))},
		{"in any order", shuffle(1, all)},
		{"in any order, twice", shuffle(2, slices.Concat(all, all))},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := replay(t, test.bodies, false)
			if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// agreesWith compares what was computed to what the car did, in the app's own
// precision: the battery in whole per cent, a point every 100 m.
func agreesWith(t *testing.T, o outcome, truth sim.Truth) {
	t.Helper()
	if len(o.Trips) != len(truth.Trips) || len(o.Charges) != len(truth.Charges) {
		t.Fatalf("%d trips of %d, %d charges of %d",
			len(o.Trips), len(truth.Trips), len(o.Charges), len(truth.Charges))
	}
	var distance, used, charged float64
	for i, trip := range truth.Trips {
		var got struct {
			Start    time.Time
			Distance float64 `json:"distance_km"`
			Energy   float64 `json:"energy_kwh"`
		}
		if err := json.Unmarshal([]byte(o.Trips[i]), &got); err != nil {
			t.Fatal(err)
		}
		near(t, fmt.Sprintf("km of trip %d", i), got.Distance, trip.Distance/1000, 0.02)
		near(t, fmt.Sprintf("kWh of trip %d", i), got.Energy, trip.Energy/1000, 0.03)
		near(t, fmt.Sprintf("start of trip %d", i), float64(got.Start.Unix()), float64(trip.Start.Unix()), 20)
		if !trip.Start.Before(setUp) {
			distance, used = distance+trip.Distance, used+trip.Energy
		}
	}
	sessions, best := 0.0, 0.0
	for _, summary := range o.Charges {
		c, err := bridge.ReadCharge([]byte(summary))
		if err != nil {
			t.Fatal(err)
		}
		if c.Start >= setUp.UnixMilli() {
			energy, _ := c.Best(78e3)
			wh, _ := energy.Float()
			best += wh
		}
	}
	for _, c := range truth.Charges {
		if !c.Start.Before(setUp) {
			charged, sessions = charged+c.Energy, sessions+1
		}
	}
	near(t, "total_distance", number(t, o.Topics["total_distance"]), distance/1000, 0.1)
	near(t, "total_energy_used", number(t, o.Topics["total_energy_used"]), used/1000, 0.05)
	near(t, "total_energy_charged", number(t, o.Topics["total_energy_charged"]), charged/1000, 0.78*sessions)
	near(t, "total_energy_charged", number(t, o.Topics["total_energy_charged"]), best/1000, 0.006)
}

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if !(math.Abs(got-want) <= within) {
		t.Errorf("%s: %v, want %v within %v", what, got, want, within)
	}
}

func number(t *testing.T, payload string) (x float64) {
	t.Helper()
	if err := json.Unmarshal([]byte(payload), &x); err != nil {
		t.Errorf("%v: %q", err, payload)
	}
	return x
}

// While the past comes again, in any order, the present stays what the newest
// report says of it, and the last trip and charge never become older ones.
func TestNothingGoesBack(t *testing.T) {
	asLive, _, in26, in28 := framings(t)
	for _, test := range []struct {
		name   string
		bodies []string
	}{
		{"uploads during the life", interleave(asLive, slices.Concat(in28, in26))},
		{"in any order", shuffle(3, slices.Concat(asLive, in26, in28))},
	} {
		t.Run(test.name, func(t *testing.T) {
			plumb(t, setup{start: present.Add(time.Hour)}, func(p *pipeline) {
				var newest reported
				ends := map[string]string{}
				for _, body := range test.bodies {
					p.post("polestar", body)
					newest = newest.and(t, body)
					p.shows(newest.topics())
					for _, key := range []string{"last_trip", "last_charge"} {
						end := endOf(t, p.topics("polestar")[key])
						if end < ends[key] {
							t.Fatalf("%s goes back from %s to %s", key, ends[key], end)
						}
						ends[key] = end
					}
				}
			})
		})
	}
}

// reported is what a report says of the car, read without the program's help.
type reported struct {
	Timestamp int64
	SoC       float64 `json:"stateOfCharge"`
	Outside   float64 `json:"ambientTemperature"`
	Gear      string  `json:"selectedGear"`
	Ignition  string  `json:"ignitionState"`
	Plugged   bool    `json:"chargePortConnected"`
	Lat, Lon  float64
}

// and is the newer one of two reports.
func (r reported) and(t *testing.T, body string) reported {
	t.Helper()
	var next reported
	if err := json.Unmarshal([]byte(body), &next); err != nil {
		t.Fatal(err)
	}
	if next.Timestamp < r.Timestamp {
		return r
	}
	return next
}

func (r reported) topics() map[string]string {
	plugged := map[bool]string{true: "ON", false: "OFF"}
	return map[string]string{
		"battery": car.Format(r.SoC*100, 1), "outside_temperature": car.Format(r.Outside, 1),
		"gear": r.Gear, "ignition": r.Ignition, "plugged_in": plugged[r.Plugged],
	}
}

func endOf(t *testing.T, document string) string {
	t.Helper()
	if document == "" {
		return ""
	}
	var d struct{ End string }
	if err := json.Unmarshal([]byte(document), &d); err != nil {
		t.Fatal(err)
	}
	return d.End
}

// A whole database may bring this many messages: each topic that the records
// feed once, and then a few with each chunk.
const (
	atFirst = 20
	aChunk  = 4
)

// The upload of a past is quiet, and its repetition says only that it came.
func TestUploadsAreQuiet(t *testing.T) {
	long := past
	long.Days, long.Kilometres = 30, 40
	for _, test := range []struct {
		version string
		chunks  int // of 250 points, or of one session
	}{{"0.25.2", 48}, {"0.26", 105}, {"0.28", 105}} {
		t.Run(test.version, func(t *testing.T) {
			plumb(t, setup{start: past.Start.AddDate(0, 0, 40), calm: 30 * time.Second}, func(p *pipeline) {
				p.post("polestar", tickNow(t, p))
				p.pass(2 * time.Minute)
				before := len(p.shelf.sent)
				bodies := p.upload(test.version, long)
				brought := len(p.shelf.sent) - before
				if brought > atFirst+aChunk*test.chunks {
					t.Errorf("%d chunks brought %d messages", test.chunks, brought)
				}
				t.Logf("%d requests, %d chunks, %d messages", len(bodies), test.chunks, brought)
				p.pass(2 * time.Minute)
				p.repeat(bodies)
			})
		})
	}
}

// upload lets an app of a version send a past, and returns the bodies.
func (p *pipeline) upload(version string, h sim.History) (bodies []string) {
	p.t.Helper()
	c, err := sim.New(sim.Options{
		URL: "https://house.example/csv/polestar", Version: version, Start: p.now(), SoC: 0.66,
		Client: &http.Client{Transport: collector{&bodies}},
	})
	if err != nil {
		p.t.Fatal(err)
	}
	if err := c.UploadDatabase(p.t.Context(), h); err != nil {
		p.t.Fatal(err)
	}
	for _, body := range bodies {
		p.post("polestar", body)
	}
	return bodies
}

// repeat sends bodies that have come before: only the requests may show.
func (p *pipeline) repeat(bodies []string) {
	p.t.Helper()
	before, mark := maps.Clone(p.shelf.retained), len(p.shelf.sent)
	for _, body := range bodies {
		p.post("polestar", body)
	}
	p.pass(50 * time.Second) // in which nothing expires
	for _, m := range p.shelf.sent[mark:] {
		switch m.Topic {
		case "wheelhouse/polestar/last_seen", "wheelhouse/polestar/diagnostics",
			"wheelhouse/bridge/webhook_requests":
		default:
			p.t.Errorf("the repetition changed %s from %q to %q", m.Topic, before[m.Topic], m.Payload)
		}
	}
}
