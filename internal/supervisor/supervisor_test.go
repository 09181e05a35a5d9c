package supervisor_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-mqtt/wheelhouse/internal/supervisor"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/supervisor/supervisortest"
)

func TestBroker(t *testing.T) {
	for name, tt := range map[string]struct {
		told    supervisortest.Service
		want    supervisor.Broker
		address string
	}{
		"as usual": {
			supervisortest.Service{Host: "core-mosquitto", Port: 1883, User: "addons", Password: "p"},
			supervisor.Broker{Host: "core-mosquitto", Port: 1883, User: "addons", Password: "p"},
			"mqtt://core-mosquitto:1883",
		},
		"the port as a text": {
			supervisortest.Service{Host: "h", Port: "1884", User: "u", Password: "p"},
			supervisor.Broker{Host: "h", Port: 1884, User: "u", Password: "p"},
			"mqtt://h:1884",
		},
		"encrypted": {
			supervisortest.Service{Host: "h", Port: 8883, TLS: true},
			supervisor.Broker{Host: "h", Port: 8883, TLS: true},
			"mqtts://h:8883",
		},
		"IPv6": {
			supervisortest.Service{Host: "fd00::1", Port: 1883},
			supervisor.Broker{Host: "fd00::1", Port: 1883},
			"mqtt://[fd00::1]:1883",
		},
	} {
		t.Run(name, func(t *testing.T) {
			fake := supervisortest.New(t)
			fake.Offer(&tt.told)
			got, err := client(fake.URL).Broker(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if got.Address() != tt.address {
				t.Errorf("address %s, want %s", got.Address(), tt.address)
			}
		})
	}
}

func client(url string) supervisor.Client {
	return supervisor.Client{URL: url, Token: supervisortest.Token}
}

func TestNoBroker(t *testing.T) {
	fake := supervisortest.New(t)
	_, err := client(fake.URL).Broker(t.Context())
	if !errors.Is(err, supervisor.ErrNoBroker) {
		t.Error(err)
	}
}

// TestFailures: each one says what to do, and none repeats what the Supervisor
// told in confidence.
func TestFailures(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"not this app":       {403, `{"result":"error","message":"No access to mqtt service!"}`, "No access to mqtt"},
		"no JSON":            {200, `<html>`, "HTTP 200"},
		"an error, with 200": {200, `{"result":"error","message":"oh"}`, "oh"},
		"away":               {502, ``, "HTTP 502"},
		"no host":            {200, `{"result":"ok","data":{"port":1,"password":"hush"}}`, "not understood"},
		"no port":            {200, `{"result":"ok","data":{"host":"h","password":"hush"}}`, "not understood"},
		"no number": {
			200, `{"result":"ok","data":{"host":"h","port":"hush","password":"hush"}}`, "not understood",
		},
		"too large a number": {200, `{"result":"ok","data":{"host":"h","port":65536}}`, "not understood"},
		"an endless answer": {
			200, `{"result":"ok","data":"` + strings.Repeat("x", 1<<20) + `"}`, "HTTP 200",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
			}))
			defer s.Close()
			_, err := client(s.URL).Broker(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v says nothing of %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "hush") {
				t.Errorf("%v tells a secret", err)
			}
		})
	}
}

func TestWrongToken(t *testing.T) {
	fake := supervisortest.New(t)
	fake.Offer(&supervisortest.Service{Host: "h", Port: 1})
	_, err := supervisor.Client{URL: fake.URL, Token: "another"}.Broker(t.Context())
	if err == nil || !strings.Contains(err.Error(), "HTTP 401") || strings.Contains(err.Error(), "another") {
		t.Error(err)
	}
	if fake.Refused() != 1 {
		t.Error("the fake lets everybody in")
	}
}

func TestNobodyThere(t *testing.T) {
	s := httptest.NewServer(nil)
	s.Close()
	_, err := client(s.URL).Broker(t.Context())
	if err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Error(err)
	}
}

// A question ends with its context.
func TestImpatience(t *testing.T) {
	asked, end := make(chan struct{}), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(asked)
		<-end
	}))
	defer s.Close()
	defer close(end)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	if _, err := client(s.URL).Broker(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
