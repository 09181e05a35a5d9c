package sim

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	loginPath    = "/oauth2/v3/authorize"
	tokenPath    = "/oauth2/v3/token"
	metadataPath = "/oauth2/v3/thirdparty/.well-known/openid-configuration"
	revokePath   = "/user/revoke/consent"
	codeLives    = 5 * time.Minute
)

// scopes are all that exist.
var scopes = [...]string{
	"openid", "offline_access", "user_data", "vehicle_device_data", "vehicle_location", "vehicle_cmds",
	"vehicle_charging_cmds", "energy_device_data", "energy_cmds", "vehicle_specs", "enterprise_management",
}

// person is how whoever sits at the sign-in page behaves.
type person struct {
	refuses bool
	grants  []string // nil: whatever is asked for
}

// Grant lets people agree to these scopes only, from now on; with none, to all
// that are asked for.
func (t *Tesla) Grant(scopes ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.people = person{grants: scopes}
}

// Refuse lets people say no, from now on, until Grant.
func (t *Tesla) Refuse() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.people.refuses = true
}

// code is what a sign-in page gave out.
type code struct {
	redirect  string
	challenge string // of PKCE, "" for none
	state     string
	scopes    []string
	expires   time.Time
}

// authorize is the page where people say yes. They do at once.
func (t *Tesla) authorize(c *call) reply {
	q := c.query
	to, err := url.Parse(q.Get("redirect_uri"))
	switch {
	case q.Get("client_id") != t.options.ClientID:
		return page(http.StatusBadRequest, "<h1>Client is not known</h1>")
	case err != nil || !t.redirects(to):
		return page(http.StatusBadRequest, "<h1>redirect_uri is not registered</h1>")
	case q.Get("state") == "":
		return page(http.StatusBadRequest, "<h1>state is missing</h1>")
	}
	back := to.Query()
	back.Set("state", q.Get("state"))
	if wrong := t.consent(c, back); wrong != "" {
		back.Set("error", wrong)
	}
	to.RawQuery = back.Encode()
	return reply{http.StatusFound, http.Header{"Location": {to.String()}}, nil}
}

// consent adds a code to what goes back to the application, or says why not.
func (t *Tesla) consent(c *call, back url.Values) (wrong string) {
	q := c.query
	asked := strings.Fields(q.Get("scope"))
	granted := asked
	if t.people.grants != nil {
		granted = slices.DeleteFunc(slices.Clone(asked), func(s string) bool {
			return !slices.Contains(t.people.grants, s)
		})
	}
	method := q.Get("code_challenge_method")
	switch {
	case q.Get("response_type") != "code":
		return "unsupported_response_type"
	case len(asked) == 0 || slices.ContainsFunc(asked, unknownScope):
		return "invalid_scope"
	case method != "" && method != "S256" || (method == "") != (q.Get("code_challenge") == ""):
		return "invalid_request"
	case t.people.refuses, q.Get("require_requested_scopes") == "true" && len(granted) < len(asked):
		return "access_denied"
	}
	name := t.prefix() + t.secret(32)
	t.codes[name] = code{
		redirect: q.Get("redirect_uri"), challenge: q.Get("code_challenge"), state: q.Get("state"),
		scopes: granted, expires: c.now.Add(codeLives),
	}
	back.Set("code", name)
	back.Set("issuer", "https://fleet-auth.tesla.com/oauth2/v3/nts")
	return ""
}

func unknownScope(s string) bool { return !slices.Contains(scopes[:], s) }

// redirects says whether people may be sent there.
func (t *Tesla) redirects(to *url.URL) bool {
	if t.options.Redirects != nil {
		return slices.Contains(t.options.Redirects, to.String())
	}
	switch to.Hostname() {
	case "localhost", "127.0.0.1", "::1":
		return true
	}
	return to.Scheme == "https" && to.Hostname() == t.options.Domain
}

// verifies says whether a verifier is that of the challenge.
func (k code) verifies(verifier string) bool {
	if k.challenge == "" {
		return true
	}
	sum := sha256.Sum256([]byte(verifier))
	is := base64.RawURLEncoding.EncodeToString(sum[:])
	return subtle.ConstantTimeCompare([]byte(is), []byte(k.challenge)) == 1
}

// revokePage is the page where people take their consent back.
func (t *Tesla) revokePage(c *call) reply {
	if c.query.Get("revoke_client_id") != t.options.ClientID {
		return page(http.StatusBadRequest, "<h1>Client is not known</h1>")
	}
	t.revoke()
	if back := c.query.Get("back_url"); back != "" {
		return reply{http.StatusFound, http.Header{"Location": {back}}, nil}
	}
	return page(http.StatusOK, "<h1>Access removed</h1>")
}

// Revoke takes people's consent back: no token of theirs is good any more.
func (t *Tesla) Revoke() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.revoke()
}

func (t *Tesla) revoke() {
	for _, g := range t.grants {
		g.revoked = true
	}
}

func (t *Tesla) metadata(c *call) reply {
	base := "http://" + c.r.Host
	return plain(http.StatusOK, object{
		"issuer":                           "https://fleet-auth.tesla.com/oauth2/v3/nts",
		"authorization_endpoint":           base + loginPath,
		"token_endpoint":                   base + tokenPath,
		"response_types_supported":         []string{"code"},
		"grant_types_supported":            []string{"authorization_code", "refresh_token", "client_credentials"},
		"code_challenge_methods_supported": []string{"S256"},
		"scopes_supported":                 scopes,
	})
}
