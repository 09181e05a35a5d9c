package car_test

import (
	"encoding/json"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

func TestMakeID(t *testing.T) {
	for typed, want := range map[string]car.ID{
		"polestar": "polestar", "Polestar 2": "polestar_2", " Mein--Auto! ": "mein_auto", "_x_": "x", "Ä": "",
		"": "", "5": "5", strings.Repeat("ab", 20): car.ID(strings.Repeat("ab", 16)),
		strings.Repeat("a", 31) + " b": car.ID(strings.Repeat("a", 31)),
	} {
		if got := car.MakeID(typed); got != want {
			t.Errorf("%q is %q, want %q", typed, got, want)
		}
	}
	for _, id := range []car.ID{"status", "bridge", "account", "intake", "fleet"} {
		if !id.Reserved() {
			t.Errorf("%s can be a car", id)
		}
	}
}

func TestClash(t *testing.T) {
	keys := []string{"power", "charging_power", "battery", "battery_energy"}
	for _, c := range []struct {
		id    car.ID
		other car.ID
		clash bool
	}{
		{"polestar_charging", "polestar", true}, {"polestar", "polestar_charging", true},
		{"polestar_2", "polestar", false}, {"polestar_battery", "polestar", false}, {"charging", "polestar", false},
	} {
		if err := car.Clash(c.id, []car.ID{c.other}, keys); (err != nil) != c.clash {
			t.Errorf("%s beside %s: %v", c.id, c.other, err)
		}
	}
}

func TestFormat(t *testing.T) {
	for _, c := range []struct {
		x      float64
		digits int
		want   string
	}{
		{24.187, 2, "24.19"}, {13.125, 2, "13.13"}, {-13.125, 2, "-13.13"}, {50, 1, "50"}, {0.04, 1, "0"}, {-0.04, 1, "0"},
		{math.Copysign(0, -1), 0, "0"}, {1e7, 0, "10000000"}, {1e21, 2, "1000000000000000000000"}, {9e-4, 2, "0"},
		{0.5, 0, "1"}, {-85, 2, "-85"}, {56.102844, 6, "56.102844"},
	} {
		if got := car.Format(c.x, c.digits); got != c.want {
			t.Errorf("%v with %d digits is %s, want %s", c.x, c.digits, got, c.want)
		}
	}
}

func TestValuesSurviveTheStore(t *testing.T) {
	for _, v := range []car.Value{
		{}, car.Number(-8.5e7), car.Number(0.1), car.Bool(true), car.Bool(false), car.Text("Started"), car.Text(""),
		car.Moment(time.UnixMilli(1748763307208)),
	} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var got car.Value
		if err := json.Unmarshal(b, &got); err != nil || got != v {
			t.Errorf("%s became %v, %v", b, got, err)
		}
	}
	if car.Number(math.NaN()).Known() || car.Number(math.Inf(1)).Known() {
		t.Error("no number is known as one")
	}
	if car.Text("a\xffb").Word() != "a\uFFFDb" {
		t.Error("what is no UTF-8 may not be published")
	}
}

func TestPayloads(t *testing.T) {
	word := car.Field{Is: car.Word, Options: []string{"P", "D"}}
	for _, c := range []struct {
		field car.Field
		value car.Value
		want  string
	}{
		{car.Field{Is: car.Power}, car.Number(-0.001), "0"}, {car.Field{Is: car.Plug}, car.Bool(true), "ON"},
		{car.Field{Is: car.Plug}, car.Value{}, "None"}, {word, car.Text("D"), "D"}, {word, car.Text("UNKNOWN"), "None"},
		{car.Field{Is: car.Instant}, car.Moment(time.UnixMilli(1748763307208)), "2025-06-01T07:35:07Z"},
	} {
		if got := c.field.Payload(c.value); got != c.want {
			t.Errorf("%v is %s, want %s", c.value, got, c.want)
		}
	}
}

func TestEvaluateConvertsAndClamps(t *testing.T) {
	view := func(x float64, silent bool) car.View {
		return car.View{Silent: silent, Get: func(string) car.Value { return car.Number(x) }}
	}
	battery := car.Field{Is: car.Battery, From: "soc", In: car.Ratio}
	speed := car.Field{Is: car.Speed, From: "speed", In: car.MetrePerSecond}
	for _, c := range []struct {
		field  car.Field
		x      float64
		silent bool
		want   string
	}{
		{battery, 0.815, false, "81.5"}, {battery, 1.02, false, "100"}, {battery, -0.1, false, "0"}, {battery, 0.5, true, "50"},
		{speed, 31.15, false, "112"}, {speed, 31.15, true, "None"},
		{car.Field{Is: car.Duration, From: "d", In: car.Millisecond}, 780_496, false, "13"},
		{car.Field{Is: car.TotalDistance, From: "d", In: car.Metre}, 12_000, false, "12"},
	} {
		if got := c.field.Payload(c.field.Evaluate(view(c.x, c.silent))); got != c.want {
			t.Errorf("%v is %s, want %s", c.x, got, c.want)
		}
	}
}

func TestTopics(t *testing.T) {
	topics := car.Topics{Prefix: "home/cars"}
	for topic, want := range map[string]car.Inbound{
		"home/cars/intake/Polestar 2":    {Kind: car.ForIntake, Car: "polestar_2"},
		"home/cars/bridge/republish/set": {Kind: car.ForBridgeSet, Car: car.BridgeID, Key: "republish"},
		"home/cars/intake/":              {},
		"home/cars/intake/a/b":           {},
		"home/cars/bridge//set":          {},
		"home/cars/polestar/battery":     {},
		"home/cars/model_3/refresh/set":  {Kind: car.ForCarSet, Car: "model_3", Key: "refresh"},
		"home/cars/model_3/query/state":  {Kind: car.ForQuery, Car: "model_3", Key: "state"},
		"home/cars/model_3/query/set":    {Kind: car.ForQuery, Car: "model_3", Key: "set"},
		"home/cars/model_3/command/set":  {},
		"home/cars/model_3/query/":       {},
		"home/cars/model_3//set":         {},
		"home/cars/model_3/a/b/set":      {},
		"home/cars/Model 3/refresh/set":  {},
		"home/cars//refresh/set":         {},
		"home/cars/account/auth/set":     {},
		"home/cars/intake/query/state":   {},
		"home/carsx/intake/a":            {},
		"homeassistant/status":           {},
		"":                               {},
	} {
		if got := topics.Parse(topic); got != want {
			t.Errorf("%q is %+v, want %+v", topic, got, want)
		}
	}
}

func FuzzTopics(f *testing.F) {
	for _, s := range []string{"wheelhouse/intake/a", "wheelhouse/bridge/x/set", "wheelhouse//", "/", "\xff/é", "wheelhouse/intake/+",
		"wheelhouse/a/x/set", "wheelhouse/a/query/x"} {
		f.Add(s)
	}
	topics := car.Topics{Prefix: "wheelhouse"}
	f.Fuzz(func(t *testing.T, topic string) {
		switch in := topics.Parse(topic); in.Kind {
		case car.ForIntake:
			if in.Car == "" || in.Car != car.MakeID(string(in.Car)) || strings.Count(topic, "/") != 2 {
				t.Errorf("%q is for the car %q", topic, in.Car)
			}
		case car.ForBridgeSet:
			if topics.Set(car.BridgeID, in.Key) != topic {
				t.Errorf("%q sets %q", topic, in.Key)
			}
		case car.ForCarSet, car.ForQuery:
			asked := topics.Value(in.Car, "query/"+in.Key)
			if topics.Set(in.Car, in.Key) != topic && asked != topic || in.Car.Reserved() {
				t.Errorf("%q is %+v", topic, in)
			}
		default:
			if in != (car.Inbound{}) {
				t.Errorf("%q is %+v", topic, in)
			}
		}
	})
}

func TestTablesKnowTheirRows(t *testing.T) {
	table := car.Table{Fields: []car.Field{{Key: "a"}, {Key: "b"}}}
	if !slices.Equal(table.Keys(), []string{"a", "b"}) {
		t.Error(table.Keys())
	}
	if _, ok := table.Field("c"); ok {
		t.Error("a field that is not there")
	}
}

func TestRefusals(t *testing.T) {
	err := car.Refuse(car.NoSuch, "no car %q", "x")
	if car.CodeOf(err) != car.NoSuch || err.Error() != `no car "x"` || car.CodeOf(io.EOF) != car.Internal {
		t.Error(err)
	}
}
