package bridge_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/bridge"
	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

const red = car.ID("red")

// maker is a source of cars that are asked, and post nothing.
var maker = bridge.Source{
	Table: car.Table{Fields: []car.Field{
		{Key: "online", Name: "Awake", Is: car.Connectivity, From: "awake"},
		{Key: "driving", Name: "Driving", Is: car.Moving, From: "driving"},
		{Key: "odometer", Name: "Odometer", Is: car.Odometer, From: "odometer", In: car.Mile},
		{Key: "refresh", Name: "Refresh data", Is: car.Press, Diagnostic: true},
	}},
	Silent: time.Hour,
	Profile: func(v car.View) bridge.Profile {
		return bridge.Profile{Name: v.Get("name").Word(), Manufacturer: "Maker", VIN: "V1"}
	},
}

func withMaker(o *bridge.Options) { o.Sources[car.TeslaSource] = maker }

// asked has what a maker says of the red car taken.
func (h *home) asked(values map[string]car.Value) {
	h.t.Helper()
	now := h.options.Now()
	h.take(car.Batch{Car: red, Source: car.TeslaSource, Last: true, Report: &car.Report{At: now, Values: values}})
}

func TestTwoSources(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "two.db")
		h := move(t, withMaker)
		h.restart(path)
		h.take(car.Batch{Last: true})
		h.asked(map[string]car.Value{"awake": car.Bool(true), "driving": car.Bool(true), "odometer": car.Number(1000)})
		h.pass(5 * time.Minute) // the blue car is silent by now
		h.asked(map[string]car.Value{"driving": car.Bool(false)})
		h.pass(time.Minute)
		want := map[string]string{"online": "ON", "driving": "OFF", "odometer": "1609.3"}
		check := func() {
			t.Helper()
			got := h.values(red)
			delete(got, "event")
			if len(got) != len(want) {
				t.Errorf("the red car has %v: no trip, no diagnostics", got)
			}
			for key, payload := range want {
				if got[key] != payload {
					t.Errorf("%s is %q, want %q", key, got[key], payload)
				}
			}
		}
		check()
		h.expect(map[string]string{"online": "OFF"})
		h.restart(path)
		check()

		_, err := h.Take(context.Background(), car.Batch{Car: red, Received: clock(), Last: true})
		if car.CodeOf(err) != car.NoSuch {
			t.Errorf("a post for another source's car: %v", err)
		}
		h.asked(map[string]car.Value{"awake": car.Bool(false)})
		want["online"] = "OFF"
		h.pass(time.Minute)
		check()
		h.Answered(red, 401, "wrong password")
		h.pass(time.Minute)
		check()
	})
}

// What a car says of itself is what Home Assistant shows, but for what the
// configuration says.
func TestProfileOfTheCar(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := move(t, withMaker, func(o *bridge.Options) {
			o.Profiles = map[car.ID]bridge.Profile{red: {Manufacturer: "Somebody"}}
		})
		h.asked(map[string]car.Value{"awake": car.Bool(true)})
		h.asked(map[string]car.Value{"awake": car.Bool(true), "name": car.Text("Rosso")})
		h.asked(map[string]car.Value{"awake": car.Bool(true)})
		h.pass(time.Second)
		var names []string
		for _, d := range h.broker.announced {
			if d.ID == red {
				names = append(names, d.Name)
				if d.Manufacturer != "Somebody" || d.Serial != "V1" {
					t.Errorf("announced as %+v", d)
				}
			}
		}
		if !slices.Equal(names, []string{"Red", "Rosso"}) {
			t.Errorf("announced as %q", names)
		}
	})
}

func TestAccount(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := move(t)
		h.pass(time.Second)
		if got := h.values(car.AccountID); len(got) > 0 {
			t.Errorf("%v of an account that there is not", got)
		}
		tell := func(auth string, cost float64) {
			t.Helper()
			if err := h.Account(t.Context(), map[string]car.Value{
				car.AccountAuth: car.Text(auth), car.AccountProblem: car.Bool(auth != "signed_in"),
				car.AccountCost: car.Number(cost),
			}); err != nil {
				t.Fatal(err)
			}
		}
		tell("signed_in", 1.234)
		tell("login_required", 1.3)
		h.pass(time.Minute)
		got := h.values(car.AccountID)
		if got["auth"] != "login_required" || got["auth_problem"] != "ON" || got["cost_month"] != "1.3" {
			t.Errorf("the account is %v", got)
		}
		n := 0
		for _, d := range h.broker.announced {
			if d.ID == car.AccountID {
				n++
			}
		}
		if n != 1 {
			t.Errorf("the account was announced %d times", n)
		}
	})
}
