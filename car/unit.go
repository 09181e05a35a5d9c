package car

// Unit is a unit of measurement: its symbol as Home Assistant spells it, and
// how much of the dimension's base unit it is.
type Unit struct {
	Symbol string
	Of     float64
}

// The units that sources speak and topics are published in. Base units are:
// fraction, Wh, W, m/s, m, s, °C, bar, V, A, USD.
var (
	Ratio   = Unit{"", 1}
	Percent = Unit{"%", 0.01}

	WattHour     = Unit{"Wh", 1}
	KilowattHour = Unit{"kWh", 1e3}

	Milliwatt = Unit{"mW", 1e-3}
	Watt      = Unit{"W", 1}
	Kilowatt  = Unit{"kW", 1e3}

	MetrePerSecond     = Unit{"m/s", 1}
	KilometrePerHour   = Unit{"km/h", 1 / 3.6}
	MilePerHour        = Unit{"mph", 0.44704}
	KilowattHourPer100 = Unit{"kWh/100km", 1}

	Metre     = Unit{"m", 1}
	Kilometre = Unit{"km", 1e3}
	Mile      = Unit{"mi", 1609.344}

	Millisecond = Unit{"ms", 1e-3}
	Second      = Unit{"s", 1}
	Minute      = Unit{"min", 60}
	Hour        = Unit{"h", 3600}

	Celsius = Unit{"°C", 1}

	Bar = Unit{"bar", 1}

	Volt   = Unit{"V", 1}
	Ampere = Unit{"A", 1}

	Dollar = Unit{"USD", 1}
)

// convert turns x of unit from into unit to; a zero from means "already in to".
func convert(x float64, from, to Unit) float64 {
	if from.Of == 0 || to.Of == 0 || from == to {
		return x
	}
	return x * from.Of / to.Of
}
