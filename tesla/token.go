package tesla

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

const (
	accessLife = 8 * time.Hour       // of an access token whose answer does not say (third-party tokens)
	maxLife    = 30 * 24 * time.Hour // of any access token that is believed
	maxTokens  = 1 << 20             // bytes of an answer about tokens
)

// Tokens are what a sign-in gave. They are secrets: they print as nothing.
type Tokens struct {
	Access  string    // for calls; lives 8 h
	Refresh string    // for the next Tokens: used once, lives 3 months; empty without offline_access
	Issued  time.Time // by our clock
	Expires time.Time // of Access, by our clock
	Scopes  []string  // what the person allowed
	Asked   []string  // what the person was asked for
	Region  Region    // where the account lives
	Subject string    // the account's number at Tesla, nothing personal
}

// String keeps the tokens out of every log.
func (t Tokens) String() string { return "tokens of " + string(t.Region) }

// GoString is String.
func (t Tokens) GoString() string { return t.String() }

// due is when the tokens should be replaced: at 80 % of the access token's life,
// so that a network which is away for an hour is not noticed.
func (t Tokens) due() time.Time { return t.Issued.Add(t.Expires.Sub(t.Issued) * 8 / 10) }

// fresh says whether it is too early for that. Tokens from the future are not
// fresh: our clock was wrong then, or is now.
func (t Tokens) fresh(now time.Time) bool {
	return now.Before(t.due()) && !now.Before(t.Issued.Add(-time.Hour))
}

// grant is what the token endpoint says, whatever it was asked.
type grant struct {
	Access  string  `json:"access_token"`
	Refresh string  `json:"refresh_token"`
	Seconds float64 `json:"expires_in"`
}

// tokens reads an answer that came at now.
func (g grant) tokens(now time.Time, hosts Hosts) Tokens {
	c := readClaims(g.Access)
	life := time.Duration(min(g.Seconds, maxLife.Seconds()) * float64(time.Second))
	if life <= 0 && c.Expires > 0 {
		life = min(time.Unix(int64(c.Expires), 0).Sub(now), maxLife)
	}
	if life <= 0 {
		life = accessLife
	}
	return Tokens{
		Access: g.Access, Refresh: g.Refresh, Issued: now, Expires: now.Add(life),
		Scopes: c.Scopes, Subject: c.Subject, Region: c.region(hosts, g.Refresh),
	}
}

// claims are what an access token says about itself (teslamotors/vehicle-command,
// pkg/account). They are not verified: the token came from Tesla by TLS, and what
// they say decides nothing but where to call and what to show.
type claims struct {
	Audience words   `json:"aud"`
	Scopes   words   `json:"scp"`
	Region   string  `json:"ou_code"`
	Subject  string  `json:"sub"`
	Expires  float64 `json:"exp"` // s since 1970
}

// words is a list that may be written as one text, with spaces.
type words []string

func (w *words) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*w = strings.Fields(one)
		return nil
	}
	return json.Unmarshal(text, (*[]string)(w))
}

// readClaims decodes a JWT's middle part, with either alphabet of base64 and with
// or without padding. A token that is no JWT claims nothing.
func readClaims(token string) (c claims) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c
	}
	standard := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(parts[1], "="))
	text, err := base64.RawStdEncoding.DecodeString(standard)
	if err == nil {
		_ = json.Unmarshal(text, &c) // what could be read of it is better than nothing
	}
	return c
}

// region is the audience that bears the account's organisational unit, else the
// first of the Fleet API (the rule of pkg/account), else what the refresh token
// starts with, else North America.
func (c claims) region(hosts Hosts, refresh string) Region {
	unit := Region(strings.ToLower(c.Region))
	var first Region
	for _, base := range c.Audience {
		r := regionOf(hosts, base)
		if r != "" && r == unit {
			return r
		}
		if first == "" {
			first = r
		}
	}
	prefix, _, _ := strings.Cut(refresh, "_")
	for _, r := range []Region{first, unit, Region(strings.ToLower(prefix))} {
		if _, ok := hosts.API[r]; ok {
			return r
		}
	}
	return NorthAmerica
}

// regionOf is the region whose base URL that is, in these hosts or in Tesla's.
func regionOf(hosts Hosts, base string) Region {
	base = strings.TrimSuffix(base, "/")
	for _, all := range []Hosts{hosts, DefaultHosts()} {
		for r, url := range all.API {
			if url == base {
				return r
			}
		}
	}
	if after, ok := strings.CutPrefix(base, "https://fleet-api."); ok {
		for _, r := range []Region{NorthAmerica, Europe, China} {
			if slices.Contains(strings.Split(after, "."), string(r)) {
				return r
			}
		}
	}
	return ""
}

// ask sends one form to the token endpoint. Nothing of the form is in an error.
func (a *Account) ask(ctx context.Context, form url.Values) (grant, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.o.Hosts.Token,
		strings.NewReader(form.Encode()))
	if err != nil {
		return grant{}, fmt.Errorf("the address of tesla's sign-in: %w", err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	if a.o.Agent != "" {
		request.Header.Set("User-Agent", a.o.Agent)
	}
	response, err := a.http.Do(request)
	if err != nil {
		return grant{}, unreachable(false, err)
	}
	defer func() { _ = response.Body.Close() }()
	var got grant
	body, err := io.ReadAll(io.LimitReader(response.Body, maxTokens))
	if err == nil {
		err = json.Unmarshal(body, &got)
	}
	switch {
	case response.StatusCode != http.StatusOK:
		return grant{}, newError(response.StatusCode, response.Header, without(body, form))
	case err != nil:
		return grant{}, errors.New("tesla's sign-in gives an answer that cannot be read: it is tried again")
	case got.Access == "":
		return grant{}, errors.New("tesla's sign-in gives an answer without a token: it is tried again")
	}
	return got, nil
}

// without takes what was sent out of an answer that is going to be shown.
func without(body []byte, form url.Values) []byte {
	for _, name := range []string{"refresh_token", "code", "code_verifier", "client_secret"} {
		if secret := form.Get(name); secret != "" {
			body = bytes.ReplaceAll(body, []byte(secret), []byte("…"))
		}
	}
	return body
}

// final is the state that a refusal leaves for good, with what to do about it,
// or "" for a failure that passes: then the same token may be used again.
func final(err error) (AccountState, string) {
	var e *Error
	if !errors.As(err, &e) || e.Status >= 500 {
		return "", ""
	}
	switch word, text, _ := strings.Cut(e.Text, " "); word {
	case "login_required", "invalid_grant":
		return LoginRequired, lost(text)
	case "unauthorized_client", "invalid_client":
		return NotSetUp, "Tesla does not know this application: compare tesla.client_id and " +
			"tesla.client_secret with its page at developer.tesla.com"
	}
	return "", ""
}

// lost explains why a refresh token is dead.
func lost(text string) string {
	const again = ": run `wheelhouse tesla login`"
	switch words := strings.ToLower(text); {
	case strings.Contains(words, "expired"):
		return "the sign-in at Tesla was not used for three months and has ended" + again
	case strings.Contains(words, "revoked"):
		return "the owner withdrew this application's access at Tesla" + again
	}
	return "Tesla no longer knows this sign-in: another program uses it too, or an old copy of the state " +
		"directory was put back, or the password was changed" + again + ", and share it with no other program"
}

// halted is the error of an account that can do nothing until a person acts.
func halted(why string) error { return &Error{Code: codeLogin, refused: car.Forbidden, advice: why} }
