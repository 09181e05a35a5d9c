package web_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/wheelhouse-mqtt/wheelhouse/internal/web"
)

// manager is a service manager's socket.
func manager(t *testing.T, name string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// told returns the next n messages.
func told(t *testing.T, conn *net.UnixConn, n int) (all []string) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	for range n {
		size, err := conn.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(buf[:size]))
	}
	return all
}

func environment(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

// shortDir is a directory whose sockets' names stay below the 108 bytes that
// Linux allows.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestSystemd(t *testing.T) {
	for name, address := range map[string]string{
		"socket":          filepath.Join(shortDir(t), "notify"),
		"abstract socket": fmt.Sprintf("@wheelhouse-test-%d", os.Getpid()),
	} {
		t.Run(name, func(t *testing.T) {
			conn := manager(t, address)
			s := web.NewSystemd(environment("NOTIFY_SOCKET", address))
			if err := errors.Join(s.Ready(), s.Stopping()); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(told(t, conn, 2), " "); got != "READY=1 STOPPING=1" {
				t.Errorf("told %s", got)
			}
		})
	}
}

func TestNoSystemd(t *testing.T) {
	s := web.NewSystemd(environment("WATCHDOG_USEC", "1"))
	if err := errors.Join(s.Ready(), s.Stopping()); err != nil {
		t.Error(err)
	}
	s.Watch(t.Context(), nil, zerolog.Nop()) // returns
	gone := web.NewSystemd(environment("NOTIFY_SOCKET", filepath.Join(shortDir(t), "none")))
	if err := gone.Ready(); err == nil || !strings.Contains(err.Error(), "READY=1") {
		t.Errorf("error %v does not say what was not told", err)
	}
	for _, env := range [][]string{
		{"NOTIFY_SOCKET", "/x", "WATCHDOG_USEC", "soon"}, {"NOTIFY_SOCKET", "/x", "WATCHDOG_USEC", "-1"},
		{"NOTIFY_SOCKET", "/x", "WATCHDOG_USEC", "1", "WATCHDOG_PID", "1"},
	} {
		web.NewSystemd(environment(env...)).Watch(t.Context(), nil, zerolog.Nop()) // returns
	}
}

// TestWatchdog is fed at half its time, but not while a check fails.
func TestWatchdog(t *testing.T) {
	address := filepath.Join(shortDir(t), "notify")
	conn := manager(t, address)
	var log bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		s := web.NewSystemd(environment("NOTIFY_SOCKET", address,
			"WATCHDOG_USEC", "20000000", "WATCHDOG_PID", fmt.Sprint(os.Getpid())))
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 45*time.Second)
		defer cancel()
		s.Watch(ctx, []web.Check{{Name: "store", OK: func(context.Context) error {
			if time.Since(start) == 20*time.Second {
				return errors.New("disk full")
			}
			return nil
		}}}, zerolog.New(&log))
	})
	if err := web.NewSystemd(environment("NOTIFY_SOCKET", address)).Stopping(); err != nil {
		t.Fatal(err)
	}
	// At 10, 30 and 40 seconds.
	if got := strings.Join(told(t, conn, 4), " "); got != "WATCHDOG=1 WATCHDOG=1 WATCHDOG=1 STOPPING=1" {
		t.Errorf("told %s", got)
	}
	if n := strings.Count(log.String(), "store: disk full"); n != 1 {
		t.Errorf("the reason is told %d times, want once: %s", n, log.String())
	}
}
