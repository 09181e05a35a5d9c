package tesla_test

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/tesla"
)

// registry is the partner endpoints of all regions, without a network.
type registry struct {
	*oauth
	key   string
	known map[string]bool // by host
	fail  func(host string, r *http.Request) (int, string)
}

func (s *registry) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.String() == tesla.DefaultHosts().Token {
		return s.oauth.RoundTrip(r)
	}
	status, text := s.serve(r)
	return &http.Response{StatusCode: status, Header: http.Header{},
		Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
}

func (s *registry) serve(r *http.Request) (int, string) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !s.works(token) {
		return 401, ""
	}
	if s.fail != nil {
		if status, text := s.fail(r.URL.Host, r); status != 0 {
			return status, text
		}
	}
	if r.Method == http.MethodGet {
		if r.URL.Query().Get("domain") != domain || !s.known[r.URL.Host] {
			return 404, `{"error":"not_found"}`
		}
		return 200, fmt.Sprintf(`{"response":{"public_key":%q}}`, s.key)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || strings.TrimSpace(string(body)) != `{"domain":"`+domain+`"}` {
		return 400, `{"error":"invalid_request"}`
	}
	if s.known[r.URL.Host] {
		return 422, `{"error":"invalid_resource","messages":{"domain":["has already been taken"]}}`
	}
	s.known[r.URL.Host] = true
	return 200, `{"response":{}}`
}

// ledger keeps nothing.
type freeLedger struct{}

func (freeLedger) Spend(context.Context, tesla.Spent) error                { return nil }
func (freeLedger) Spending(context.Context, string) ([]tesla.Spent, error) { return nil, nil }

func freeMeter(t testing.TB) *tesla.Meter {
	t.Helper()
	m, err := tesla.NewMeter(t.Context(), freeLedger{}, tesla.DefaultBudget(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// registering is a house with a registry, and the application's key.
func registering(t testing.TB) (*house, *registry, *ecdsa.PrivateKey, tesla.ClientOptions) {
	h, key := newHouse(), newKey(t)
	point, err := tesla.PublicHex(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	s := &registry{oauth: h.oauth, key: point, known: map[string]bool{}}
	h.options.HTTP = &http.Client{Transport: s}
	return h, s, key, tesla.ClientOptions{HTTP: h.options.HTTP, Meter: freeMeter(t)}
}

func TestRegister(t *testing.T) {
	h, s, key, via := registering(t)
	a := h.start(t)
	for _, fresh := range []bool{true, false} {
		all, err := a.Register(t.Context(), via, &key.PublicKey)
		if err != nil || len(all) != 2 {
			t.Fatal(all, err)
		}
		for _, one := range all {
			if one.New != fresh || one.Err != nil {
				t.Fatalf("%+v", one)
			}
		}
	}
	if len(s.known) != 2 || len(s.partners) != 2 {
		t.Fatalf("regions %v, tokens %v", s.known, s.partners)
	}
	for audience, n := range s.partners {
		if n != 1 || audience == "" {
			t.Errorf("%d tokens for %s", n, audience)
		}
	}
	h.pass(7 * time.Hour) // the application's token has become old
	if _, err := a.Register(t.Context(), via, &key.PublicKey, tesla.Europe); err != nil {
		t.Fatal(err)
	}
	h.withdraw() // a refused one is replaced
	if _, err := a.Register(t.Context(), via, &key.PublicKey, tesla.Europe); err != nil {
		t.Fatal(err)
	}
	if n := s.partners[tesla.DefaultHosts().API[tesla.Europe]]; n != 3 {
		t.Fatalf("%d tokens for Europe", n)
	}
}

func TestRegisterExplains(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(*house, *registry)
		want  string
	}{
		"origin": {func(_ *house, s *registry) {
			s.fail = all(412, fixture(t, "errors/412_not_registered.json"))
		}, "allowed origins: enter https://" + domain},
		"fetch": {func(_ *house, s *registry) {
			s.fail = all(424, fixture(t, "errors/424_public_key_fetch.json"))
		}, "tesla serve-key"},
		"busy": {func(_ *house, s *registry) {
			s.fail = all(429, `{"error":"Other update in progress"}`)
		}, "repeat in a minute"},
		"key":       {func(_ *house, s *registry) { s.key = "04abab" }, "another public key"},
		"secret":    {func(h *house, _ *registry) { h.options.ClientSecret = "" }, "client_secret is missing"},
		"client":    {func(h *house, _ *registry) { h.options.ClientSecret = "wrong" }, "tesla.client_secret"},
		"domain":    {func(h *house, _ *registry) { h.options.Domain = "localhost" }, "public host name"},
		"network":   {func(_ *house, s *registry) { s.block = yes }, "connection"},
		"read back": {func(_ *house, s *registry) { s.fail = gets(404, "{}") }, "read back"},
		"region":    {func(h *house, _ *registry) { delete(h.options.Hosts.API, tesla.Europe) }, "no region"},
	} {
		h, s, key, via := registering(t)
		tt.spoil(h, s)
		_, err := h.start(t).Register(t.Context(), via, &key.PublicKey)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), clientSecret) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func all(status int, text string) func(string, *http.Request) (int, string) {
	return func(string, *http.Request) (int, string) { return status, text }
}

func gets(status int, text string) func(string, *http.Request) (int, string) {
	return func(_ string, r *http.Request) (int, string) {
		if r.Method != http.MethodGet {
			return 0, ""
		}
		return status, text
	}
}

// One region may fail and the other be done.
func TestRegisterHalf(t *testing.T) {
	h, s, key, via := registering(t)
	s.fail = func(host string, _ *http.Request) (int, string) {
		if strings.Contains(host, ".na.") {
			return 412, "{}"
		}
		return 0, ""
	}
	done, err := h.start(t).Register(t.Context(), via, &key.PublicKey)
	if err == nil || len(done) != 2 || done[0].Err == nil || done[1].Err != nil || !done[1].New {
		t.Fatal(done, err)
	}
}

func TestPairURL(t *testing.T) {
	hosts := tesla.DefaultHosts()
	if got := tesla.PairURL(hosts, domain, ""); got != "https://tesla.com/_ak/"+domain {
		t.Fatal(got)
	}
	got, err := url.Parse(tesla.PairURL(hosts, domain, "5YJ3E1EA0PF000001"))
	if err != nil || got.Query().Get("vin") != "5YJ3E1EA0PF000001" || got.Path != "/_ak/"+domain {
		t.Fatal(got, err)
	}
}

func TestAwaitPairing(t *testing.T) {
	modern := tesla.Pairing{VIN: "5YJ3E1EA0PF000001", Required: true}
	old, paired := tesla.Pairing{VIN: "5YJSA1E20FF000003"}, modern
	paired.Paired = true
	answers := [][]tesla.Pairing{nil, {modern, old}, {old, modern}, {old, paired}}
	synctest.Test(t, func(t *testing.T) {
		begin, asked, told := time.Now(), 0, 0
		look := func(context.Context) ([]tesla.Pairing, error) {
			asked++
			if asked == 1 {
				return nil, errors.New("a network that is away")
			}
			return answers[asked-2], nil
		}
		tell := func([]tesla.Pairing, error) { told++ }
		err := tesla.AwaitPairing(t.Context(), 10*time.Second, look, tell)
		if err != nil || asked != 5 || told != 5 || time.Since(begin) != 40*time.Second {
			t.Fatalf("%v after %d questions, %v", err, asked, time.Since(begin))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		never := func(context.Context) ([]tesla.Pairing, error) { return answers[1], nil }
		err = tesla.AwaitPairing(ctx, 10*time.Second, never, tell)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		a := newHouse().start(t)
		out := func(ctx context.Context) ([]tesla.Pairing, error) {
			_, err := a.Token(ctx, tesla.Owner)
			return nil, err
		}
		err = tesla.AwaitPairing(t.Context(), 10*time.Second, out, tell)
		if !tesla.IsLoginRequired(err) {
			t.Fatal(err)
		}
	})
}

// The code is square and has its margin; two modules stand in one character.
func TestQR(t *testing.T) {
	for _, colour := range []bool{false, true} {
		text, err := tesla.QR(tesla.PairURL(tesla.DefaultHosts(), domain, ""), colour)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		for i, line := range lines {
			plain := strings.NewReplacer("\x1b[38;5;231;48;5;16m", "", "\x1b[0m", "").Replace(line)
			if n := len([]rune(plain)); (n+1)/2 != len(lines) || (plain != line) != colour {
				t.Fatalf("line %d: %d modules, %d lines", i, n, len(lines))
			}
			if margin := i < 2 || i >= len(lines)-2; margin != (strings.Trim(plain, "█") == "") {
				t.Fatalf("line %d: %q", i, plain)
			}
		}
	}
	if _, err := tesla.QR(strings.Repeat("x", 5000), false); err == nil {
		t.Fatal("a text of 5000 characters fits")
	}
}
