package sim

import (
	"strconv"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// object is a JSON object under construction. Each method appends one member
// and returns the longer object; a missing number appends nothing.
type object []byte

func (o object) key(name string) object {
	if o[len(o)-1] != '{' {
		o = append(o, ',')
	}
	o = append(append(o, '"'), name...)
	return append(o, '"', ':')
}

func (o object) raw(name, json string) object { return append(o.key(name), json...) }

func (o object) text(name, s string) object { return appendString(o.key(name), s) }

func (o object) bool(name string, b bool) object { return strconv.AppendBool(o.key(name), b) }

func (o object) int(name string, n int64) object { return strconv.AppendInt(o.key(name), n, 10) }

func (o object) float(name string, x float64) object {
	if !car.Given(x) {
		return o
	}
	return AppendFloat(o.key(name), float32(x))
}

func (o object) double(name string, x float64) object {
	if !car.Given(x) {
		return o
	}
	return AppendDouble(o.key(name), x)
}

func (o object) marker(m car.Marker) object {
	if m == car.NoMarker {
		return o
	}
	return o.int("point_marker_type", int64(m))
}
