package carstats

import (
	"fmt"
	"strings"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// Table describes every value of a Car Stats Viewer car. A new field is one row.
// From names a key of the app's JSON, or what the bridge computes.
var Table = car.Table{Fields: []car.Field{
	{Key: "battery", Name: "Battery", Is: car.Battery, From: "stateOfCharge", In: car.Ratio},
	{Key: "battery_energy", Name: "Battery energy", Is: car.StoredEnergy, From: "batteryLevel", In: car.WattHour},
	{Key: "battery_capacity", Name: "Battery capacity", Is: car.Capacity, Calc: capacity, Diagnostic: true, Off: true},
	{Key: "power", Name: "Power", Is: car.Power, From: "power", In: car.Milliwatt},
	{Key: "charging_power", Name: "Charging power", Is: car.Power, Calc: chargingPower},
	{Key: "speed", Name: "Speed", Is: car.Speed, From: "speed", In: car.MetrePerSecond},
	{Key: "consumption_now", Name: "Consumption now", Is: car.Consumption, Calc: consumption, Off: true},
	{Key: "outside_temperature", Name: "Outside temperature", Is: car.Temperature, From: "ambientTemperature", In: car.Celsius},
	{Key: "gear", Name: "Gear", Is: car.Word, From: "selectedGear", Options: gears, Icon: "mdi:car-shift-pattern"},
	{Key: "ignition", Name: "Ignition", Is: car.Word, From: "ignitionState", Options: ignitions, Icon: "mdi:key-variant"},
	{Key: "plugged_in", Name: "Plugged in", Is: car.Plug, From: "chargePortConnected"},
	{Key: "charging", Name: "Charging", Is: car.Charging, Calc: charging},
	{Key: "driving", Name: "Driving", Is: car.Moving, Calc: driving},
	{Key: "location", Name: "Location", Is: car.Position, Calc: location},
	{Key: "altitude", Name: "Altitude", Is: car.Altitude, From: "alt", In: car.Metre, Off: true},
	{Key: "last_seen", Name: "Last update", Is: car.LastSeen, From: car.AtReceived, Diagnostic: true},
	{Key: "online", Name: "Receiving data", Is: car.Connectivity, Calc: online, Diagnostic: true},
	{Key: "app_version", Name: "App version", Is: car.FreeText, From: "appVersion", Diagnostic: true, Off: true},
	{Key: "api_version", Name: "Webhook API version", Is: car.FreeText, From: "apiVersion", Diagnostic: true, Off: true},

	{Key: "total_distance", Name: "Distance recorded", Is: car.TotalDistance, From: car.TotalOfDistance, In: car.Metre},
	{Key: "total_energy_used", Name: "Energy used", Is: car.TotalEnergy, From: car.TotalOfUsed, In: car.WattHour},
	{Key: "total_energy_charged", Name: "Energy charged", Is: car.TotalEnergy, From: car.TotalOfCharged, In: car.WattHour},

	{Key: "trip_distance", Name: "Trip distance", Is: car.TripDistance, From: car.OfTripDistance, In: car.Metre},
	{Key: "trip_energy", Name: "Trip energy", Is: car.TripEnergy, From: car.OfTripEnergy, In: car.WattHour},
	{Key: "trip_consumption", Name: "Trip consumption", Is: car.TripConsumption, From: car.OfTripConsumption},
	{Key: "trip_duration", Name: "Trip duration", Is: car.Duration, From: car.OfTripDuration, In: car.Millisecond, Off: true},
	{Key: "trip_average_speed", Name: "Trip average speed", Is: car.TripSpeed, From: car.OfTripSpeed, In: car.MetrePerSecond, Off: true},
	{Key: "trip_start", Name: "Trip start", Is: car.Instant, From: car.OfTripStart},
	{Key: "trip_end", Name: "Trip end", Is: car.Instant, From: car.OfTripEnd},

	{Key: "last_charge_energy", Name: "Last charge energy", Is: car.TripEnergy, From: car.OfChargeEnergy, In: car.WattHour},
	{Key: "last_charge_soc_added", Name: "Last charge added", Is: car.ChargeGain, From: car.OfChargeGain, In: car.Ratio},
	{Key: "last_charge_duration", Name: "Last charge duration", Is: car.Duration, From: car.OfChargeDuration, In: car.Millisecond},
	{Key: "last_charge_average_power", Name: "Last charge average power", Is: car.ChargePower, From: car.OfChargeMean, In: car.Watt},
	{Key: "last_charge_peak_power", Name: "Last charge peak power", Is: car.ChargePower, From: car.OfChargePeak, In: car.Watt, Off: true},
	{Key: "last_charge_start", Name: "Last charge start", Is: car.Instant, From: car.OfChargeStart},
	{Key: "last_charge_end", Name: "Last charge end", Is: car.Instant, From: car.OfChargeEnd},

	{Key: "activity", Name: "Activity", Is: car.Activity, Options: car.Activities},
}}

var (
	gears     = []string{"P", "R", "N", "D"}
	ignitions = []string{"Undefined", "Locked", "Off", "Accessory", "On", "Started"}
)

// inputs are the top-level keys that no row names in From, and what they are.
var inputs = map[string]kind{"timestamp": number, "lat": number, "lon": number}

// reportPaths lists the top-level keys that a report may have, with what kind
// of value each must be.
func reportPaths(t car.Table) map[string]kind {
	paths := make(map[string]kind)
	for key, k := range inputs {
		paths[key] = k
	}
	for _, f := range t.Fields {
		if f.From == "" || strings.Contains(f.From, ".") {
			continue
		}
		switch {
		case f.Is.Platform == car.BinarySensor:
			paths[f.From] = boolean
		case f.Is.Class == car.Word.Class || f.Is.Class == car.FreeText.Class && f.Unit() == "":
			paths[f.From] = text
		default:
			paths[f.From] = number
		}
	}
	return paths
}

// capacity is what the car takes its battery for: constant for a car, and
// useless at a low state of charge, which comes in whole per cent.
func capacity(v car.View) car.Value {
	level, okLevel := v.Number("batteryLevel")
	soc, okSoC := v.Number("stateOfCharge")
	if !okLevel || !okSoC || soc <= 0.05 {
		return v.Was
	}
	return car.Number(level / soc / 1000)
}

// chargingPower is the power into a plugged-in battery.
func chargingPower(v car.View) car.Value {
	power, okPower := v.Number("power")
	plugged, okPlug := v.Get("chargePortConnected").On()
	switch {
	case v.Silent || !okPower || !okPlug:
		return car.Value{}
	case !plugged:
		return car.Number(0)
	}
	return car.Number(max(0, -power/1e6))
}

// charging is on above 0.3 kW and off again below 0.2, so that a trickle does
// not flicker.
func charging(v car.View) car.Value {
	kW, ok := chargingPower(v).Float()
	if !ok {
		return car.Value{}
	}
	if on, _ := inDrive(v); on {
		return car.Bool(false)
	}
	was, _ := v.Was.On()
	return car.Bool(kW > 0.3 || was && kW >= 0.2)
}

// driving is the app's own rule for its state DRIVE. While the app does not know the
// ignition, the car does what it did before.
func driving(v car.View) car.Value {
	on, known := inDrive(v)
	switch {
	case v.Silent && (known || v.Was.Known()):
		return car.Bool(false)
	case !known:
		return v.Was
	}
	return car.Bool(on)
}

// inDrive says whether the app's state is DRIVE, and whether that can be told.
func inDrive(v car.View) (on, known bool) {
	if plugged, _ := v.Get("chargePortConnected").On(); plugged {
		return false, true
	}
	switch v.Get("ignitionState").Word() {
	case "", "UNKNOWN":
		return false, false
	case "Started":
		return true, true
	case "On":
		return v.Get("selectedGear").Word() == "D", true
	}
	return false, true
}

// consumption is power by speed, above walking pace.
func consumption(v car.View) car.Value {
	power, okPower := v.Number("power")
	speed, okSpeed := v.Number("speed")
	if v.Silent || !okPower || !okSpeed || speed <= 1 {
		return car.Value{}
	}
	return car.Number(power / 1e6 / (speed * 3.6) * 100)
}

// location is the tracker's attributes. The app gives no accuracy; 10 m is what
// a car's receiver usually has.
func location(v car.View) car.Value {
	lat, okLat := v.Number("lat")
	lon, okLon := v.Number("lon")
	if !okLat || !okLon {
		return car.Value{}
	}
	altitude := ""
	if alt, ok := v.Number("alt"); ok {
		altitude = `,"altitude":` + car.Format(alt, 0)
	}
	return car.Text(fmt.Sprintf(`{"latitude":%s,"longitude":%s,"gps_accuracy":10%s}`,
		car.Format(lat, 6), car.Format(lon, 6), altitude))
}

func online(v car.View) car.Value { return car.Bool(!v.Silent) }
