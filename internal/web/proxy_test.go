package web_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wheelhouse-mqtt/wheelhouse/internal/web"
)

// seen is what the handler behind Proxies learns.
type seen struct{ From, Scheme, Host, Headers string }

func behind(trusted []string, r *http.Request) (s seen) {
	var prefixes []netip.Prefix
	for _, p := range trusted {
		prefixes = append(prefixes, netip.MustParsePrefix(p))
	}
	h := web.Proxies(prefixes, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s = seen{r.RemoteAddr, r.URL.Scheme, r.Host, ""}
		for name, values := range r.Header {
			s.Headers += name + "=" + strings.Join(values, ",")
		}
	}))
	h.ServeHTTP(httptest.NewRecorder(), r)
	return s
}

func TestProxies(t *testing.T) {
	loopback := []string{"127.0.0.0/8", "::1/128"}
	for name, tt := range map[string]struct {
		trusted []string
		peer    string
		tls     bool
		header  http.Header
		want    seen
	}{
		"no proxy": {loopback, "203.0.113.9:5", false, nil, seen{"203.0.113.9:5", "http", "house", ""}},
		"own TLS":  {loopback, "203.0.113.9:5", true, nil, seen{"203.0.113.9:5", "https", "house", ""}},
		"a stranger's headers": {
			loopback, "203.0.113.9:5", false,
			http.Header{
				"X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"evil"},
				"X-Other": {"stays"},
			},
			seen{"203.0.113.9:5", "http", "house", "X-Other=stays"},
		},
		"a proxy": {
			loopback, "127.0.0.1:5", false,
			http.Header{
				"X-Forwarded-For": {"203.0.113.9"}, "X-Forwarded-Proto": {"https"},
				"X-Forwarded-Host": {"car.example.org"},
			},
			seen{"203.0.113.9:0", "https", "car.example.org", ""},
		},
		"a proxy over IPv6, client with a port": {
			loopback, "[::1]:5", false, http.Header{"X-Forwarded-For": {"[2001:db8::1]:99"}},
			seen{"[2001:db8::1]:0", "http", "house", ""},
		},
		"IPv4 written as IPv6": {
			loopback, "[::ffff:127.0.0.1]:5", false, http.Header{"X-Forwarded-For": {"203.0.113.9"}},
			seen{"203.0.113.9:0", "http", "house", ""},
		},
		"the client invents": {
			loopback, "127.0.0.1:5", false,
			http.Header{
				"X-Forwarded-For":   {"127.0.0.1, 10.0.0.1", "203.0.113.9"},
				"X-Forwarded-Proto": {"https", "http"}, "X-Forwarded-Host": {"evil, house"},
			},
			seen{"203.0.113.9:0", "http", "house", ""},
		},
		"two trusted proxies": {
			[]string{"127.0.0.0/8", "10.0.0.0/8"}, "127.0.0.1:5", false,
			http.Header{"X-Forwarded-For": {"1.2.3.4, 203.0.113.9, 10.0.0.7"}},
			seen{"203.0.113.9:0", "http", "house", ""},
		},
		"only proxies": {
			[]string{"127.0.0.0/8", "10.0.0.0/8"}, "127.0.0.1:5", false,
			http.Header{"X-Forwarded-For": {"10.0.0.8, 10.0.0.7"}},
			seen{"10.0.0.8:0", "http", "house", ""},
		},
		"nonsense in the chain": {
			[]string{"127.0.0.0/8", "10.0.0.0/8"}, "127.0.0.1:5", false,
			http.Header{"X-Forwarded-For": {"203.0.113.9, unknown, 10.0.0.7"}},
			seen{"10.0.0.7:0", "http", "house", ""},
		},
		"nonsense alone": {
			loopback, "127.0.0.1:5", false,
			http.Header{
				"X-Forwarded-For": {""}, "X-Forwarded-Proto": {"gopher"}, "X-Forwarded-Host": {"a b/c"},
			},
			seen{"127.0.0.1:5", "http", "house", ""},
		},
		"nobody is trusted": {
			nil, "127.0.0.1:5", false, http.Header{"X-Forwarded-For": {"203.0.113.9"}},
			seen{"127.0.0.1:5", "http", "house", ""},
		},
		"a peer without address": {
			loopback, "@", false, http.Header{"X-Forwarded-For": {"203.0.113.9"}}, seen{"@", "http", "house", ""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/csv", nil)
			r.RemoteAddr, r.Host = tt.peer, "house"
			if tt.header != nil {
				r.Header = tt.header
			}
			if tt.tls {
				r.TLS = &tls.ConnectionState{}
			}
			before := r.Header.Clone()
			if diff := cmp.Diff(tt.want, behind(tt.trusted, r)); diff != "" {
				t.Error(diff)
			}
			diff := cmp.Diff(before, r.Header)
			if diff != "" || r.RemoteAddr != tt.peer || r.URL.Scheme != "" {
				t.Errorf("the caller's request was changed: %s", diff)
			}
		})
	}
}

// TestNobodyCanPretend lets a client write anything into the headers: the
// proxy's own additions decide.
func TestNobodyCanPretend(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := httptest.NewRequest(http.MethodPost, "/csv", nil)
		r.RemoteAddr = "127.0.0.1:5"
		item := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"127.0.0.1", "10.9.9.9", ","}))
		invented := rapid.SliceOfN(item, 0, 5).Draw(t, "invented")
		r.Header["X-Forwarded-For"] = slices.Concat(invented, []string{"203.0.113.9"})
		r.Header["X-Forwarded-Proto"] = slices.Concat(invented, []string{"https"})
		r.Header["X-Forwarded-Host"] = slices.Concat(invented, []string{"house"})
		want := seen{"203.0.113.9:0", "https", "house", ""}
		if got := behind([]string{"127.0.0.0/8", "10.0.0.0/8"}, r); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}
