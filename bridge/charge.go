package bridge

import (
	"encoding/json"
	"math"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

const (
	// covered is the longest gap between two points of a session in which the
	// app was awake.
	covered = 5500 * time.Millisecond
	// dcPower is what no usual AC charger gives, in W; the app draws the same
	// line.
	dcPower = 11_000
	// sessionSlack is how far a session's points may lie outside of its times.
	sessionSlack = 5 * time.Second
)

// EnergySource says where the best energy of a session comes from.
type EnergySource string

// The sources of energy.
const (
	Measured   EnergySource = "measured"   // by the app, and it agrees with the state of charge
	BySoC      EnergySource = "soc"        // from the state of charge: the app slept, or measured nonsense
	Unverified EnergySource = "unverified" // by the app, with nothing to compare it to
)

// Charge is what a charging session and its points add up to. It does not
// depend on the battery's capacity, which may become known later. Numbers that
// are unknown are nil.
type Charge struct {
	Start    int64    `json:"start"`              // epoch ms
	End      int64    `json:"end,omitempty"`      // epoch ms, 0 while open
	Duration int64    `json:"duration"`           // ms, gaps included
	Plugged  int64    `json:"plugged"`            // ms, without the gaps in which the cable was out
	Covered  int64    `json:"covered"`            // ms in which the app was awake and measured
	Measured *float64 `json:"measured,omitempty"` // Wh by the app; can be absurd
	SoCStart *float64 `json:"soc_start,omitempty"`
	SoCEnd   *float64 `json:"soc_end,omitempty"`
	Gain     *float64 `json:"gain,omitempty"` // fraction of the battery
	Peak     *float64 `json:"peak,omitempty"` // W
	Outside  *float64 `json:"outside,omitempty"`
	Lat      *float64 `json:"lat,omitempty"`
	Lon      *float64 `json:"lon,omitempty"`
	Points   int      `json:"points"`
}

// SumCharge folds a session and its points, which are in ascending order.
func SumCharge(s car.Session, points []car.ChargePoint) Charge {
	c := Charge{
		Start: s.Start, End: s.End, Duration: s.Duration, Measured: given(s.Energy),
		Outside: given(s.Outside), Lat: given(s.Lat), Lon: given(s.Lon), Points: len(points),
	}
	end := s.End
	if n := len(points); n > 0 {
		end = max(end, points[n-1].At)
	}
	if c.Duration <= 0 {
		c.Duration = max(0, end-s.Start)
	}
	c.Plugged = max(0, end-s.Start)
	if s.Outside == 0 {
		c.Outside = nil // 0 also means unknown
	}
	c.sumPoints(points)
	if c.Gain == nil && s.SoC != 0 {
		c.Gain = given(s.SoC)
	}
	return c
}

func (c *Charge) sumPoints(points []car.ChargePoint) {
	charges := 0 // states of charge that are known
	for i, p := range points {
		if p.SoC > 0 { // the app writes 0 where it knows none
			charges++
			if c.SoCStart == nil {
				c.SoCStart = given(p.SoC)
			}
			c.SoCEnd = given(p.SoC)
		}
		if car.Given(p.Power) && (c.Peak == nil || -p.Power > *c.Peak) {
			c.Peak = given(max(0, -p.Power))
		}
		if i > 0 {
			c.sumGap(points[i-1], p)
		}
	}
	if charges > 1 {
		c.Gain = given(*c.SoCEnd - *c.SoCStart)
	}
}

// sumGap judges the time between two points: awake, asleep with the cable in,
// or the cable out.
func (c *Charge) sumGap(p, q car.ChargePoint) {
	gap := q.At - p.At
	if gap <= covered.Milliseconds() {
		c.Covered += gap
		return
	}
	ended := p.Marker == car.End || p.Marker == car.Lone
	began := q.Marker == car.Begin || q.Marker == car.Lone
	if ended && began && !(q.SoC > p.SoC) {
		c.Plugged -= gap
	}
}

// Coverage is the part of the plugged time in which the app measured, 0..1.
func (c Charge) Coverage() float64 {
	if c.Plugged <= 0 {
		return 0
	}
	return math.Min(1, float64(c.Covered)/float64(c.Plugged))
}

// ByGain is the energy in Wh by the state of charge; unknown without a
// capacity (Wh, 0 for unknown).
func (c Charge) ByGain(capacity float64) car.Value {
	if c.Gain == nil || capacity <= 0 {
		return car.Value{}
	}
	return car.Number(*c.Gain * capacity)
}

// Best is the most trustworthy energy in Wh, and where it comes from. The app
// multiplies the present power by the whole time it slept, so that what it
// measured counts only where it was awake and the state of charge agrees.
func (c Charge) Best(capacity float64) (car.Value, EnergySource) {
	bySoC, known := c.ByGain(capacity).Float()
	switch {
	case c.Measured == nil && !known:
		return car.Value{}, Unverified
	case c.Measured == nil:
		return car.Number(bySoC), BySoC
	case !known && (*c.Measured < 0 || capacity > 0 && *c.Measured > 1.1*capacity):
		return car.Value{}, Unverified
	case !known:
		return car.Number(*c.Measured), Unverified
	}
	off := math.Abs(*c.Measured - bySoC)
	if c.Coverage() > 0.9 && (off <= 0.25*math.Abs(bySoC) || off <= 1500) {
		return car.Number(*c.Measured), Measured
	}
	return car.Number(bySoC), BySoC
}

// Mean is the average power in W while the cable was in.
func (c Charge) Mean(capacity float64) car.Value {
	best, _ := c.Best(capacity)
	wh, ok := best.Float()
	if !ok || c.Plugged <= 0 {
		return car.Value{}
	}
	return car.Number(wh / (float64(c.Plugged) / 3.6e6))
}

// values are the charge's computed paths.
func (c Charge) values(capacity float64) map[string]car.Value {
	best, _ := c.Best(capacity)
	return map[string]car.Value{
		car.OfChargeEnergy:   best,
		car.OfChargeGain:     value(c.Gain),
		car.OfChargeDuration: car.Number(float64(c.Duration)),
		car.OfChargeMean:     c.Mean(capacity),
		car.OfChargePeak:     value(c.Peak),
		car.OfChargeStart:    car.Moment(time.UnixMilli(c.Start)),
		car.OfChargeEnd:      car.Moment(time.UnixMilli(c.End)),
	}
}

// chargeJSON is the retained last_charge.
type chargeJSON struct {
	Start        string       `json:"start"`
	End          string       `json:"end"`
	Duration     roundedTo    `json:"duration_min"`
	Energy       roundedTo    `json:"energy_kwh"`
	EnergySource EnergySource `json:"energy_source"`
	Measured     roundedTo    `json:"energy_measured_kwh"`
	BySoC        roundedTo    `json:"energy_by_soc_kwh"`
	Coverage     roundedTo    `json:"coverage"`
	SoCStart     roundedTo    `json:"battery_start"`
	SoCEnd       roundedTo    `json:"battery_end"`
	SoCAdded     roundedTo    `json:"battery_added"`
	AveragePower roundedTo    `json:"average_power_kw"`
	PeakPower    roundedTo    `json:"peak_power_kw"`
	DC           *bool        `json:"dc"`
	Outside      roundedTo    `json:"outside_temperature"`
	Lat          roundedTo    `json:"latitude"`
	Lon          roundedTo    `json:"longitude"`
	Points       int          `json:"points"`
}

// JSON is the session as it is published in last_charge; what is unknown is
// null. capacity is in Wh, 0 for unknown.
func (c Charge) JSON(capacity float64) string {
	best, source := c.Best(capacity)
	var dc *bool
	if c.Peak != nil {
		is := *c.Peak > dcPower
		dc = &is
	}
	end := ""
	if c.End != 0 {
		end = stamp(c.End)
	}
	return document(chargeJSON{
		Start:        stamp(c.Start),
		End:          end,
		Duration:     rounded(float64(c.Duration)/60_000, 1),
		Energy:       roundedValue(best, 1e-3, 2),
		EnergySource: source,
		Measured:     roundedValue(value(c.Measured), 1e-3, 2),
		BySoC:        roundedValue(c.ByGain(capacity), 1e-3, 2),
		Coverage:     rounded(c.Coverage(), 2),
		SoCStart:     roundedValue(value(c.SoCStart), 100, 1),
		SoCEnd:       roundedValue(value(c.SoCEnd), 100, 1),
		SoCAdded:     roundedValue(value(c.Gain), 100, 1),
		AveragePower: roundedValue(c.Mean(capacity), 1e-3, 1),
		PeakPower:    roundedValue(value(c.Peak), 1e-3, 1),
		DC:           dc,
		Outside:      roundedValue(value(c.Outside), 1, 1),
		Lat:          roundedValue(value(c.Lat), 1, 6),
		Lon:          roundedValue(value(c.Lon), 1, 6),
		Points:       c.Points,
	})
}

// ReadCharge reads what Charge.Summary wrote.
func ReadCharge(summary []byte) (Charge, error) {
	var c Charge
	err := json.Unmarshal(summary, &c)
	return c, err
}

// Summary is the charge as the store keeps it.
func (c Charge) Summary() []byte { return []byte(document(c)) }

// given is a record's number, nil if it is missing.
func given(x float64) *float64 {
	if !car.Given(x) {
		return nil
	}
	return &x
}

func value(x *float64) car.Value {
	if x == nil {
		return car.Value{}
	}
	return car.Number(*x)
}
