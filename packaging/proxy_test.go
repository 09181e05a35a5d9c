//go:build proxies

package packaging_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-mqtt/wheelhouse/carstats/sim"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/web"
)

// passages are what a proxy must let through, and what not.
var passages = []struct {
	name string
	try  func(*testing.T, passage)
}{
	{"what the app posts is answered 200", posts},
	{"a refusal is the program's own", refusals},
	{"no address is redirected", addresses},
	{"Tesla finds the public key, and a browser the way back", tesla},
	{"nothing else is led in", shut},
	{"what has come is stored while the rest is on its way", streams},
	{"the longest body is the program's to refuse", longest},
	{"a whole database in one request", wholeInOne},
	{"a whole database in chunks", wholeInChunks},
	{"forged headers are not believed", forged},
}

// The files that people copy, changed only where they say CHANGE, lead a car into
// the house.
func TestProxies(t *testing.T) {
	binary, keys := buildProgram(t), makeKeys(t)
	var all []passage
	for _, server := range proxyServers {
		p := passage{server: server, keys: keys}
		if server.here() {
			p.house = startProxyHouse(t, binary)
			p.door = server.start(t, p.house.webhook, keys)
			p.stalled = p.stall(t)
		}
		all = append(all, p)
	}
	for _, p := range all {
		t.Run(p.server.name, func(t *testing.T) {
			if p.house == nil {
				t.Skipf("no %s here, its example is not tried: apt install %[1]s", p.server.name)
			}
			for i, passage := range passages {
				t.Run(passage.name, func(t *testing.T) {
					own := p
					own.car = fmt.Sprintf("car%d", i)
					passage.try(t, own)
				})
			}
			t.Run("a stalled body is given up by the program", p.stalled)
		})
	}
}

// passage is a car's way into a house.
type passage struct {
	house   *proxyHouse // nil where there is no such proxy
	server  proxyServer
	keys    *keys
	door    string // where the proxy listens
	car     string
	stalled func(*testing.T) // looks at the end of a body that was begun with the house
}

// posts: a drive and a charge.
func posts(t *testing.T, p passage) {
	ctx, enough := context.WithCancel(t.Context())
	defer enough()
	const many = 200
	var last sim.Event
	count := 0
	car := p.simulated(t, sim.Options{Speed: math.Inf(1), Script: sim.FastDay(), Log: func(e sim.Event) {
		last = e
		if count++; count == many || !e.OK {
			enough()
		}
	}})
	if _ = car.Run(ctx); !last.OK || count != many {
		t.Errorf("post %d: %d %q %v", count, last.Status, last.Answer, last.Err)
	}
}

// refusals: the driver reads the program's words in the app's log.
func refusals(t *testing.T, p passage) {
	for _, c := range []struct {
		path, password, body string
		status               int
		text                 string
	}{
		{"/csv/polestar", "wrong", "{}", http.StatusUnauthorized, "401 wrong password for polestar\n"},
		{"/csv/polestar", proxyPassword, "x", http.StatusBadRequest, "400 not JSON"},
		{"/csv/status", proxyPassword, "{}", http.StatusNotFound, "404 no such car"},
	} {
		body := strings.NewReader(c.body)
		status, text := p.ask(t, http.MethodPost, c.path, body, func(q *http.Request) {
			q.SetBasicAuth("polestar", c.password)
		})
		if status != c.status || !strings.HasPrefix(text, c.text) {
			t.Errorf("%s: %d %q, want %d %q", c.path, status, text, c.status, c.text)
		}
	}
}

// addresses: each form that somebody may type is answered at once.
func addresses(t *testing.T, p passage) {
	for _, path := range []string{
		"/csv", "/csv/", "/csv/polestar", "/csv/polestar/", "//csv//polestar", "/csv/polestar?token=x",
		"/csv/Polestar%202",
	} {
		status, text := p.ask(t, http.MethodPost, path, strings.NewReader(`{"timestamp":1}`))
		if status != http.StatusOK {
			t.Errorf("%s: %d %q", path, status, text)
		}
	}
	if status, text := p.ask(t, http.MethodGet, "/csv/polestar", nil); status != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d %q", status, text)
	}
}

// What Teslas need from outside, beside the webhook.
const (
	publicKeyPath = "/.well-known/appspecific/com.tesla.3p.public-key.pem"
	callbackPath  = "/tesla/callback"
)

// tesla: both addresses are answered by the program, which has neither a key nor an
// account here.
func tesla(t *testing.T, p passage) {
	for path, want := range map[string]string{publicKeyPath: "tesla keygen", callbackPath: "404 page not found"} {
		if status, text := p.ask(t, http.MethodGet, path, nil); status != http.StatusNotFound || !strings.Contains(text, want) {
			t.Errorf("%s: %d %q", path, status, text)
		}
	}
}

// shut: the rest of the program is not there for the world.
func shut(t *testing.T, p passage) {
	for _, path := range []string{
		"/", "/metrics", "/healthz", "/csvx", "/csv/../", "/index.html",
		"/tesla", "/tesla/", callbackPath + "/x", "/.well-known/", publicKeyPath + "x",
	} {
		status, text := p.ask(t, http.MethodGet, path, nil)
		if status != http.StatusNotFound || strings.Contains(text, "Wheelhouse") {
			t.Errorf("%s: %d %q", path, status, text)
		}
	}
}

// streams: a proxy hoards nothing.
func streams(t *testing.T, p passage) {
	release, err := sim.ReleaseOf(inOne)
	if err != nil {
		t.Fatal(err)
	}
	h := sim.History{Days: 20}
	text, err := io.ReadAll(release.Database(sim.State{Gear: "P", Ignition: "Off"}, h))
	if err != nil {
		t.Fatal(err)
	}
	before := p.house.records(t)
	half := len(text) / 2
	body := io.MultiReader(bytes.NewReader(text[:half]), readerFunc(func([]byte) (int, error) {
		p.house.eventually(t, "the first half is stored", func() bool {
			return p.house.records(t)-before > recordsOf(release, h)/3
		})
		return 0, io.EOF
	}), bytes.NewReader(text[half:]))
	status, answer := p.ask(t, http.MethodPost, "/csv/"+p.car, body, length(len(text)))
	if status != http.StatusOK {
		t.Fatal(status, answer)
	}
	p.house.took(t, before, recordsOf(release, h))
}

// longest: it is the program's limit that counts.
func longest(t *testing.T, p passage) {
	const limit = 64 << 20 // carstats.max_body
	for _, c := range []struct {
		size   int64
		status int
		text   string
	}{
		{limit, http.StatusBadRequest, "400 not JSON"},
		{limit + 1, http.StatusRequestEntityTooLarge, "413 the body is longer than"},
	} {
		body := io.LimitReader(endless('x'), c.size)
		status, text := p.ask(t, http.MethodPost, "/csv/"+p.car, body, length(c.size))
		lost := p.server.deaf && status == http.StatusBadGateway
		if !lost && (status != c.status || !strings.HasPrefix(text, c.text)) {
			t.Errorf("a body of %d bytes: %d %q, want %d %q", c.size, status, text, c.status, c.text)
		}
	}
}

// stall begins a body that goes on only when the program has lost its patience, and
// returns what looks at the end of it: a proxy that lost it first would say
// something else. A car that comes back must not hear 200.
func (p passage) stall(t *testing.T) func(*testing.T) {
	if testing.Short() {
		return func(t *testing.T) { t.Skip("it takes the 30 s that the program waits") }
	}
	begin, end := `{"timestamp":`+strings.Repeat(" ", 1<<17), "1748763307208}"
	gaveUp, told := make(chan struct{}), make(chan string, 1)
	body := io.MultiReader(strings.NewReader(begin), readerFunc(func([]byte) (int, error) {
		<-gaveUp
		return 0, io.EOF
	}), strings.NewReader(end))
	go func() {
		status, text := p.ask(t, http.MethodPost, "/csv/stalled", body, length(len(begin+end)))
		told <- fmt.Sprint(status, " ", text)
	}()
	return func(t *testing.T) {
		p.house.eventually(t, "the program gives up", func() bool { return p.house.posts(t, "408") == 1 })
		close(gaveUp)
		text := <-told
		lost := p.server.deaf && strings.HasPrefix(text, "502")
		if !lost && text != "408 408 the body came too slowly\n" {
			t.Errorf("the car reads %q", text)
		}
	}
}

// inOne is the app that uploads its database in one request.
const inOne = "0.25.2"

// wholeInOne: the longest request there is.
func wholeInOne(t *testing.T, p passage) { p.upload(t, inOne, sim.History{Days: 400}) }

// wholeInChunks: what newer apps make of it, on connections that are kept.
func wholeInChunks(t *testing.T, p passage) { p.upload(t, sim.Newest, sim.History{Days: 60}) }

// upload sends a database twice. Nothing is new the second time.
func (p passage) upload(t *testing.T, version string, h sim.History) {
	var sent, requests int64
	car := p.simulated(t, sim.Options{Version: version, Log: func(e sim.Event) {
		sent, requests = sent+e.Bytes, requests+1
		if !e.OK {
			t.Errorf("%d bytes: %d %q %v", e.Bytes, e.Status, e.Answer, e.Err)
		}
	}})
	for _, fresh := range []int{recordsOf(car.Release(), h), 0} {
		before, began := p.house.records(t), time.Now()
		if err := car.UploadDatabase(t.Context(), h); err != nil {
			t.Fatal(err)
		}
		t.Logf("%d requests, %.1f MB, %v", requests, float64(sent)/1e6, time.Since(began).Round(time.Millisecond))
		p.house.took(t, before, fresh)
		sent, requests = 0, 0
	}
}

// stranger is an address that is no proxy's.
const stranger = "127.0.0.2"

// forged: the program learns from the proxy who came, and from nobody else.
func forged(t *testing.T, p passage) {
	type visit struct{ From, Scheme, Host string }
	var got visit
	only := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	look := func(_ http.ResponseWriter, q *http.Request) {
		from, _, _ := net.SplitHostPort(q.RemoteAddr)
		got = visit{from, q.URL.Scheme, q.Host}
	}
	inside := httptest.NewServer(web.Proxies(only, http.HandlerFunc(look)))
	defer inside.Close()
	p.door = p.server.start(t, inside.Listener.Addr().String(), p.keys)
	for _, headers := range []http.Header{
		{},
		{
			"X-Forwarded-For": {"203.0.113.9"}, "X-Forwarded-Proto": {"http"},
			"X-Forwarded-Host": {"evil.example"},
		},
		{"X-Forwarded-For": {"203.0.113.9, 127.0.0.1"}, "Forwarded": {"for=203.0.113.9"}},
	} {
		got = visit{}
		p.ask(t, http.MethodPost, "/csv/polestar", strings.NewReader("{}"), func(q *http.Request) {
			for name, values := range headers {
				q.Header[name] = values
			}
		})
		if diff := cmp.Diff(visit{stranger, "https", proxyHost}, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", headers, diff)
		}
	}
}
