package tesla

import (
	_ "embed"
	"encoding/csv"
	"strings"
	"sync"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// kind is what a value of Tesla's must be to be believed.
type kind string

const (
	kindYes    kind = "yes"
	kindNumber kind = "number"
	kindText   kind = "text"
	kindTime   kind = "time" // since 1970, in s, ms or {seconds, nanos}
	kindJSON   kind = "json" // means something only as a whole
)

// fact is what is known of a path of vehicle_data.
type fact struct {
	path string
	kind kind
	unit string // Tesla's own: mi, mph, °C …; "" for none
}

// fieldsCSV lists every value that vehicle_data is known to have (developer.tesla.com,
// "vehicle_data", and what owners' programs have seen), whatever the car.
//
//go:embed fields.csv
var fieldsCSV string

// facts are the values of fields.csv by their path. They are read when they are
// needed first: a house without a Tesla has no use for them.
var facts = sync.OnceValue(func() map[string]fact {
	rows, _ := csv.NewReader(strings.NewReader(fieldsCSV)).ReadAll() // a part of the program, which tests read
	known := make(map[string]fact, len(rows))
	for _, row := range rows[min(1, len(rows)):] {
		known[row[0]] = fact{row[0], kind(row[1]), row[2]}
	}
	return known
})

// unkept are members that are never kept: keys of a service that Tesla has closed.
var unkept = map[string]bool{"tokens": true, "backseat_token": true, "backseat_token_updated_at": true}

// units are the units of fields.csv, and what a value of such a unit is where no row
// of the table says more.
var units = map[string]struct {
	in car.Unit
	is car.Quantity
}{
	"mi":  {car.Mile, car.ToGo},
	"mph": {car.MilePerHour, car.ChargeSpeed},
	"°C":  {car.Celsius, car.Temperature},
	"bar": {car.Bar, car.TirePressure},
	"kW":  {car.Kilowatt, car.ChargePower},
	"kWh": {car.KilowattHour, car.TripEnergy},
	"V":   {car.Volt, car.Voltage},
	"A":   {car.Ampere, car.Current},
	"h":   {car.Hour, car.Duration},
	"min": {car.Minute, car.Duration},
	"s":   {car.Second, car.Duration},
	"ms":  {car.Millisecond, car.Duration},
}
