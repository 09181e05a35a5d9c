package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"github.com/wheelhouse-mqtt/wheelhouse/config"
)

func TestSecretNeverShows(t *testing.T) {
	type holder struct{ Password config.Secret }
	s := config.Secret("hidden")
	var log bytes.Buffer
	logger := zerolog.New(&log)
	logger.Info().Any("a", s).Stringer("b", s).Interface("c", holder{s}).
		Fields(map[string]any{"d": s}).Err(fmt.Errorf("login as %s", s)).Send()
	asJSON, _ := json.Marshal(holder{s})
	asYAML, _ := yaml.Marshal(holder{s})
	shown := map[string]string{"zerolog": log.String(), "json": string(asJSON), "yaml": string(asYAML)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%t"} {
		shown[verb] = fmt.Sprintf(verb, s) + fmt.Sprintf(verb, []any{s, holder{s}})
	}
	for way, text := range shown {
		if strings.Contains(text, "hidden") || strings.Contains(text, fmt.Sprintf("%x", "hidden")) {
			t.Errorf("%s shows the secret: %s", way, text)
		}
		if !strings.Contains(text, "***") {
			t.Errorf("%s does not show that there is one: %s", way, text)
		}
	}
	if s.Reveal() != "hidden" || config.Secret("").String() != "" {
		t.Error("a secret must be there for those who ask, and nothing must look like nothing")
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "90s": 90 * time.Second, "3m": 3 * time.Minute, "1h30m": 90 * time.Minute,
		"30d": 720 * time.Hour, "1.5h": 90 * time.Minute, "250ms": 250 * time.Millisecond,
		"-5s": -5 * time.Second, "106751d": 106751 * 24 * time.Hour,
	} {
		if got, err := config.ParseDuration(text); err != nil || got.Std() != want {
			t.Errorf("%s = %v, %v; want %v", text, got.Std(), err, want)
		}
	}
	for _, text := range []string{
		"", "30", "1e3", "-1", "106752d", "-106752d", "d", "1d2h", "2562048h", "5 m", "0x1",
	} {
		if got, err := config.ParseDuration(text); err == nil {
			t.Errorf("%q = %v, want an error", text, got)
		}
	}
	for d, want := range map[config.Duration]string{
		0: "0s", 3 * config.Minute: "3m", 90 * config.Second: "1m30s", 90 * config.Minute: "1h30m",
		2 * config.Hour: "2h", 48 * config.Hour: "2d", 30 * config.Second: "30s", 10 * config.Minute: "10m",
		36*config.Hour + config.Second: "36h0m1s",
	} {
		if got := d.String(); got != want {
			t.Errorf("%d ns is written %s, want %s", int64(d), got, want)
		}
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]config.Size{
		"0B": 0, "64MiB": 64 << 20, "1GiB": 1 << 30, "10kB": 10_000, "7 KiB": 7 << 10, "5MB": 5_000_000,
		"2GB": 2_000_000_000, "8589934591GiB": 8589934591 << 30,
	} {
		if got, err := config.ParseSize(text); err != nil || got != want {
			t.Errorf("%s = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "64", "64M", "1.5GiB", "MiB", "8589934592GiB", "-8589934593GiB", "64mib",
	} {
		if got, err := config.ParseSize(text); err == nil {
			t.Errorf("%q = %d, want an error", text, got)
		}
	}
}

// TestWrittenIsRead reads whatever String writes.
func TestWrittenIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := config.Duration(rapid.Int64().Draw(t, "ns"))
		if got, err := config.ParseDuration(d.String()); err != nil || got != d {
			t.Errorf("%s is read as %d, %v; want %d", d, got, err, d)
		}
		s := config.Size(rapid.Int64().Draw(t, "bytes"))
		if got, err := config.ParseSize(s.String()); err != nil || got != s {
			t.Errorf("%s is read as %d, %v; want %d", s, got, err, s)
		}
	})
}
