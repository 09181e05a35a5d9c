package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/config"
)

const socketName = "control.sock"

// control lets commands talk to the running program: HTTP on a socket that only
// the program's own user can open.
type control struct {
	listener net.Listener
	server   *http.Server
}

// newControl binds the socket. Whoever holds the state directory's lock may
// remove one that was left behind.
func newControl(h *house) (*control, error) {
	path := filepath.Join(h.cfg.StateDir, socketName)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("the control socket: %w; a shorter state_dir may help", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /credentials", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(h.secrets)
	})
	mux.HandleFunc("POST /republish", func(w http.ResponseWriter, q *http.Request) {
		if err := h.republish(q.Context(), car.MakeID(q.FormValue("car"))); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
		}
	})
	mux.HandleFunc("POST /forget", func(w http.ResponseWriter, q *http.Request) {
		id := car.MakeID(q.FormValue("car"))
		err := h.known(q.Context(), id)
		if err == nil {
			err = h.bridge.Forget(q.Context(), id, q.FormValue("data") == "true")
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
		}
	})
	mux.Handle(teslaDesk, h.teslaDesk())
	return &control{listener: l, server: &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}}, nil
}

// republish announces a car again, or everything if id is "".
func (h *house) republish(ctx context.Context, id car.ID) error {
	if id != "" && id != car.BridgeID {
		if err := h.known(ctx, id); err != nil {
			return err
		}
	}
	h.herald.republish(id)
	return nil
}

// known refuses a car that there is not.
func (h *house) known(ctx context.Context, id car.ID) error {
	ids, err := h.bridge.Cars(ctx)
	if err == nil && !slices.Contains(ids, id) {
		return noCar(id, ids)
	}
	return err
}

// Run serves until ctx ends.
func (c *control) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = c.server.Close() })
	defer stop()
	if err := c.server.Serve(c.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Close frees the socket of a program that was never run.
func (c *control) Close() error { return c.server.Close() }

// errNotRunning is what commands hear when there is no program to talk to.
var errNotRunning = errors.New("not running")

// ask sends a request to the running program and returns what it answers.
func ask(ctx context.Context, cfg *config.Config, method, path string, form url.Values) ([]byte, error) {
	client := http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(cfg.StateDir, socketName))
		},
	}}
	defer client.CloseIdleConnections()
	q, err := http.NewRequestWithContext(ctx, method, "http://wheelhouse"+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a, err := client.Do(q)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotRunning, err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err == nil && a.StatusCode != http.StatusOK {
		err = errors.New(strings.TrimSpace(string(body)))
	}
	return body, err
}
