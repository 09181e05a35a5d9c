package bridge

import (
	"fmt"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// Sample is a source's table for the tests: the keys of a real one, with simpler
// calculations.
var Sample = car.Table{
	Fields: []car.Field{
		{Key: "battery", Is: car.Battery, From: "soc", In: car.Ratio},
		{Key: "battery_capacity", Is: car.Capacity, Calc: sampleCapacity},
		{Key: "power", Is: car.Power, From: "power", In: car.Watt},
		{Key: "charging_power", Is: car.Power, Calc: sampleChargingPower},
		{Key: "speed", Is: car.Speed, From: "speed", In: car.MetrePerSecond},
		{Key: "consumption_now", Is: car.Consumption, Calc: sampleConsumption},
		{Key: "outside_temperature", Is: car.Temperature, From: "outside", In: car.Celsius},
		{Key: "gear", Is: car.Word, From: "gear", Options: []string{"P", "D"}},
		{Key: "plugged_in", Is: car.Plug, From: "plug"},
		{Key: "charging", Is: car.Charging, Calc: sampleCharging},
		{Key: "driving", Is: car.Moving, Calc: sampleDriving},
		{Key: "location", Is: car.Position, Calc: sampleLocation},
		{Key: "last_seen", Is: car.LastSeen, From: car.AtReceived},
		{Key: "online", Is: car.Connectivity, Calc: func(v car.View) car.Value { return car.Bool(!v.Silent) }},
		{Key: "app_version", Is: car.FreeText, From: "app"},

		{Key: "total_distance", Is: car.TotalDistance, From: car.TotalOfDistance, In: car.Metre},
		{Key: "total_energy_used", Is: car.TotalEnergy, From: car.TotalOfUsed, In: car.WattHour},
		{Key: "total_energy_charged", Is: car.TotalEnergy, From: car.TotalOfCharged, In: car.WattHour},
		{Key: "trip_distance", Is: car.TripDistance, From: car.OfTripDistance, In: car.Metre},
		{Key: "trip_energy", Is: car.TripEnergy, From: car.OfTripEnergy, In: car.WattHour},
		{Key: "trip_consumption", Is: car.TripConsumption, From: car.OfTripConsumption},
		{Key: "trip_duration", Is: car.Duration, From: car.OfTripDuration, In: car.Millisecond},
		{Key: "trip_average_speed", Is: car.TripSpeed, From: car.OfTripSpeed, In: car.MetrePerSecond},
		{Key: "trip_start", Is: car.Instant, From: car.OfTripStart},
		{Key: "trip_end", Is: car.Instant, From: car.OfTripEnd},
		{Key: "last_charge_energy", Is: car.TripEnergy, From: car.OfChargeEnergy, In: car.WattHour},
		{Key: "last_charge_end", Is: car.Instant, From: car.OfChargeEnd},
		{Key: "activity", Is: car.Activity, Options: car.Activities},
	},
	Gone: []string{"mood"},
}

func sampleCapacity(v car.View) car.Value {
	level, okLevel := v.Number("level")
	soc, okSoC := v.Number("soc")
	if !okLevel || !okSoC || soc <= 0.05 {
		return v.Was
	}
	return car.Number(level / soc / 1000)
}

func sampleChargingPower(v car.View) car.Value {
	power, ok := v.Number("power")
	plugged, known := v.Get("plug").On()
	switch {
	case v.Silent || !ok || !known:
		return car.Value{}
	case !plugged:
		return car.Number(0)
	}
	return car.Number(max(0, -power/1000))
}

func sampleCharging(v car.View) car.Value {
	kW, ok := sampleChargingPower(v).Float()
	if !ok {
		return car.Value{}
	}
	was, _ := v.Was.On()
	return car.Bool(kW > 0.3 || was && kW >= 0.2)
}

func sampleDriving(v car.View) car.Value {
	gear := v.Get("gear").Word()
	if gear == "" {
		return car.Value{}
	}
	return car.Bool(!v.Silent && gear == "D")
}

func sampleConsumption(v car.View) car.Value {
	power, okPower := v.Number("power")
	speed, okSpeed := v.Number("speed")
	if v.Silent || !okPower || !okSpeed || speed <= 1 {
		return car.Value{}
	}
	return car.Number(power / (speed * 3.6) / 10)
}

func sampleLocation(v car.View) car.Value {
	lat, okLat := v.Number("lat")
	lon, okLon := v.Number("lon")
	if !okLat || !okLon {
		return car.Value{}
	}
	return car.Text(fmt.Sprintf(`{"latitude":%s,"longitude":%s}`, car.Format(lat, 6), car.Format(lon, 6)))
}

// Values are a report's values, written down shortly.
type Values map[string]any

// Report makes a report of what held at a time.
func (v Values) Report(at time.Time) *car.Report {
	r := &car.Report{At: at, Values: map[string]car.Value{}}
	for path, x := range v {
		switch x := x.(type) {
		case float64:
			r.Values[path] = car.Number(x)
		case int:
			r.Values[path] = car.Number(float64(x))
		case bool:
			r.Values[path] = car.Bool(x)
		case string:
			r.Values[path] = car.Text(x)
		}
	}
	return r
}
