package tesla

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/rs/zerolog"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// tour is the reading of one car. One goroutine owns it.
type tour struct {
	*Reader
	*followed
	vin      string
	poller   Poller
	parts    []string    // of vehicle_data
	untold   *car.Report // what a state check said that is told with the values it led to
	told     time.Time   // of which time the newest told report is
	failures int         // calls in a row that Tesla did not answer
	said     string      // the trouble that was logged last, so that it is logged once
	log      zerolog.Logger
}

func (r *Reader) newTour(vin string, f *followed) *tour {
	return &tour{
		Reader: r, followed: f, vin: vin,
		poller: Poller{Intervals: r.Intervals, Shy: isShy(vin)},
		parts: []string{PartCharge, PartClimate, PartClosures, PartDrive, PartGUI, PartLocation,
			PartCharges, PartPrecondition, PartConfig, PartVehicle},
		log: r.Log.With().Str("car", string(f.id)).Logger(),
	}
}

// run reads the car until ctx ends.
func (t *tour) run(ctx context.Context) {
	defer t.stop()
	for ctx.Err() == nil {
		now := t.Now()
		ask, until := t.poller.Next(now, t.load(now))
		switch ask {
		case AskState:
			t.settle(ctx, ask, now, t.askState(ctx, now))
		case AskData:
			t.settle(ctx, ask, now, t.askData(ctx, now))
		default:
			t.wait(ctx, until.Sub(now))
		}
	}
}

// wait waits for a while, or until somebody wants the values.
func (t *tour) wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.wanted:
		t.poller.Want()
	case <-ctx.Done():
	}
}

// askState asks whether the car is awake. If that leads to its values, it is told
// with them.
func (t *tour) askState(ctx context.Context, now time.Time) error {
	body, err := t.Client.Do(ctx, Call{Endpoint: "vehicle", VIN: t.vin})
	if err != nil {
		return err
	}
	report, err := Decode(body, t.Now())
	if err != nil {
		return err
	}
	t.poller.Told(now, report.Values[pathOfState].Word())
	if shop, _ := report.Values["in_service"].On(); shop {
		t.poller.Pause(now, t.Intervals.State) // it answers nobody, and the refusal would cost
	}
	t.untold = &report
	if ask, _ := t.poller.Next(now, t.load(now)); ask != AskData {
		t.tell(ctx, len(body))
	}
	return nil
}

// askData asks for the car's values.
func (t *tour) askData(ctx context.Context, now time.Time) error {
	body, err := t.Client.VehicleData(ctx, t.vin, t.parts...)
	if err != nil {
		t.tell(ctx, 0) // what the state check before it said
		return err
	}
	report, err := Decode(body, t.Now())
	if err != nil {
		return err
	}
	if t.untold != nil {
		older := t.untold.Values
		maps.Copy(older, report.Values)
		report.Values = older
	}
	report.Values[pathOfState] = car.Text(online)
	t.poller.Read(now, GlanceAt(report.Values))
	t.mu.Lock()
	t.read = now
	t.mu.Unlock()
	t.untold = &report
	t.tell(ctx, len(body))
	return nil
}

// tell hands over what is not told yet. Reports follow each other as they came: the
// car's clock may be a little behind ours, by which a state check is told.
func (t *tour) tell(ctx context.Context, size int) {
	if t.untold == nil {
		return
	}
	report := *t.untold
	t.untold = nil
	if !report.At.After(t.told) {
		report.At = t.told.Add(time.Millisecond)
	}
	t.told = report.At
	report.Values[pathOfCost] = car.Number(t.Cost(t.vin))
	_, err := t.Take(ctx, car.Batch{
		Car: t.id, Source: car.TeslaSource, Received: t.Now(), Report: &report, Last: true,
		Request: car.Request{Source: string(car.TeslaSource), Bytes: int64(size), HasReport: true},
	})
	if err != nil && ctx.Err() == nil {
		t.log.Error().Err(err).Msg("what the car said could not be stored")
	}
}

// settle decides what a call's outcome means for the next one. Trouble is logged when
// it is new.
func (t *tour) settle(ctx context.Context, ask Ask, now time.Time, err error) {
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		t.failures = 0
		if t.said != "" {
			t.said = ""
			t.log.Info().Msg("the car is read again")
		}
		return
	}
	t.heed(ask, now, err)
	if IsAsleep(err) || err.Error() == t.said {
		return
	}
	t.said = err.Error()
	t.log.Warn().Err(err).Msg("the car could not be read")
}

// heed makes the poller wait as long as the trouble is likely to last.
func (t *tour) heed(ask Ask, now time.Time, err error) {
	var e *Error
	_ = errors.As(err, &e)
	code := car.CodeOf(RefusalOf(err))
	data := ask == AskData
	switch {
	case data && (IsAsleep(err) || is(err, codeSlow)):
		t.poller.Missed(now)
	case data && IsScope(err) && t.shrink():
		// at once again, without the position
	case data && IsInService(err):
		t.poller.Pause(now, tryLater)
	case data && code == car.OverBudget:
		t.poller.Pause(now, t.Intervals.Idle)
	case IsLimited(err):
		t.poller.Hold(now, max(e.RetryAfter, tryAgain))
	case code == car.Limited, IsLoginRequired(err):
		t.poller.Hold(now, tryAgain) // no call leaves the house for it
	case code == car.OverBudget, e != nil && e.Status != 0 && e.Status < 500:
		t.poller.Hold(now, tryLater)
	default:
		t.poller.Hold(now, backoff(t.failures))
		t.failures++
	}
}

// shrink gives up the position, and says whether it was asked for so far.
func (t *tour) shrink() bool {
	for i, part := range t.parts {
		if part == PartLocation {
			t.parts = append(t.parts[:i:i], t.parts[i+1:]...)
			return true
		}
	}
	return false
}
