package tesla_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/tesla"
)

// TestCutOff: after EXCEEDED_LIMIT nothing that costs leaves the house.
func TestCutOff(t *testing.T) {
	for _, name := range []string{"403_exceeded_limit", "402_payment_required"} {
		f := failures(t)[name]
		s := &script{next: []wire{status(f.status, f.body)}}
		c := over(t, s.answer)
		for range 3 {
			_, err := c.VehicleData(t.Context(), nightjar)
			if car.CodeOf(tesla.RefusalOf(err)) != car.OverBudget {
				t.Errorf("%s: %v", name, err)
			}
		}
		_, _ = c.WakeUp(t.Context(), nightjar)
		if len(s.calls) != 1 {
			t.Errorf("%s: %d calls", name, len(s.calls))
		}
		if _, _ = c.Vehicle(t.Context(), nightjar); len(s.calls) != 2 {
			t.Errorf("%s: a state check was not sent", name)
		}
	}
}

// TestWhatIsCounted holds the bill against what went out, with a real connection:
// only that tells what was sent.
func TestWhatIsCounted(t *testing.T) {
	want := make(map[tesla.Spent]int64)
	next := 200
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if next == 0 {
			panic(http.ErrAbortHandler) // the answer is lost
		}
		w.WriteHeader(next)
	}))
	defer server.Close()
	ledger := &book{}
	var observed []int
	c := over(t, nil, func(o *tesla.ClientOptions) {
		o.HTTP = server.Client()
		o.Hosts = tesla.Hosts{API: map[tesla.Region]string{tesla.NorthAmerica: server.URL}}
		o.Meter = newMeter(t, ledger, tesla.DefaultBudget(), (&clock{at: start}).now)
		o.Observe = func(_ string, category tesla.Category, status int, _ time.Duration) {
			if category == tesla.Command {
				t.Error("a command")
			}
			observed = append(observed, status)
		}
	})
	next = 429
	_, _ = c.WakeUp(t.Context(), wagtail)
	want[tesla.Spent{Month: "2026-03", Category: tesla.Wake, Endpoint: "wake_up", VIN: wagtail,
		Status: next}] = 1
	for _, next = range []int{200, 404, 408, 500, 0} {
		_, err := c.CreateInvitation(t.Context(), nightjar)
		if tesla.IsUnanswered(err) != (next == 0) {
			t.Errorf("%d: %v", next, err)
		}
		want[tesla.Spent{Month: "2026-03", Category: tesla.State, Endpoint: "create_invitation", VIN: nightjar,
			Status: next}] = 1
	}
	server.Close()
	if _, err := c.CreateInvitation(t.Context(), nightjar); err == nil || tesla.IsUnanswered(err) {
		t.Errorf("without a server: %v", err)
	}
	same(t, "counted", ledger.rows, want)
	same(t, "observed", observed, []int{429, 200, 404, 408, 500, 0, 0})
}

// TestCountedAfterAll: whoever asked may be gone before the answer is counted.
func TestCountedAfterAll(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ledger := &book{}
	c := over(t, func(*http.Request) (*http.Response, error) {
		cancel()
		return reply(200, "{}"), nil
	}, func(o *tesla.ClientOptions) {
		o.Meter = newMeter(t, ledger, tesla.DefaultBudget(), time.Now)
	})
	_, _ = c.WakeUp(ctx, nightjar)
	if len(ledger.rows) != 1 {
		t.Errorf("counted %v", ledger.rows)
	}
}

// TestReserve: when nothing may be read any more, orders are still sent.
func TestReserve(t *testing.T) {
	now := (&clock{at: start}).now
	m := newMeter(t, &book{}, tesla.DefaultBudget(), now)
	spend(t, m, "vehicle_data", 4500)
	s := &script{next: []wire{status(200, "{}")}}
	c := over(t, s.answer, func(o *tesla.ClientOptions) { o.Meter = m })
	if _, err := c.VehicleData(t.Context(), nightjar); car.CodeOf(err) != car.OverBudget || len(s.calls) > 0 {
		t.Errorf("%v, %d calls", err, len(s.calls))
	}
	if _, err := c.WakeUp(t.Context(), nightjar); err != nil || len(s.calls) != 1 {
		t.Errorf("%v, %d calls", err, len(s.calls))
	}
}
