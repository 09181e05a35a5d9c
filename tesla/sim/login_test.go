package sim_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/tesla/sim"
)

const (
	redirect = "http://localhost:8125/tesla/callback"
	verifier = "a-verifier-that-is-long-enough-for-everybody"
)

// signIn visits the sign-in page and returns what it sent people back with.
func (w *world) signIn(change ...string) url.Values {
	w.t.Helper()
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{
		"response_type": {"code"}, "client_id": {sim.ClientID}, "redirect_uri": {redirect}, "state": {"s1"},
		"scope": {"openid offline_access vehicle_device_data vehicle_location"}, "code_challenge_method": {"S256"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])},
	}
	for i := 0; i+1 < len(change); i += 2 {
		q.Set(change[i], change[i+1])
	}
	a := w.send("GET", "/oauth2/v3/authorize?"+q.Encode(), "", nil)
	if a.Status != 302 {
		return url.Values{"page": {a.Body}}
	}
	to, err := url.Parse(a.Header.Get("Location"))
	if err != nil {
		w.t.Fatal(err)
	}
	return to.Query()
}

func (w *world) exchange(code string, change ...string) answer {
	w.t.Helper()
	return w.form(append([]string{"grant_type", "authorization_code", "client_id", sim.ClientID,
		"client_secret", sim.ClientSecret, "code", code, "redirect_uri", redirect, "code_verifier", verifier,
		"audience", "https://fleet-api.prd.eu.vn.cloud.tesla.com"}, change...)...)
}

func (w *world) refresh(token string) answer {
	w.t.Helper()
	return w.form("grant_type", "refresh_token", "client_id", sim.ClientID, "refresh_token", token)
}

func (a answer) token(t testing.TB) string {
	s, _ := a.at(t, "refresh_token").(string)
	return s
}

func TestSignIn(t *testing.T) {
	w := newWorld(t, sim.Options{})
	back := w.signIn()
	if back.Get("state") != "s1" || !strings.HasPrefix(back.Get("code"), "EU_") || back.Get("issuer") == "" {
		t.Errorf("back with %v", back)
	}
	a := w.exchange(back.Get("code")).want(t, 200, "refresh_token")
	for _, wrong := range like("", read(t, "token_authorization_code"), any(a.json(t))) {
		t.Error(wrong)
	}
	access, _ := a.at(t, "access_token").(string)
	// Tesla's own library takes the other alphabet of base64 for the one of tokens.
	payload, err := base64.RawStdEncoding.DecodeString(strings.Split(access, ".")[1])
	var claims any
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		t.Fatalf("payload: %v", err)
	}
	var want any
	json.Unmarshal(mustRead(t, "access_token_claims.json"), &want)
	for _, wrong := range like("", want, claims) {
		t.Error(wrong)
	}
	w.token = access
	w.get("/vehicles").want(t, 200, nightjar)
	w.get("/users/me").want(t, 403, "missing scopes")
	w.exchange(back.Get("code")).want(t, 400, "invalid_auth_code")
}

func TestSignInIsChecked(t *testing.T) {
	w := newWorld(t, sim.Options{})
	for _, c := range []struct{ key, value, want string }{
		{"client_id", "somebody", "Client is not known"},
		{"redirect_uri", "https://elsewhere.example.org/", "redirect_uri is not registered"},
		{"state", "", "state is missing"},
	} {
		if page := w.signIn(c.key, c.value).Get("page"); !strings.Contains(page, c.want) {
			t.Errorf("%s: %q", c.key, page)
		}
	}
	for _, c := range []struct{ key, value, want string }{
		{"scope", "openid everything", "invalid_scope"},
		{"scope", "", "invalid_scope"},
		{"response_type", "token", "unsupported_response_type"},
		{"code_challenge_method", "plain", "invalid_request"},
	} {
		if got := w.signIn(c.key, c.value).Get("error"); got != c.want {
			t.Errorf("%s: %q", c.key, got)
		}
	}
	code := func() string { return w.signIn().Get("code") }
	w.exchange(code(), "code_verifier", "another").want(t, 400, "invalid_auth_code")
	w.exchange(code(), "redirect_uri", "http://localhost/").want(t, 400, "invalid_redirect_url")
	w.exchange(code(), "client_secret", "wrong").want(t, 400, "unauthorized_client")
	w.exchange(code(), "client_id", "wrong").want(t, 400, "unauthorized_client")
	w.exchange(code(), "audience", "https://elsewhere.example.org").want(t, 400, "invalid_request")
	w.form("grant_type", "password", "client_id", sim.ClientID).want(t, 400, "unsupported_grant_type")
	late := code()
	w.now = w.now.Add(5 * time.Minute)
	w.exchange(late).want(t, 400, "invalid_auth_code")
}

func TestPeopleMayGrantLessOrNothing(t *testing.T) {
	w := newWorld(t, sim.Options{})
	w.Grant("openid", "vehicle_device_data")
	a := w.exchange(w.signIn().Get("code")).want(t, 200, "access_token")
	if a.token(t) != "" {
		t.Error("a refresh token without offline_access")
	}
	w.token, _ = a.at(t, "access_token").(string)
	if w.data(nightjar).at(t, "response", "drive_state", "latitude") != nil {
		t.Error("a position that nobody granted")
	}
	if got := w.signIn("require_requested_scopes", "true").Get("error"); got != "access_denied" {
		t.Errorf("went on with fewer scopes: %q", got)
	}
	w.Refuse()
	if got := w.signIn(); got.Get("error") != "access_denied" || got.Get("code") != "" {
		t.Errorf("back with %v", got)
	}
	w.Grant()
	if w.signIn().Get("code") == "" {
		t.Error("no code though people agree again")
	}
}

// A refresh token is good for one use; the one that was used last works for a day
// more, and voids what came of its first use.
func TestRotation(t *testing.T) {
	w := newWorld(t, sim.Options{})
	_, first := w.Tokens(every...)
	a := w.refresh(first).want(t, 200, "access_token")
	for _, wrong := range like("", read(t, "token_refresh"), any(a.json(t))) {
		t.Error(wrong)
	}
	second := a.token(t)
	again := w.refresh(first).want(t, 200, "access_token").token(t) // the answer was lost
	w.refresh(second).want(t, 401, "login_required")
	third := w.refresh(again).want(t, 200, "").token(t)
	w.refresh(first).want(t, 401, "login_required")
	if w.Valid(first) || w.Valid(second) || !w.Valid(again) || !w.Valid(third) {
		t.Error("the wrong tokens are valid")
	}
	w.now = w.now.Add(24 * time.Hour)
	w.refresh(again).want(t, 401, "login_required")
	w.now = w.now.Add(89 * 24 * time.Hour)
	w.refresh(third).want(t, 401, "The refresh_token is expired")
	w.refresh("nonsense").want(t, 401, "login_required")
	w.refresh("").want(t, 401, "login_required")
}

func TestRevoke(t *testing.T) {
	w := newWorld(t, sim.Options{})
	_, refresh := w.Tokens(every...)
	w.send("GET", "/user/revoke/consent?revoke_client_id="+sim.ClientID, "", nil).want(t, 200, "removed")
	w.refresh(refresh).want(t, 401, "User revoked the consent")
	w.get("/vehicles").want(t, 401, "invalid bearer token")
}

// The server did it, and the answer was lost: the old token is still good.
func TestLostRefresh(t *testing.T) {
	w := newWorld(t, sim.Options{})
	_, refresh := w.Tokens(every...)
	w.Fail("token", sim.Fault{Cut: true, After: true})
	if a := w.refresh(refresh); a.Status != 0 {
		t.Errorf("answer %d", a.Status)
	}
	w.refresh(refresh).want(t, 200, "refresh_token")
}

func publicKey(t *testing.T, curve elliptic.Curve) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func TestRegistration(t *testing.T) {
	w := newWorld(t, sim.Options{Fresh: true})
	w.get("/vehicles").want(t, 412, "must be registered")
	w.send("GET", "/_ak/"+sim.Domain, "", nil).want(t, 404, "not registered")
	register := func(domain string) answer { return w.post("/partner_accounts", `{"domain":"`+domain+`"}`) }
	register(sim.Domain).want(t, 401, "") // an owner's token is not the application's
	a := w.form("grant_type", "client_credentials", "client_id", sim.ClientID, "client_secret", sim.ClientSecret,
		"scope", "openid vehicle_device_data", "audience", "http://127.0.0.1/eu").want(t, 200, "access_token")
	for _, wrong := range like("", read(t, "token_partner"), any(a.json(t))) {
		t.Error(wrong)
	}
	if a.token(t) != "" {
		t.Error("a refresh token for a partner")
	}
	owner := w.token
	w.token, _ = a.at(t, "access_token").(string)
	register("Bridge.example.org").want(t, 400, "lower case")
	register("elsewhere.example.com").want(t, 412, "")
	register(sim.Domain).want(t, 424, "public key could not be downloaded")
	w.Serve(sim.Domain, publicKey(t, elliptic.P384()))
	register(sim.Domain).want(t, 424, "prime256v1")
	w.Serve(sim.Domain, publicKey(t, elliptic.P256()))
	ok := register(sim.Domain).want(t, 200, sim.Domain)
	for _, wrong := range like("", read(t, "partner_account"), any(ok.json(t))) {
		t.Error(wrong)
	}
	register(sim.Domain).want(t, 422, "has already been taken")
	key, _ := w.get("/partner_accounts/public_key?domain="+sim.Domain).at(t, "response", "public_key").(string)
	if len(key) != 130 || !strings.HasPrefix(key, "04") {
		t.Errorf("key %q", key)
	}
	w.call("GET", "/na/api/1/partner_accounts/public_key?domain="+sim.Domain, "").want(t, 404, "")
	w.token = owner
	w.get("/vehicles").want(t, 200, nightjar)
	w.post("/vehicles/fleet_status", `{"vins":["`+nightjar+`"]}`).want(t, 200, `"key_paired_vins":[]`)
}

func TestPairing(t *testing.T) {
	w := newWorld(t, sim.Options{})
	paired := func() int {
		a := w.post("/vehicles/fleet_status", `{"vins":["`+nightjar+`","`+wagtail+`","`+bittern+`"]}`)
		list, _ := a.at(t, "response", "key_paired_vins").([]any)
		return len(list)
	}
	if paired() != 1 {
		t.Errorf("%d cars have the key at first", paired())
	}
	w.send("GET", "/_ak/elsewhere.example.org", "", nil).want(t, 404, "")
	w.send("GET", "/_ak/"+sim.Domain+"?vin="+wagtail, "", nil).want(t, 200, "Key added")
	if paired() != 2 {
		t.Errorf("%d cars have the key", paired())
	}
}
