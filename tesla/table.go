package tesla

import (
	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// Table describes every value of a Tesla that needs no order to be read. A new field
// is one row. From names a path of vehicle_data, see [Decode]; what needs more than
// one, or must outlast a blank in the newest answer, is calculated in rows.go.
var Table = car.Table{Fields: []car.Field{
	{Key: "battery", Name: "Battery", Is: car.Battery, From: "charge_state.battery_level", In: car.Percent},
	{Key: "battery_usable", Name: "Battery usable", Is: car.Battery, From: "charge_state.usable_battery_level", In: car.Percent, Off: true},
	{Key: "charging_state", Name: "Charging state", Is: car.Word, Calc: chargingState, Options: chargingStates, Icon: "mdi:ev-station"},
	{Key: "charge_energy_added", Name: "Charge energy added", Is: car.EnergyAdded, From: "charge_state.charge_energy_added", In: car.KilowattHour},
	{Key: "charger_power", Name: "Charger power", Is: car.ChargePower, Calc: chargerPower},
	{Key: "charger_voltage", Name: "Charger voltage", Is: car.Voltage, From: "charge_state.charger_voltage", In: car.Volt, Diagnostic: true},
	{Key: "charger_current", Name: "Charger current", Is: car.Current, From: "charge_state.charger_actual_current", In: car.Ampere, Diagnostic: true},
	{Key: "charge_rate", Name: "Charge rate", Is: car.ChargeSpeed, From: "charge_state.charge_rate", In: car.MilePerHour, Diagnostic: true},
	{Key: "range", Name: "Range", Is: car.Range, From: "charge_state.battery_range", In: car.Mile},
	{Key: "range_estimated", Name: "Estimated range", Is: car.Range, From: "charge_state.est_battery_range", In: car.Mile, Off: true},
	{Key: "range_ideal", Name: "Ideal range", Is: car.Range, From: "charge_state.ideal_battery_range", In: car.Mile, Off: true},
	{Key: "time_full_charge", Name: "Full charge at", Is: car.Instant, Calc: fullAt},
	{Key: "odometer", Name: "Odometer", Is: car.Odometer, From: "vehicle_state.odometer", In: car.Mile},
	{Key: "speed", Name: "Speed", Is: car.Speed, Calc: speed, Off: true},
	{Key: "power", Name: "Power", Is: car.Power, From: "drive_state.power", In: car.Kilowatt, Diagnostic: true, Off: true},
	{Key: "gear", Name: "Gear", Is: car.Word, Calc: gear, Options: gears, Icon: "mdi:car-shift-pattern", Off: true},
	{Key: "inside_temperature", Name: "Inside temperature", Is: car.Temperature, Calc: kept("climate_state.inside_temp")},
	{Key: "outside_temperature", Name: "Outside temperature", Is: car.Temperature, Calc: kept("climate_state.outside_temp")},

	{Key: "tire_pressure_front_left", Name: "Tire pressure front left", Is: car.TirePressure, Calc: tirePressure("fl"), Diagnostic: true, Off: true},
	{Key: "tire_warning_front_left", Name: "Tire pressure warning front left", Is: car.Problem, Calc: tireWarning("fl"), Diagnostic: true, Off: true},
	{Key: "tire_pressure_front_right", Name: "Tire pressure front right", Is: car.TirePressure, Calc: tirePressure("fr"), Diagnostic: true, Off: true},
	{Key: "tire_warning_front_right", Name: "Tire pressure warning front right", Is: car.Problem, Calc: tireWarning("fr"), Diagnostic: true, Off: true},
	{Key: "tire_pressure_rear_left", Name: "Tire pressure rear left", Is: car.TirePressure, Calc: tirePressure("rl"), Diagnostic: true, Off: true},
	{Key: "tire_warning_rear_left", Name: "Tire pressure warning rear left", Is: car.Problem, Calc: tireWarning("rl"), Diagnostic: true, Off: true},
	{Key: "tire_pressure_rear_right", Name: "Tire pressure rear right", Is: car.TirePressure, Calc: tirePressure("rr"), Diagnostic: true, Off: true},
	{Key: "tire_warning_rear_right", Name: "Tire pressure warning rear right", Is: car.Problem, Calc: tireWarning("rr"), Diagnostic: true, Off: true},

	{Key: "arrival_time", Name: "Arrival at", Is: car.Instant, Calc: arrivalAt},
	{Key: "arrival_distance", Name: "Distance to arrival", Is: car.ToGo, From: "drive_state.active_route_miles_to_arrival", In: car.Mile},
	{Key: "arrival_soc", Name: "Charge at arrival", Is: car.Battery, From: "drive_state.active_route_energy_at_arrival", In: car.Percent, Diagnostic: true, Off: true},
	{Key: "arrival_delay", Name: "Traffic delay", Is: car.Duration, Calc: onRoute(delay), Off: true},
	{Key: "destination", Name: "Destination", Is: car.FreeText, Calc: onRoute(destination), Icon: "mdi:map-marker-check", Off: true},

	{Key: "last_seen", Name: "Last update", Is: car.LastSeen, From: pathOfTime, Diagnostic: true},
	{Key: "api_cost_month", Name: "API cost this month", Is: car.Money, From: pathOfCost, Diagnostic: true, Off: true},
	{Key: "online", Name: "Awake", Is: car.Connectivity, Calc: awake},
	{Key: "plugged_in", Name: "Plugged in", Is: car.Plug, Calc: pluggedIn},
	{Key: "charging", Name: "Charging", Is: car.Charging, Calc: charging},
	{Key: "user_present", Name: "User present", Is: car.Occupancy, From: "vehicle_state.is_user_present"},
	{Key: "battery_heater", Name: "Battery heater", Is: car.Running, Calc: batteryHeater, Diagnostic: true, Off: true},
	{Key: "preconditioning", Name: "Preconditioning", Is: car.Running, From: "climate_state.is_preconditioning", Diagnostic: true, Off: true},
	{Key: "scheduled_charging_pending", Name: "Scheduled charging pending", Is: car.Flag, From: "charge_state.scheduled_charging_pending", Diagnostic: true, Off: true},
	{Key: "dashcam", Name: "Dashcam", Is: car.Running, Calc: dashcam, Diagnostic: true, Off: true},

	{Key: "door_front_driver", Name: "Front driver door", Is: car.Door, Calc: isOpen("df"), Diagnostic: true},
	{Key: "window_front_driver", Name: "Front driver window", Is: car.Window, Calc: isOpen("fd_window"), Diagnostic: true},
	{Key: "door_front_passenger", Name: "Front passenger door", Is: car.Door, Calc: isOpen("pf"), Diagnostic: true},
	{Key: "window_front_passenger", Name: "Front passenger window", Is: car.Window, Calc: isOpen("fp_window"), Diagnostic: true},
	{Key: "door_rear_driver", Name: "Rear driver door", Is: car.Door, Calc: isOpen("dr"), Diagnostic: true},
	{Key: "window_rear_driver", Name: "Rear driver window", Is: car.Window, Calc: isOpen("rd_window"), Diagnostic: true},
	{Key: "door_rear_passenger", Name: "Rear passenger door", Is: car.Door, Calc: isOpen("pr"), Diagnostic: true},
	{Key: "window_rear_passenger", Name: "Rear passenger window", Is: car.Window, Calc: isOpen("rp_window"), Diagnostic: true},

	{Key: "location", Name: "Location", Is: car.Position, Calc: place("drive_state.latitude", "drive_state.longitude", "drive_state.heading")},
	{Key: "destination_location", Name: "Route", Is: car.Position, Calc: onRoute(route), Needs: "arrival_distance", Off: true},

	{Key: "refresh", Name: "Refresh data", Is: car.Press, Diagnostic: true},
}}

var (
	gears          = []string{"P", "R", "N", "D"}
	chargingStates = []string{"starting", "charging", "stopped", "complete", "disconnected", "no_power"}
)
