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
	"strings"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/config"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/store"
)

type healthCommand struct{}

// Run asks /healthz of the running program; for a container's health check.
func (healthCommand) Run(ctx context.Context, to console, c *commands) error {
	cfg, err := c.settings(to)
	if err != nil {
		return err
	}
	if cfg.Ops.Listen == "" {
		return errors.New("ops.listen is empty: there is nobody to ask")
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+dialable(cfg.Ops.Listen)+"/healthz", nil)
	if err != nil {
		return err
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		return fmt.Errorf("%w, or not yet: nobody answers at ops.listen, %s", errNotRunning, cfg.Ops.Listen)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err != nil {
		return err
	}
	if a.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: %s", errUnhealthy, strings.TrimSpace(string(body)))
	}
	_, err = to.Stdout.Write(body)
	return err
}

// dialable is a listen address as somebody on this machine dials it.
func dialable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

type credentialsCommand struct{}

// Run prints what to type into the car and into Home Assistant.
func (credentialsCommand) Run(ctx context.Context, to console, c *commands) error {
	cfg, err := c.settings(to)
	if err != nil {
		return err
	}
	secrets, err := readCredentials(ctx, cfg)
	if err != nil {
		return err
	}
	inApp, port := config.InApp(to.Getenv), ""
	if cfg.Embedded(inApp) {
		_, port, _ = net.SplitHostPort(cfg.Broker.Listen)
	}
	newGuide(cfg, inApp, port).print(to.Stdout, secrets, true)
	return nil
}

// readCredentials asks the running program, or makes them if there is none.
func readCredentials(ctx context.Context, cfg *config.Config) (secrets credentials, err error) {
	answer, err := ask(ctx, cfg, http.MethodGet, "/credentials", nil)
	if err == nil {
		return secrets, json.Unmarshal(answer, &secrets)
	}
	if !errors.Is(err, errNotRunning) {
		return secrets, err
	}
	err = alone(ctx, cfg, func(s *store.Store) error {
		secrets, err = newCredentials(ctx, cfg, s)
		return err
	})
	return secrets, err
}

// alone opens the store of a program that is not running.
func alone(ctx context.Context, cfg *config.Config, act func(*store.Store) error) error {
	lock, err := lockState(cfg)
	if err != nil {
		return err
	}
	defer lock.Close()
	s, err := store.Open(ctx, cfg.Store.Path)
	if err != nil {
		return err
	}
	return errors.Join(act(s), s.Close())
}

type republishCommand struct {
	Car string `arg:"" optional:"" help:"Only this car."`
}

// Run announces cars again, also those that were deleted in Home Assistant.
func (r republishCommand) Run(ctx context.Context, to console, c *commands) error {
	cfg, err := c.settings(to)
	if err != nil {
		return err
	}
	_, err = ask(ctx, cfg, http.MethodPost, "/republish", url.Values{"car": {r.Car}})
	if !errors.Is(err, errNotRunning) {
		return err
	}
	if r.Car != "" {
		return fmt.Errorf("%w: start it, or leave out the car to announce all at the next start", errNotRunning)
	}
	fmt.Fprintln(to.Stderr, "not running: everything will be announced when it starts")
	return alone(ctx, cfg, func(s *store.Store) error { return s.SetSetting(ctx, settingDeleted, "") })
}

type forgetCommand struct {
	Car  string `arg:"" help:"The car's id, as in its topics."`
	Data bool   `help:"Remove its records too: points, sessions, totals."`
}

// Run removes a car. A program that is not running is started for it without
// its listeners: the car's topics are to be cleared too.
func (f forgetCommand) Run(ctx context.Context, to console, c *commands) error {
	cfg, err := c.settings(to)
	if err != nil {
		return err
	}
	form := url.Values{"car": {f.Car}, "data": {fmt.Sprint(f.Data)}}
	_, err = ask(ctx, cfg, http.MethodPost, "/forget", form)
	if !errors.Is(err, errNotRunning) {
		return err
	}
	return forgetAlone(ctx, to, cfg, car.MakeID(f.Car), f.Data)
}

// forgetAlone does what the running program would do.
func forgetAlone(ctx context.Context, to console, cfg *config.Config, id car.ID, data bool) error {
	cfg.HTTP.Listen, cfg.HTTP.TLS.Listen, cfg.Ops.Listen, cfg.Broker.Listen = "127.0.0.1:0", "", "", "127.0.0.1:0"
	cfg.HTTP.Ingress, cfg.Broker.TLS.Listen, cfg.Broker.WebSocket.Listen = "", "", ""
	h, err := build(ctx, to, cfg, newLog(to.Stderr, cfg.Log))
	if err != nil {
		return err
	}
	defer h.close()
	if _, err := lookUp(h.store.Read(ctx), id); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var failed error
	err = h.run(ctx, func() {
		failed = h.forget(ctx, id, data)
		cancel()
	})
	if failed != nil {
		return failed
	}
	return err
}

// forget removes a car when the broker is there to hear of it, and waits until it
// has.
func (h *house) forget(ctx context.Context, id car.ID, data bool) error {
	if err := h.herald.settled(ctx); err != nil {
		return fmt.Errorf("the MQTT broker must be told, but is away (%s): nothing has been removed",
			h.client.Stats().LastError)
	}
	if err := h.bridge.Forget(ctx, id, data); err != nil {
		return err
	}
	if err := h.herald.settled(ctx); err != nil {
		return err
	}
	return h.client.Drained(ctx)
}
