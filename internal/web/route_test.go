package web_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/wheelhouse-mqtt/wheelhouse/internal/web"
)

// site is the program's: the webhook shows the path that it got.
func site() http.Handler {
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "webhook "+r.Method+" "+r.URL.Path)
	})
	return web.Mux(web.Front("front"), web.Route{Prefix: "/csv", Handler: echo})
}

func ask(h http.Handler, method, path string) (int, string) {
	r := httptest.NewRequest(method, "/", nil)
	r.URL.Path = path
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(w.Body.String())
}

func TestMux(t *testing.T) {
	for name, tt := range map[string]struct {
		method, path string
		code         int
		body         string
	}{
		"webhook":            {"POST", "/csv", 200, "webhook POST /csv"},
		"with a slash":       {"POST", "/csv/", 200, "webhook POST /csv/"},
		"a car":              {"POST", "/csv/polestar", 200, "webhook POST /csv/polestar"},
		"a car with a slash": {"POST", "/csv/polestar/", 200, "webhook POST /csv/polestar/"},
		"doubled slashes":    {"POST", "//csv///polestar//", 200, "webhook POST /csv/polestar/"},
		"dots":               {"POST", "/csv/../x", 200, "webhook POST /csv/../x"},
		"webhook by GET":     {"GET", "/csv", 200, "webhook GET /csv"}, // says 405 itself
		"no webhook":         {"POST", "/csvx", 404, "404 nothing here\nfront"},
		"another case":       {"POST", "/CSV", 404, "404 nothing here\nfront"},
		"front":              {"GET", "/", 200, "front"},
		"front, posted to":   {"POST", "/", 405, "405 nothing can be sent here\nfront"},
		"nothing":            {"GET", "", 404, "404 nothing here\nfront"},
	} {
		t.Run(name, func(t *testing.T) {
			code, body := ask(site(), tt.method, tt.path)
			if code != tt.code || body != tt.body {
				t.Errorf("%d %s, want %d %s", code, body, tt.code, tt.body)
			}
		})
	}
}

// TestNothingIsRedirected tries any path: a redirect loses a car's data.
func TestNothingIsRedirected(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.SampledFrom([]string{"/", "csv", "..", ".", "//", "polestar", "%2f", "?", ""})
		path := strings.Join(rapid.SliceOf(part).Draw(t, "path"), "")
		method := rapid.SampledFrom([]string{"GET", "POST", "HEAD", "CONNECT"}).Draw(t, "method")
		if code, _ := ask(site(), method, path); code >= 300 && code < 400 {
			t.Errorf("%s %q is redirected: %d", method, path, code)
		}
	})
}
