package car

// Activities are the events a car tells of.
var Activities = []string{
	DriveStarted, DriveEnded, PluggedIn, Unplugged, ChargeStarted, ChargeEnded, SessionUpdated,
}

// What can happen to a car, as Home Assistant's event types.
const (
	DriveStarted   = "drive_started"
	DriveEnded     = "drive_ended"
	PluggedIn      = "plugged_in"
	Unplugged      = "unplugged"
	ChargeStarted  = "charge_started"
	ChargeEnded    = "charge_ended"
	SessionUpdated = "session_updated"
)
