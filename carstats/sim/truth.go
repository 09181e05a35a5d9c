package sim

import "time"

// Truth is what the car really did, measured by the car and not by the app:
// the oracle for whatever a receiver computes.
type Truth struct {
	Trips   []Trip
	Charges []Charge
}

// Trip is one drive.
type Trip struct {
	Start, End       time.Time
	Distance         float64 // m
	Energy           float64 // Wh out of the battery; negative if the hills gave more
	SoCStart, SoCEnd float64 // 0..1, whole per cent
}

// Charge is one time with the cable in.
type Charge struct {
	Start, End       time.Time
	Energy           float64 // Wh into the battery
	SoCStart, SoCEnd float64 // 0..1, whole per cent
}

// Distance is the sum of all trips, in m.
func (t Truth) Distance() float64 {
	var sum float64
	for _, trip := range t.Trips {
		sum += trip.Distance
	}
	return sum
}

// Used is the energy of all trips, in Wh.
func (t Truth) Used() float64 {
	var sum float64
	for _, trip := range t.Trips {
		sum += trip.Energy
	}
	return sum
}

// Charged is the energy of all charges, in Wh.
func (t Truth) Charged() float64 {
	var sum float64
	for _, charge := range t.Charges {
		sum += charge.Energy
	}
	return sum
}

// witness notes the truth. It compares the odometer and the battery's meter at
// both ends of a drive or charge.
type witness struct {
	Truth
	doing  Doing
	since  time.Time
	metres float64
	meter  float64 // Wh out of the battery, ever
	before float64 // of the meter at since
	soc    float64
}

func (w *witness) see(v *vehicle, used float64) {
	w.meter += used
	is := doingOf(v.state())
	if is == w.doing {
		return
	}
	if w.doing == Driving {
		w.Trips = append(w.Trips, Trip{w.since, v.now, v.metres - w.metres,
			w.meter - w.before, w.soc, v.soc()})
	}
	if w.doing == Charging {
		w.Charges = append(w.Charges, Charge{w.since, v.now, w.before - w.meter, w.soc, v.soc()})
	}
	w.doing, w.since, w.metres, w.before, w.soc = is, v.now, v.metres, w.meter, v.soc()
}

// journey is what API 1.0 tells of the present drive or charge.
func (w *witness) journey(v *vehicle) Journey {
	took, used := v.now.Sub(w.since).Milliseconds(), w.meter-w.before
	switch w.doing {
	case Driving:
		return Journey{Began: w.since, Travelled: v.metres - w.metres, Used: used, Took: took}
	case Charging:
		return Journey{ChargeFrom: w.since, Charged: -used, ChargeTook: took}
	}
	return Journey{}
}
