package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/carstats"
	"github.com/wheelhouse-mqtt/wheelhouse/carstats/sim"
	"github.com/wheelhouse-mqtt/wheelhouse/config"
)

type demoCommand struct {
	Speed float64       `help:"How many times faster than ours the car's clock runs." default:"20"`
	Seed  uint64        `help:"The same seed gives the same car." default:"1"`
	For   time.Duration `help:"Stop after this long; for ever if 0."`
}

// demoCar is the simulated car's name.
const demoCar = "polestar"

// Run is the whole program, with a car that posts to its webhook as a real one
// does. It keeps nothing.
func (d demoCommand) Run(ctx context.Context, to console) error {
	dir, err := os.MkdirTemp("", "wheelhouse-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	company, err := newDemoTesla("127.0.0.1:0", oneTesla(d.Seed))
	if err != nil {
		return err
	}
	defer company.Close()
	cfg, err := demoSettings(to, dir, company)
	if err != nil {
		return err
	}
	h, err := build(ctx, to, cfg, newLog(to.Stderr, cfg.Log))
	if err != nil {
		return fmt.Errorf("%w (another program may be in the way: WHEELHOUSE_HTTP__LISTEN, WHEELHOUSE_BROKER__LISTEN and WHEELHOUSE_OPS__LISTEN choose other ports)", err)
	}
	defer h.close()
	if d.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.For)
		defer cancel()
	}
	return h.runDemo(ctx, to, d, company)
}

// demoSettings are the environment's, with a state of their own. Quiet is what
// leaves room for the car's line.
func demoSettings(to console, dir string, company *demoTesla) (*config.Config, error) {
	environ := append([]string{"WHEELHOUSE_LOG__LEVEL=warn"}, to.Environ...)
	environ = append(environ, company.settings()...)
	return config.Load(config.Sources{Environ: append(environ,
		"WHEELHOUSE_STATE_DIR="+dir, "WHEELHOUSE_STORE__PATH=", "WHEELHOUSE_MQTT__URL=")})
}

// runDemo runs the house, the cars and the cars' lines together.
func (h *house) runDemo(ctx context.Context, to console, d demoCommand, company *demoTesla) error {
	webhook := "http://" + dialable(h.webhook.Addr().String()) + carstats.Path + "/" + demoCar
	car, err := sim.New(sim.Options{
		URL: webhook, User: demoCar, Password: h.secrets.CarPassword,
		Seed: d.Seed, Speed: d.Speed, Script: sim.FastDay(),
	})
	if err != nil {
		return err
	}
	g := newGroup(h.log)
	g.start(service{"simulated Tesla", company.Run})
	ready := make(chan struct{})
	g.start(service{"wheelhouse", func(ctx context.Context) error {
		return h.run(ctx, func() { close(ready) })
	}})
	select {
	case <-ready:
	case <-ctx.Done():
		return g.stop()
	}
	if err := company.signIn(ctx, h.fleet); err != nil && ctx.Err() == nil {
		return errors.Join(err, g.stop())
	}
	fmt.Fprint(to.Stdout, h.demoText(webhook))
	g.start(service{"car", func(ctx context.Context) error { return untilCancelled(car.Run(ctx)) }})
	g.start(service{"line", func(ctx context.Context) error { return watch(ctx, to, car, company) }})
	return g.wait(ctx)
}

func untilCancelled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func (h *house) demoText(webhook string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nTwo simulated cars drive, park and charge: one that posts, and a Tesla that is read. Look at them:\n\n")
	host, port, _ := net.SplitHostPort(dialable(h.brokerAddress()))
	fmt.Fprintf(&b, "  broker    %s, port %s\n", host, port)
	fmt.Fprintf(&b, "  user      %s\n  password  %s\n", homeUser, h.secrets.HomePassword)
	fmt.Fprintf(&b, "  webhook   %s (user %s, password %s)\n", webhook, demoCar, h.secrets.CarPassword)
	fmt.Fprintf(&b, "\n  mosquitto_sub -h %s -p %s -u %s -P %s -v -t '%s/#'\n\n",
		host, port, homeUser, h.secrets.HomePassword, h.cfg.MQTT.Prefix)
	fmt.Fprintf(&b, "Home Assistant finds the cars once its MQTT integration uses this broker. Ctrl-C ends the demo.\n\n")
	return b.String()
}

// watch draws the cars' lines until ctx ends.
func watch(ctx context.Context, to console, car *sim.Car, company *demoTesla) error {
	l := lines{w: to.Stdout, terminal: isTerminal(to.Stdout)}
	every := 5 * time.Second
	if l.terminal {
		every = time.Second / 2
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		l.draw([]string{carLine(demoCar, car.Snapshot()), company.line()})
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
