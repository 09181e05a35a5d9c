package main

import (
	"bytes"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wheelhouse-mqtt/wheelhouse/carstats/sim"
)

// The car's secrets end at the door: not in a topic, not in a log, not in any
// byte of the database.
func TestSecretsAreNowhere(t *testing.T) {
	secrets := []string{
		"fake-abrp-token", "fake-api-key", "abrpPackage", password, "Authorization", "Basic ", "wrong-password",
	}
	plumb(t, setup{start: noon, raw: true}, func(p *pipeline) {
		abrp := webhookBody(t, "live-abrp")
		for _, body := range []string{
			abrp, abrp[:len(abrp)-1],
			strings.Replace(abrp, `"apiVersion":"2.1"`, `"apiVersion":"3.1"`, 1),
			strings.Replace(abrp, `"timestamp"`, `"later":1,"timestamp"`, 1), webhookBody(t, "live-abrp-empty"),
		} {
			p.send("/csv/polestar", body)
			_ = p.receiver.Intake(p.t.Context(), "volvo", []byte(body)) // one is broken
		}
		request, err := http.NewRequest(http.MethodPost, "/csv/polestar", strings.NewReader(abrp))
		if err != nil {
			t.Fatal(err)
		}
		request.SetBasicAuth("x", "wrong-password")
		response, err := p.RoundTrip(request)
		if err != nil || response.StatusCode != http.StatusUnauthorized {
			t.Error(response, err)
		}
		p.pass(2 * time.Minute)
		if p.topics("polestar")["raw"] == "" {
			t.Error("the raw report is missing")
		}
		published := p.shelf.sent
		places := map[string][]byte{"log": p.log.Bytes()}
		for _, m := range published {
			places["topics"] = append(places["topics"], m.Topic+" "+m.Payload+"\n"...)
		}
		files, err := filepath.Glob(p.path + "*")
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		for _, file := range files {
			if places[filepath.Base(file)], err = os.ReadFile(file); err != nil {
				t.Fatal(err)
			}
		}
		for place, content := range places {
			for _, secret := range secrets {
				if bytes.Contains(content, []byte(secret)) {
					t.Errorf("%q is in the %s", secret, place)
				}
			}
		}
		if bytes.Contains(places["log"], []byte("56.1")) {
			t.Errorf("a position is in the log: %s", places["log"])
		}
		if !bytes.Contains(slices.Concat(slices.Collect(maps.Values(places))...), []byte("stateOfCharge")) {
			t.Error("nothing was found where everything should be")
		}
	})
}

// After a restart an empty broker is told the same as before.
func TestRestartTellsTheSame(t *testing.T) {
	for _, test := range []struct {
		name   string
		script sim.Day
		lived  time.Duration
	}{
		{"parked", fullDay(), 3 * time.Hour},
		{"in the middle of a drive", sim.Day{sim.Drive(30)}, 15 * time.Minute},
		{"while charging", sim.Day{sim.Drive(2), sim.ChargeAC(0.9, 3*time.Hour)}, 30 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			plumb(t, setup{calm: 30 * time.Second}, func(p *pipeline) {
				p.drive(sim.Options{Seed: 2, Script: test.script}, test.lived)
				p.pass(2 * time.Minute) // what was held back has come
				before := p.shelf.retained
				p.restart()
				p.pass(10 * time.Second) // until everything is announced
				own := []string{
					"wheelhouse/bridge/started", "wheelhouse/bridge/webhook_requests", "wheelhouse/bridge/webhook_errors",
				}
				want, got := without(before, own...), without(p.shelf.retained, own...)
				if d := cmp.Diff(want, got); d != "" {
					t.Error(d)
				}
				if told := p.events(0); len(told) > 0 {
					t.Errorf("a restart is told as %v", told)
				}
			})
		})
	}
}

// A restart in the middle of an upload loses nothing that was acknowledged, and
// the upload ends as if there had been none.
func TestRestartDuringAnUpload(t *testing.T) {
	bodies := uploaded(t, "0.28")
	through := func(stops ...int) (o outcome) {
		plumb(t, setup{start: setUp}, func(p *pipeline) {
			p.post("polestar", firstTick(t))
			p.until(present)
			for i, body := range bodies {
				if slices.Contains(stops, i) {
					p.restart()
					p.post("polestar", bodies[i-1]) // its answer was lost
				}
				p.post("polestar", body)
			}
			p.pass(time.Hour)
			o = p.outcome()
		})
		return o
	}
	want := through()
	if len(want.Points) < 300 || len(want.Charges) != 6 {
		t.Fatalf("%d points, %d charges", len(want.Points), len(want.Charges))
	}
	for _, stops := range [][]int{{1}, {2, 4}, {1, 2, 3, 4, 5, 6, 7}} {
		if d := cmp.Diff(want, through(stops...), cmpopts.EquateNaNs()); d != "" {
			t.Errorf("stopped at %v: %s", stops, d)
		}
	}
}
