package mqtt

import (
	"context"
	"log/slog"

	"github.com/rs/zerolog"
)

// mochiLog makes mochi's logger: by itself it prints to standard output. Its
// everyday news are debug here, and packets are left out: they hold passwords
// and positions.
func mochiLog(log zerolog.Logger) *slog.Logger {
	return slog.New(discreet{zerolog.NewSlogHandler(quiet(log).With().Str("in", "broker").Logger())})
}

type discreet struct{ slog.Handler }

// Enabled says whether a line of the level would be written.
func (d discreet) Enabled(ctx context.Context, l slog.Level) bool {
	return d.Handler.Enabled(ctx, calmer(l))
}

// Handle writes a line without what is nobody's business.
func (d discreet) Handle(ctx context.Context, r slog.Record) error {
	public := slog.NewRecord(r.Time, calmer(r.Level), r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "pk", "packet", "will":
		default:
			public.AddAttrs(a)
		}
		return true
	})
	return d.Handler.Handle(ctx, public)
}

// WithAttrs keeps the discretion.
func (d discreet) WithAttrs(attrs []slog.Attr) slog.Handler {
	return discreet{d.Handler.WithAttrs(attrs)}
}

// WithGroup keeps the discretion.
func (d discreet) WithGroup(name string) slog.Handler { return discreet{d.Handler.WithGroup(name)} }

// calmer makes mochi's "info", and its warnings about single clients, debug.
func calmer(l slog.Level) slog.Level {
	if l < slog.LevelError {
		return slog.LevelDebug
	}
	return l
}
