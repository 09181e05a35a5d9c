package sim

import (
	"math"
	"time"
)

// Journey is what API 1.0 told about the trip beside the state of the car.
type Journey struct {
	Began      time.Time // of the drive, in the car's time zone
	Travelled  float64   // m
	Used       float64   // Wh
	Took       int64     // ms
	ChargeFrom time.Time
	Charged    float64 // Wh
	ChargeTook int64   // ms
}

// appDate is how API 1.0 wrote dates: English text of Java's DateFormat.
const appDate = "Jan 2, 2006 3:04:05 PM"

// gears and ignitions are the numbers of Android's vehicle properties.
func gearNumber(gear string) int64 {
	return map[string]int64{"N": 1, "R": 2, "P": 4, "D": 8}[gear]
}

func ignitionNumber(word string) int64 {
	return map[string]int64{"Locked": 1, "Off": 2, "Accessory": 3, "On": 4, "Started": 5}[word]
}

// LegacyBody appends a body of API 1.0, as apps 0.24 sent them: km/h, kW, whole
// per cent, numbers for gear and ignition, 64-bit coordinates.
func (r Release) LegacyBody(dst []byte, s State, j Journey) []byte {
	doing := doingOf(s)
	fast := doing == Charging && s.Power < -11e3 // the app's own rule for DC
	o := object(append(dst, '{'))
	if s.ABRP != nil {
		o = o.text("abrpPackage", *s.ABRP)
	}
	o = o.double("alt", s.Alt).float("ambientTemperature", s.Outside).
		float("avgConsumption", over(j.Used, j.Travelled/1e3)).
		float("avgSpeed", over(j.Travelled, float64(j.Took)/1e3)).
		float("batteryLevel", s.Level).bool("chargePortConnected", s.Plugged).
		text("chargeStartDate", j.ChargeFrom.Format(appDate)).int("chargeTime", j.ChargeTook).
		float("chargedEnergy", j.Charged).int("currentGear", gearNumber(s.Gear)).
		int("currentIgnitionState", ignitionNumber(s.Ignition)).
		float("currentPower", s.Power/1e3).float("currentSpeed", s.Speed*3.6).
		int("driveState", int64(doing)).
		float("instConsumption", over(s.Power, s.Speed*3.6)).
		bool("isCharging", doing == Charging).bool("isFastCharging", fast).
		bool("isParked", doing == Parked).double("lat", s.Lat).double("lon", s.Lon).
		float("maxBatteryLevel", over(s.Level, s.SoC)).
		int("stateOfCharge", int64(math.Round(s.SoC*100))).int("timestamp", s.Timestamp).
		int("travelTime", j.Took).float("traveledDistance", j.Travelled).
		text("tripStartDate", j.Began.Format(appDate)).float("usedEnergy", j.Used)
	return append(o, '}')
}

func over(x, y float64) float64 {
	if y == 0 {
		return 0
	}
	return x / y
}
