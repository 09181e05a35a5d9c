package discovery

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// class is what a device class of a sensor allows: units, none if empty, and
// state classes. Unit and class are checked together by Home Assistant
// (sensor/const.py); the letter case counts, and μ is U+03BC.
type class struct{ units, states string }

const (
	energyUnits = "J kJ MJ GJ mWh Wh kWh MWh GWh TWh cal kcal Mcal Gcal thm"
	anyState    = "measurement total total_increasing"
)

// sensorClasses are the device classes that a car can need. temperature_delta
// and uptime are not among them: older releases drop the component.
var sensorClasses = map[string]class{
	"battery":         {"%", "measurement"},
	"energy":          {energyUnits, "total total_increasing"},
	"energy_storage":  {energyUnits, "measurement"},
	"energy_distance": {"kWh/100km Wh/km km/kWh mi/kWh", "measurement"},
	"power":           {"mW W kW MW GW TW", "measurement"},
	"voltage":         {"μV mV V kV MV", "measurement"},
	"current":         {"μA mA A", "measurement"},
	"temperature":     {"°C °F K", "measurement"},
	"speed":           {"m/s km/h mph ft/s kn m/min mm/s in/s Beaufort", "measurement"},
	"distance":        {"mm cm m km in ft yd mi nmi", anyState},
	"duration":        {"μs ms s min h d", anyState},
	"pressure":        {"mPa Pa hPa kPa bar cbar mbar mmHg inHg inH₂O psi atm", "measurement"},
	"humidity":        {"%", "measurement"},
	"frequency":       {"mHz Hz kHz MHz GHz", "measurement"},
	"weight":          {"kg g mg μg oz lb st", "measurement"},
	"data_size":       {"bit kbit Mbit Gbit B kB MB GB TB KiB MiB GiB TiB", anyState},
	"signal_strength": {"dB dBm", "measurement"},
	"monetary":        {"", "total"}, // the unit is a currency
	"timestamp":       {},
	"date":            {},
	"enum":            {},
}

// binaryClasses lacks two that exist: presence is shown as Home and Away, heat
// as Hot and Normal, which no car means.
const binaryClasses = `battery battery_charging carbon_monoxide cold connectivity door
	garage_door gas light lock moisture motion moving occupancy opening plug power problem
	running safety smoke sound tamper update vibration window`

var currency = regexp.MustCompile(`^[A-Z]{3}$`)

func sensorClassRule(v any) string {
	name, _ := v.(string)
	if _, ok := sensorClasses[name]; !ok {
		return fmt.Sprintf("%v is no device class", v)
	}
	return ""
}

// worded says whether the values of a class are words or times, not numbers.
func worded(class string) bool {
	return class == "timestamp" || class == "date" || class == "enum"
}

// numeric says whether Home Assistant expects numbers of a sensor.
func numeric(class, unit, state string) bool {
	return !worded(class) && (class != "" || unit != "" || state != "")
}

// checkUnit says why a unit does not fit a device class.
func checkUnit(name, unit string) string {
	c, known := sensorClasses[name]
	switch {
	case !known || name == "":
		return ""
	case name == "monetary":
		if !currency.MatchString(unit) {
			return fmt.Sprintf("%q is no currency of three letters", unit)
		}
	case c.units == "" && unit != "":
		return name + " has no unit"
	case c.units != "" && !slices.Contains(strings.Fields(c.units), unit):
		return fmt.Sprintf("%q is no unit of %s: %s", unit, name, c.units)
	}
	return ""
}

// checkState says why a state class does not fit a device class.
func checkState(name, state, unit string) string {
	c, known := sensorClasses[name]
	switch {
	case state == "measurement_angle" && unit != "°":
		return "measurement_angle needs the unit °"
	case state == "" || name == "" || !known:
		return ""
	case !slices.Contains(strings.Fields(c.states), state):
		return fmt.Sprintf("%s is no state class of %s", state, name)
	}
	return ""
}

func checkSensor(c map[string]any, add func(key, what string)) {
	name, unit, state := str(c, "device_class"), str(c, "unit_of_measurement"), str(c, "state_class")
	add("unit_of_measurement", checkUnit(name, unit))
	add("state_class", checkState(name, state, unit))
	if c["options"] != nil && name != "enum" {
		add("options", "need the device class enum")
	}
	if c["options"] == nil && name == "enum" {
		add("options", "are missing: any text would be taken")
	}
	if c["suggested_display_precision"] != nil && worded(name) {
		add("suggested_display_precision", "is for numbers only")
	}
	if c["last_reset_value_template"] != nil && state != "total" {
		add("last_reset_value_template", "needs the state class total")
	}
}

func checkBinarySensor(c map[string]any, add func(key, what string)) {
	if on, off := textOr(c, "payload_on", "ON"), textOr(c, "payload_off", "OFF"); on == off {
		add("payload_off", "is the same as payload_on")
	}
}

func checkNumber(c map[string]any, add func(key, what string)) {
	checkRange(c, add)
	if step, ok := c["step"].(float64); ok && step < 0.001 {
		add("step", "is less than 0.001")
	}
	name := str(c, "device_class")
	if worded(name) {
		add("device_class", "is none of a number")
		return
	}
	add("unit_of_measurement", checkUnit(name, str(c, "unit_of_measurement")))
}

// checkRange needs min to be at most max; the defaults of number are 0 and 100,
// those of text 0 and 255.
func checkRange(c map[string]any, add func(key, what string)) {
	low, _ := c["min"].(float64)
	high, given := c["max"].(float64)
	if !given {
		high = 100
		if c["platform"] == "text" {
			high = 255
		}
	}
	if low > high {
		add("min", "is greater than max")
	}
}

func checkCover(c map[string]any, add func(key, what string)) {
	if c["set_position_topic"] != nil && c["position_topic"] == nil {
		add("set_position_topic", "needs position_topic")
	}
	if c["state_topic"] == nil && c["position_topic"] == nil {
		add("state_topic", "is missing: the cover would be optimistic")
	}
	if c["command_topic"] == nil && c["set_position_topic"] == nil {
		add("command_topic", "is missing")
	}
}

func precision(v any) string {
	if v != 0.1 && v != 0.5 && v != 1.0 {
		return "must be 0.1, 0.5 or 1"
	}
	return ""
}

// checkClimate pairs each command with the state that confirms it.
func checkClimate(c map[string]any, add func(key, what string)) {
	if (c["preset_modes"] == nil) != (c["preset_mode_command_topic"] == nil) {
		add("preset_modes", "must come together with preset_mode_command_topic")
	}
	for _, what := range []string{"mode", "temperature", "preset_mode", "fan_mode"} {
		if c[what+"_command_topic"] != nil && c[what+"_state_topic"] == nil {
			add(what+"_state_topic", "is missing: the value would be optimistic")
		}
	}
	low, hasLow := c["min_temp"].(float64)
	high, hasHigh := c["max_temp"].(float64)
	if hasLow && hasHigh && low >= high {
		add("min_temp", "is not less than max_temp")
	}
}

func checkUpdate(c map[string]any, add func(key, what string)) {
	if (c["command_topic"] == nil) != (c["payload_install"] == nil) {
		add("payload_install", "must come together with command_topic")
	}
}

func checkImage(c map[string]any, add func(key, what string)) {
	if (c["image_topic"] == nil) == (c["url_topic"] == nil) {
		add("image_topic", "exactly one of image_topic and url_topic must be there")
	}
}

// str is the text of a key, "" if it has none.
func str(c map[string]any, key string) string {
	s, _ := c[key].(string)
	return s
}

// textOr is the text of a key, or what Home Assistant takes without it.
func textOr(c map[string]any, key, otherwise string) string {
	if s, ok := c[key].(string); ok {
		return s
	}
	return otherwise
}
