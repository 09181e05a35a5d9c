package car

// Paths of what the bridge computes, each in the unit given. A source's rows
// name them in From like paths of its own report. What the records do not yield
// is unknown.
const (
	AtReceived = "bridge.received" // time of the last accepted request, by our clock

	OfTripDistance    = "trip.distance"    // m, the current trip or else the last one
	OfTripEnergy      = "trip.energy"      // Wh
	OfTripConsumption = "trip.consumption" // kWh/100km
	OfTripDuration    = "trip.duration"    // ms
	OfTripSpeed       = "trip.speed"       // m/s
	OfTripStart       = "trip.start"       // time
	OfTripEnd         = "trip.end"         // time, unknown while the trip is open

	OfChargeEnergy   = "charge.energy"   // Wh, the best of what is known
	OfChargeGain     = "charge.gain"     // fraction of the battery
	OfChargeDuration = "charge.duration" // ms
	OfChargeMean     = "charge.mean"     // W
	OfChargePeak     = "charge.peak"     // W
	OfChargeStart    = "charge.start"    // time
	OfChargeEnd      = "charge.end"      // time

	TotalOfDistance = "total.distance" // m since total_since
	TotalOfUsed     = "total.used"     // Wh
	TotalOfCharged  = "total.charged"  // Wh

	ProgramVersion  = "program.version"
	ProgramStarted  = "program.started"  // time
	ProgramRequests = "program.requests" // webhook requests since the start
	ProgramErrors   = "program.errors"   // of them not answered 200

	AccountAuth       = "account.auth"       // signed_in, login_required, not_set_up or region_error
	AccountProblem    = "account.problem"    // a person has to act
	AccountCost       = "account.cost"       // USD since the month began
	AccountForecast   = "account.forecast"   // USD of the whole month
	AccountCredit     = "account.credit"     // USD that are still free
	AccountOverBudget = "account.overbudget" // the soft or the hard limit is reached
	AccountData       = "account.data"       // calls since the month began
	AccountCommands   = "account.commands"
	AccountWakes      = "account.wakes"
)
