package web

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/rs/zerolog"
)

// Systemd tells the service manager how the program is (sd_notify(3)). Without
// a service manager it tells nobody.
type Systemd struct {
	socket   string
	watchdog time.Duration // the manager restarts a program silent for so long; 0: never
}

// NewSystemd reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID.
func NewSystemd(getenv func(string) string) Systemd {
	s := Systemd{socket: getenv("NOTIFY_SOCKET")}
	usec, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64)
	pid := getenv("WATCHDOG_PID")
	if err == nil && usec > 0 && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		s.watchdog = time.Duration(usec) * time.Microsecond
	}
	return s
}

// Ready says that the program has started.
func (s Systemd) Ready() error { return s.notify("READY=1") }

// Stopping says that the program is about to end.
func (s Systemd) Stopping() error { return s.notify("STOPPING=1") }

// Watch feeds the watchdog, at half its time, until ctx ends; it misses a meal
// while a check fails. Without a watchdog it returns at once.
func (s Systemd) Watch(ctx context.Context, checks []Check, log zerolog.Logger) {
	if s.socket == "" || s.watchdog == 0 {
		return
	}
	ticker := time.NewTicker(s.watchdog / 2)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if reasons := Failing(ctx, checks); len(reasons) > 0 {
				log.Error().Strs("reasons", reasons).Msg("not healthy: the watchdog is not fed")
			} else if err := s.notify("WATCHDOG=1"); err != nil {
				log.Warn().Err(err).Msg("the watchdog is not fed")
			}
		}
	}
}

// notify sends one datagram. Go writes a leading @ as the zero byte of an
// abstract socket by itself.
func (s Systemd) notify(state string) error {
	if s.socket == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: s.socket, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("telling systemd %s: %w", state, err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte(state)); err != nil {
		return fmt.Errorf("telling systemd %s: %w", state, err)
	}
	return nil
}
