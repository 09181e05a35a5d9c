package web_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/internal/web"
)

func check(name string, err error) web.Check {
	return web.Check{Name: name, OK: func(context.Context) error { return err }}
}

func TestOps(t *testing.T) {
	full, away := errors.New("disk full"), errors.New("not connected")
	for name, tt := range map[string]struct {
		health, ready []web.Check
		path          string
		code          int
		body          string
	}{
		"healthy":            {[]web.Check{check("store", nil)}, nil, "/healthz", 200, "ok"},
		"nothing to check":   {nil, nil, "/readyz", 200, "ok"},
		"sick":               {[]web.Check{check("store", full)}, nil, "/healthz", 503, "store: disk full"},
		"healthy, not ready": {nil, []web.Check{check("broker", away)}, "/healthz", 200, "ok"},
		"not ready": {
			[]web.Check{check("store", full), check("webhook", nil)}, []web.Check{check("broker", away)},
			"/readyz", 503, "store: disk full\nbroker: not connected",
		},
		"metrics": {nil, nil, "/metrics", 200, "some metrics"},
		"nothing": {nil, nil, "/", 404, "404 page not found"},
	} {
		t.Run(name, func(t *testing.T) {
			metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, "some metrics")
			})
			code, body := ask(web.Ops(tt.health, tt.ready, metrics), "GET", tt.path)
			if code != tt.code || body != tt.body {
				t.Errorf("%d %s, want %d %s", code, body, tt.code, tt.body)
			}
		})
	}
}

func TestSlowChecksAreCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := web.Check{Name: "store", OK: func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}}
		start := time.Now()
		got := web.Failing(t.Context(), []web.Check{slow, slow})
		took := time.Since(start)
		if len(got) != 2 || got[0] != "store: context deadline exceeded" || took != 2*time.Second {
			t.Errorf("%q after %v", got, took)
		}
	})
}
