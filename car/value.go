package car

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

type kind uint8

const (
	unknown kind = iota
	number
	boolean
	text
	moment
)

// Value is one value of a field: a number, a bool, a text, a time, or unknown
// (the zero Value). Values compare with ==.
type Value struct {
	kind kind
	num  float64 // number; boolean as 0 or 1; moment as epoch ms
	text string
}

// None is how an unknown value is published; Home Assistant reads it as
// "unknown" on every platform.
const None = "None"

// Number is a numeric value. NaN and infinities are unknown, -0 is 0.
func Number(x float64) Value {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return Value{}
	}
	return Value{kind: number, num: x + 0}
}

// Bool is a yes or no.
func Bool(b bool) Value {
	if b {
		return Value{kind: boolean, num: 1}
	}
	return Value{kind: boolean}
}

// Text is a word or a JSON document. Invalid UTF-8 is replaced: MQTT forbids it.
func Text(s string) Value { return Value{kind: text, text: strings.ToValidUTF8(s, "\uFFFD")} }

// Moment is a point in time, kept to the millisecond.
func Moment(t time.Time) Value { return Value{kind: moment, num: float64(t.UnixMilli())} }

// Known says whether there is a value at all.
func (v Value) Known() bool { return v.kind != unknown }

// Float returns the number, and whether the value is one.
func (v Value) Float() (float64, bool) { return v.num, v.kind == number }

// On returns the truth, and whether the value is a bool.
func (v Value) On() (on, ok bool) { return v.num == 1, v.kind == boolean }

// Word returns the text, "" if the value is none.
func (v Value) Word() string { return v.text }

// Time returns the moment, and whether the value is one.
func (v Value) Time() (time.Time, bool) { return time.UnixMilli(int64(v.num)).UTC(), v.kind == moment }

// MarshalJSON writes numbers, bools and texts as themselves, unknown as null,
// and moments as {"ms": epoch milliseconds}.
func (v Value) MarshalJSON() ([]byte, error) {
	switch v.kind {
	case number:
		return strconv.AppendFloat(nil, v.num, 'g', -1, 64), nil
	case boolean:
		return strconv.AppendBool(nil, v.num == 1), nil
	case text:
		return json.Marshal(v.text)
	case moment:
		return []byte(`{"ms":` + strconv.FormatInt(int64(v.num), 10) + `}`), nil
	}
	return []byte("null"), nil
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (v *Value) UnmarshalJSON(data []byte) error {
	var x any
	if err := json.Unmarshal(data, &x); err != nil {
		return err
	}
	*v = Value{}
	switch x := x.(type) {
	case float64:
		*v = Number(x)
	case bool:
		*v = Bool(x)
	case string:
		*v = Text(x)
	case map[string]any:
		if ms, ok := x["ms"].(float64); ok {
			*v = Moment(time.UnixMilli(int64(ms)))
		}
	}
	return nil
}

// Format writes a number as people read it: rounded to digits decimals, halves
// away from zero, no trailing zeros, no exponent, no -0.
func Format(x float64, digits int) string {
	if scale := math.Pow10(digits); math.Abs(x*scale) < 1<<52 {
		x = math.Round(x*scale) / scale
	}
	s := strconv.FormatFloat(x, 'f', digits, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if s == "-0" {
		return "0"
	}
	return s
}
