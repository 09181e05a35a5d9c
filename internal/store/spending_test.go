package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-mqtt/wheelhouse/internal/store"
)

func testSpending(t *testing.T, s *store.Store) {
	call := store.Spent{Month: "2026-11", Category: "data", Endpoint: "vehicle_data", VIN: "V1", Status: 200, Calls: 1}
	other := call
	other.VIN, other.Calls = "", 3
	later := call
	later.Month = "2026-12"
	asleep := call
	asleep.Status = 408
	for _, c := range []store.Spent{call, asleep, call, later, other, call} {
		if err := s.Spend(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	call.Calls = 3
	for month, want := range map[string][]store.Spent{
		"2026-11": {other, call, asleep}, "2026-12": {later}, "2027-01": nil,
	} {
		got, err := s.Spending(t.Context(), month)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", month, diff)
		}
	}
}
