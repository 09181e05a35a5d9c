package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/bridge"
)

// somePage is a page with everything on it, from people who like to try things.
func somePage(context.Context) page {
	const hostile = `<script src="//evil.example"></script>`
	return page{
		Version: "1.2.3", Now: "12:00:00", Missing: []string{hostile}, Address: "https://a.b/csv/NAME",
		CarPassword: `p"<&`, OwnPasswords: true, Reaching: reachingURL,
		Cars:   []pageCar{{Name: hostile, ID: "a", Last: "just now", Trouble: hostile, Requests: 3}},
		Broker: hostile, Home: &pageLogin{Host: hostile, Port: "1883", User: "home", Password: hostile},
	}
}

// open asks for the page.
func open(handler http.Handler, change func(*http.Request)) *httptest.ResponseRecorder {
	q := httptest.NewRequest(http.MethodGet, "http://localhost:8099/", nil)
	q.RemoteAddr = "127.0.0.1:40000"
	change(q)
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, q)
	return w
}

// The page loads nothing, leads nowhere but to the documentation and to itself,
// and runs nobody's script.
func TestPageIsSelfContained(t *testing.T) {
	w := open(showPage(somePage), func(*http.Request) {})
	body := w.Body.String()
	for link := range strings.Lines(body) {
		for _, m := range regexp.MustCompile(`(?:href|src|action)="([^"]*)"`).FindAllStringSubmatch(link, -1) {
			if m[1] != "./" && m[1] != reachingURL {
				t.Errorf("it leads to %s", m[1])
			}
		}
	}
	if found := regexp.MustCompile(`<(script|link|img|iframe)|url\(|@import| on\w+=`).FindString(body); found != "" {
		t.Errorf("it holds %s", found)
	}
	tells(t, body, "p&#34;&lt;&amp;", "https://a.b/csv/NAME", "1.2.3", "12:00:00", "own", "1883")
	policy := w.Header().Get("Content-Security-Policy")
	nonce := regexp.MustCompile(`<style nonce="(\w{20,})">`).FindStringSubmatch(body)
	if nonce == nil || !strings.Contains(policy, "style-src 'nonce-"+nonce[1]+"'") {
		t.Errorf("the style is not the policy's: %v, %s", nonce, policy)
	}
	tells(t, policy, "default-src 'none'", "frame-ancestors 'self'")
	if again := open(showPage(somePage), func(*http.Request) {}); again.Header().Get("Content-Security-Policy") == policy {
		t.Error("the nonce is always the same")
	}
	if got := w.Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q", got)
	}
}

func TestPageIsIndoors(t *testing.T) {
	for name, tt := range map[string]struct {
		from, host, method, path string
		want                     int
	}{
		"Home Assistant":                    {"172.30.32.2:50000", "home.example.org", "GET", "/", 200},
		"Home Assistant, as IPv6":           {"[::ffff:172.30.32.2]:1", "home.example.org", "GET", "/", 200},
		"this machine":                      {"127.0.0.1:1", "127.0.0.1:8099", "GET", "/", 200},
		"this machine, IPv6":                {"[::1]:1", "[::1]:8099", "HEAD", "/", 200},
		"a name that points here":           {"127.0.0.1:1", "evil.example:8099", "GET", "/", 403},
		"another app":                       {"172.30.33.2:1", "localhost", "GET", "/", 403},
		"the network":                       {"192.168.1.2:1", "localhost", "GET", "/", 403},
		"nobody":                            {"", "localhost", "GET", "/", 403},
		"another path":                      {"127.0.0.1:1", "localhost", "GET", "/x", 404},
		"a post":                            {"127.0.0.1:1", "localhost", "POST", "/", 405},
		"an outsider does not learn a path": {"192.168.1.2:1", "localhost", "GET", "/x", 403},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(indoors(showPage(somePage)), func(q *http.Request) {
				q.RemoteAddr, q.Host, q.Method, q.URL.Path = tt.from, tt.host, tt.method, tt.path
				q.Header.Set("X-Forwarded-For", "172.30.32.2") // whoever says so
			})
			if w.Code != tt.want {
				t.Errorf("%d, want %d", w.Code, tt.want)
			}
			if w.Code != http.StatusOK && strings.Contains(w.Body.String(), "csv") {
				t.Error("the page is told all the same")
			}
		})
	}
}

func TestAgo(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "just now", 59 * time.Second: "just now", time.Minute: "1 minute ago",
		59 * time.Minute: "59 minutes ago", 119 * time.Minute: "1 hour ago", 36 * time.Hour: "1 day ago",
		72 * time.Hour: "3 days ago",
	} {
		if got := ago(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

// Trouble is shown for a day.
func TestGlance(t *testing.T) {
	now := time.Now()
	g := bridge.Glance{
		ID: "a", Name: "A", Last: now.Add(-time.Hour), Requests: 2,
		Trouble: "400 no JSON", Since: now.Add(-2 * time.Hour),
	}
	want := pageCar{Name: "A", ID: "a", Last: "1 hour ago", Trouble: "2 hours ago: 400 no JSON", Requests: 2}
	if got := glance(g, now); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	want.Last, want.Trouble = "1 day ago", ""
	if got := glance(g, now.Add(23*time.Hour)); got != want {
		t.Errorf("a day later %+v, want %+v", got, want)
	}
}
