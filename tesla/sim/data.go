package sim

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

const mile = 1609.344 // m

// sections are the parts of a reading, in the words of "endpoints".
var sections = [...]string{
	"charge_state", "climate_state", "drive_state", "gui_settings", "vehicle_config", "vehicle_state",
	"charge_schedule_data", "preconditioning_schedule_data",
}

// vehicleData is a reading of the car. Without "endpoints" it has no position and
// no schedules; the price is the same.
func (t *Tesla) vehicleData(c *call) reply {
	asked := strings.FieldsFunc(c.query.Get("endpoints"), func(r rune) bool { return r == ';' })
	for _, name := range asked {
		known := slices.Contains(sections[:], name) || slices.Contains(extras[:], name)
		if !known {
			return failure("400_invalid_field").explain("endpoints: no %q", name)
		}
	}
	everything := slices.Contains(asked, "vehicle_data_combo")
	located := everything || slices.Contains(asked, "location_data")
	if located && !c.token.has("vehicle_location") {
		if t.options.StrictLocation {
			return failure("403_missing_scopes")
		}
		located = false
	}
	answer := c.car.reading(c.now)
	for i, name := range sections {
		wanted := everything || slices.Contains(asked, name) || name == "drive_state" && located
		if len(asked) == 0 {
			wanted = i < 6
		}
		if !wanted {
			delete(answer, name)
		}
	}
	if drive, ok := answer["drive_state"].(object); ok && !located {
		maps.DeleteFunc(drive, func(key string, _ any) bool { return slices.Contains(positions[:], key) })
	}
	return good(answer)
}

// extras are words of "endpoints" that are no part by themselves.
var extras = [...]string{"location_data", "closures_state", "vehicle_data_combo"}

// positions are the members of drive_state that need location_data.
var positions = [...]string{
	"latitude", "longitude", "native_latitude", "native_longitude", "native_location_supported", "native_type",
	"gps_as_of", "heading", "active_route_latitude", "active_route_longitude",
}

// reading is everything that the car tells, in the shape of the fixture.
func (c *Car) reading(now time.Time) object {
	o := shape("vehicle_data")
	entry := c.entry()
	for key := range o {
		if v, ok := entry[key]; ok {
			o[key] = v
		}
	}
	o["user_id"] = userID
	fill := map[string]func(object, time.Time){
		"charge_state": c.chargeState, "climate_state": c.climateState, "drive_state": c.driveState,
		"vehicle_config": c.vehicleConfig, "vehicle_state": c.vehicleState,
	}
	for _, name := range sections {
		part, _ := o[name].(object)
		if set := fill[name]; set != nil {
			set(part, now)
		}
		part["timestamp"] = now.UnixMilli()
		if strings.HasSuffix(name, "_schedule_data") {
			part["timestamp"] = object{"seconds": now.Unix(), "nanos": now.Nanosecond()}
			c.atHome(part)
		}
	}
	if c.spec.Model.old() {
		c.age(o)
	}
	if !c.woke.IsZero() && now.Sub(c.woke) < dazed {
		c.daze(o)
	}
	return o
}

// atHome moves schedules to where the car lives.
func (c *Car) atHome(v any) {
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			c.atHome(one)
		}
	case object:
		for key, one := range v {
			switch key {
			case "latitude":
				v[key] = homeLat
			case "longitude":
				v[key] = homeLon
			default:
				c.atHome(one)
			}
		}
	}
}

// dazed is how long a car that just woke does not know its temperatures yet.
const dazed = 5 * time.Second

func (c *Car) daze(o object) {
	charge, climate, state := parts(o)
	charge["charging_state"] = nil
	climate["inside_temp"], climate["outside_temp"] = nil, nil
	for _, wheel := range []string{"fl", "fr", "rl", "rr"} {
		state["tpms_pressure_"+wheel], state["tpms_last_seen_pressure_time_"+wheel] = nil, nil
	}
}

// parts are the parts of a reading that cars differ in.
func parts(o object) (charge, climate, state object) {
	return o["charge_state"].(object), o["climate_state"].(object), o["vehicle_state"].(object)
}

// age takes away what a car of before 2021 does not tell.
func (c *Car) age(o object) {
	delete(o, "charge_schedule_data")
	delete(o, "preconditioning_schedule_data")
	charge, climate, state := parts(o)
	for _, key := range []string{
		"energy_remaining", "lifetime_energy_used", "module_temp_max", "module_temp_min",
		"charging_schedule_override",
	} {
		delete(charge, key)
	}
	for _, key := range []string{"bioweapon_mode", "steering_wheel_heater", "cop_activation_temperature"} {
		delete(climate, key)
	}
	charge["charge_to_max_range"], climate["smart_preconditioning"] = false, false
	state["sun_roof_state"], state["sun_roof_percent_open"] = "closed", 0
	state["api_version"], state["car_version"] = 36, "2022.8.10.16 0123456789ab"
}

func (c *Car) chargeState(o object, now time.Time) {
	fill := c.stored / c.full
	miles := func(wh float64) float64 { return round(wh/c.full*c.rated, 2) }
	maps.Copy(o, object{
		"battery_level": int(math.Round(fill * 100)), "usable_battery_level": int(math.Round(fill * 100)),
		"battery_range": miles(c.stored), "ideal_battery_range": miles(c.stored),
		"est_battery_range": miles(c.stored * 0.9),
		"energy_remaining":  round(c.stored/1e3, 2), "charge_limit_soc": int(math.Round(c.settings.limit() * 100)),
		"charge_energy_added":      round(c.added/1e3, 2),
		"charge_miles_added_rated": miles(c.added), "charge_miles_added_ideal": miles(c.added),
		"lifetime_energy_used": round(c.metres/1e3*0.16, 3), "module_temp_min": round(c.inside, 1),
		"module_temp_max": round(c.inside+1.5, 1), "charging_state": c.chargingState(),
		"charge_port_door_open": c.plugged, "charge_rate": 0., "charger_power": 0, "charger_voltage": 2,
		"charger_actual_current": 0, "charger_phases": nil, "charger_pilot_current": 16,
		"minutes_to_full_charge": 0, "time_to_full_charge": 0., "conn_charge_cable": invalid,
		"fast_charger_brand": invalid, "fast_charger_type": invalid, "fast_charger_present": false,
	})
	if c.plugged {
		o["conn_charge_cable"], o["fast_charger_type"] = "IEC", "ACSingleWireCAN"
		if c.fast {
			o["fast_charger_present"], o["fast_charger_brand"], o["fast_charger_type"] = true, "Tesla", "Combo"
		}
	}
	if c.charging() {
		c.flow(o, now)
	}
}

const invalid = "<invalid>"

// flow is what a car tells while it charges.
func (c *Car) flow(o object, now time.Time) {
	into := -c.chargePower()
	hours := math.Max(c.until()*c.full-c.stored, 0) / into
	o["charge_rate"] = round(into/c.full*c.rated, 1)
	o["minutes_to_full_charge"], o["time_to_full_charge"] = int(math.Ceil(hours*60)), round(hours, 2)
	if c.doing.Do == Supercharging {
		o["charger_power"], o["charger_voltage"] = int(math.Round(into/1e3)), 380
		return // the current and the phases of DC are useless
	}
	volts, amps, phases := c.current()
	o["charger_power"] = int(math.Round(volts * amps * float64(phases) / 1e3))
	o["charger_voltage"], o["charger_actual_current"] = int(volts), int(amps)
	o["charge_amps"], o["charge_current_request"] = int(amps), int(amps)
	o["charger_phases"] = phases
	if c.spec.Model == ModelY && phases == 3 {
		o["charger_phases"] = 2
	}
}

// chargingState is the car's word for it.
func (c *Car) chargingState() string {
	switch {
	case !c.plugged:
		return "Disconnected"
	case c.charging() && c.now.Sub(c.since) < 10*time.Second:
		return "Starting"
	case c.charging():
		return "Charging"
	case c.stored/c.full >= c.settings.limit()-0.005:
		return "Complete"
	}
	return "Stopped"
}

func (c *Car) driveState(o object, now time.Time) {
	lat, lon := place(c.away, c.bearing)
	heading := c.bearing
	maps.Copy(o, object{
		"latitude": round(lat, 6), "longitude": round(lon, 6),
		"native_latitude": round(lat, 6), "native_longitude": round(lon, 6), "gps_as_of": now.Unix() - 1,
		"power": int(math.Round(c.power / 1e3)), "shift_state": nil, "speed": nil,
	})
	switch {
	case c.doing.Do == Driving:
		o["shift_state"], o["speed"] = "D", int(math.Round(c.speed*3600/mile))
		if c.doing.Metres < 0 {
			heading += 180
		}
	case c.settings.UserPresent:
		o["shift_state"] = "P"
	}
	o["heading"] = int(heading) % 360
	if c.settings.Route == "" {
		return
	}
	left := c.left() / mile
	maps.Copy(o, object{
		"active_route_destination": c.settings.Route,
		"active_route_latitude":    homeLat, "active_route_longitude": homeLon,
		"active_route_energy_at_arrival":  int(math.Round((c.stored - left*mile*0.16) / c.full * 100)),
		"active_route_miles_to_arrival":   round(left, 6),
		"active_route_minutes_to_arrival": round(max(c.since.Add(c.doing.For).Sub(now), 0).Minutes(), 6),
	})
}

func (c *Car) climateState(o object, now time.Time) {
	on := c.settings.Climate || c.doing.Do == Driving
	maps.Copy(o, object{
		"inside_temp": round(c.inside, 1), "outside_temp": round(outside(now)*2, 0) / 2,
		"is_climate_on": on, "is_auto_conditioning_on": on, "fan_status": 0,
		"is_preconditioning": on && c.doing.Do != Driving,
	})
	if on {
		o["fan_status"] = 3
	}
}

func (c *Car) vehicleConfig(o object, _ time.Time) {
	o["car_type"] = c.spec.Model
	switch c.spec.Model {
	case ModelY:
		o["trim_badging"], o["efficiency_package"] = "74d", "MY2021"
	case OldS:
		o["trim_badging"], o["efficiency_package"], o["driver_assist"] = "85d", "Default", "MonoCam"
		o["has_air_suspension"], o["charge_port_type"] = true, "EU"
	}
}

func (c *Car) vehicleState(o object, now time.Time) {
	driving := c.doing.Do == Driving
	o["odometer"], o["vehicle_name"] = round(c.metres/mile, 6), c.spec.Name
	o["locked"], o["sentry_mode"] = !c.settings.Unlocked, c.settings.Sentry
	o["is_user_present"] = driving || c.settings.UserPresent
	o["homelink_nearby"] = c.away == 0
	o["center_display_state"] = 0
	switch {
	case driving || c.settings.UserPresent:
		o["center_display_state"] = 2
	case c.settings.Sentry:
		o["center_display_state"] = 7
	case c.charging():
		o["center_display_state"] = 3
	}
	for _, door := range []string{"df", "dr", "pf", "pr", "ft", "rt"} {
		o[door] = 0
		if c.settings.Doors[door] {
			o[door] = 1
		}
	}
	for _, window := range []string{"fd_window", "fp_window", "rd_window", "rp_window"} {
		o[window] = c.settings.Windows[window]
	}
	for _, wheel := range []string{"fl", "fr", "rl", "rr"} {
		o["tpms_pressure_"+wheel] = math.Round((2.85+0.01*(outside(now)-9))*40) / 40
		o["tpms_last_seen_pressure_time_"+wheel] = now.Unix() - 60
	}
	update := o["software_update"].(object)
	if c.settings.Update == "" {
		maps.Copy(update, object{"status": "", "version": " ", "download_perc": 0})
		return
	}
	update["version"] = c.settings.Update
}

func round(x float64, digits int) float64 {
	unit := math.Pow10(digits)
	return math.Round(x*unit) / unit
}
