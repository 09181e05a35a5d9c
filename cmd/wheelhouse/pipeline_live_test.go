package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/carstats/sim"
)

// noon is a minute and a half after the live fixtures were sent.
var noon = time.UnixMilli(1748763400000).UTC()

// What the live fixtures become, for people to read.
func TestLiveFixtures(t *testing.T) {
	for _, test := range []struct {
		fixture string
		want    map[string]string
	}{
		{"live-2.1", map[string]string{
			"battery": "81", "battery_energy": "63.18", "battery_capacity": "78", "power": "24.19",
			"charging_power": "0", "speed": "112", "consumption_now": "21.6", "outside_temperature": "14.5",
			"gear": "D", "ignition": "Started", "plugged_in": "OFF", "charging": "OFF", "driving": "ON",
			"location": `{"latitude":56.102844,"longitude":3.244389,"gps_accuracy":10,"altitude":89}`,
			"altitude": "89", "last_seen": "2025-06-01T07:36:40Z", "online": "ON",
			"app_version": "0.28.1.0019", "api_version": "2.1",
			"total_distance": "", "total_energy_used": "", "total_energy_charged": "",
			"trip_energy": "", "last_trip": "", "last_charge": "", "last_charge_energy": "", "raw": "",
		}},
		{"live-2.1-regen", map[string]string{"power": "-85", "charging_power": "0", "charging": "OFF"}},
		{"live-2.0", map[string]string{"api_version": "2", "battery": "81"}},
		{"live-apiversion-number", map[string]string{"api_version": "2", "power": "0"}},
		{"live-apiversion-string-2.0", map[string]string{"api_version": "2.0", "battery": "81"}},
		{"live-nolocation", map[string]string{"location": "", "altitude": "", "battery": "81"}},
		{"live-nopower", map[string]string{
			"power": "", "charging_power": "", "charging": "", "consumption_now": "",
			"outside_temperature": "", "battery": "81", "speed": "89", "driving": "ON",
		}},
		{"live-charging", map[string]string{
			"power": "-10.5", "charging_power": "10.5", "charging": "ON", "plugged_in": "ON",
			"driving": "OFF", "ignition": "Accessory",
		}},
		{"live-states", map[string]string{"gear": "", "ignition": "", "driving": "", "power": "0", "speed": "0"}},
		{"live-abrp", map[string]string{"battery": "81", "power": "0.69"}},
		{"live-abrp-empty", map[string]string{"battery": "81"}},
		{"legacy-1.0", map[string]string{"battery": "", "online": "ON", "api_version": ""}},
	} {
		t.Run(test.fixture, func(t *testing.T) {
			plumb(t, setup{start: noon}, func(p *pipeline) {
				p.post("polestar", webhookBody(t, test.fixture))
				p.shows(test.want)
			})
		})
	}
}

// Every form of a number is the same number, and is published plainly.
func TestNumberForms(t *testing.T) {
	for _, test := range []struct{ form, power, temperature string }{
		{"0", "0", "0"}, {"-0.0", "0", "0"}, {"-0", "0", "0"}, {"9.0E-4", "0", "0"},
		{"-4.0E-2", "0", "0"}, {"1", "0", "1"}, {"1.0", "0", "1"}, {"1.0E1", "0", "10"},
		{"0.25", "0", "0.3"}, {"-7.04e0", "0", "-7"}, {"2.4187E7", "24.19", "24187000"},
		{"-8.5E7", "-85", "-85000000"}, {"1.0E+7", "10", "10000000"},
		{"null", "", ""}, {"1e400", "", ""},
	} {
		t.Run(test.form, func(t *testing.T) {
			plumb(t, setup{start: noon}, func(p *pipeline) {
				p.post("polestar", fmt.Sprintf(`{"apiVersion":2.1,"timestamp":1.748763307208E12,
					"ambientTemperature":%[1]s,"power":%[1]s}`, test.form))
				p.shows(map[string]string{"power": test.power, "outside_temperature": test.temperature})
			})
		})
	}
}

// A car that falls silent is offline; what was true for a moment is unknown,
// what lasts is kept, and nothing has happened.
func TestSilence(t *testing.T) {
	plumb(t, setup{start: time.UnixMilli(1748763307208), calm: 30 * time.Second}, func(p *pipeline) {
		p.post("polestar", webhookBody(t, "live-2.1"))
		before, mark := p.topics("polestar"), len(p.shelf.sent)
		p.pass(silence - time.Second)
		if n := len(without(diff(before, p.topics("polestar")), "diagnostics")); n > 0 {
			t.Errorf("%d topics have changed before the time", n)
		}
		p.pass(time.Second)
		want := map[string]string{
			"online": "OFF", "driving": "OFF", "speed": car.None, "power": car.None,
			"charging_power": car.None, "consumption_now": car.None, "charging": car.None,
		}
		if d := cmp.Diff(want, without(diff(before, p.topics("polestar")), "diagnostics")); d != "" {
			t.Error(d)
		}
		p.pass(48 * time.Hour)
		for _, m := range p.shelf.sent[mark:] {
			if strings.HasSuffix(m.Topic, "/event") {
				t.Errorf("silence is told as %s", m.Payload)
			}
		}
		p.post("polestar", strings.Replace(webhookBody(t, "live-2.1"), "1748763307208",
			fmt.Sprint(p.now().UnixMilli()), 1))
		p.shows(without(before, "last_seen", "diagnostics", "trip_start"))
	})
}

// A car that was last heard driving, and is found parked long afterwards, has
// not driven in between; whether it was ticks or points that told of the drive.
func TestNobodyDrivesInSilence(t *testing.T) {
	for _, mode := range []sim.Mode{sim.Ticks, sim.Both} {
		plumb(t, setup{start: morning, calm: 30 * time.Second}, func(p *pipeline) {
			p.drive(sim.Options{Mode: mode, Script: sim.Day{sim.Drive(50)}}, 10*time.Minute)
			p.pass(time.Hour)
			want := p.topics("polestar")
			if want["last_trip"] == "" || number(t, want["trip_distance"]) < 3 {
				t.Fatalf("no trip: %v", want)
			}
			p.post("polestar", tickNow(t, p))
			p.pass(time.Hour)
			got := p.topics("polestar")
			for key, payload := range want {
				if (strings.HasPrefix(key, "trip_") || key == "last_trip") && got[key] != payload {
					t.Errorf("%s became %q, was %q", key, got[key], payload)
				}
			}
		})
	}
}

// diff is what differs in b.
func diff(a, b map[string]string) map[string]string {
	changed := map[string]string{}
	for key, v := range b {
		if a[key] != v {
			changed[key] = v
		}
	}
	return changed
}

// Words that no option names are unknown, whatever comes.
func TestUnknownWords(t *testing.T) {
	body := func(p *pipeline, gear, ignition string) string {
		return fmt.Sprintf(`{"apiVersion":"2.1","timestamp":%d,"selectedGear":%q,"ignitionState":%q}`,
			p.now().UnixMilli(), gear, ignition)
	}
	plumb(t, setup{start: noon}, func(p *pipeline) {
		for _, word := range []string{"Undefined", "Locked", "Off", "Accessory", "On", "Started"} {
			p.post("polestar", body(p, "N", word))
			p.shows(map[string]string{"ignition": word, "gear": "N"})
		}
		for _, word := range []string{"UNKNOWN", "Warp", "started", "", " D", "ON", strings.Repeat("x", 300), "☃"} {
			p.post("polestar", body(p, "D", "On"))
			p.post("polestar", body(p, word, word))
			p.shows(map[string]string{"ignition": car.None, "gear": car.None})
		}
	})
}

// A car that lacks something shows nothing of it, in a whole day of its life.
func TestCarsThatLackSomething(t *testing.T) {
	for _, test := range []struct {
		name   string
		car    sim.Options
		absent []string
		there  []string
	}{
		{"no power", sim.Options{NoPower: true},
			[]string{"power", "charging_power", "charging", "consumption_now", "trip_energy",
				"trip_consumption", "total_energy_used", "total_energy_charged", "last_charge_energy", "last_charge"},
			[]string{"battery", "trip_distance", "total_distance", "last_trip", "plugged_in"}},
		{"no temperature", sim.Options{NoTemperature: true},
			[]string{"outside_temperature"}, []string{"power"}},
		{"no location", sim.Options{NoLocation: true},
			[]string{"location", "altitude"}, []string{"last_trip", "last_charge"}},
		{"ticks only", sim.Options{Mode: sim.Ticks},
			[]string{"total_distance", "total_energy_used", "last_charge"}, []string{"battery", "location"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			plumb(t, setup{calm: 30 * time.Second}, func(p *pipeline) {
				test.car.Script = fullDay()
				p.drive(test.car, 4*time.Hour)
				topics, entities := p.topics("polestar"), announced(t, p.shelf)
				for _, key := range test.absent {
					_, told := entities["polestar "+key]
					if payload, kept := topics[key]; told || kept {
						t.Errorf("%s is there: announced %v, topic %q", key, told, payload)
					}
				}
				for _, key := range test.there {
					if topics[key] == "" {
						t.Errorf("%s is not there", key)
					}
				}
			})
		})
	}
}

// The fork's car looks like any other.
func TestForkThroughThePipeline(t *testing.T) {
	day := func(o sim.Options) (topics map[string]string) {
		plumb(t, setup{calm: 30 * time.Second}, func(p *pipeline) {
			o.Seed, o.Script = 5, fullDay()
			p.drive(o, 4*time.Hour)
			topics = p.topics("polestar")
		})
		return topics
	}
	plain, fork := day(sim.Options{}), day(sim.Options{Fork: sim.Boessi})
	if len(plain) < 35 {
		t.Errorf("a day brought %d topics", len(plain))
	}
	if d := cmp.Diff(without(plain, "diagnostics"), without(fork, "diagnostics")); d != "" {
		t.Error(d)
	}
}

// A body that somebody forwards does what it would have done at the webhook.
func TestIntakeIsAPost(t *testing.T) {
	bodies := []string{
		"live-2.1", "drivepoints", "charging-session", "live-states", "legacy-1.0",
		"drivepoints-nolocation", "live-2.1-drivepoint",
	}
	ways := map[string]func(p *pipeline, body string){
		"http": func(p *pipeline, body string) { p.post("polestar", body) },
		"mqtt": func(p *pipeline, body string) {
			if err := p.receiver.Intake(p.t.Context(), "polestar", []byte(body)); err != nil {
				p.t.Error(err)
			}
		},
	}
	results := map[string]map[string]string{}
	for source, way := range ways {
		plumb(t, setup{raw: true}, func(p *pipeline) {
			way(p, `{"apiVersion":"2.1","timestamp":1748761200000}`)
			p.until(noon)
			for _, name := range bodies {
				way(p, webhookBody(t, name))
			}
			p.pass(2 * time.Minute)
			p.docShows("diagnostics", map[string]any{"source": source, "requests": 8.0})
			results[source] = without(p.topics("polestar"), "diagnostics")
		})
	}
	if d := cmp.Diff(results["http"], results["mqtt"]); d != "" || len(results["http"]) < 30 {
		t.Errorf("%d topics: %s", len(results["http"]), d)
	}
}

// Two cars that post in turns never show anything of each other.
func TestTwoCarsNeverMix(t *testing.T) {
	alone := func(seed uint64, id string) (topics map[string]string) {
		plumb(t, setup{calm: 30 * time.Second}, func(p *pipeline) {
			for _, body := range steps(t, p, seed) {
				p.until(sentAt(t, body))
				p.post(id, body)
			}
			p.until(p.start.Add(95 * time.Minute))
			topics = p.topics(id)
		})
		return topics
	}
	polestar, volvo := alone(1, "polestar"), alone(2, "volvo")
	plumb(t, setup{calm: 30 * time.Second}, func(p *pipeline) {
		first, second := steps(t, p, 1), steps(t, p, 2)
		for len(first)+len(second) > 0 {
			next, id := &first, "polestar"
			if len(first) == 0 || len(second) > 0 && sentAt(t, second[0]).Before(sentAt(t, first[0])) {
				next, id = &second, "volvo"
			}
			p.until(sentAt(t, (*next)[0]))
			p.post(id, (*next)[0])
			*next = (*next)[1:]
		}
		p.until(p.start.Add(95 * time.Minute))
		for id, want := range map[string]map[string]string{"polestar": polestar, "volvo": volvo} {
			got := without(p.topics(id), "diagnostics", "last_seen")
			if d := cmp.Diff(without(want, "diagnostics", "last_seen"), got); d != "" || len(got) < 25 {
				t.Errorf("%s: %d topics: %s", id, len(got), d)
			}
		}
	})
}

// steps are the bodies of the first hour and a half of a car, which drives
// twice and charges in between.
func steps(t *testing.T, p *pipeline, seed uint64) (bodies []string) {
	t.Helper()
	c, err := sim.New(sim.Options{Seed: seed, Start: p.now(), Script: fullDay(), SoC: 0.5 + 0.1*float64(seed)})
	if err != nil {
		t.Fatal(err)
	}
	for end := p.now().Add(90 * time.Minute); ; {
		body := string(c.Step())
		if sentAt(t, body).After(end) {
			return bodies
		}
		bodies = append(bodies, body)
	}
}

// What happens is told once, at the time it happens, and never of the past.
func TestEvents(t *testing.T) {
	again := uploaded(t, "0.28")
	again = append(again, webhookBody(t, "live-charging"), webhookBody(t, "drivepoints"))
	plumb(t, setup{calm: 30 * time.Second}, func(p *pipeline) {
		p.drive(sim.Options{Seed: 1, Script: fullDay()}, 12*time.Hour)
		want := []string{
			car.DriveStarted, car.DriveEnded,
			// At the fast charger the cable comes out while it still charges.
			car.PluggedIn, car.ChargeStarted, car.ChargeEnded, car.Unplugged, car.SessionUpdated,
			car.DriveStarted, car.DriveEnded,
			car.PluggedIn, car.ChargeStarted, car.ChargeEnded, car.Unplugged, car.SessionUpdated,
		}
		if d := cmp.Diff(want, p.events(0)); d != "" {
			t.Error(d)
		}
		p.until(present)
		mark := len(p.shelf.sent)
		for _, body := range again {
			p.post("polestar", body)
		}
		if told := p.events(mark); len(told) > 0 {
			t.Errorf("the past is told as %v", told)
		}
	})
}

// events are the types of what was told since a mark.
func (p *pipeline) events(mark int) (types []string) {
	for _, m := range p.shelf.sent[mark:] {
		if m.Topic != "wheelhouse/polestar/event" {
			continue
		}
		if m.Retain {
			p.t.Errorf("an event is retained: %s", m.Payload)
		}
		rest, _ := strings.CutPrefix(m.Payload, `{"event_type":"`)
		word, _, _ := strings.Cut(rest, `"`)
		types = append(types, word)
	}
	return types
}
