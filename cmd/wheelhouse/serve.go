package main

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/mattn/go-isatty"
	"github.com/rs/zerolog"

	"github.com/wheelhouse-mqtt/wheelhouse/config"
)

type serveCommand struct{}

// Run is the program.
func (serveCommand) Run(ctx context.Context, to console, c *commands) error {
	cfg, err := c.settings(to)
	if err != nil {
		return err
	}
	log := newLog(to.Stderr, cfg.Log)
	h, err := build(ctx, to, cfg, log)
	if err != nil {
		return err
	}
	defer h.close()
	return h.run(ctx, func() { h.introduce(to.Stdout) })
}

// introduce says where everything is. Passwords are printed when they have just
// been made, because somebody must type them, and never again.
func (h *house) introduce(w io.Writer) {
	newGuide(h.cfg, h.supervisor != nil, h.brokerPort()).print(w, h.secrets, h.secrets.fresh)
	e := h.log.Info().Str("version", version()).Stringer("webhook", address{h.webhook.Addr()})
	if h.ops != nil {
		e = e.Stringer("ops", address{h.ops.Addr()})
	}
	if h.page != nil {
		e = e.Stringer("page", address{h.page.Addr()})
	}
	switch {
	case h.broker != nil:
		e = e.Str("broker", h.brokerAddress())
	case asksSupervisor(h.cfg, h.supervisor):
		e = e.Str("broker", "the Supervisor's")
	default:
		e = e.Str("broker", "external")
	}
	e.Msg("wheelhouse is running")
}

// newLog writes for people on a terminal, and JSON otherwise.
func newLog(w io.Writer, l config.Log) zerolog.Logger {
	level, err := zerolog.ParseLevel(l.Level)
	if err != nil {
		level = zerolog.InfoLevel
	}
	if l.Format == "text" || l.Format == "auto" && isTerminal(w) {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: "15:04:05", NoColor: !isTerminal(w)}
	}
	return zerolog.New(w).Level(level).With().Timestamp().Logger()
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

type checkCommand struct{}

// Run prints the settings in effect; wrong ones are the error.
func (checkCommand) Run(ctx context.Context, to console, c *commands) error {
	cfg, err := c.settings(to)
	if err != nil {
		return err
	}
	if s := ownSupervisor(to.Getenv); asksSupervisor(cfg, s) {
		if err := printBroker(ctx, to.Stdout, cfg, s); err != nil {
			return err
		}
	}
	return cfg.Print(to.Stdout)
}

// errUnhealthy is the answer of a program that is not well.
var errUnhealthy = errors.New("not healthy")
