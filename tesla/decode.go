package tesla

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

const (
	maxValues = 2000 // of one body: more than six times what the largest one has
	maxDepth  = 8    // of objects in objects
	maxText   = 8192 // bytes of one text: a year of schedules fits
)

// pathOfState is the path of what Tesla says of the connection: online, asleep or offline.
const pathOfState = "state"

// pathOfTime is the path of the newest time that the car gave one of its states. It
// is not there in an answer that tells only whether the car is awake.
const pathOfTime = "timestamp"

// Decode reads what vehicle or vehicle_data answered, out of its envelope, into a
// report. Values are named by their path ("charge_state.battery_level") and are in
// Tesla's units (miles, mph, °C, bar, kW). Members that are known but missing from a
// section that came are unknown now: Tesla leaves out what does not apply.
//
// The report is of the newest time in the body; without one, or with one that cannot
// be, of received. It fails with a car.Refusal (invalid) for anything but an object.
func Decode(body []byte, received time.Time) (car.Report, error) {
	var members map[string]any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber() // ids are larger than a float64 can say
	if err := d.Decode(&members); err != nil || members == nil {
		return car.Report{}, car.Refuse(car.Invalid, "the answer about a car is no JSON object")
	}
	r := reading{values: make(map[string]car.Value, 400)}
	r.object("", members, 0)
	r.complete(members)
	at := r.newest
	if at.IsZero() || car.ClockWrong(at, received) {
		at = received
	}
	if !r.newest.IsZero() {
		r.values[pathOfTime] = car.Moment(at)
	}
	return car.Report{At: at, Values: r.values}, nil
}

// reading is a body being read.
type reading struct {
	values map[string]car.Value
	newest time.Time // of the sections' timestamps
}

// object reads the members of an object whose path is prefix, with its dot.
func (r *reading) object(prefix string, members map[string]any, depth int) {
	for name, x := range members {
		path := prefix + name
		if unkept[path] || len(r.values) >= maxValues {
			continue
		}
		inner, isObject := x.(map[string]any)
		if f, known := facts()[path]; known {
			r.set(path, f.kind.read(x))
		} else if isObject && depth < maxDepth {
			r.object(path+".", inner, depth+1)
		} else {
			r.set(path, readAny(x))
		}
	}
}

func (r *reading) set(path string, v car.Value) {
	r.values[path] = v
	if at, ok := v.Time(); ok && strings.HasSuffix(path, ".timestamp") && at.After(r.newest) {
		r.newest = at
	}
}

// complete makes unknown what a section is known to have and does not.
func (r *reading) complete(members map[string]any) {
	for path := range facts() {
		section, _, inner := strings.Cut(path, ".")
		if _, came := members[section].(map[string]any); !inner || !came {
			continue
		}
		if _, there := r.values[path]; !there {
			r.values[path] = car.Value{}
		}
	}
}

// read makes a value of a kind of what a body has. What cannot be one is unknown:
// types differ between cars and firmware, and a wrong one must not reach a topic.
func (k kind) read(x any) car.Value {
	switch k {
	case kindYes:
		return readYes(x)
	case kindNumber:
		return readNumber(x)
	case kindTime:
		return readMoment(x)
	case kindJSON:
		return readDocument(x)
	}
	return readText(x)
}

func readYes(x any) car.Value {
	switch x := x.(type) {
	case bool:
		return car.Bool(x)
	case json.Number:
		n, err := x.Float64()
		if err == nil {
			return car.Bool(n != 0)
		}
	}
	return car.Value{}
}

func readNumber(x any) car.Value {
	switch x := x.(type) {
	case json.Number:
		return parseNumber(x.String())
	case string:
		return parseNumber(strings.TrimSpace(x))
	case bool:
		if x {
			return car.Number(1)
		}
		return car.Number(0)
	}
	return car.Value{}
}

func parseNumber(s string) car.Value {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return car.Value{}
	}
	return car.Number(n)
}

// readText takes what a car says when it has nothing to say for unknown.
func readText(x any) car.Value {
	var s string
	switch x := x.(type) {
	case string:
		s = strings.TrimSpace(x)
	case json.Number:
		s = x.String()
	case bool:
		s = strconv.FormatBool(x)
	}
	if s == "" || len(s) > maxText || strings.EqualFold(s, "<invalid>") {
		return car.Value{}
	}
	return car.Text(s)
}

// readMoment knows the three ways in which Tesla writes a time: seconds, and
// milliseconds, since 1970, and {seconds, nanos}. 0 is none.
func readMoment(x any) car.Value {
	switch x := x.(type) {
	case map[string]any:
		return readMoment(x["seconds"])
	case json.Number:
		n, err := x.Float64()
		switch {
		case err != nil || n <= 0 || n > math.MaxInt32*1000*2:
			return car.Value{}
		case n < 1e11:
			return car.Moment(time.UnixMilli(int64(n * 1000)))
		}
		return car.Moment(time.UnixMilli(int64(n)))
	case string:
		if at, err := time.Parse(time.RFC3339, x); err == nil && at.Year() > 1970 && at.Year() < 2100 {
			return car.Moment(at)
		}
	}
	return car.Value{}
}

// readDocument keeps lists, and objects that mean something only as a whole, as JSON.
func readDocument(x any) car.Value {
	if x == nil {
		return car.Value{}
	}
	text, err := json.Marshal(x)
	if err != nil || len(text) > maxText {
		return car.Value{}
	}
	return car.Text(string(text))
}

// readAny reads what is new to this program, as what it is.
func readAny(x any) car.Value {
	switch x := x.(type) {
	case bool:
		return car.Bool(x)
	case json.Number:
		if n, err := x.Float64(); err == nil && math.Abs(n) >= 1<<53 {
			return readText(x)
		}
		return parseNumber(x.String())
	case string:
		return readText(x)
	}
	return readDocument(x)
}
