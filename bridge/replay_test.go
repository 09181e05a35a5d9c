package bridge_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-mqtt/wheelhouse/bridge"
	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// history is a database upload as the app makes it: chunks of 250 driving points
// of the past, trips of 100 points, then sessions; each with the car's present
// state.
func history(from time.Time, chunks, sessions int) (batches []car.Batch) {
	for c := range chunks {
		b := car.Batch{Last: true, Request: car.Request{HasReport: true, Points: 250}}
		for i := range 250 {
			n := c*250 + i
			marker := car.NoMarker
			switch n % 100 {
			case 0:
				marker = car.Begin
			case 99:
				marker = car.End
			}
			b.Points = append(b.Points, with(at(0, marker), func(p *car.Point) {
				p.At, p.SoC, p.Lat, p.Lon = from.UnixMilli()+int64(n)*10_000, 0.5, 56, 3
			}))
		}
		batches = append(batches, b)
	}
	for i := range sessions {
		start := from.Add(time.Duration(i) * time.Hour).UnixMilli()
		batches = append(batches, car.Batch{Last: true, Request: car.Request{HasReport: true,
			Sessions: 1},
			Sessions: []car.Session{{Start: start, End: start + 600_000, Energy: 1000, SoC: 0.1}}})
	}
	return batches
}

func TestReplay(t *testing.T) {
	tests := []struct {
		name  string
		known bool // the car was there before, and has driven
		most  int  // messages of one request
	}{{"a new car", false, 6}, {"a car that drives", true, 3}}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				h := move(t)
				now := clock()
				present := Values{"soc": 0.5, "speed": 0, "gear": "P", "plug": false, "power": 300}
				h.report(now, present)
				if test.known {
					h.take(car.Batch{Last: true, Points: []car.Point{nowPoint(now, -20, car.Begin), nowPoint(now,
						-5, car.End)}})
				}
				upload := history(now.Add(-1000*time.Hour), 8, 4)
				for i, b := range upload {
					h.broker.news()
					h.pass(200 * time.Millisecond)
					b.Report = present.Report(clock())
					upload[i] = b
					if got := h.take(b); got.New != b.Records() {
						t.Fatalf("%+v", got)
					}
					news := h.broker.news()
					if i > 0 && len(news) > test.most {
						t.Errorf("request %d: %d messages, want at most %d: %v", i, len(news), test.most, news)
					}
				}
				if test.known {
					h.expect(map[string]string{"trip_start": now.Add(-20 * time.Second).Format(time.RFC3339)})
				}
				h.pass(time.Minute)

				before := h.retained()
				h.broker.news()
				for _, b := range upload {
					h.pass(200 * time.Millisecond)
					if got := h.take(b); got.Known != b.Records() {
						t.Fatalf("the second time: %+v", got)
					}
				}
				h.pass(time.Minute)
				said := map[string]int{}
				for _, m := range h.broker.news() {
					said[m.Topic]++
				}
				for topic, n := range said {
					if topic != "w/blue/last_seen" && topic != "w/blue/diagnostics" {
						t.Errorf("the second upload published %s %d times: %s", topic, n, h.retained()[topic])
					}
					if n > 2 {
						t.Errorf("the second upload published %s %d times", topic, n)
					}
				}
				after := h.retained()
				for _, key := range []string{"last_seen", "diagnostics"} {
					delete(before, "w/blue/"+key)
					delete(after, "w/blue/"+key)
				}
				if diff := cmp.Diff(before, after); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// An upload long after the car fell silent, repeated, wakes nothing.
func TestRepeatedUploadAfterSilence(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := move(t)
		upload := history(clock().Add(-100*time.Hour), 1, 0)[0]
		upload.Report = Values{"speed": 10, "gear": "D", "soc": 0.5}.Report(clock())
		h.take(upload)
		h.expect(map[string]string{"speed": "36"})
		h.pass(time.Hour)
		before := h.retained()
		h.take(upload)
		for key, payload := range h.retained() {
			switch key {
			case "w/blue/last_seen", "w/blue/diagnostics", "w/blue/online":
			default:
				if before[key] != payload {
					t.Errorf("%s was %q, is %q", key, before[key], payload)
				}
			}
		}
	})
}

func BenchmarkTake(b *testing.B) {
	run := func(name string, batch func(i int) car.Batch) {
		b.Run(name, func(b *testing.B) {
			now := time.Now()
			h := move(b, func(o *bridge.Options) { o.Now = time.Now })
			for i, batch := range history(now.Add(-1000*time.Hour), 20, 400) {
				batch.Car, batch.Received = blue, now
				if i == 0 {
					batch.Report = Values{"soc": 0.5}.Report(now)
				}
				h.take(batch)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				h.take(batch(i))
				if i%100 == 0 {
					h.broker.news()
				}
			}
		})
	}
	start := time.Now()
	report := func(i int) *car.Report {
		return Values{"soc": 0.5, "speed": float64(i % 40), "power": float64(i % 9000), "gear": "D",
			"plug": false, "outside": 20, "level": 34_000, "lat": 56 + float64(i)/1e4, "lon": 3.0,
		}.Report(start.Add(time.Duration(i) * time.Second))
	}
	run("tick", func(i int) car.Batch { return car.Batch{Last: true, Report: report(i)} })
	run("live point", func(i int) car.Batch {
		point := nowPoint(start, float64(i), 0)
		return car.Batch{Last: true, Report: report(i), Points: []car.Point{point}}
	})
	old := 0
	run("chunk of 250", func(i int) car.Batch {
		old++
		batch := history(start.Add(time.Duration(old-20_000)*time.Hour), 1, 0)[0]
		batch.Report = report(i)
		return batch
	})
}

// A trip of 5 000 points whose past changes is found again.
func BenchmarkNewestTrips(b *testing.B) {
	now := time.Now()
	h := move(b, func(o *bridge.Options) { o.Now = time.Now })
	for c := range 20 {
		batch := car.Batch{Last: true}
		for i := range 250 {
			batch.Points = append(batch.Points, nowPoint(now, float64(c*250+i-50_000), 0))
		}
		h.take(batch)
	}
	i := 0
	for b.Loop() {
		i++
		h.take(car.Batch{Last: true, Points: []car.Point{nowPoint(now, -50_000-float64(i)/1000, 0)}})
	}
	if got := decode(b, h.value("last_trip"))["points"]; fmt.Sprint(got) != fmt.Sprint(5000+i) {
		b.Errorf("the trip has %v points, want %d", got, 5000+i)
	}
}
