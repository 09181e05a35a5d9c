package tesla_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/tesla"
)

// fault is what can go wrong at one boundary of a refresh.
type fault struct {
	name string
	on   func(*house)
}

var errDisk = errors.New("no space left on device")

func yes() bool { return true }

func fails(keep bool) func() (bool, error) { return func() (bool, error) { return keep, errDisk } }

// faults are all boundaries, in their order. Each is met by a program that goes
// on, and by one that dies there and is started again.
var faults = []fault{
	{"the request is not sent", func(h *house) { h.block = yes }},
	{"Tesla has no time", func(h *house) { h.refuse = func() (int, string) { return 429, "" } }},
	{"Tesla is broken", func(h *house) { h.refuse = func() (int, string) { return 503, "<html>" } }},
	{"a proxy says 401", func(h *house) { h.refuse = func() (int, string) { return 401, "<html>" } }},
	{"the answer is nonsense", func(h *house) { h.refuse = func() (int, string) { return 200, "<html>" } }},
	{"Tesla accepted, the answer is lost", func(h *house) { h.lose = yes }},
	{"Tesla accepted, the answer breaks off", func(h *house) { h.cut = yes }},
	{"nothing is kept", func(h *house) { h.save = fails(false) }},
	{"it is kept, but the store says no", func(h *house) { h.save = fails(true) }},
	{"all is well", func(*house) {}},
}

func (h *house) heal() { h.block, h.refuse, h.lose, h.cut, h.save = nil, nil, nil, nil, nil }

// check fails unless a token that the account gives works.
func (h *house) check(t *testing.T, a *tesla.Account) {
	t.Helper()
	token, err := a.Token(t.Context(), tesla.Owner)
	if err != nil {
		t.Fatalf("no token: %v", err)
	}
	if !h.works(token) {
		t.Fatal("the account gives a token that does not work")
	}
	if a.State() != tesla.SignedIn {
		t.Fatalf("state %s", a.State())
	}
}

func TestTokenTorture(t *testing.T) {
	for _, f := range faults {
		for name, dies := range map[string]bool{": goes on": false, ": dies": true} {
			t.Run(f.name+name, func(t *testing.T) {
				h, a := signedIn(t)
				for range 3 { // three refreshes, each of which goes wrong twice
					h.pass(7 * time.Hour)
					for range 2 {
						f.on(h)
						if token, err := a.Token(t.Context(), tesla.Owner); err == nil && !h.works(token) {
							t.Fatal("the account gives a token that does not work")
						}
						h.heal()
						if dies {
							a = h.start(t)
						}
						h.pass(20 * time.Minute) // longer than any pause
					}
					h.check(t, a)
					h.check(t, h.start(t)) // and what is kept is as good
				}
			})
		}
	}
}

// TestTokenTortureAtRandom lets everything happen: 1 000 lives with five outages
// each. An outage lasts up to 20 h, because Tesla's grace ends after 24.
func TestTokenTortureAtRandom(t *testing.T) {
	died, refreshed := 0, 0
	for seed := range uint64(1000) {
		r := rand.New(rand.NewPCG(seed, 5))
		h, a := signedIn(t)
		for range 5 {
			for outage := 0 * time.Hour; outage < 18*time.Hour; {
				step := time.Duration(r.Int64N(int64(2 * time.Hour)))
				outage += step
				h.pass(step)
				faults[r.IntN(len(faults))].on(h)
				faults[r.IntN(len(faults))].on(h) // two at once
				token, err := a.Token(t.Context(), tesla.Owner)
				switch {
				case err == nil && !h.works(token) && r.IntN(2) == 0:
					_ = a.Renew(t.Context(), token)
				case r.IntN(20) == 0:
					h.withdraw()
				}
				h.heal()
				if r.IntN(3) == 0 {
					a, died = h.start(t), died+1
				}
			}
			h.pass(20 * time.Minute)
			if token, err := a.Token(t.Context(), tesla.Owner); err == nil && !h.works(token) {
				if err := a.Renew(t.Context(), token); err != nil { // withdrawn: a call would hear 401
					t.Fatalf("seed %d: %v", seed, err)
				}
			}
			h.check(t, a)
			h.check(t, h.start(t))
		}
		refreshed += h.count()
	}
	t.Logf("%d refreshes, %d deaths, no sign-in lost", refreshed, died)
}
