// Package supervisortest has a fake Home Assistant Supervisor for tests.
package supervisortest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// Token is the only one that a Fake lets in.
const Token = "the-apps-own-token"

// Service is what the Supervisor tells of a broker.
type Service struct {
	Host     string `json:"host"`
	Port     any    `json:"port"` // a number, or a text: the Supervisor tells both
	TLS      bool   `json:"ssl"`
	User     string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`
	Protocol string `json:"protocol"` // what the real one says is wrong
	App      string `json:"addon"`
}

// Fake is a Supervisor that knows at most one broker. It is strict: what the real
// one would refuse, it refuses.
type Fake struct {
	// URL is where it listens: the Supervisor's address, or a proxy (http_proxy)
	// that leads there.
	URL string

	mu      sync.Mutex
	service *Service
	refused int
	asked   chan struct{} // one element for each question that was answered
}

// New starts a fake without a broker that ends with the test.
func New(t testing.TB) *Fake {
	f := &Fake{asked: make(chan struct{}, 1024)}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	f.URL = s.URL
	return f
}

// Offer tells of a broker from now on, or of none if s is nil.
func (f *Fake) Offer(s *Service) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.service = s
	if s != nil {
		s.Protocol, s.App = "3.1.1", "core_mosquitto"
	}
}

// Refused counts the questions that the real one would have refused.
func (f *Fake) Refused() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.refused
}

// Asked delivers once for each question that was answered.
func (f *Fake) Asked() <-chan struct{} { return f.asked }

// ServeHTTP answers an app.
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	answer := func(status int, body map[string]any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body)
	}
	fail := func(status int, message string) {
		answer(status, map[string]any{"result": "error", "message": message})
	}
	switch {
	case r.Header.Get("Authorization") != "Bearer "+Token:
		f.refused++
		w.WriteHeader(http.StatusUnauthorized)
		return
	case r.Method != http.MethodGet || r.URL.Path != "/services/mqtt":
		f.refused++
		fail(http.StatusNotFound, "Service does not exist")
		return
	case f.service == nil:
		fail(http.StatusBadRequest, "Service not enabled")
	default:
		answer(http.StatusOK, map[string]any{"result": "ok", "data": f.service})
	}
	select {
	case f.asked <- struct{}{}:
	default:
	}
}
