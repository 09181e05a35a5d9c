package bridge_test

import (
	"encoding/json"
	"iter"
	"os"
	"path/filepath"
	"testing"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// body is what the tests need of a webhook body.
type body struct {
	Points []struct {
		At       int64    `json:"driving_point_epoch_time"`
		Distance *float64 `json:"distance_delta"`
		Energy   *float64 `json:"energy_delta"`
		SoC      *float64 `json:"state_of_charge"`
		Lat, Lon *float64
		Alt      *float64
		Marker   car.Marker `json:"point_marker_type"`
	} `json:"drivingPoints"`
	Sessions []struct {
		Start    int64    `json:"start_epoch_time"`
		End      int64    `json:"end_epoch_time"`
		ID       int64    `json:"charging_session_id"`
		Energy   *float64 `json:"charged_energy"`
		SoC      *float64 `json:"charged_soc"`
		Duration int64    `json:"chargeTime"`
		Outside  *float64 `json:"outside_temp"`
		Lat, Lon *float64
		Points   []struct {
			At     int64      `json:"charging_point_epoch_time"`
			Energy *float64   `json:"energy_delta"`
			Power  *float64   `json:"power"` // mW
			SoC    *float64   `json:"state_of_charge"`
			Marker car.Marker `json:"point_marker_type"`
		} `json:"chargingPoints"`
	} `json:"chargingSessions"`
}

func orMissing(x *float64) float64 {
	if x == nil {
		return car.Missing()
	}
	return *x
}

// fixture reads a webhook body's records.
func fixture(t testing.TB, name string) (b car.Batch) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var in body
	if err := json.Unmarshal(data, &in); err != nil {
		t.Fatal(err)
	}
	for _, p := range in.Points {
		b.Points = append(b.Points, car.Point{
			At: p.At, Distance: orMissing(p.Distance), Energy: orMissing(p.Energy), SoC: orMissing(p.SoC),
			Lat: orMissing(p.Lat), Lon: orMissing(p.Lon), Alt: orMissing(p.Alt), Marker: p.Marker,
		})
	}
	for _, s := range in.Sessions {
		b.Sessions = append(b.Sessions, car.Session{
			Start: s.Start, End: s.End, ID: s.ID, Energy: orMissing(s.Energy), SoC: orMissing(s.SoC),
			Duration: s.Duration, Outside: orMissing(s.Outside), Lat: orMissing(s.Lat),
			Lon: orMissing(s.Lon), Points: len(s.Points),
		})
		for _, p := range s.Points {
			b.ChargePoints = append(b.ChargePoints, car.ChargePoint{
				At: p.At, Energy: orMissing(p.Energy), Power: orMissing(p.Power) / 1000,
				SoC: orMissing(p.SoC), Marker: p.Marker,
			})
		}
	}
	return b
}

// each yields all of a slice without an error.
func each[T any](items []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	}
}

// all takes everything out of a sequence that must not fail.
func all[T any](t testing.TB, seq iter.Seq2[T, error]) (items []T) {
	t.Helper()
	for item, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, item)
	}
	return items
}

// failer is a test, of any kind.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// decode reads a published JSON document.
func decode(t failer, payload string) (m map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(payload), &m); err != nil {
		t.Fatalf("%v: %s", err, payload)
	}
	return m
}
