package car

import (
	"slices"
	"time"
	"unicode/utf8"
)

// Field is one row of a source's table: everything Wheelhouse knows about one
// value. Platform, class, unit, range, topics, discovery messages, the entity
// documentation and tests are derived from it.
type Field struct {
	Key  string   // topic level and part of the unique id; for ever
	Name string   // shown name, English, without the car's name
	Is   Quantity // what the value means
	From string   // path of the value in the source's report
	In   Unit     // the source's unit; zero: already in the published one
	Calc Calc     // computes the value from others, instead of From

	Options    []string // the words of an enum, the types of an event
	Symbol     string   // unit of a counter ("requests")
	Icon       string   // overrides the quantity's
	Diagnostic bool     // Home Assistant's entity category "diagnostic"
	Off        bool     // disabled by default in Home Assistant
	IsStatus   bool     // the value is the program's own status topic
	Needs      string   // key of the row without whose value the entity is unavailable, "" for none
}

// Calc computes a field from the report's values.
type Calc func(View) Value

// View is what a Calc may look at.
type View struct {
	Get    func(path string) Value // the newest known value of a path, in the source's unit
	Was    Value                   // the field's own value before
	Silent bool                    // the car has not reported for carstats.silent_after
}

// Number returns the number at path, and whether there is one.
func (v View) Number(path string) (float64, bool) { return v.Get(path).Float() }

// Table describes a source: its fields, and keys that once were (their
// retained topics are cleared at start).
type Table struct {
	Fields []Field
	Gone   []string
}

// Keys lists the keys of the table's fields in order.
func (t Table) Keys() []string {
	keys := make([]string, len(t.Fields))
	for i, f := range t.Fields {
		keys[i] = f.Key
	}
	return keys
}

// Field returns the row of a key.
func (t Table) Field(key string) (Field, bool) {
	i := slices.IndexFunc(t.Fields, func(f Field) bool { return f.Key == key })
	if i < 0 {
		return Field{}, false
	}
	return t.Fields[i], true
}

// Evaluate returns the field's value in the published unit, clamped to the
// quantity's range and not yet rounded.
func (f Field) Evaluate(v View) Value {
	if f.Calc != nil {
		return f.Calc(v)
	}
	if v.Silent && f.Is.Fleeting {
		return Value{}
	}
	raw := v.Get(f.From)
	x, ok := raw.Float()
	if !ok {
		return raw
	}
	x = convert(x, f.In, f.Is.Unit)
	if f.Is.High > f.Is.Low {
		x = min(max(x, f.Is.Low), f.Is.High)
	}
	return Number(x)
}

// Payload writes a value as it is published: numbers rounded, ON/OFF, RFC 3339
// times in UTC, enum words that are options, texts that fit, everything else
// None.
func (f Field) Payload(v Value) string {
	switch v.kind {
	case number:
		return Format(v.num, f.Is.Digits)
	case boolean:
		if v.num == 1 {
			return "ON"
		}
		return "OFF"
	case moment:
		t, _ := v.Time()
		return t.Format(time.RFC3339)
	case text:
		if f.speaks(v.text) {
			return v.text
		}
	}
	return None
}

// maxState is the longest state that Home Assistant takes of a sensor, in
// characters (homeassistant/const.py, MAX_LENGTH_STATE_STATE).
const maxState = 255

// speaks says whether a text can be published. An empty message would clear the
// topic.
func (f Field) speaks(text string) bool {
	if len(f.Options) > 0 {
		return slices.Contains(f.Options, text)
	}
	return text != "" && (f.Is.Platform != Sensor || utf8.RuneCountInString(text) <= maxState)
}

// Unit is the symbol of the published unit, "" for none.
func (f Field) Unit() string {
	if f.Symbol != "" {
		return f.Symbol
	}
	return f.Is.Unit.Symbol
}

// HasState says whether the field has a retained topic of its own: events and
// buttons have none, a status field uses the program's.
func (f Field) HasState() bool {
	return f.Is.Platform != EventEntity && f.Is.Platform != Button && !f.IsStatus
}
