package car

// Platform is a Home Assistant entity platform that Wheelhouse announces.
type Platform string

// The platforms in use.
const (
	Sensor        Platform = "sensor"
	BinarySensor  Platform = "binary_sensor"
	DeviceTracker Platform = "device_tracker"
	EventEntity   Platform = "event"
	Button        Platform = "button"
)

// Pace is how often the topic of a quantity may change.
type Pace uint8

const (
	// AtOnce publishes every change: words, switches, speed, power, consumption.
	AtOnce Pace = iota
	// Calm publishes a change at most every mqtt.min_interval by the reports'
	// own time; the last value always follows.
	Calm
	// Roaming publishes a position that moved 25 m, at most every 10 s.
	Roaming
	// Minutely publishes at most once a minute.
	Minutely
)

// Quantity is what a value means. It fixes Home Assistant's platform, device
// class, unit and state class (reference: Home Assistant's MQTT discovery) and
// the pace of the topic, so that a row does not repeat them.
type Quantity struct {
	Platform Platform
	Class    string // Home Assistant's device class, "" for none
	Unit     Unit   // the published unit
	State    string // Home Assistant's state class, "" for none
	Digits   int    // decimals published
	Low      float64
	High     float64 // values are clamped to Low..High where High > Low
	Pace     Pace
	Fleeting bool   // unknown once the car is silent
	Icon     string // where the class brings none
}

// The quantities. Energy in the battery is not energy used: Home Assistant
// keeps statistics of the two differently.
var (
	Battery       = Quantity{Sensor, "battery", Percent, "measurement", 1, 0, 100, Calm, false, ""}
	StoredEnergy  = Quantity{Sensor, "energy_storage", KilowattHour, "measurement", 2, 0, 0, Calm, false, ""}
	Capacity      = Quantity{Sensor, "energy_storage", KilowattHour, "measurement", 1, 0, 0, Calm, false, ""}
	Power         = Quantity{Sensor, "power", Kilowatt, "measurement", 2, 0, 0, AtOnce, true, ""}
	Speed         = Quantity{Sensor, "speed", KilometrePerHour, "measurement", 0, 0, 0, AtOnce, true, ""}
	Consumption   = Quantity{Sensor, "energy_distance", KilowattHourPer100, "measurement", 1, 0, 0, AtOnce, true, "mdi:leaf"}
	Temperature   = Quantity{Sensor, "temperature", Celsius, "measurement", 1, 0, 0, Calm, false, ""}
	Altitude      = Quantity{Sensor, "distance", Metre, "measurement", 0, 0, 0, Calm, false, ""}
	Word          = Quantity{Sensor, "enum", Unit{}, "", 0, 0, 0, AtOnce, false, ""}
	FreeText      = Quantity{Sensor, "", Unit{}, "", 0, 0, 0, AtOnce, false, ""}
	LastSeen      = Quantity{Sensor, "timestamp", Unit{}, "", 0, 0, 0, Minutely, false, ""}
	Instant       = Quantity{Sensor, "timestamp", Unit{}, "", 0, 0, 0, AtOnce, false, ""}
	Plug          = Quantity{BinarySensor, "plug", Unit{}, "", 0, 0, 0, AtOnce, false, ""}
	Charging      = Quantity{BinarySensor, "battery_charging", Unit{}, "", 0, 0, 0, AtOnce, true, ""}
	Moving        = Quantity{BinarySensor, "moving", Unit{}, "", 0, 0, 0, AtOnce, false, ""}
	Connectivity  = Quantity{BinarySensor, "connectivity", Unit{}, "", 0, 0, 0, AtOnce, false, ""}
	Position      = Quantity{DeviceTracker, "", Unit{}, "", 0, 0, 0, Roaming, false, ""}
	TotalDistance = Quantity{Sensor, "distance", Kilometre, "total", 1, 0, 0, Calm, false, ""}
	TotalEnergy   = Quantity{Sensor, "energy", KilowattHour, "total", 2, 0, 0, Calm, false, ""}

	TripDistance    = Quantity{Sensor, "distance", Kilometre, "", 1, 0, 0, Calm, false, ""}
	TripEnergy      = Quantity{Sensor, "energy", KilowattHour, "", 2, 0, 0, Calm, false, ""}
	TripConsumption = Quantity{Sensor, "energy_distance", KilowattHourPer100, "measurement", 1, 0, 0, Calm, false, "mdi:leaf"}
	TripSpeed       = Quantity{Sensor, "speed", KilometrePerHour, "measurement", 0, 0, 0, Calm, false, ""}
	Duration        = Quantity{Sensor, "duration", Minute, "measurement", 0, 0, 0, Calm, false, ""}
	ChargePower     = Quantity{Sensor, "power", Kilowatt, "measurement", 1, 0, 0, Calm, false, ""}
	ChargeGain      = Quantity{Sensor, "", Percent, "", 1, 0, 0, Calm, false, "mdi:battery-plus"}

	Range        = Quantity{Sensor, "distance", Kilometre, "measurement", 0, 0, 0, Calm, false, "mdi:map-marker-distance"}
	Odometer     = Quantity{Sensor, "distance", Kilometre, "total_increasing", 1, 0, 0, Calm, false, "mdi:counter"}
	ToGo         = Quantity{Sensor, "distance", Kilometre, "measurement", 1, 0, 0, Calm, false, ""}
	EnergyAdded  = Quantity{Sensor, "energy", KilowattHour, "total_increasing", 2, 0, 0, Calm, false, ""}
	ChargeSpeed  = Quantity{Sensor, "speed", KilometrePerHour, "measurement", 0, 0, 0, Calm, false, "mdi:speedometer"}
	Voltage      = Quantity{Sensor, "voltage", Volt, "measurement", 0, 0, 0, Calm, false, ""}
	Current      = Quantity{Sensor, "current", Ampere, "measurement", 0, 0, 0, Calm, false, ""}
	TirePressure = Quantity{Sensor, "pressure", Bar, "measurement", 2, 0, 0, Calm, false, "mdi:car-tire-alert"}
	Money        = Quantity{Sensor, "monetary", Dollar, "", 2, 0, 0, Calm, false, ""}
	Amount       = Quantity{Sensor, "", Unit{}, "measurement", 3, 0, 0, Calm, false, ""} // a number of no known unit

	Door      = Quantity{BinarySensor, "door", Unit{}, "", 0, 0, 0, AtOnce, false, ""}
	Window    = Quantity{BinarySensor, "window", Unit{}, "", 0, 0, 0, AtOnce, false, ""}
	Problem   = Quantity{BinarySensor, "problem", Unit{}, "", 0, 0, 0, AtOnce, false, ""}
	Occupancy = Quantity{BinarySensor, "occupancy", Unit{}, "", 0, 0, 0, AtOnce, false, ""}
	Running   = Quantity{BinarySensor, "running", Unit{}, "", 0, 0, 0, AtOnce, false, ""}
	Flag      = Quantity{BinarySensor, "", Unit{}, "", 0, 0, 0, AtOnce, false, ""} // a yes or no of no class

	Counter  = Quantity{Sensor, "", Unit{}, "total_increasing", 0, 0, 0, Calm, false, ""}
	Activity = Quantity{EventEntity, "", Unit{}, "", 0, 0, 0, AtOnce, false, ""}
	Press    = Quantity{Button, "", Unit{}, "", 0, 0, 0, AtOnce, false, ""}
)
