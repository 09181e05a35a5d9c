package tesla_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/tesla"
)

const (
	clientID     = "00000000-0000-4000-8000-00000000ab01"
	clientSecret = "ta-secret.invented"
	domain       = "bridge.example.org"
	grace        = 24 * time.Hour
)

var start = time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)

// oauth is a strict token endpoint without a network: a refresh token works once,
// and the last used one for 24 h after its first use, not its last.
type oauth struct {
	now func() time.Time

	mu       sync.Mutex
	newest   string
	used     string
	usedAt   time.Time
	ends     map[string]time.Time // access tokens
	codes    map[string]url.Values
	made     int
	asked    int                  // requests of owners that were accepted or refused
	partners map[string]int       // by audience
	scopes   []string             // granted
	refuse   func() (int, string) // instead of any answer
	lose     func() bool          // accept, and lose the answer
	cut      func() bool          // accept, and break off in the answer
	block    func() bool          // never get there
}

func newOAuth(now func() time.Time) *oauth {
	return &oauth{now: now, ends: map[string]time.Time{}, codes: map[string]url.Values{},
		partners: map[string]int{}, scopes: tesla.DefaultScopes()}
}

func set(f func() bool) bool { return f != nil && f() }

func (s *oauth) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if set(s.block) {
		return nil, errors.New("connection refused")
	}
	status, text := s.answer(r, form)
	if s.refuse != nil {
		if status2, text2 := s.refuse(); status2 != 0 {
			status, text = status2, text2
		}
	}
	if set(s.lose) {
		return nil, io.ErrUnexpectedEOF
	}
	var content io.Reader = strings.NewReader(text)
	if set(s.cut) {
		content = io.MultiReader(strings.NewReader(text[:len(text)/2]), broken{})
	}
	return &http.Response{StatusCode: status, Header: http.Header{},
		Body: io.NopCloser(content), Request: r}, nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func (s *oauth) answer(r *http.Request, form url.Values) (int, string) {
	switch {
	case r.Method != http.MethodPost || r.URL.String() != tesla.DefaultHosts().Token ||
		r.Header.Get("Content-Type") != "application/x-www-form-urlencoded":
		return 400, `{"error":"invalid_request"}`
	case form.Get("client_id") != clientID:
		return 400, `{"error":"unauthorized_client","error_description":"Client is not known"}`
	}
	switch form.Get("grant_type") {
	case "refresh_token":
		return s.refresh(form)
	case "authorization_code":
		return s.exchange(form)
	case "client_credentials":
		if form.Get("client_secret") != clientSecret || form.Get("scope") == "" {
			return 401, `{"error":"invalid_client"}`
		}
		s.partners[form.Get("audience")]++
		return 200, s.grant(false)
	}
	return 400, `{"error":"unsupported_grant_type"}`
}

func (s *oauth) refresh(form url.Values) (int, string) {
	s.asked++
	if len(form) != 3 {
		return 400, `{"error":"invalid_request"}`
	}
	switch token := form.Get("refresh_token"); {
	case token != "" && token == s.newest:
		if s.refuse == nil {
			s.used, s.usedAt = token, s.now()
		}
	case token != "" && token == s.used && s.now().Sub(s.usedAt) <= grace:
	default:
		return 401, `{"error":"login_required","error_description":"The refresh_token is invalid. ` +
			`Generate a new refresh_token by forcing user to re-authenticate."}`
	}
	return 200, s.grant(true)
}

func (s *oauth) exchange(form url.Values) (int, string) {
	asked, ok := s.codes[form.Get("code")]
	delete(s.codes, form.Get("code"))
	sum := sha256.Sum256([]byte(form.Get("code_verifier")))
	switch {
	case !ok || base64.RawURLEncoding.EncodeToString(sum[:]) != asked.Get("code_challenge"):
		return 400, `{"error":"invalid_auth_code","error_description":"Authorization code is invalid"}`
	case form.Get("redirect_uri") != asked.Get("redirect_uri"):
		return 400, `{"error":"invalid_redirect_url","error_description":"Redirect url does not match"}`
	case form.Get("client_secret") != clientSecret:
		return 401, `{"error":"invalid_client"}`
	case form.Get("audience") != tesla.DefaultHosts().API[tesla.Europe]:
		return 400, `{"error":"invalid_request"}`
	}
	return 200, s.grant(true)
}

// grant makes tokens of an account in Europe.
func (s *oauth) grant(owner bool) string {
	if s.refuse != nil {
		return "{}" // nothing happens
	}
	s.made++
	claims, _ := json.Marshal(map[string]any{
		"sub": "00000000-0000-4000-8000-0000000000aa", "ou_code": "EU", "n": s.made, "scp": s.scopes,
		"aud": []string{tesla.DefaultHosts().API[tesla.NorthAmerica], tesla.DefaultHosts().API[tesla.Europe]},
	})
	access := "eyJhbGciOiJSUzI1NiJ9." + base64.RawURLEncoding.EncodeToString(claims) + ".c2ln"
	s.ends[access] = s.now().Add(8 * time.Hour)
	answer := map[string]any{"access_token": access, "expires_in": 28800, "token_type": "Bearer"}
	if owner {
		s.newest = fmt.Sprintf("EU_invented%040d", s.made)
		answer["refresh_token"] = s.newest
	}
	text, _ := json.Marshal(answer)
	return string(text)
}

// works says whether the Fleet API would take an access token.
func (s *oauth) works(access string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	ends, ok := s.ends[access]
	return ok && s.now().Before(ends)
}

// withdraw makes all access tokens useless, as a changed password does.
func (s *oauth) withdraw() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.ends)
}

func (s *oauth) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// allow is what a person does in the browser: the address it ends on.
func (s *oauth) allow(t testing.TB, attempt tesla.Attempt) string {
	t.Helper()
	link, err := url.Parse(attempt.URL)
	if err != nil {
		t.Fatal(err)
	}
	q := link.Query()
	for _, name := range []string{"client_id", "redirect_uri", "scope", "state", "code_challenge"} {
		if q.Get(name) == "" {
			t.Fatalf("the link has no %s", name)
		}
	}
	if q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" ||
		q.Get("prompt_missing_scopes") != "true" || !slices.Equal(strings.Fields(q.Get("scope")), attempt.Scopes) {
		t.Fatalf("link %s", link)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made++
	code := fmt.Sprintf("EU_code%d", s.made)
	s.codes[code] = q
	return attempt.Redirect + "?" + url.Values{"code": {code}, "state": {q.Get("state")},
		"issuer": {"https://auth.tesla.com/oauth2/v3"}}.Encode()
}

// vault is one in memory whose Save may go wrong.
type vault struct {
	sealed []byte
	save   func() (keep bool, err error) // nil: it works
}

func (v *vault) Load(context.Context) ([]byte, error) { return v.sealed, nil }

func (v *vault) Save(ctx context.Context, sealed []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	keep, err := true, error(nil)
	if v.save != nil {
		keep, err = v.save()
	}
	if keep {
		v.sealed = bytes.Clone(sealed)
	}
	return err
}

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// house is everything that an account needs, in one place.
type house struct {
	*clock
	*oauth
	*vault
	changes []tesla.AccountState
	options tesla.AccountOptions
}

func newHouse() *house {
	c := &clock{at: start}
	h := &house{clock: c, oauth: newOAuth(c.now), vault: &vault{}}
	h.options = tesla.AccountOptions{
		Hosts: tesla.DefaultHosts(), HTTP: &http.Client{Transport: h.oauth}, Vault: h.vault,
		Key: [32]byte{1}, ClientID: clientID, ClientSecret: clientSecret, Domain: domain, Now: c.now,
		Changed: func(s tesla.AccountState) { h.changes = append(h.changes, s) },
	}
	return h
}

func (h *house) now() time.Time { return h.clock.now() }

// start opens the account that the vault keeps, as the program does.
func (h *house) start(t testing.TB) *tesla.Account {
	t.Helper()
	a, err := tesla.NewAccount(t.Context(), h.options)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// signedIn is a house in which somebody signed in.
func signedIn(t testing.TB) (*house, *tesla.Account) {
	t.Helper()
	h := newHouse()
	a := h.start(t)
	attempt := a.Begin("https://"+domain+"/callback", nil)
	if err := a.Finish(t.Context(), attempt, h.allow(t, attempt)); err != nil {
		t.Fatal(err)
	}
	return h, a
}
