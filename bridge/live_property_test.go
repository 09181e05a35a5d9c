package bridge

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// told is a report of a car at some seconds after the start.
type told struct {
	at     float64
	values Values
}

// reports draws reports with times of their own, in order. A number says when it
// held: what is published can be told old from new. Complete ones have every value.
func reports(rt *rapid.T, complete bool) (all []told) {
	at := 0.0
	for range rapid.IntRange(1, 12).Draw(rt, "reports") {
		at += rapid.SampledFrom([]float64{0.001, 5, 10, 31}).Draw(rt, "later")
		values := Values{
			"soc": at / 1000, "outside": at, "speed": 2 + at, "power": at * 1000, "lat": 50 + at/1000,
			"app":  strconv.FormatFloat(at, 'f', -1, 64),
			"gear": rapid.SampledFrom([]string{"P", "D", "?"}).Draw(rt, "gear"),
			"plug": rapid.Bool().Draw(rt, "plug"),
		}
		for _, path := range slices.Sorted(maps.Keys(values)) {
			if !complete && rapid.IntRange(0, 3).Draw(rt, "no "+path) == 0 {
				delete(values, path)
			}
		}
		if values["lat"] != nil {
			values["lon"] = 3.0
		}
		all = append(all, told{at, values})
	}
	return all
}

// newestValues is the oracle: of each path the value of the last report that has
// it; the instantaneous ones only if the last report of all has them.
func newestValues(reports []told) map[string]any {
	newest := map[string]any{}
	for _, r := range reports {
		maps.Copy(newest, r.values)
	}
	for _, path := range []string{"speed", "power"} {
		if _, has := reports[len(reports)-1].values[path]; !has {
			delete(newest, path)
		}
	}
	return newest
}

// payloads are what the topics must say of such values.
func payloads(newest map[string]any) map[string]string {
	want := map[string]string{}
	set := func(key, path string, factor float64, digits int) {
		if x, ok := newest[path].(float64); ok {
			want[key] = car.Format(x*factor, digits)
		}
	}
	set("battery", "soc", 100, 1)
	set("outside_temperature", "outside", 1, 1)
	set("speed", "speed", 3.6, 0)
	set("power", "power", 1e-3, 2)
	if lat, ok := newest["lat"].(float64); ok {
		want["location"] = `{"latitude":` + car.Format(lat, 6) + `,"longitude":3}`
	}
	if app, ok := newest["app"].(string); ok {
		want["app_version"] = app
	}
	if gear, ok := newest["gear"].(string); ok {
		want["driving"] = map[bool]string{true: "ON", false: "OFF"}[gear == "D"]
		if gear != "?" {
			want["gear"] = gear
		}
	}
	if plug, ok := newest["plug"].(bool); ok {
		want["plugged_in"] = map[bool]string{true: "ON", false: "OFF"}[plug]
	}
	return want
}

// Whatever way reports come in, in the end the newest counts, and no topic ever
// goes back to an older one.
func TestNewestCountsInAnyOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		calm := rapid.SampledFrom([]time.Duration{0, 30 * time.Second}).Draw(rt, "calm")
		complete := rapid.Bool().Draw(rt, "complete")
		all := reports(rt, complete)
		s := newStage(calm)
		s.silent = time.Hour
		sent := append(slices.Clone(all), all[:rapid.IntRange(0, len(all)).Draw(rt, "repeated")]...)
		now := all[len(all)-1].at
		for _, r := range rapid.Permutation(sent).Draw(rt, "order") {
			now += rapid.SampledFrom([]float64{0, 0.3, 5, 40}).Draw(rt, "passes")
			s.until(now)
			s.report(r.at, r.values)
			if rapid.IntRange(0, 5).Draw(rt, "restart") == 0 {
				s.live = again(rt, s.live)
				for key := range s.topics {
					s.said[key] = append(s.said[key], "restart")
				}
				s.publish(s.live.publish(s.now))
			}
		}
		s.until(now + 100)
		checkNewest(rt, s, payloads(newestValues(all)))
		checkSaid(rt, s)
		if complete { // or else a late report may have changed what no event told
			checkEvents(rt, s.kinds())
		}
	})
}

// again is a car after a restart.
func again(rt *rapid.T, l *live) *live {
	n := newLive(l.id, l.table, l.topics, l.paces.calm, l.silent)
	if err := n.load(l.save(), l.seenKeys()); err != nil {
		rt.Fatal(err)
	}
	return n
}

func checkNewest(rt *rapid.T, s *stage, want map[string]string) {
	rt.Helper()
	got := maps.Clone(s.topics)
	for _, key := range []string{
		"last_seen", "online", "consumption_now", "charging", "charging_power",
	} {
		delete(got, key)
	}
	maps.DeleteFunc(got, func(_, payload string) bool { return payload == car.None })
	if s.paces.calm > 0 { // within 25 m of where it was told to be
		delete(got, "location")
		delete(want, "location")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		rt.Error(diff)
	}
}

// checkSaid looks at everything that was published.
func checkSaid(rt *rapid.T, s *stage) {
	rt.Helper()
	for key, payloads := range s.said {
		newest := 0.0
		for i, payload := range payloads {
			if i > 0 && payload == payloads[i-1] && payload != "restart" {
				rt.Errorf("%s was said to be %s twice", key, payload)
			}
			if key == "charging_power" || key == "consumption_now" {
				continue
			}
			first, _, _ := strings.Cut(strings.TrimPrefix(payload, `{"latitude":`), ",")
			x, err := strconv.ParseFloat(first, 64)
			if err != nil {
				continue // a word, or unknown
			}
			if x < newest {
				rt.Errorf("%s went back: %v", key, payloads)
			}
			newest = x
		}
	}
}

// checkEvents: nothing begins or ends twice in a row.
func checkEvents(rt *rapid.T, kinds []string) {
	rt.Helper()
	for _, pair := range [][2]string{
		{car.DriveStarted, car.DriveEnded}, {car.PluggedIn, car.Unplugged},
		{car.ChargeStarted, car.ChargeEnded}} {
		last := ""
		for _, kind := range kinds {
			if kind != pair[0] && kind != pair[1] {
				continue
			}
			if kind == last {
				rt.Errorf("%s twice: %v", kind, kinds)
			}
			last = kind
		}
	}
}
