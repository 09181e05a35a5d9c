package tesla

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	attemptLife = 30 * time.Minute // from the link to the browser's return
	maxAttempts = 8                // at once
)

// DefaultScopes are what the program can make use of (developer.tesla.com,
// "authentication"): the account, the car's data and position, orders, charging.
func DefaultScopes() []string {
	return []string{
		"openid", "offline_access", "user_data", "vehicle_device_data", "vehicle_location",
		"vehicle_cmds", "vehicle_charging_cmds",
	}
}

// Attempt is a sign-in under way. It holds a secret; URL may be shown.
type Attempt struct {
	URL      string   // to be opened in a browser
	State    string   // comes back in the final URL
	Verifier string   // of PKCE: proves that this program began
	Redirect string   // where the browser goes afterwards
	Scopes   []string // asked for
}

// String keeps the secret out of every log.
func (t Attempt) String() string { return "sign-in by " + t.Redirect }

// GoString is String.
func (t Attempt) GoString() string { return t.String() }

// pending is an attempt that Callback knows.
type pending struct {
	Attempt
	since time.Time
}

// Begin starts a sign-in: authorization code with PKCE and state. redirect must be
// one of the application's redirect URIs, to the letter. Without scopes it asks for
// the default ones. Whoever left some out is asked for these again.
func (a *Account) Begin(redirect string, scopes []string) Attempt {
	if len(scopes) == 0 {
		scopes = DefaultScopes()
	}
	t := Attempt{State: unguessable(), Verifier: unguessable(), Redirect: redirect, Scopes: scopes}
	challenge := sha256.Sum256([]byte(t.Verifier))
	t.URL = a.o.Hosts.Login + "?" + url.Values{
		"response_type":         {"code"},
		"client_id":             {a.o.ClientID},
		"redirect_uri":          {redirect},
		"scope":                 {strings.Join(scopes, " ")},
		"state":                 {t.State},
		"code_challenge":        {base64.RawURLEncoding.EncodeToString(challenge[:])},
		"code_challenge_method": {"S256"},
		"prompt_missing_scopes": {"true"},
	}.Encode()
	a.remember(t)
	return t
}

// unguessable is 256 random bits as 43 characters.
func unguessable() string {
	var bits [32]byte
	_, _ = rand.Read(bits[:]) // it never fails: Go ends the program before
	return base64.RawURLEncoding.EncodeToString(bits[:])
}

// remember lets Callback find an attempt: the newest few, for half an hour.
func (a *Account) remember(t Attempt) {
	now := a.o.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.attempts = slices.DeleteFunc(a.attempts, func(p pending) bool { return p.old(now) })
	a.attempts = append(a.attempts, pending{t, now})
	if many := len(a.attempts) - maxAttempts; many > 0 {
		a.attempts = slices.Delete(a.attempts, 0, many)
	}
}

func (p pending) old(now time.Time) bool { return now.Sub(p.since).Abs() > attemptLife }

// Finish ends a sign-in with the address that the browser went to at last, as it
// came to a listener or as a person pasted it. After an error the sign-in that was
// there is still there.
func (a *Account) Finish(ctx context.Context, t Attempt, finalURL string) error {
	code, err := t.code(finalURL)
	if err != nil {
		return err
	}
	if err := a.lock(ctx); err != nil {
		return err
	}
	defer a.unlock()
	got, err := a.ask(ctx, a.exchange(t, code))
	if err != nil {
		return explainExchange(err, t.Redirect)
	}
	tokens := got.tokens(a.o.Now(), a.o.Hosts)
	tokens.Asked = t.Scopes
	a.mu.Lock()
	a.attempts = slices.DeleteFunc(a.attempts, func(p pending) bool { return p.State == t.State })
	a.mu.Unlock()
	return a.welcome(ctx, tokens)
}

// exchange is the form that makes tokens of a code. Tesla documents the audience
// as required, the code begins with the region that it is of.
func (a *Account) exchange(t Attempt, code string) url.Values {
	prefix, _, _ := strings.Cut(code, "_")
	audience, ok := a.o.Hosts.API[Region(strings.ToLower(prefix))]
	if !ok {
		audience = a.o.Hosts.API[NorthAmerica]
	}
	form := url.Values{
		"grant_type":    {"authorization_code"},
		"client_id":     {a.o.ClientID},
		"code":          {code},
		"audience":      {audience},
		"redirect_uri":  {t.Redirect},
		"code_verifier": {t.Verifier},
	}
	if a.o.ClientSecret != "" {
		form.Set("client_secret", a.o.ClientSecret)
	}
	return form
}

// code takes the code out of the final address, if it belongs to this attempt.
func (t Attempt) code(finalURL string) (string, error) {
	final, err := url.Parse(strings.Trim(finalURL, " \t\r\n\"'<>"))
	if err != nil {
		return "", errors.New("that is no address: paste the whole address of the page that the browser ended on")
	}
	query := final.Query()
	if !query.Has("code") && !query.Has("error") {
		return "", errors.New("that address holds no code: paste the whole address of the page that the " +
			"browser ended on, from https:// to its end; it contains code= and state=")
	}
	if subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(t.State)) != 1 {
		return "", errors.New("that address belongs to another sign-in: open the newest link and paste " +
			"where it ends, or begin again")
	}
	if e := query.Get("error"); e != "" {
		return "", declined(e, query.Get("error_description"))
	}
	if query.Get("code") == "" {
		return "", errors.New("that address holds an empty code: begin again")
	}
	return query.Get("code"), nil
}

// declined explains why Tesla's page sent the browser back without a code.
func declined(code, text string) error {
	switch code {
	case "access_denied", "login_cancelled", "user_cancelled":
		return errors.New("the sign-in was not allowed in the browser: begin again, and allow it")
	case "invalid_scope":
		return errors.New("the application may not ask for that: choose the scopes at developer.tesla.com, " +
			"then begin again")
	case "unauthorized_client", "invalid_client":
		return errors.New("tesla does not know this application: check tesla.client_id")
	}
	return fmt.Errorf("tesla ends the sign-in with %.60q %.200q: begin again", code, text)
}

// explainExchange says what to do about a code that was not taken.
func explainExchange(err error, redirect string) error {
	var e *Error
	if !errors.As(err, &e) {
		return fmt.Errorf("%w: paste the address again, or begin again", err)
	}
	switch word, _, _ := strings.Cut(e.Text, " "); word {
	case "invalid_auth_code", "invalid_grant", "invalid_code":
		return errors.New("the code was used already, or took too long: begin again")
	case "invalid_redirect_url", "invalid_redirect_uri":
		return fmt.Errorf("%s is not one of the application's redirect URIs: enter exactly this one at "+
			"developer.tesla.com, then begin again", redirect)
	}
	if state, why := final(err); state == NotSetUp {
		return errors.New(why)
	}
	return fmt.Errorf("%w: begin again", err)
}

// welcome takes the tokens of somebody who signed in. Holds the turn.
func (a *Account) welcome(ctx context.Context, t Tokens) error {
	err := a.adopt(ctx, t)
	a.mu.Lock()
	a.from, a.partners = "", map[Region]Tokens{}
	a.mu.Unlock()
	a.become(SignedIn, "")
	if err != nil {
		return fmt.Errorf("the sign-in works until the program ends, but %w", err)
	}
	return nil
}

// LoginWithRefreshToken signs in with a refresh token that somebody has. Tesla
// replaces it: whatever else used it must sign in anew.
func (a *Account) LoginWithRefreshToken(ctx context.Context, token string) error {
	if err := a.lock(ctx); err != nil {
		return err
	}
	defer a.unlock()
	t, err := a.renewed(ctx, strings.TrimSpace(token))
	if _, why := final(err); why != "" {
		return errors.New(why)
	}
	if err != nil {
		return err
	}
	t.Asked = DefaultScopes()
	return a.welcome(ctx, t)
}

// Logout forgets the sign-in here. At Tesla the owner withdraws it:
// https://auth.tesla.com/user/revoke/consent?revoke_client_id=CLIENT_ID.
func (a *Account) Logout(ctx context.Context) error {
	if err := a.lock(ctx); err != nil {
		return err
	}
	defer a.unlock()
	if err := a.o.Vault.Save(ctx, nil); err != nil {
		return fmt.Errorf("the sign-in could not be forgotten: %w", err)
	}
	a.mu.Lock()
	a.tokens, a.unkept, a.partners = Tokens{}, false, map[Region]Tokens{}
	a.mu.Unlock()
	a.become(a.open(nil))
	return nil
}

// Callback serves the redirect URI: the browser of whoever began a sign-in here
// comes back to it. done, which may be nil, hears how each one went.
func (a *Account) Callback(done func(error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			w.Header().Set("Allow", http.MethodGet)
			http.Error(w, "open this with a browser", http.StatusMethodNotAllowed)
			return
		}
		t, ok := a.attempt(r.URL.Query().Get("state"))
		if !ok {
			farewell(w, errors.New("no sign-in was begun with that link, or it took too long: begin again"))
			return
		}
		err := a.Finish(r.Context(), t, r.URL.String())
		farewell(w, err)
		if done != nil {
			done(err)
		}
	})
}

// attempt finds one that is under way. The state has 256 bits: nobody guesses it,
// by time or otherwise.
func (a *Account) attempt(state string) (Attempt, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := slices.IndexFunc(a.attempts, func(p pending) bool { return p.State == state })
	if i < 0 || a.attempts[i].old(a.o.Now()) {
		return Attempt{}, false
	}
	return a.attempts[i].Attempt, true
}

// goodbye is the page at the end, for a person.
var goodbye = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Wheelhouse</title>
<h1>{{if .}}Not signed in{{else}}Signed in{{end}}</h1>
<p>{{if .}}{{.}}{{else}}You can close this window.{{end}}
`))

// farewell shows how a sign-in went. The address of the page holds the code, so it
// must not travel on.
func farewell(w http.ResponseWriter, err error) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	text := ""
	if err != nil {
		text = err.Error()
		w.WriteHeader(http.StatusBadRequest)
	}
	_ = goodbye.Execute(w, text) // the browser is gone: nobody to tell
}
