package tesla

import (
	"math"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// pathOfCost is the path of what a car's calls have cost this month, in USD.
const pathOfCost = "bill.month"

const (
	pathOfCharging = "charge_state.charging_state"
	pathOfGear     = "drive_state.shift_state"
	pathOfMinutes  = "drive_state.active_route_minutes_to_arrival" // only with a route
)

const (
	wander      = 4 * time.Minute // by which the time of a full charge wanders without a reason
	routeJitter = time.Minute     // the same of an arrival
	maxState    = 255             // characters that Home Assistant takes of a sensor
)

// chargingWords are Tesla's words for what the charger does, and ours. Whatever else
// it says means that nobody knows.
var chargingWords = map[string]string{
	"Starting": "starting", "Charging": "charging", "Stopped": "stopped",
	"Complete": "complete", "Disconnected": "disconnected", "NoPower": "no_power",
}

func chargingState(v car.View) car.Value {
	word, ok := chargingWords[v.Get(pathOfCharging).Word()]
	if !ok {
		return car.Value{}
	}
	return car.Text(word)
}

// pluggedIn trusts no flap: only one word means that there is no cable.
func pluggedIn(v car.View) car.Value {
	state := chargingState(v)
	if !state.Known() {
		return car.Value{}
	}
	return car.Bool(state.Word() != "disconnected")
}

// charging stays what it was while the car cannot be reached: some say that they
// sleep while they charge.
func charging(v car.View) car.Value {
	state := chargingState(v)
	if !state.Known() {
		return car.Value{}
	}
	return car.Bool(state.Word() == "charging")
}

// chargerPower is the charger's power in kW. The car gives whole ones; with AC it is
// voltage × current × phases, for that number of phases which the whole one agrees
// with: the car's own number of them is wrong on many three-phase ones.
func chargerPower(v car.View) car.Value {
	whole := v.Get("charge_state.charger_power")
	kW, ok := whole.Float()
	volt, okVolt := v.Number("charge_state.charger_voltage")
	ampere, okAmpere := v.Number("charge_state.charger_actual_current")
	if dc, _ := v.Get("charge_state.fast_charger_present").On(); !ok || !okVolt || !okAmpere || dc {
		return whole
	}
	for _, phases := range []float64{1, 3, 2} {
		if finer := volt * ampere * phases / 1000; kW > 0 && math.Abs(finer-kW) <= 0.6 {
			return car.Number(finer)
		}
	}
	return whole
}

// fullAt is when the charge will be done. A new time counts when it differs by more
// than wander.
func fullAt(v car.View) car.Value {
	if state := v.Get(pathOfCharging).Word(); state != "Charging" && state != "Starting" {
		return car.Value{}
	}
	hours, ok := v.Number("charge_state.time_to_full_charge")
	if minutes, better := v.Number("charge_state.minutes_to_full_charge"); better {
		hours, ok = minutes/60, true
	}
	if !ok || hours <= 0 {
		return car.Value{}
	}
	return after(v, "charge_state.timestamp", hours*60, wander)
}

// arrivalAt is when the car will be where it is going.
func arrivalAt(v car.View) car.Value {
	minutes, ok := v.Number(pathOfMinutes)
	if !ok {
		return car.Value{}
	}
	return after(v, "drive_state.timestamp", minutes, routeJitter)
}

// after is some minutes after the time at a path, or the value it was before if that
// is not further away than slack.
func after(v car.View, path string, minutes float64, slack time.Duration) car.Value {
	from, ok := v.Get(path).Time()
	if !ok || minutes > 1e6 {
		return car.Value{}
	}
	at := from.Add(time.Duration(minutes * float64(time.Minute))).Round(time.Second)
	if was, ok := v.Was.Time(); ok && at.Sub(was).Abs() <= slack {
		return v.Was
	}
	return car.Moment(at)
}

// gear takes none for P: the car says none while its screen is off.
func gear(v car.View) car.Value {
	if word := v.Get(pathOfGear); word.Known() {
		return word
	}
	if v.Get("drive_state.timestamp").Known() {
		return car.Text("P")
	}
	return car.Value{}
}

// speed is none while the car does not say, and 0 while it is parked. What it was when
// it went out of reach is no speed.
func speed(v car.View) car.Value {
	mph, ok := v.Number("drive_state.speed")
	switch {
	case gear(v).Word() == "P":
		return car.Number(0)
	case !ok || v.Silent || v.Get(pathOfState).Word() != online:
		return car.Value{}
	}
	return car.Number(mph * car.MilePerHour.Of / car.KilometrePerHour.Of)
}

// delay is what traffic costs, in minutes: without a route the car says 0.
func delay(v car.View) car.Value { return v.Get("drive_state.active_route_traffic_minutes_delay") }

// destination keeps its beginning where it is too long for Home Assistant.
func destination(v car.View) car.Value {
	name := []rune(v.Get("drive_state.active_route_destination").Word())
	if len(name) == 0 {
		return car.Value{}
	}
	return car.Text(string(name[:min(len(name), maxState)]))
}

// awake is off also when Tesla cannot be asked: nobody knows, and an order would fail.
func awake(v car.View) car.Value {
	state := v.Get(pathOfState)
	if !state.Known() {
		return car.Value{}
	}
	return car.Bool(!v.Silent && state.Word() == online)
}

func dashcam(v car.View) car.Value {
	word := v.Get("vehicle_state.dashcam_state").Word()
	if word == "" {
		return car.Value{}
	}
	return car.Bool(word == "Recording")
}

// kept is the number at a path, or the last one: a car that has just woken says
// nothing at first, which is no news. It must be in the published unit.
func kept(path string) car.Calc {
	return func(v car.View) car.Value {
		if x := v.Get(path); x.Known() {
			return x
		}
		return v.Was
	}
}

// isOpen says whether a door or a window of vehicle_state is: 0 is closed, whatever else
// is not.
func isOpen(name string) car.Calc {
	path := "vehicle_state." + name
	return func(v car.View) car.Value {
		x, ok := v.Number(path)
		if !ok {
			return car.Value{}
		}
		return car.Bool(x != 0)
	}
}

func tirePressure(wheel string) car.Calc { return kept("vehicle_state.tpms_pressure_" + wheel) }

// tireWarning is on for a tire that the car warns of, gently or not.
func tireWarning(wheel string) car.Calc {
	return anyOf("vehicle_state.tpms_soft_warning_"+wheel, "vehicle_state.tpms_hard_warning_"+wheel)
}

func batteryHeater(v car.View) car.Value {
	return anyOf("charge_state.battery_heater_on", "climate_state.battery_heater")(v)
}

// anyOf is on if one of the paths is, and off if one is off and none on.
func anyOf(paths ...string) car.Calc {
	return func(v car.View) car.Value {
		var said car.Value
		for _, path := range paths {
			x := v.Get(path)
			if on, ok := x.On(); on {
				return x
			} else if ok {
				said = x
			}
		}
		return said
	}
}

// place makes a tracker's attributes of a latitude, a longitude and a heading, which
// may be "": no time, which would be a row in the recorder each time.
func place(latitude, longitude, heading string) car.Calc {
	return func(v car.View) car.Value {
		lat, okLat := v.Number(latitude)
		lon, okLon := v.Number(longitude)
		if !okLat || !okLon {
			return car.Value{}
		}
		to := ""
		if x, ok := v.Number(heading); ok {
			to = `,"heading":` + car.Format(x, 0)
		}
		return car.Text(`{"latitude":` + car.Format(lat, 6) + `,"longitude":` + car.Format(lon, 6) + to + "}")
	}
}

// route is the place of the destination.
func route(v car.View) car.Value {
	return place("drive_state.active_route_latitude", "drive_state.active_route_longitude", "")(v)
}

// onRoute is a value that means something only with a route: the car keeps the last
// destination's place.
func onRoute(calc car.Calc) car.Calc {
	return func(v car.View) car.Value {
		if !v.Get(pathOfMinutes).Known() {
			return car.Value{}
		}
		return calc(v)
	}
}
