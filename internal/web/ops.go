package web

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// checkTimeout is how long all checks of one question may take.
const checkTimeout = 2 * time.Second

// Check is one condition of being healthy or ready.
type Check struct {
	Name string // "store"
	OK   func(context.Context) error
}

// Failing asks the checks and returns the reasons of those that fail, in order:
// "store: disk full". Together they have two seconds.
func Failing(ctx context.Context, checks []Check) []string {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	var reasons []string
	for _, c := range checks {
		if err := c.OK(ctx); err != nil {
			reasons = append(reasons, fmt.Sprintf("%s: %v", c.Name, err))
		}
	}
	return reasons
}

// Ops serves /healthz (should the program be restarted?), /readyz (does all of
// it work? the health checks count too) and /metrics.
func Ops(health, ready []Check, metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /healthz", answer(health))
	mux.Handle("GET /readyz", answer(health, ready))
	mux.Handle("GET /metrics", metrics)
	return mux
}

// answer says 200 ok, or 503 with one reason a line.
func answer(checks ...[]Check) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var reasons []string
		for _, c := range checks {
			reasons = append(reasons, Failing(r.Context(), c)...)
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		if len(reasons) > 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = fmt.Fprintln(w, strings.Join(reasons, "\n"))
			return
		}
		_, _ = fmt.Fprintln(w, "ok")
	})
}
