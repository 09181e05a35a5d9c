package config

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// Secret is a text that does not show itself: fmt (with every verb), JSON, YAML
// and zerolog print ***. Only a pointer to what holds one is no cover, with a
// verb that suits no pointer.
type Secret string

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String returns *** or, where there is no secret, nothing.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "***"
}

// GoString is String: %#v shows no secret either.
func (s Secret) GoString() string { return s.String() }

// Format writes String for every verb: fmt would show the text behind a verb
// that does not suit it (%d).
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText returns String, for JSON, YAML and zerolog.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Duration is a length of time, written with its unit: 90s, 3m, 1h30m, 30d.
type Duration time.Duration

// The units of a Duration. A day is 24 hours.
const (
	Second = Duration(time.Second)
	Minute = Duration(time.Minute)
	Hour   = Duration(time.Hour)
	Day    = 24 * Hour
)

// Std returns the duration as the standard library has it.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String writes the duration as people type it: 30d, 3m, 1h30m.
func (d Duration) String() string {
	if d != 0 && d%Day == 0 {
		return strconv.FormatInt(int64(d/Day), 10) + "d"
	}
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText returns String.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// ParseDuration reads a duration. A number without a unit is an error, except
// 0, which needs none.
func ParseDuration(s string) (Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseInt(days, 10, 64)
		if err != nil {
			return 0, errors.New("days are whole numbers, like 30d")
		}
		if n > math.MaxInt64/int64(Day) || n < math.MinInt64/int64(Day) {
			return 0, errors.New("is more than 292 years")
		}
		return Duration(n) * Day, nil
	}
	if _, err := strconv.ParseFloat(s, 64); err == nil && s != "0" {
		return 0, errors.New("has no unit")
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, errors.New("is not a duration of at most 292 years, like 90s, 3m or 30d")
	}
	return Duration(d), nil
}

// Size is a number of bytes, written with its unit: 64MiB.
type Size int64

// The units of a Size.
const (
	Byte Size = 1
	KiB       = 1024 * Byte
	MiB       = 1024 * KiB
	GiB       = 1024 * MiB
)

// sizeUnits lists the units from the largest, as String prefers them.
var sizeUnits = []struct {
	name string
	of   Size
}{{"GiB", GiB}, {"MiB", MiB}, {"KiB", KiB}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", Byte}}

// String writes the size as people type it: 64MiB.
func (s Size) String() string {
	for _, u := range sizeUnits {
		if s != 0 && s%u.of == 0 {
			return strconv.FormatInt(int64(s/u.of), 10) + u.name
		}
	}
	return "0B"
}

// MarshalText returns String.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// ParseSize reads a whole number of B, kB, MB, GB, KiB, MiB or GiB.
func ParseSize(text string) (Size, error) {
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil {
			return 0, errors.New("is not a size, like 64MiB")
		}
		if n > math.MaxInt64/int64(u.of) || n < math.MinInt64/int64(u.of) {
			return 0, errors.New("is too large")
		}
		return Size(n) * u.of, nil
	}
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return 0, errors.New("has no unit")
	}
	return 0, errors.New("is not a size, like 64MiB")
}
