package sim

import "github.com/wheelhouse-mqtt/wheelhouse/car"

// State is the top level of a request: what the app knows about the car at one
// moment. Numbers may be car.Missing where the app may omit them: power,
// temperature and the position.
type State struct {
	Timestamp     int64   // epoch ms, the moment of sending
	Speed         float64 // m/s, never negative
	Power         float64 // W, positive = consumption
	Gear          string  // P R N D UNKNOWN
	Ignition      string  // Undefined Locked Off Accessory On Started UNKNOWN
	Plugged       bool
	Level         float64 // Wh in the battery
	SoC           float64 // 0..1
	Outside       float64 // °C
	Lat, Lon, Alt float64 // degrees, m above sea level
	ABRP          *string // the secret package of the ABRP debug switch
}

// Session is a charging session as the app keeps it.
type Session struct {
	car.Session
	Curve []car.ChargePoint // nil: the key is left out
}

// LiveBody appends the body of a tick. All bodies are compact JSON in ASCII
// order of the keys, without a newline, as Gson writes them on Android.
func (r Release) LiveBody(dst []byte, s State) []byte { return r.Body(dst, s, nil, nil) }

// PointsBody appends a body that carries driving points.
func (r Release) PointsBody(dst []byte, s State, points []car.Point) []byte {
	return r.Body(dst, s, points, nil)
}

// SessionBody appends a body that carries one charging session.
func (r Release) SessionBody(dst []byte, s State, session Session) []byte {
	return r.Body(dst, s, nil, []Session{session})
}

// Body appends a body with whatever is given; empty arrays are left out. A
// release of API 1.0 has none, see LegacyBody.
func (r Release) Body(dst []byte, s State, points []car.Point, sessions []Session) []byte {
	if r.legacy() {
		return r.LegacyBody(dst, s, Journey{})
	}
	dst = r.head(dst, s)
	for i, session := range sessions {
		dst = AppendSession(separate(dst, i, sessionsKey), session)
	}
	dst = closeArray(dst, len(sessions))
	for i, p := range points {
		dst = AppendPoint(separate(dst, i, pointsKey), p)
	}
	return r.tail(closeArray(dst, len(points)), s)
}

const (
	sessionsKey = `,"chargingSessions":[`
	pointsKey   = `,"drivingPoints":[`
)

// separate appends what stands before element i of the array behind key.
func separate(dst []byte, i int, key string) []byte {
	if i == 0 {
		return append(dst, key...)
	}
	return append(dst, ',')
}

// closeArray ends an array of n elements; an empty one was never begun.
func closeArray(dst []byte, n int) []byte {
	if n == 0 {
		return dst
	}
	return append(dst, ']')
}

// head appends the keys that sort before the arrays.
func (r Release) head(dst []byte, s State) []byte {
	o := object(append(dst, '{'))
	if s.ABRP != nil {
		o = o.text("abrpPackage", *s.ABRP)
	}
	if r.Fork == Boessi {
		return o.raw("apiVersion", r.API).text("appVersion", r.Version)
	}
	return o.float("alt", s.Alt).float("ambientTemperature", s.Outside).
		raw("apiVersion", r.API).text("appVersion", r.Version).
		float("batteryLevel", s.Level).bool("chargePortConnected", s.Plugged)
}

// tail appends the keys that sort after the arrays.
func (r Release) tail(dst []byte, s State) []byte {
	o := object(dst)
	if r.Fork == Boessi {
		o = o.float("realTimeAlt", s.Alt).float("realTimeAmbientTemperature", s.Outside).
			float("realTimeBatteryLevel", s.Level).bool("realTimeChargePortConnected", s.Plugged).
			text("realTimeGear", s.Gear).text("realTimeIgnitionState", s.Ignition).
			float("realTimeLat", s.Lat).float("realTimeLon", s.Lon).
			float("realTimePower", s.Power*1e3).float("realTimeSpeed", s.Speed).
			float("realTimeStateOfCharge", s.SoC)
	} else {
		o = o.text("ignitionState", s.Ignition).float("lat", s.Lat).float("lon", s.Lon).
			float("power", s.Power*1e3).text("selectedGear", s.Gear).float("speed", s.Speed).
			float("stateOfCharge", s.SoC)
	}
	return append(o.int("timestamp", s.Timestamp), '}')
}

// AppendPoint appends one element of drivingPoints.
func AppendPoint(dst []byte, p car.Point) []byte {
	o := object(append(dst, '{')).float("alt", p.Alt).float("distance_delta", p.Distance).
		int("driving_point_epoch_time", p.At).float("energy_delta", p.Energy).
		float("lat", p.Lat).float("lon", p.Lon).marker(p.Marker).
		float("state_of_charge", p.SoC)
	return append(o, '}')
}

// AppendSession appends one element of chargingSessions.
func AppendSession(dst []byte, s Session) []byte {
	o := object(append(dst, '{')).int("chargeTime", s.Duration).
		double("charged_energy", s.Energy).float("charged_soc", s.SoC)
	for i, p := range s.Curve {
		o = appendChargePoint(separate(o, i, `,"chargingPoints":[`), p, s.ID)
	}
	o = object(closeArray(o, len(s.Curve))).int("charging_session_id", s.ID)
	if s.End != 0 {
		o = o.int("end_epoch_time", s.End)
	}
	o = o.float("lat", s.Lat).float("lon", s.Lon).float("outside_temp", s.Outside).
		int("start_epoch_time", s.Start)
	return append(o, '}')
}

func appendChargePoint(dst []byte, p car.ChargePoint, session int64) []byte {
	o := object(append(dst, '{')).int("charging_point_epoch_time", p.At).
		int("charging_session_id", session).float("energy_delta", p.Energy).
		marker(p.Marker).float("power", p.Power*1e3).float("state_of_charge", p.SoC)
	return append(o, '}')
}
