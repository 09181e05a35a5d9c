package main

import (
	"context"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"
)

// Told to stop in the middle of a post that never ends, the program says offline
// to those who are still there, and is gone within ten seconds.
func TestStopIsOrderly(t *testing.T) {
	p := &program{dir: t.TempDir(), env: []string{
		"WHEELHOUSE_STATE_DIR=" + t.TempDir(), "WHEELHOUSE_HTTP__LISTEN=127.0.0.1:0",
		"WHEELHOUSE_OPS__LISTEN=127.0.0.1:0", "WHEELHOUSE_BROKER__LISTEN=127.0.0.1:0",
		"WHEELHOUSE_CARSTATS__PASSWORD=house-password", "WHEELHOUSE_BROKER__USERS__HOME__PASSWORD=home-password",
	}}
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	defer p.kill()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	guest, err := newPeer(ctx, login{address: p.address("broker"), user: "home", password: "home-password"})
	if err != nil {
		t.Fatal(err)
	}
	if err := guest.until(ctx, func() bool { return guest.kept["wheelhouse/status"] == "online" }); err != nil {
		t.Fatal(err)
	}
	endless(t, p.address("webhook"))

	start := time.Now()
	if err := p.stop(); err != nil {
		t.Error(err)
	}
	if d := time.Since(start); d > stopWithin {
		t.Errorf("stopped after %v", d)
	}
	err = guest.until(ctx, func() bool { return slices.Contains(guest.live, "wheelhouse/status offline") })
	if err != nil {
		t.Errorf("offline: %v; heard %q", err, guest.heard())
	}
}

// endless begins a post that does not end.
func endless(t *testing.T, address string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	// user x, password house-password
	_, err = fmt.Fprint(conn, "POST /csv/polestar HTTP/1.1\r\nHost: house\r\n"+
		"Authorization: Basic eDpob3VzZS1wYXNzd29yZA==\r\nContent-Length: 1000\r\n\r\n{\"apiVersion\":")
	if err != nil {
		t.Fatal(err)
	}
}
