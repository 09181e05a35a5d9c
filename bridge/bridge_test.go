package bridge_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-mqtt/wheelhouse/bridge"
	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// outcome is what a caller of Take heard.
type outcome struct {
	car     car.ID
	receipt car.Receipt
	code    car.Code
}

// takeAll has batches wait for the bridge together, in this order.
func takeAll(h *home, batches ...car.Batch) []outcome {
	release := h.hold()
	heard := make(chan outcome, len(batches))
	for _, b := range batches {
		b.Received = clock()
		go func() {
			receipt, err := h.Take(context.Background(), b)
			o := outcome{car: b.Car, receipt: receipt}
			if err != nil {
				o.code = car.CodeOf(err)
			}
			heard <- o
		}()
		synctest.Wait()
	}
	release()
	close(heard)
	var all []outcome
	for o := range heard {
		all = append(all, o)
	}
	return all
}

func TestWaitingBatchesShareACommit(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := move(t)
		before := h.Counts()
		var batches []car.Batch
		for i := range 20 {
			batches = append(batches, car.Batch{Car: car.ID(fmt.Sprintf("c%d", i%5)), Last: true,
				Points: []car.Point{at(float64(i), 0)}})
		}
		for _, o := range takeAll(h, batches...) {
			if o.receipt.New != 1 || o.code != "" {
				t.Errorf("%+v", o)
			}
		}
		got := h.Counts()
		if got.Commits-before.Commits != 1 || got.NewRecords-before.NewRecords != 20 {
			t.Errorf("%d records in %d commits, want 20 in one", got.NewRecords, got.Commits)
		}
		// Each car's points of the one commit are one trip.
		if got := h.values("c3")["trip_distance"]; got != "0.4" {
			t.Errorf("trip_distance is %q, want 0.4", got)
		}
	})
}

func TestOneBatchCannotFailTheOthers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := move(t)
		point := []car.Point{at(0, 0)}
		got := takeAll(h,
			car.Batch{Car: "a", Points: point, Last: true},
			car.Batch{Car: "a_charging", Points: point, Last: true}, // its power is a's charging_power
			car.Batch{Car: "b", Points: point, Last: true},
		)
		slices.SortFunc(got, func(x, y outcome) int {
			return strings.Compare(string(x.car), string(y.car))
		})
		want := []outcome{
			{"a", car.Receipt{New: 1}, ""},
			{"a_charging", car.Receipt{}, car.NoSuch},
			{"b", car.Receipt{New: 1}, ""},
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(outcome{})); diff != "" {
			t.Error(diff)
		}
		cars, err := h.Cars(context.Background())
		if diff := cmp.Diff([]car.ID{"a", "b"}, cars); err != nil || diff != "" {
			t.Error(err, diff)
		}
		if len(h.values("a_charging")) > 0 {
			t.Error("a refused car was published")
		}

		// What the failed commit did to a car is undone before it is done again.
		takeAll(h,
			car.Batch{Car: "b", Points: point, Last: true},
			car.Batch{Car: "a_charging", Last: true})
		h.pass(time.Minute)
		facts := decode(t, h.values("b")["diagnostics"])
		if facts["requests"] != 2.0 || facts["duplicates"] != 1.0 {
			t.Errorf("diagnostics: %v", facts)
		}
	})
}

func TestClashWithTheProgram(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := move(t, func(o *bridge.Options) {
			started := car.Field{Key: "webhook_started", Is: car.FreeText}
			table := car.Table{Fields: append(bridge.Sample.Fields[:1:1], started)}
			o.Sources = map[car.Source]bridge.Source{car.CarStatsSource: {Table: table, Posted: true}}
		})
		_, err := h.Take(context.Background(), car.Batch{Car: "bridge_webhook", Received: clock()})
		if car.CodeOf(err) != car.NoSuch {
			t.Errorf("got %v, want a refusal", err)
		}
	})
}

func TestStopped(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := move(t)
		release := h.hold()
		waiting := make(chan error)
		go func() {
			_, err := h.Take(context.Background(), car.Batch{Car: blue, Received: clock()})
			waiting <- err
		}()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := h.Take(ctx, car.Batch{Car: blue}); err != context.DeadlineExceeded {
			t.Errorf("a Take whose time is over: %v", err)
		}
		if err := h.Do(ctx, func() {}); err != context.DeadlineExceeded {
			t.Errorf("a Do whose time is over: %v", err)
		}
		release()
		if err := <-waiting; err != nil {
			t.Errorf("a Take that waited: %v", err)
		}
		h.stop()
		if _, err := h.Take(context.Background(), car.Batch{Car: blue}); err == nil {
			t.Error("a stopped bridge took a batch")
		}
		if err := h.Do(context.Background(), func() {}); err == nil {
			t.Error("a stopped bridge did something")
		}
		if _, err := h.Cars(context.Background()); err == nil {
			t.Error("a stopped bridge listed cars")
		}
		h.Answered(blue, 500, "x") // must not hang
	})
}

// What is on disk is answered for even if the program stops meanwhile.
func TestStopFinishesWhatWasTaken(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "test.db")
		h := move(t)
		h.stop()
		h.start(path)
		for i := range 20 {
			heard := make(chan error, 1)
			go func() {
				_, err := h.Take(context.Background(),
					car.Batch{Car: blue, Received: clock(), Points: []car.Point{at(float64(i), 0)}})
				heard <- err
			}()
			h.stop()
			err := <-heard
			h.start(path)
			stored := all(t, h.options.Store.Read(context.Background()).Points(blue, 0, 1<<60))
			has := slices.ContainsFunc(stored, func(p car.Point) bool {
				return p.At == at(float64(i), 0).At
			})
			if has != (err == nil) {
				t.Fatalf("the answer was %v, but the point is stored: %v", err, has)
			}
		}
	})
}

func TestForget(t *testing.T) {
	for _, data := range []bool{false, true} {
		t.Run(fmt.Sprintf("data %v", data), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				h := move(t, atOnce)
				now := clock()
				report := Values{"soc": 0.5, "speed": 3}.Report(now)
				drive := car.Batch{Report: report, Raw: `{"soc":0.5}`, Last: true,
					Points: []car.Point{nowPoint(now, -10, car.Begin), nowPoint(now, 0, car.End)}}
				h.take(drive)
				h.take(car.Batch{Car: "red", Last: true})
				h.take(car.Batch{Last: true, Points: []car.Point{nowPoint(now, 10, car.Begin)}})
				total := h.value("total_distance")
				if len(h.values(blue)) < 10 || total != "0.2" {
					t.Fatalf("total_distance is %q", total)
				}
				if err := h.Forget(context.Background(), blue, data); err != nil {
					t.Fatal(err)
				}
				h.pass(3 * time.Second)
				if diff := cmp.Diff(map[string]string{}, h.values(blue)); diff != "" {
					t.Error("left behind:", diff)
				}
				if diff := cmp.Diff([]car.ID{blue}, h.broker.withdrawn); diff != "" {
					t.Error(diff)
				}
				if err := h.Forget(context.Background(), blue, data); car.CodeOf(err) != car.NoSuch {
					t.Errorf("forgotten twice: %v", err)
				}
				h.pass(5 * time.Minute)
				if len(h.values(blue)) > 0 {
					t.Error("a forgotten car fell silent")
				}

				h.broker.announced = nil
				h.take(drive) // it comes back, and brings what it once had
				want := map[string]string{"battery": "50", "total_distance": total,
					"trip_end": "", "trip_distance": "0.1"}
				if data {
					want["total_distance"] = "" // it began after those points
					want["trip_distance"], want["trip_end"] = "0.2", now.Format(time.RFC3339)
				}
				h.expect(want)
				if len(h.broker.announced) != 1 {
					t.Errorf("announced %d times, want once", len(h.broker.announced))
				}
			})
		})
	}
}

// hungUp is the context of a caller who goes away after the first thing that was
// done for him.
type hungUp struct {
	context.Context
	asked int
}

func (c *hungUp) Done() <-chan struct{} { return nil }

func (c *hungUp) Err() error {
	if c.asked++; c.asked > 1 {
		return context.Canceled
	}
	return nil
}

// Forgetting is finished although who asked for it has gone: a car that is half
// forgotten could not post any more.
func TestForgetIsFinished(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := move(t)
		h.take(car.Batch{Last: true, Points: []car.Point{at(0, 0)}})
		if err := h.Forget(&hungUp{Context: context.Background()}, blue, true); err != nil {
			t.Error(err)
		}
		if got := h.take(car.Batch{Last: true, Points: []car.Point{at(0, 0)}}); got.New != 1 {
			t.Errorf("the forgotten point came back as %+v, want a new one", got)
		}
	})
}

// A restart forgets what a topic said, but clears it all the same.
func TestForgetAfterRestart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "test.db")
		h := move(t)
		h.restart(path)
		h.take(car.Batch{Report: Values{"soc": 0.5}.Report(clock()), Raw: `{"soc":0.5}`, Last: true})
		h.restart(path)
		if err := h.Forget(context.Background(), blue, true); err != nil {
			t.Fatal(err)
		}
		h.pass(3 * time.Second)
		if diff := cmp.Diff(map[string]string{}, h.values(blue)); diff != "" {
			t.Error("left behind:", diff)
		}
	})
}

// Values is a short name.
type Values = bridge.Values

// nowPoint is a driving point some seconds after a time: 100 m, 20 Wh.
func nowPoint(now time.Time, seconds float64, marker car.Marker) car.Point {
	return with(at(0, marker), func(p *car.Point) { p.At = now.UnixMilli() + int64(seconds*1000) })
}
