package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/store"
)

type exportCommand struct {
	Car    string `arg:"" help:"The car's id, as in its topics."`
	What   string `help:"What to write: points, sessions, trips, or apart (records whose time cannot be right)." enum:"points,sessions,trips,apart" default:"points"`
	Format string `help:"How to write it." enum:"csv,gpx,json" default:"csv"`
	From   string `help:"Only what is of this day or later (2026-01-31, or RFC 3339)."`
	To     string `help:"Only what is before the end of this day (2026-01-31), or before this time (RFC 3339)."`
}

// export is what one export writes.
type export struct {
	store.Reader
	car      car.ID
	from, to int64   // epoch ms: from <= time < to
	capacity float64 // Wh of the battery, 0 for unknown
	out      io.Writer
}

// exporters are the formats there are.
var exporters = map[[2]string]func(*export) error{
	{"points", "csv"}:    (*export).pointsCSV,
	{"points", "gpx"}:    (*export).pointsGPX,
	{"points", "json"}:   (*export).pointsJSON,
	{"trips", "csv"}:     (*export).tripsCSV,
	{"trips", "gpx"}:     (*export).tripsGPX,
	{"trips", "json"}:    (*export).tripsJSON,
	{"sessions", "csv"}:  (*export).sessionsCSV,
	{"sessions", "json"}: (*export).sessionsJSON,
	{"apart", "json"}:    (*export).apartJSON,
}

// formatsOf are the formats that something can be written as.
func formatsOf(what string) (formats []string) {
	for pair := range exporters {
		if pair[0] == what {
			formats = append(formats, pair[1])
		}
	}
	slices.Sort(formats)
	return formats
}

// Run reads the store, beside a program that may be running.
func (x exportCommand) Run(ctx context.Context, to console, c *commands) error {
	write, ok := exporters[[2]string{x.What, x.Format}]
	if !ok {
		return fmt.Errorf("%s cannot be written as %s: use --format %s",
			x.What, x.Format, strings.Join(formatsOf(x.What), " or "))
	}
	from, err := day(x.From, 0, math.MinInt64)
	if err != nil {
		return fmt.Errorf("--from: %w", err)
	}
	until, err := day(x.To, 24*time.Hour, math.MaxInt64)
	if err != nil {
		return fmt.Errorf("--to: %w", err)
	}
	cfg, err := c.settings(to)
	if err != nil {
		return err
	}
	s, err := store.OpenReadOnly(ctx, cfg.Store.Path)
	if err != nil {
		return err
	}
	defer s.Close()
	id := car.MakeID(x.Car)
	capacity, err := lookUp(s.Read(ctx), id)
	if err != nil {
		return err
	}
	if configured := cfg.Cars[string(id)].Capacity; configured > 0 {
		capacity = configured * 1000
	}
	out := bufio.NewWriter(to.Stdout)
	if err := write(&export{s.Read(ctx), id, from, until, capacity, out}); err != nil {
		return err
	}
	return out.Flush()
}

// day reads a day or a time; a day counts from its beginning plus add.
func day(s string, add time.Duration, empty int64) (int64, error) {
	if s == "" {
		return empty, nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, s, time.Local); err == nil {
		return t.Add(add).UnixMilli(), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return 0, fmt.Errorf("%q is no day (2026-01-31) and no time (2026-01-31T12:00:00Z)", s)
	}
	return t.UnixMilli(), nil
}
