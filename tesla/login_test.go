package tesla_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/tesla"
)

const redirect = "http://localhost:8484/callback"

// A person pastes the address in many ways.
func TestPaste(t *testing.T) {
	for _, dress := range []string{"%", "  %\n", `"%"`, "<%>"} {
		h := newHouse()
		a := h.start(t)
		attempt := a.Begin(redirect, nil)
		final := strings.Replace(dress, "%", h.allow(t, attempt), 1)
		if err := a.Finish(t.Context(), attempt, final); err != nil {
			t.Fatalf("%q: %v", final, err)
		}
		h.check(t, a)
		if !slices.Equal(h.changes, []tesla.AccountState{tesla.SignedIn}) {
			t.Fatalf("changes %v", h.changes)
		}
		if err := a.Finish(t.Context(), attempt, final); err == nil ||
			!strings.Contains(err.Error(), "used already") {
			t.Fatalf("twice: %v", err)
		}
		h.check(t, a) // the sign-in that was there is still there
	}
}

func TestFinishExplains(t *testing.T) {
	h := newHouse()
	a := h.start(t)
	attempt, other := a.Begin(redirect, nil), a.Begin(redirect, nil)
	state := url.Values{"state": {attempt.State}}.Encode()
	for final, want := range map[string]string{
		"":                               "paste the whole address",
		"EU_code":                        "paste the whole address",
		"https://%zz":                    "paste the whole address",
		h.allow(t, other):                "another sign-in",
		redirect + "?code=EU_x":          "another sign-in",
		redirect + "?code=&" + state:     "empty code",
		redirect + "?code=EU_x&" + state: "used already",
		redirect + "?error=access_denied&" + state:                                "not allowed in the browser",
		redirect + "?error=login_cancelled&" + state:                              "not allowed in the browser",
		redirect + "?error=invalid_scope&" + state:                                "choose the scopes",
		redirect + "?error=unauthorized_client&" + state:                          "tesla.client_id",
		redirect + "?error=odd&error_description=%3Cb%3E&" + state:                "odd",
		redirect + "?error=access_denied":                                         "another sign-in",
		strings.Replace(h.allow(t, attempt), attempt.State, attempt.State[1:], 1): "another sign-in",
	} {
		err := a.Finish(t.Context(), attempt, final)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", final, err)
		}
	}
	for file, want := range map[string]string{
		"400_token_invalid_auth_code.json":    "begin again",
		"400_token_invalid_redirect_url.json": redirect,
		"400_token_unauthorized_client.json":  "tesla.client_id",
		"504_gateway_timeout.html":            "begin again",
	} {
		h.refuse = says(400, fixture(t, "errors/"+file))
		err := a.Finish(t.Context(), attempt, h.allow(t, attempt))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", file, err)
		}
	}
	if a.State() != tesla.LoginRequired || len(h.changes) != 0 {
		t.Fatalf("%s %v", a.State(), h.changes)
	}
}

// What was left out is named, and asked for again.
func TestMissingScopes(t *testing.T) {
	h := newHouse()
	a := h.start(t)
	h.scopes = []string{"openid", "offline_access", "vehicle_device_data"}
	attempt := a.Begin(redirect, nil)
	if err := a.Finish(t.Context(), attempt, h.allow(t, attempt)); err != nil {
		t.Fatal(err)
	}
	want := []string{"user_data", "vehicle_location", "vehicle_cmds", "vehicle_charging_cmds"}
	if !slices.Equal(a.Missing(), want) || !slices.Equal(h.start(t).Missing(), want) {
		t.Fatalf("missing %v", a.Missing())
	}
	h.pass(7 * time.Hour)
	h.check(t, a)
	if !slices.Equal(a.Missing(), want) {
		t.Fatalf("after a refresh: missing %v", a.Missing())
	}
	h.scopes = tesla.DefaultScopes()
	attempt = a.Begin(redirect, nil)
	if err := a.Finish(t.Context(), attempt, h.allow(t, attempt)); err != nil {
		t.Fatal(err)
	}
	if len(a.Missing()) != 0 {
		t.Fatalf("missing %v", a.Missing())
	}
	attempt = a.Begin(redirect, []string{"openid", "offline_access"})
	if err := a.Finish(t.Context(), attempt, h.allow(t, attempt)); err != nil || len(a.Missing()) != 0 {
		t.Fatalf("missing %v, %v", a.Missing(), err)
	}
	if !slices.Equal(h.changes, []tesla.AccountState{tesla.SignedIn}) {
		t.Fatalf("changes %v", h.changes)
	}
}

// The browser comes back to a listener of ours.
func TestCallback(t *testing.T) {
	h := newHouse()
	a := h.start(t)
	var heard []error
	page := a.Callback(func(err error) { heard = append(heard, err) })
	visit := func(method, address string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		page.ServeHTTP(w, httptest.NewRequest(method, address, nil))
		return w
	}
	attempt := a.Begin(redirect, nil)
	for range 20 {
		a.Begin(redirect, nil) // somebody opens the page again and again
	}
	if w := visit("GET", h.allow(t, attempt)); w.Code != 400 {
		t.Fatal("attempts are not bounded")
	}
	attempt = a.Begin(redirect, nil)
	final := h.allow(t, attempt)
	if w := visit("POST", final); w.Code != http.StatusMethodNotAllowed {
		t.Fatal(w.Code)
	}
	for _, bad := range []string{redirect, redirect + "?code=EU_x&state=" + attempt.Verifier} {
		if w := visit("GET", bad); w.Code != 400 || !strings.Contains(w.Body.String(), "begin again") {
			t.Fatal(w.Code, w.Body)
		}
	}
	w := visit("GET", final)
	if w.Code != 200 || !strings.Contains(w.Body.String(), "Signed in") ||
		w.Header().Get("Referrer-Policy") != "no-referrer" || w.Header().Get("Cache-Control") != "no-store" {
		t.Fatal(w.Code, w.Header(), w.Body)
	}
	h.check(t, a)
	if w := visit("GET", final); w.Code != 400 {
		t.Fatal("a link works twice")
	}
	attempt = a.Begin(redirect, nil)
	w = visit("GET", redirect+"?error=%3Cscript%3E&error_description=%3Cscript%3E&state="+attempt.State)
	if w.Code != 400 || strings.Contains(w.Body.String(), "<script>") {
		t.Fatal(w.Code, w.Body)
	}
	h.pass(time.Hour)
	if w := visit("GET", h.allow(t, attempt)); w.Code != 400 {
		t.Fatal("a link works after an hour")
	}
	if len(heard) != 2 || heard[0] != nil || heard[1] == nil {
		t.Fatalf("heard %v", heard)
	}
}

func TestLoginWithRefreshToken(t *testing.T) {
	h, a := signedIn(t)
	theirs := h.newest
	b := newHouse()
	b.oauth, b.options.HTTP = h.oauth, h.options.HTTP
	other := b.start(t)
	if err := other.LoginWithRefreshToken(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	h.check(t, other)
	if err := other.LoginWithRefreshToken(t.Context(), "EU_bogus"); err == nil {
		t.Fatal("a wrong token is taken")
	}
	h.check(t, other)
	h.check(t, a)
}

// A sign-in that cannot be kept says so, works, and is kept later.
func TestSignInOnFullDisk(t *testing.T) {
	h := newHouse()
	a := h.start(t)
	h.save = func() (bool, error) { return false, errDisk }
	attempt := a.Begin(redirect, nil)
	err := a.Finish(t.Context(), attempt, h.allow(t, attempt))
	if !errors.Is(err, errDisk) {
		t.Fatal(err)
	}
	h.check(t, a)
	h.heal()
	h.pass(time.Minute)
	h.check(t, a)
	h.check(t, h.start(t))
}

func TestLogout(t *testing.T) {
	h, a := signedIn(t)
	h.save = func() (bool, error) { return false, errDisk }
	if err := a.Logout(t.Context()); !errors.Is(err, errDisk) {
		t.Fatal(err)
	}
	h.check(t, a)
	h.heal()
	if err := a.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, a := range []*tesla.Account{a, h.start(t)} {
		if _, err := a.Token(t.Context(), tesla.Owner); !tesla.IsLoginRequired(err) || len(a.Scopes()) != 0 {
			t.Fatalf("%v", err)
		}
	}
}

// Without offline_access a sign-in ends with its access token.
func TestNoRefreshToken(t *testing.T) {
	h := newHouse()
	a := h.start(t)
	attempt := a.Begin(redirect, nil)
	h.refuse = says(200, `{"access_token":"opaque","expires_in":28800}`)
	if err := a.Finish(t.Context(), attempt, h.allow(t, attempt)); err != nil {
		t.Fatal(err)
	}
	h.heal()
	h.pass(9 * time.Hour)
	_, err := a.Token(context.Background(), tesla.Owner)
	if !tesla.IsLoginRequired(err) || !strings.Contains(err.Error(), "offline_access") {
		t.Fatal(err)
	}
}
