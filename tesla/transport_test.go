package tesla_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/tesla"
)

// script answers each call with the next function, the last one for ever, and
// notes when which call came.
type script struct {
	mu    sync.Mutex
	next  []wire
	begin time.Time
	calls []string
	waits []time.Duration
}

func (s *script) answer(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if len(s.calls) > 0 {
		s.waits = append(s.waits, now.Sub(s.begin))
	}
	s.begin = now
	s.calls = append(s.calls, r.URL.Host+" "+r.Header.Get("Authorization"))
	f := s.next[min(len(s.calls), len(s.next))-1]
	return f(r)
}

func status(status int, body string, header ...string) wire {
	return func(*http.Request) (*http.Response, error) { return reply(status, body, header...), nil }
}

func lost(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }

func TestReadingIsRepeated(t *testing.T) {
	ok := status(200, `{"response":{"vin":"`+nightjar+`"}}`)
	for name, test := range map[string]struct {
		first wire
		calls int
	}{
		"a server's problem": {status(500, "upstream internal error"), 3},
		"a gateway's page":   {status(504, "<html></html>"), 3},
		"no connection":      {lost, 3},
		"a long pause":       {status(503, "", "Retry-After", "900"), 1},
		"a car asleep":       {status(408, ""), 1},
		"a car unavailable":  {status(503, `{"error":"vehicle is not available"}`), 1},
		"a car confused":     {status(540, ""), 1},
		"a limit":            {status(429, ""), 1},
		"an error of ours":   {status(400, ""), 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{next: []wire{test.first}}
				if _, err := over(t, s.answer).VehicleData(t.Context(), nightjar); err == nil {
					t.Error("succeeded")
				}
				if len(s.calls) != test.calls {
					t.Errorf("%d calls", len(s.calls))
				}
				for i, wait := range s.waits {
					want := []time.Duration{5 * time.Second, 10 * time.Second}[i]
					if wait < want*8/10 || wait > want*12/10 {
						t.Errorf("waited %v before call %d", wait, i+2)
					}
				}
				s = &script{next: []wire{test.first, test.first, ok}}
				if _, err := over(t, s.answer).Vehicle(t.Context(), nightjar); (err == nil) != (test.calls == 3) {
					t.Errorf("the third call: %v", err)
				}
			})
		})
	}
}

// TestNothingElseIsRepeated: nobody knows what became of a lost order.
func TestNothingElseIsRepeated(t *testing.T) {
	for _, first := range []wire{lost, status(500, ""), status(504, "")} {
		synctest.Test(t, func(t *testing.T) {
			s := &script{next: []wire{first}}
			c := over(t, s.answer)
			_, _ = c.WakeUp(t.Context(), nightjar)
			_ = c.RemoveDriver(t.Context(), nightjar, 1)
			_, _ = c.FleetStatus(t.Context(), nightjar)
			if len(s.calls) != 3 {
				t.Errorf("%d calls of 3", len(s.calls))
			}
		})
	}
}

func TestRepeatingEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		_, err := over(t, status(500, "")).Vehicle(ctx, nightjar)
		var e *tesla.Error
		if took := time.Since(begin); !errors.As(err, &e) || e.Status != 500 || took > time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
}

func TestTokenIsRenewedOnce(t *testing.T) {
	for _, body := range []string{"", "errors/401_token_expired.json", "errors/401_invalid_bearer_token.json"} {
		if body != "" {
			body = example(t, body)
		}
		for name, still := range map[string]bool{"taken then": false, "never taken": true} {
			t.Run(name, func(t *testing.T) {
				token, renewed := "old", 0
				s := &script{next: []wire{status(401, body), status(200, `{}`)}}
				if still {
					s.next = s.next[:1]
				}
				c := over(t, s.answer, func(o *tesla.ClientOptions) {
					o.Token = func(context.Context, tesla.Identity) (string, error) { return token, nil }
					o.Renew = func(_ context.Context, refused string) error {
						if refused != "old" {
							t.Errorf("renewed after %q", refused)
						}
						token, renewed = "new", renewed+1
						return nil
					}
				})
				// An order too: a 401 was not carried out.
				_, err := c.WakeUp(t.Context(), nightjar)
				if (err != nil) != still || renewed != 1 {
					t.Errorf("%v, renewed %d times", err, renewed)
				}
				const host = "fleet-api.prd.na.vn.cloud.tesla.com Bearer "
				same(t, "calls", s.calls, []string{host + "old", host + "new"})
			})
		}
	}
}

// TestRenewingDoesNotHelp: neither a closed car nor an ended sign-in is a token's
// fault, and what the account says is handed on.
func TestRenewingDoesNotHelp(t *testing.T) {
	ended := errors.New("sign in again")
	renewing := func(o *tesla.ClientOptions) {
		o.Renew = func(context.Context, string) error { return ended }
	}
	for name, want := range map[string]bool{
		"errors/401_mobile_access_disabled.json": false, "errors/401_login_required.json": false,
		"errors/401_empty.txt": true,
	} {
		_, err := over(t, status(401, example(t, name)), renewing).Vehicle(t.Context(), nightjar)
		if err == nil || errors.Is(err, ended) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	none := func(o *tesla.ClientOptions) {
		o.Token = func(context.Context, tesla.Identity) (string, error) { return "", ended }
	}
	s := &script{next: []wire{status(200, "{}")}}
	if _, err := over(t, s.answer, none).Me(t.Context()); !errors.Is(err, ended) || len(s.calls) > 0 {
		t.Errorf("%v, %d calls", err, len(s.calls))
	}
}

func TestMoving(t *testing.T) {
	const eu = "https://fleet-api.prd.eu.vn.cloud.tesla.com"
	named := func(base string) wire {
		return status(421, `{"error":"use base URL: `+base+`, see https://developer.tesla.com"}`)
	}
	for name, test := range map[string]struct {
		answer wire
		moves  bool
	}{
		"as known":         {status(421, example(t, "errors/421_wrong_region.json")), true},
		"in a header":      {status(421, "", "Alt-Svc", `h2="`+eu+`"`), true},
		"in a bare header": {status(421, "", "Alt-Svc", "h2="+eu), true},
		"at the end":       {status(421, `{"error":"user out of region, use base URL: `+eu+`"}`), true},
		"to a stranger":    {named("https://fleet-api.prd.eu.vn.example.org"), false},
		"to a lookalike":   {status(421, `{"error":"use base URL: `+eu+`.example.org, see"}`), false},
		"without a cipher": {named("http://fleet-api.prd.eu.vn.cloud.tesla.com"), false},
		"to nowhere":       {status(421, ""), false},
	} {
		t.Run(name, func(t *testing.T) {
			region := tesla.NorthAmerica
			s := &script{next: []wire{test.answer, status(200, `{}`)}}
			c := over(t, s.answer, func(o *tesla.ClientOptions) {
				o.Region = func() tesla.Region { return region }
				o.Moved = func(_ context.Context, to tesla.Region) error { region = to; return nil }
			})
			_, err := c.WakeUp(t.Context(), nightjar)
			if (err == nil) != test.moves || (region == tesla.Europe) != test.moves {
				t.Errorf("%v, now in %s", err, region)
			}
			calls := []string{"fleet-api.prd.na.vn.cloud.tesla.com Bearer invented",
				"fleet-api.prd.eu.vn.cloud.tesla.com Bearer invented"}
			if !test.moves {
				calls = calls[:1]
			}
			same(t, "calls", s.calls, calls)
		})
	}
}

// TestMovingInASimulation: Tesla's own names stand for the places that were given
// instead of them.
func TestMovingInASimulation(t *testing.T) {
	region := tesla.NorthAmerica
	s := &script{next: []wire{status(421, example(t, "errors/421_wrong_region.json")), status(200, `{}`)}}
	c := over(t, s.answer, func(o *tesla.ClientOptions) {
		o.Hosts.API = map[tesla.Region]string{
			tesla.NorthAmerica: "http://na.invalid", tesla.Europe: "http://eu.invalid",
		}
		o.Region = func() tesla.Region { return region }
		o.Moved = func(_ context.Context, to tesla.Region) error { region = to; return nil }
	})
	_, err := c.Me(t.Context())
	same(t, "calls", s.calls, []string{"na.invalid Bearer invented", "eu.invalid Bearer invented"})
	if err != nil {
		t.Error(err)
	}
}

// TestMovingOnce: two regions that each name the other are no loop.
func TestMovingOnce(t *testing.T) {
	s := &script{next: []wire{
		status(421, example(t, "errors/421_wrong_region.json"))}}
	c := over(t, s.answer, func(o *tesla.ClientOptions) {
		o.Moved = func(context.Context, tesla.Region) error { return nil }
	})
	if _, err := c.Me(t.Context()); err == nil || len(s.calls) != 2 {
		t.Errorf("%v after %d calls", err, len(s.calls))
	}
}

func TestTimeouts(t *testing.T) {
	never := func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	synctest.Test(t, func(t *testing.T) {
		c := over(t, never)
		begin := time.Now()
		_, _ = c.WakeUp(t.Context(), nightjar)
		same(t, "a wake", time.Since(begin), 30*time.Second)
		begin = time.Now()
		_, _ = c.CreateInvitation(t.Context(), nightjar)
		same(t, "an invitation", time.Since(begin), 30*time.Second)
		begin = time.Now()
		_, _ = c.FleetStatus(t.Context(), nightjar)
		same(t, "a state", time.Since(begin), 10*time.Second)
	})
}

func TestLongAnswer(t *testing.T) {
	for length, read := range map[int]bool{8 << 20: true, 8<<20 + 1: false} {
		pdf, err := with(t, 200, strings.Repeat("x", length)).ChargingInvoice(t.Context(), "x")
		if (err == nil) != read || read && len(pdf) != length {
			t.Errorf("%d of %d bytes: %v", len(pdf), length, err)
		}
	}
}

// TestNoRedirect: a redirect would carry the token elsewhere.
func TestNoRedirect(t *testing.T) {
	s := &script{next: []wire{
		status(302, "", "Location", "https://tesla.example.org/")}}
	if _, err := over(t, s.answer).Me(t.Context()); err == nil || len(s.calls) != 1 {
		t.Errorf("%v after %d calls", err, len(s.calls))
	}
}

// TestNotTesla: a café's sign-in page is no answer.
func TestNotTesla(t *testing.T) {
	if _, err := with(t, 200, "<html>Welcome</html>").Me(t.Context()); err == nil {
		t.Error("was taken")
	}
	if _, err := with(t, 200, `{"response":"sold out"}`).Me(t.Context()); err == nil {
		t.Error("was taken")
	}
	body := example(t, "errors/408_vehicle_unavailable.json")
	if _, err := with(t, 200, body).Options(t.Context(), nightjar); !tesla.IsAsleep(err) {
		t.Errorf("an error that claims to be fine: %v", err)
	}
}

// TestInvoice: what is no JSON comes as it is.
func TestInvoice(t *testing.T) {
	pdf, err := with(t, 200, "%PDF-1.7 invented").ChargingInvoice(t.Context(), "11111111-2222")
	if err != nil || string(pdf) != "%PDF-1.7 invented" {
		t.Errorf("%s, %v", pdf, err)
	}
}

func TestPrepare(t *testing.T) {
	c := over(t, func(r *http.Request) (*http.Response, error) {
		return reply(200, `{"response":"`+r.URL.RequestURI()+`"}`), nil
	})
	const api = `"/api/1/`
	for name, test := range map[string]struct {
		call tesla.Call
		want string
	}{
		"a query": {tesla.Call{Endpoint: "vehicle_data", VIN: nightjar,
			Query: url.Values{"endpoints": {"charge_state;drive_state"}}},
			api + `vehicles/` + nightjar + `/vehicle_data?endpoints=charge_state%3Bdrive_state"`},
		"a car in the query": {tesla.Call{Endpoint: "options", VIN: nightjar},
			api + `dx/vehicles/options?vin=` + nightjar + `"`},
		"a way out": {tesla.Call{Endpoint: "vehicle", VIN: "../users/me"},
			api + `vehicles/..%2Fusers%2Fme"`},
		"no car":               {tesla.Call{Endpoint: "vehicle"}, ""},
		"a way up":             {tesla.Call{Endpoint: "vehicle", VIN: ".."}, ""},
		"no endpoint":          {tesla.Call{Endpoint: "vehicel"}, ""},
		"an unknown parameter": {tesla.Call{Endpoint: "me", Query: url.Values{"x": {"1"}}}, ""},
		"no JSON":              {tesla.Call{Endpoint: "fleet_status", Body: func() {}}, ""},
	} {
		got, err := c.Do(t.Context(), test.call)
		if string(got) != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%s: %s, %v", name, got, err)
		}
		if err != nil && !slices.Contains([]car.Code{car.Invalid, car.NoSuch}, car.CodeOf(err)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLogKeepsSecrets: neither the token nor the car's number are in the log or in
// an error, even when the network fails and Go writes the URL.
func TestLogKeepsSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		for _, w := range []wire{lost, status(200, "{}"), status(404, `{"error":"`+nightjar+`"}`),
			status(403, example(t, "errors/403_missing_scopes.json"))} {
			c := over(t, w, func(o *tesla.ClientOptions) { o.Log = zerolog.New(&log) })
			_, err := c.Options(t.Context(), nightjar)
			if err != nil {
				log.WriteString(err.Error())
			}
		}
		for _, secret := range []string{nightjar, "000001\"", "invented", "https://fleet"} {
			if strings.Contains(log.String(), secret) {
				t.Errorf("%q is in %s", secret, log.String())
			}
		}
		for _, helpful := range []string{`"endpoint":"options"`, `"status":403`, "…0001", "0000000000e1"} {
			if !strings.Contains(log.String(), helpful) {
				t.Errorf("%q is not in %s", helpful, log.String())
			}
		}
	})
}

func TestPages(t *testing.T) {
	c := over(t, func(r *http.Request) (*http.Response, error) {
		page := r.URL.Query().Get("page")
		return reply(200, `{"response":[{"vin":"`+page+`"}],"pagination":{"pages":3}}`), nil
	})
	all, err := c.Vehicles(t.Context())
	if err != nil || len(all) != 3 || all[2].VIN != "3" {
		t.Errorf("%v, %v", all, err)
	}
}

// TestHistoryPages: an end is seen, and so is a server that knows no pages.
func TestHistoryPages(t *testing.T) {
	page := func(first, n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,{"sessionId":%d}`, first+i)
		}
		return `{"data":[` + strings.TrimPrefix(b.String(), ",") + `]}`
	}
	for name, test := range map[string]struct {
		next  []wire
		calls int
		want  int
	}{
		"a short one":  {[]wire{status(200, page(1, 50)), status(200, page(51, 7))}, 2, 57},
		"an empty one": {[]wire{status(200, page(1, 50)), status(200, page(0, 0))}, 2, 50},
		"an overlap": {[]wire{status(200, page(1, 50)), status(200, page(40, 50)), status(200, page(0, 0))},
			3, 89},
		"the same ones": {[]wire{status(200, page(1, 50))}, 2, 50},
	} {
		s := &script{next: test.next}
		all, err := over(t, s.answer).ChargingHistory(t.Context(), tesla.HistoryQuery{From: start, To: start})
		if err != nil || len(all) != test.want || len(s.calls) != test.calls {
			t.Errorf("%s: %d sessions in %d calls, %v", name, len(all), len(s.calls), err)
		}
	}
}
