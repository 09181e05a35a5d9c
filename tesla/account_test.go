package tesla_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/tesla"
)

func fixture(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func says(status int, text string) func() (int, string) {
	return func() (int, string) { return status, text }
}

func TestAccountAtFirst(t *testing.T) {
	h := newHouse()
	a := h.start(t)
	if a.State() != tesla.LoginRequired || !strings.Contains(a.Status().Why, "nobody is signed in: ") {
		t.Fatalf("%+v", a.Status())
	}
	_, err := a.Token(t.Context(), tesla.Owner)
	if !tesla.IsLoginRequired(err) || car.CodeOf(tesla.RefusalOf(err)) != car.Forbidden {
		t.Fatalf("error %v", err)
	}
	if token, err := a.Token(t.Context(), tesla.Nobody); token != "" || err != nil {
		t.Fatalf("nobody's token %q, %v", token, err)
	}
	h.options.ClientID = ""
	if a := h.start(t); a.State() != tesla.NotSetUp || !strings.Contains(a.Status().Why, "tesla.client_id") {
		t.Fatalf("%+v", a.Status())
	}
	h.options.Key = [32]byte{}
	if _, err := tesla.NewAccount(t.Context(), h.options); err == nil {
		t.Fatal("it works without a key")
	}
}

// One refresh serves everybody who asks meanwhile, and so does one that fails.
func TestOneRefreshForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, a := signedIn(t)
		var tries int
		slow := func(fails bool) func() bool {
			return func() bool {
				tries++
				<-time.After(time.Second)
				return fails
			}
		}
		all := func(do func() error, works bool) {
			t.Helper()
			tries = 0
			var waiting sync.WaitGroup
			for range 50 {
				waiting.Go(func() {
					if err := do(); (err == nil) != works {
						t.Error(err)
					}
				})
			}
			waiting.Wait()
			if tries != 1 {
				t.Fatalf("%d tries", tries)
			}
		}
		ask := func() error {
			_, err := a.Token(t.Context(), tesla.Owner)
			return err
		}
		h.pass(9 * time.Hour)
		h.block = slow(true)
		all(ask, false)
		h.pass(time.Minute)
		h.block = slow(false)
		all(ask, true)
		refused, err := a.Token(t.Context(), tesla.Owner)
		if err != nil {
			t.Fatal(err)
		}
		h.pass(time.Hour)
		h.withdraw()
		all(func() error { return a.Renew(t.Context(), refused) }, true)
		h.heal()
		h.check(t, a)
	})
}

// A token is replaced when 80 % of its life are over, and not before; and a
// network that is away meanwhile is not noticed.
func TestDue(t *testing.T) {
	h, a := signedIn(t)
	h.pass(8*time.Hour*8/10 - time.Second)
	h.check(t, a)
	if h.count() != 0 {
		t.Fatal("too early")
	}
	h.block = yes
	h.pass(time.Hour)
	h.check(t, a)
	if a.Status().Problem == "" {
		t.Fatal("no word about it")
	}
	h.heal()
	h.pass(20 * time.Minute)
	h.check(t, a)
	if h.count() != 1 || a.Status().Problem != "" {
		t.Fatalf("%d refreshes, problem %q", h.count(), a.Status().Problem)
	}
}

// Whatever Tesla says for good ends in one state, told once and asked no more;
// the next start tries once.
func TestLoginRequired(t *testing.T) {
	for file, want := range map[string]string{
		"401_login_required.json":            "another program uses it too",
		"401_login_required_expired.json":    "three months",
		"401_login_required_revoked.json":    "withdrew",
		"400_token_unauthorized_client.json": "tesla.client_id",
	} {
		t.Run(file, func(t *testing.T) {
			h, a := signedIn(t)
			h.changes = nil
			h.pass(7 * time.Hour)
			status := 400
			if strings.HasPrefix(file, "401") {
				status = 401
			}
			h.refuse = says(status, fixture(t, "errors/"+file))
			for range 1000 {
				h.pass(time.Minute)
				_, err := a.Token(t.Context(), tesla.Owner)
				if !tesla.IsLoginRequired(err) || !strings.Contains(err.Error(), want) {
					t.Fatalf("error %v", err)
				}
			}
			if h.count() > 1 || len(h.changes) != 1 || h.changes[0] != a.State() || a.State() == tesla.SignedIn {
				t.Fatalf("%d refreshes, changes %v", h.count(), h.changes)
			}
			again := h.start(t)
			if again.State() != tesla.SignedIn {
				t.Fatalf("after a start: %s", again.State())
			}
			for range 3 {
				_, _ = again.Token(t.Context(), tesla.Owner)
			}
			if h.count() > 2 {
				t.Fatalf("%d refreshes", h.count())
			}
		})
	}
}

// Two programs with one sign-in take it from each other; the loser says so.
func TestTwoPrograms(t *testing.T) {
	h, a := signedIn(t)
	other := *h
	other.vault = &vault{sealed: h.sealed}
	other.options.Vault = other.vault
	b := other.start(t)
	h.pass(7 * time.Hour)
	h.check(t, a)
	h.check(t, b) // the last used token still works
	h.pass(7 * time.Hour)
	_, err := a.Token(t.Context(), tesla.Owner)
	if err == nil || !strings.Contains(err.Error(), "another program") || a.State() != tesla.LoginRequired {
		t.Fatalf("%s: %v", a.State(), err)
	}
	h.check(t, b)
}

// A fresh token that is refused is not replaced again and again.
func TestRenewNeverLoops(t *testing.T) {
	h, a := signedIn(t)
	for range 60 {
		token, err := a.Token(t.Context(), tesla.Owner)
		if err != nil {
			t.Fatal(err)
		}
		_ = a.Renew(t.Context(), token)
		h.pass(time.Minute)
	}
	if h.count() > 12 {
		t.Fatalf("%d refreshes in an hour", h.count())
	}
}

// A caller who has no time left goes; who waits, waits no longer than it may.
func TestRefreshHonoursContext(t *testing.T) {
	h, a := signedIn(t)
	h.pass(9 * time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	h.block = func() bool { cancel(); return true }
	for range 2 { // gone meanwhile, gone before
		if _, err := a.Token(ctx, tesla.Owner); err == nil {
			t.Fatal("no error")
		}
	}
	h.heal()
	h.check(t, a)
}

// What Tesla has given is kept, even if who asked for it has gone meanwhile.
func TestGivenIsKept(t *testing.T) {
	h, a := signedIn(t)
	h.pass(7 * time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	h.lose = func() bool { cancel(); return false }
	if _, err := a.Token(ctx, tesla.Owner); err != nil {
		t.Fatal(err)
	}
	h.heal()
	if a.Status().Problem != "" {
		t.Fatal(a.Status().Problem)
	}
	h.check(t, h.start(t))
	if h.count() != 1 {
		t.Fatal("it was not kept")
	}
}

// While Tesla's sign-in is broken it is asked less and less often.
func TestBackOff(t *testing.T) {
	h, a := signedIn(t)
	h.pass(9 * time.Hour)
	h.refuse = says(503, fixture(t, "errors/401_login_required.json")) // a broken server means nothing
	for range 2 * 60 * 60 {
		if _, err := a.Token(t.Context(), tesla.Owner); err == nil {
			t.Fatal("no error")
		}
		h.pass(time.Second)
	}
	if h.count() < 10 || h.count() > 15 { // 10 s, 20 s, … 15 min, 15 min
		t.Fatalf("asked %d times in two hours", h.count())
	}
	h.heal()
	h.pass(15 * time.Minute)
	h.check(t, a)
	h.pass(9 * time.Hour)
	h.refuse = says(429, "")
	before := h.count()
	for range 60 {
		_, _ = a.Token(t.Context(), tesla.Owner)
		h.pass(time.Second)
	}
	if h.count() != before+1 {
		t.Fatal("a 429 is no reason to wait")
	}
}

// A refresh token that Tesla does not replace stays good.
func TestNotReplaced(t *testing.T) {
	h, a := signedIn(t)
	kept := h.newest
	h.pass(7 * time.Hour)
	h.refuse = says(200, `{"access_token":"opaque","expires_in":28800}`)
	if token, err := a.Token(t.Context(), tesla.Owner); token != "opaque" || err != nil {
		t.Fatal(token, err)
	}
	h.heal()
	h.pass(7 * time.Hour)
	h.check(t, a)
	if h.used != kept {
		t.Fatal("it was forgotten")
	}
}

// A clock that was wrong when the sign-in came does not cost it.
func TestWrongClock(t *testing.T) {
	for _, jump := range []time.Duration{-20 * 365 * 24 * time.Hour, 20 * 365 * 24 * time.Hour} {
		h, a := signedIn(t)
		h.pass(jump)
		h.usedAt = h.now()
		for access := range h.ends { // Tesla's clock did not jump
			h.ends[access] = h.now().Add(time.Hour)
		}
		h.check(t, a)
		if h.count() != 1 {
			t.Fatalf("%d refreshes after a jump of %v", h.count(), jump)
		}
	}
}

// Run keeps a sign-in for a hundred days, although the network is away for five
// hours of every day, and asks no more often than it must.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		h.oauth.now, h.options.Now = time.Now, time.Now
		h.block = func() bool { return time.Now().Hour() < 5 }
		a := h.start(t)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			if err := a.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		<-time.After(6 * time.Hour)
		synctest.Wait()
		attempt := a.Begin("https://"+domain+"/callback", nil)
		if err := a.Finish(ctx, attempt, h.allow(t, attempt)); err != nil {
			t.Fatal(err)
		}
		<-time.After(100 * 24 * time.Hour)
		cancel()
		running.Wait()
		h.block = nil
		h.check(t, a)
		if n := h.count(); n < 100*24/8 || n > 100*24/6+10 {
			t.Fatalf("%d refreshes", n)
		}
		if !slices.Equal(h.changes, []tesla.AccountState{tesla.SignedIn}) {
			t.Fatalf("changes %v", h.changes)
		}
	})
}

func TestFixtures(t *testing.T) {
	for _, name := range []string{"token_authorization_code.json", "token_refresh.json"} {
		h := newHouse()
		a := h.start(t)
		h.refuse = says(200, fixture(t, name))
		if err := a.LoginWithRefreshToken(t.Context(), " EU_old\n"); err != nil {
			t.Fatal(err)
		}
		s := a.Status()
		if s.State != tesla.SignedIn || s.Region != tesla.Europe || len(s.Missing) != 0 ||
			s.Subject != "00000000-0000-4000-8000-0000000000aa" || len(a.Scopes()) != 7 ||
			!s.Access.Equal(start.Add(8*time.Hour)) || !s.Until.Equal(start.Add(90*24*time.Hour)) {
			t.Fatalf("%s: %+v", name, s)
		}
	}
}

// What was kept and cannot be opened is a state that a sign-in mends.
func TestWrongKey(t *testing.T) {
	h, _ := signedIn(t)
	for name, spoil := range map[string]func(){
		"another key": func() { h.options.Key = [32]byte{2} },
		"cut off":     func() { h.sealed = h.sealed[:9] },
		"changed":     func() { h.sealed = slices.Concat(h.sealed, []byte{1}) },
		"newer":       func() { h.sealed = slices.Concat([]byte{9}, h.sealed[1:], make([]byte, 30)) },
	} {
		was, key := h.sealed, h.options.Key
		spoil()
		a := h.start(t)
		if a.State() != tesla.LoginRequired || !strings.Contains(a.Status().Why, "tesla login") {
			t.Errorf("%s: %+v", name, a.Status())
		}
		h.sealed, h.options.Key = was, key
	}
	h.options.Key = [32]byte{3}
	a := h.start(t)
	attempt := a.Begin("https://"+domain+"/callback", nil)
	if err := a.Finish(t.Context(), attempt, h.allow(t, attempt)); err != nil {
		t.Fatal(err)
	}
	h.check(t, h.start(t))
	h.options.Vault = unreadable{}
	if _, err := tesla.NewAccount(t.Context(), h.options); err == nil {
		t.Fatal("a vault that cannot be read is no error")
	}
}

type unreadable struct{}

func (unreadable) Load(context.Context) ([]byte, error) { return nil, errDisk }
func (unreadable) Save(context.Context, []byte) error   { return errDisk }

// Secrets print as nothing, and are sealed where they are kept.
func TestSecretsAreNotShown(t *testing.T) {
	h, a := signedIn(t)
	token, err := a.Token(t.Context(), tesla.Owner)
	if err != nil {
		t.Fatal(err)
	}
	attempt := a.Begin("https://"+domain+"/callback", nil)
	shown := fmt.Sprintf("%v %+v %#v %v %+v %#v", tesla.Tokens{Access: token, Refresh: h.newest},
		tesla.Tokens{Access: token, Refresh: h.newest}, tesla.Tokens{Access: token, Refresh: h.newest},
		attempt, attempt, attempt)
	h.pass(7 * time.Hour)
	echo, _ := json.Marshal(map[string]string{"error": "odd", "error_description": "no " + h.newest + " here"})
	h.refuse = says(400, string(echo))
	_, err = a.Token(t.Context(), tesla.Owner)
	shown += fmt.Sprint(err, a.Status(), h.options.Log)
	finish := a.Finish(t.Context(), attempt, attempt.Redirect+"?code=EU_secretcode&state="+attempt.State)
	shown += fmt.Sprint(finish)
	secrets := []string{token, h.newest, attempt.Verifier, attempt.State, clientSecret, "secretcode"}
	for _, secret := range secrets {
		if strings.Contains(shown, secret) || strings.Contains(string(h.sealed), secret) {
			t.Errorf("%.12s… is shown", secret)
		}
	}
	if finish == nil || errors.Is(finish, context.Canceled) {
		t.Fatal(finish)
	}
}

// FuzzTokenAnswer: whatever the token endpoint says, the account stands, and what
// it keeps can be opened again.
func FuzzTokenAnswer(f *testing.F) {
	for _, name := range []string{"token_refresh.json", "errors/401_login_required.json", "errors/401_empty.txt"} {
		f.Add(200, fixture(f, name))
		f.Add(401, fixture(f, name))
	}
	f.Add(200, `{"access_token":"e30.eyJhdWQiOiI_In0.","expires_in":1e300}`)
	f.Fuzz(func(t *testing.T, status int, text string) {
		h, a := signedIn(t)
		h.pass(7 * time.Hour)
		h.refuse = says(status, text)
		_, err := a.Token(t.Context(), tesla.Owner)
		if a.State() != tesla.SignedIn && !tesla.IsLoginRequired(err) {
			t.Fatalf("%s: %v", a.State(), err)
		}
		if h.start(t).State() != tesla.SignedIn {
			t.Fatal("what is kept cannot be opened")
		}
	})
}
