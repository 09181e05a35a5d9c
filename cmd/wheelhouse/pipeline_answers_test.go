package main

import (
	"context"
	"fmt"
	"maps"
	"math"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rs/zerolog"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/mqtt"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/store"
)

// Whatever a body says, as long as it is JSON the car hears 200, and what comes
// of it is something that Home Assistant accepts.
func TestAnyJSONIsAnswered200(t *testing.T) {
	var dislikes []string
	s := setup{start: noon, calm: 30 * time.Second, raw: true}
	s.complain = func(format string, args ...any) {
		dislikes = append(dislikes, fmt.Sprintf(format, args...))
	}
	plumb(t, s, func(p *pipeline) {
		cars := 0
		bubble := struct{ testing.TB }{p.t} // has no deadline to ask for
		rapid.Check(bubble, func(t *rapid.T) {
			cars++
			path := fmt.Sprintf("/csv/car_%d", cars)
			dislikes = nil
			for _, body := range rapid.SliceOfN(anyBody(p.now()), 1, 8).Draw(t, "bodies") {
				if status, answer := p.send(path, body); status != http.StatusOK {
					t.Errorf("%d %s", status, answer)
				}
				p.pass(40 * time.Second)
			}
			p.pass(2 * time.Minute) // until everything is announced
			p.judge.verdict()
			if len(dislikes) > 0 {
				t.Fatalf("%s", strings.Join(dislikes, "\n"))
			}
		})
	})
}

// anyBody is a body with the app's keys and anything in them.
func anyBody(now time.Time) *rapid.Generator[string] {
	around := rapid.Map(rapid.IntRange(-3600, 120), func(seconds int) string {
		return strconv.FormatInt(now.Add(time.Duration(seconds)*time.Second).UnixMilli(), 10)
	})
	times := rapid.OneOf(anyNumber(), around)
	type keys = map[string]*rapid.Generator[string]
	record := func(keys keys) *rapid.Generator[string] {
		return rapid.Map(rapid.SliceOfN(anyObject(keys), 0, 4), func(items []string) string {
			return "[" + strings.Join(items, ",") + "]"
		})
	}
	chargePoints := record(keys{
		"charging_point_epoch_time": times, "charging_session_id": anyValue(), "energy_delta": anyNumber(),
		"power": anyNumber(), "state_of_charge": anyNumber(), "point_marker_type": anyNumber(),
	})
	return anyObject(keys{
		"apiVersion": rapid.SampledFrom([]string{`"2.1"`, `"2.1"`, "2", `"2.9"`, `"3.0"`, "null", `""`, "1e9"}),
		"appVersion": anyValue(), "timestamp": times, "speed": anyNumber(), "power": anyNumber(),
		"selectedGear": anyValue(), "ignitionState": anyValue(), "chargePortConnected": anyValue(),
		"batteryLevel": anyNumber(), "stateOfCharge": anyNumber(), "ambientTemperature": anyNumber(),
		"lat": anyNumber(), "lon": anyNumber(), "alt": anyNumber(), "abrpPackage": anyValue(),
		"realTimePower": anyNumber(), "realTimeGear": anyValue(), "newInSomeVersion": anyValue(),
		"drivingPoints": record(keys{
			"driving_point_epoch_time": times, "distance_delta": anyNumber(), "energy_delta": anyNumber(),
			"state_of_charge": anyNumber(), "point_marker_type": anyNumber(), "lat": anyNumber(),
			"lon": anyNumber(), "alt": anyNumber(),
		}),
		"chargingSessions": record(keys{
			"charging_session_id": anyNumber(), "start_epoch_time": times, "end_epoch_time": times,
			"charged_energy": anyNumber(), "charged_soc": anyNumber(), "chargeTime": anyNumber(),
			"outside_temp": anyNumber(), "lat": anyNumber(), "lon": anyNumber(), "chargingPoints": chargePoints,
		}),
	})
}

// anyObject has some of the keys.
func anyObject(keys map[string]*rapid.Generator[string]) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		var members []string
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			if rapid.IntRange(0, 4).Draw(t, "has "+key) > 0 {
				members = append(members, strconv.Quote(key)+":"+keys[key].Draw(t, key))
			}
		}
		return "{" + strings.Join(members, ",") + "}"
	})
}

func anyNumber() *rapid.Generator[string] {
	floats := rapid.OneOf(rapid.Float64(), rapid.Float64Range(-1, 1), rapid.Float64Range(-1e8, 1e8))
	number := rapid.Map(floats, func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) })
	odd := rapid.SampledFrom([]string{
		"0", "-0.0", "1e400", "-1e400", "1E-400", strconv.FormatInt(math.MaxInt64, 10),
		"null", `"1"`, "true", "[]", "{}",
	})
	return rapid.OneOf(number, number, number, odd)
}

func anyValue() *rapid.Generator[string] {
	words := rapid.SampledFrom([]string{
		`"P"`, `"D"`, `"Started"`, `"On"`, `"UNKNOWN"`, `"None"`, `""`, `"\u0000\ud800"`, `"☃"`,
		"true", "false", `[[{"a":null}]]`, `"` + strings.Repeat("long", 100) + `"`,
	})
	return rapid.OneOf(words, words, anyNumber())
}

// What is published is on disk already, and what cannot be stored is neither
// answered 200 nor published.
func TestStoredBeforeTold(t *testing.T) {
	plumb(t, setup{}, func(p *pipeline) {
		p.post("polestar", counting)
		p.until(noon)
		seen := 0
		p.watch = func(m car.Message) {
			if m.Topic != "wheelhouse/polestar/total_distance" {
				return
			}
			seen++
			mm, _, err := p.store.Read(p.t.Context()).Totals("polestar")
			if err != nil || car.Format(float64(mm)/1e6, 1) != m.Payload {
				t.Errorf("%s is told, %d mm are stored, %v", m.Payload, mm, err)
			}
		}
		p.post("polestar", webhookBody(t, "drivepoints"))
		p.post("polestar", webhookBody(t, "drivepoints-missing-end"))
		if seen == 0 {
			t.Error("nothing was told")
		}
		if err := p.store.Close(); err != nil {
			t.Fatal(err)
		}
		mark := len(p.shelf.sent)
		status, answer := p.send("/csv/polestar", webhookBody(t, "live-2.1"))
		if status != http.StatusServiceUnavailable || strings.Contains(answer, "sql") {
			t.Errorf("%d %s", status, answer)
		}
		for _, m := range p.shelf.sent[mark:] {
			if strings.HasSuffix(m.Topic, "/battery") {
				t.Errorf("%s was told: %s", m.Topic, m.Payload)
			}
		}
		var err error
		if p.store, err = store.Open(p.t.Context(), p.path); err != nil { // for the end
			t.Fatal(err)
		}
	})
}

// A broker that does not answer costs the car nothing.
func TestNoBrokerNoDelay(t *testing.T) {
	dead := func(ctx context.Context) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
	plumb(t, setup{}, func(p *pipeline) {
		client, err := mqtt.NewClient(mqtt.ClientOptions{
			Dial: dead, ClientID: "wheelhouse_test", Status: "wheelhouse/status", Log: zerolog.Nop(),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(p.t.Context())
		ended := make(chan error, 1)
		go func() { ended <- client.Run(ctx) }()
		defer func() { cancel(); <-ended }()
		p.watch = func(m car.Message) { client.Publish(m) }
		began := time.Now()
		for _, body := range steps(t, p, 1) {
			p.post("polestar", body)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("the answers took %v", took)
		}
		if len(p.topics("polestar")) < 25 {
			t.Error(p.topics("polestar"))
		}
	})
}
