package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/carstats/sim"
)

type simulateCommand struct {
	URL      string        `arg:"" help:"Where to post, as typed into the car: http://127.0.0.1:8480/csv/polestar"`
	User     string        `help:"User of the Basic credentials." default:"car"`
	Password string        `help:"Password of the Basic credentials." env:"WHEELHOUSE_SIMULATE_PASSWORD"`
	App      string        `help:"Version of the app: 0.24, 0.25, 0.26, 0.28, or all four groups of one." default:"0.28"`
	Fork     string        `help:"A fork of the app." enum:",boessi" default:""`
	Mode     string        `help:"The app's telemetry type: ticks, points or both (0, 1, 2)." default:"both"`
	Seed     uint64        `help:"The same seed gives the same car." default:"1"`
	Speed    float64       `help:"How many times faster than ours the car's clock runs." default:"1"`
	Script   string        `help:"What the car does: a day as most are, or one for the impatient." enum:"working,fast" default:"working"`
	Start    string        `help:"The car's time at the start (RFC 3339); now if empty."`
	Power    bool          `help:"The car reports its power." default:"true" negatable:""`
	Location bool          `help:"The app may use the location." default:"true" negatable:""`
	Upload   int           `help:"Upload a database of so many days at the start." placeholder:"DAYS"`
	For      time.Duration `help:"Stop after this long; for ever if 0."`
	Repeats  float64       `help:"Share of requests that are repeated at once, as Android does now and then."`
}

// Run is a simulated car until ctx ends.
func (s simulateCommand) Run(ctx context.Context, to console) error {
	o, err := s.options()
	if err != nil {
		return err
	}
	o.Log = func(e sim.Event) { fmt.Fprintln(to.Stdout, eventLine(e)) }
	car, err := sim.New(o)
	if err != nil {
		return err
	}
	if s.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.For)
		defer cancel()
	}
	if s.Upload > 0 {
		h := sim.History{Seed: s.Seed, Days: s.Upload, Start: time.Now().AddDate(0, 0, -s.Upload-1).Truncate(24 * time.Hour)}
		if err := car.UploadDatabase(ctx, h); err != nil {
			return fmt.Errorf("the upload: %w", err)
		}
	}
	if err := car.Run(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

func (s simulateCommand) options() (o sim.Options, err error) {
	o = sim.Options{
		URL: s.URL, User: s.User, Password: s.Password, Version: s.App, Fork: s.Fork, Seed: s.Seed,
		Speed: s.Speed, NoPower: !s.Power, NoLocation: !s.Location, Duplicates: s.Repeats,
		Script: map[string]sim.Day{"working": sim.WorkingDay(), "fast": sim.FastDay()}[s.Script],
	}
	if o.Mode, err = sim.ParseMode(s.Mode); err != nil {
		return o, err
	}
	if s.Start != "" {
		if o.Start, err = time.Parse(time.RFC3339, s.Start); err != nil {
			return o, fmt.Errorf("--start: %q is no time (2026-01-31T12:00:00Z)", s.Start)
		}
	}
	return o, nil
}

// eventLine is a request and its outcome on one line.
func eventLine(e sim.Event) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %-7s %6d bytes", e.At.UTC().Format(time.DateTime), e.Request, e.Bytes)
	if e.Points > 0 {
		fmt.Fprintf(&b, ", %d points", e.Points)
	}
	if e.Sessions > 0 {
		fmt.Fprintf(&b, ", %d sessions", e.Sessions)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	} else {
		answer := strings.TrimPrefix(e.Answer, strconv.Itoa(e.Status)) // refusals begin with it
		fmt.Fprintf(&b, ": %d %s", e.Status, strings.TrimSpace(answer))
	}
	if e.Queued > 0 {
		fmt.Fprintf(&b, " (%d waiting)", e.Queued)
	}
	return b.String()
}

// carLine is a simulated car at a glance.
func carLine(name string, s sim.Snapshot) string {
	return fmt.Sprintf("%-10s %s  %-8s %4.0f km/h %5.1f kW  battery %3.0f %%  %d posts delivered, %d failed",
		name, s.At.UTC().Format("15:04:05"), s.Doing, s.Speed, s.Power, s.SoC, s.OK, s.Failed)
}

// lines writes a line per car: on a terminal over the last ones, else below.
type lines struct {
	w        io.Writer
	terminal bool
	drawn    int
}

func (l *lines) draw(rows []string) {
	if l.terminal && l.drawn > 0 {
		fmt.Fprintf(l.w, "\x1b[%dA", l.drawn)
	}
	for _, row := range rows {
		if l.terminal {
			row = "\x1b[2K" + row
		}
		fmt.Fprintln(l.w, row)
	}
	l.drawn = len(rows)
}
