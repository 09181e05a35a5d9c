package sim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
)

// How long tokens live (developer.tesla.com, "third-party tokens").
const (
	accessLives  = 8 * time.Hour
	refreshLives = 90 * 24 * time.Hour
	grace        = 24 * time.Hour // of the refresh token that was used last
)

// grant is one yes of a person: a line of refresh tokens, each good for one use.
type grant struct {
	scopes  []string
	current string    // the newest refresh token; "" without the scope for any
	issued  time.Time // of the newest
	last    string    // the one that was used last
	used    time.Time
	revoked bool
}

// token is an access token.
type token struct {
	expires time.Time
	scopes  []string
	partner bool
	grant   *grant // nil for a partner's
}

func (k token) has(scope string) bool { return slices.Contains(k.scopes, scope) }
func (k token) revoked() bool         { return k.grant != nil && k.grant.revoked }

// token is the token endpoint with its three grants.
func (t *Tesla) token(c *call) reply {
	kind, _, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	switch f := c.form; {
	case kind != "application/x-www-form-urlencoded":
		return oauthError("invalid_request", "The body must be a form")
	case f.Get("client_id") != t.options.ClientID:
		return failure("400_token_unauthorized_client")
	case f.Has("audience") && !audience(f.Get("audience")):
		return oauthError("invalid_request", "The audience is not known")
	default:
		switch f.Get("grant_type") {
		case "authorization_code":
			return t.exchangeCode(c)
		case "refresh_token":
			return t.refresh(c)
		case "client_credentials":
			return t.credentials(c)
		}
		return oauthError("unsupported_grant_type", "The grant type is not supported")
	}
}

func oauthError(code, text string) reply {
	return plain(http.StatusBadRequest, object{"error": code, "error_description": text})
}

// audience says whether it is the base URL of a region: Tesla's or ours.
func audience(url string) bool {
	return slices.ContainsFunc(regions[:], func(region string) bool {
		return url == baseURL(region) || strings.HasSuffix(url, "/"+region)
	})
}

// knows says whether the application showed its secret, where it has one.
func (t *Tesla) knows(c *call) bool {
	return t.options.OpenSource || c.form.Get("client_secret") == t.options.ClientSecret
}

func (t *Tesla) exchangeCode(c *call) reply {
	name := c.form.Get("code")
	k, ok := t.codes[name]
	switch {
	case !t.knows(c):
		return failure("400_token_unauthorized_client")
	case !ok || !c.now.Before(k.expires) || !k.verifies(c.form.Get("code_verifier")):
		delete(t.codes, name) // a wrong try uses it up as well
		return failure("400_token_invalid_auth_code")
	case c.form.Get("redirect_uri") != k.redirect:
		return failure("400_token_invalid_redirect_url")
	}
	delete(t.codes, name)
	g := &grant{scopes: k.scopes}
	t.grants = append(t.grants, g)
	answer := t.issue(c, g)
	answer["state"] = k.state
	return plain(http.StatusOK, answer)
}

// refresh takes the newest token, and for a day the one that was used last: its
// answer may have been lost. Whatever came of that first use is then void.
func (t *Tesla) refresh(c *call) reply {
	is := c.form.Get("refresh_token")
	for _, g := range t.grants {
		newest, last := is != "" && is == g.current, is != "" && is == g.last
		switch {
		case !newest && !last:
			continue
		case g.revoked:
			return failure("401_login_required_revoked")
		case newest && c.now.Sub(g.issued) >= refreshLives:
			return failure("401_login_required_expired")
		case last && c.now.Sub(g.used) >= grace:
			return failure("401_login_required")
		}
		if newest {
			g.last, g.used = is, c.now
		}
		return plain(http.StatusOK, t.issue(c, g))
	}
	return failure("401_login_required")
}

func (t *Tesla) credentials(c *call) reply {
	asked := strings.Fields(c.form.Get("scope"))
	switch {
	case c.form.Get("client_secret") != t.options.ClientSecret:
		return failure("400_token_unauthorized_client")
	case !c.form.Has("audience"):
		return oauthError("invalid_request", "The audience is missing")
	case len(asked) == 0 || slices.ContainsFunc(asked, unknownScope):
		return oauthError("invalid_scope", "The scope is not known")
	}
	return plain(http.StatusOK, t.access(c, token{scopes: asked, partner: true}))
}

// issue makes a new access token, and the next refresh token.
func (t *Tesla) issue(c *call, g *grant) object {
	answer := t.access(c, token{scopes: g.scopes, grant: g})
	if slices.Contains(g.scopes, "offline_access") {
		g.current, g.issued = t.prefix()+t.secret(64), c.now
		answer["refresh_token"] = g.current
	}
	if slices.Contains(g.scopes, "openid") {
		answer["id_token"] = answer["access_token"]
	}
	return answer
}

// access makes an access token: a JWT whose claims are those of the fixture, and
// whose signature nobody but us can check.
func (t *Tesla) access(c *call, k token) object {
	maps.DeleteFunc(t.tokens, func(_ string, old token) bool { return c.now.Sub(old.expires) > accessLives })
	k.expires = c.now.Add(accessLives)
	var claims object
	json.Unmarshal(fixture("access_token_claims.json"), &claims)
	claims["azp"], claims["scp"] = t.options.ClientID, k.scopes
	claims["iat"], claims["auth_time"], claims["exp"] = c.now.Unix(), c.now.Unix(), k.expires.Unix()
	claims["ou_code"], claims["jti"] = strings.ToUpper(t.options.Region), t.secret(12)
	if k.partner {
		claims["sub"] = t.options.ClientID
		delete(claims, "amr")
	}
	payload, _ := json.Marshal(claims)
	text := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode(payload)
	mac := hmac.New(sha256.New, []byte(t.options.ClientSecret))
	mac.Write([]byte(text))
	jwt := text + "." + encode(mac.Sum(nil))
	t.tokens[jwt] = k
	return object{"access_token": jwt, "expires_in": int(accessLives.Seconds()), "token_type": "Bearer"}
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// prefix begins codes and refresh tokens.
func (t *Tesla) prefix() string { return strings.ToUpper(t.options.Region) + "_" }

// secret is n letters that nobody else has; the seed makes them repeatable.
func (t *Tesla) secret(n int) string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[t.rng.IntN(len(letters))]
	}
	return string(b)
}

// Tokens gives an application tokens without a sign-in, as if a person had agreed
// to the scopes.
func (t *Tesla) Tokens(scopes ...string) (access, refresh string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := &grant{scopes: scopes}
	t.grants = append(t.grants, g)
	answer := t.issue(&call{now: t.options.Now()}, g)
	access, _ = answer["access_token"].(string)
	return access, g.current
}

// Valid says whether a refresh token would be taken now.
func (t *Tesla) Valid(refresh string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.options.Now()
	return slices.ContainsFunc(t.grants, func(g *grant) bool {
		newest := refresh == g.current && now.Sub(g.issued) < refreshLives
		last := refresh == g.last && now.Sub(g.used) < grace
		return refresh != "" && !g.revoked && (newest || last)
	})
}

// PartnerToken gives the application a token of its own.
func (t *Tesla) PartnerToken(scopes ...string) (access string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	answer := t.access(&call{now: t.options.Now()}, token{scopes: scopes, partner: true})
	access, _ = answer["access_token"].(string)
	return access
}
