package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/config"
	"github.com/wheelhouse-mqtt/wheelhouse/tesla"
)

type loginCommand struct {
	Redirect     string `help:"Where the browser returns to, if not to the program itself." placeholder:"URL"`
	RefreshToken bool   `help:"Read a refresh token from standard input instead."`
}

// localRedirect is where a browser on this machine returns to.
const localRedirect = "http://localhost:8484" + callbackPath

// Run signs in. The browser ends on an address that holds the code: the running
// program gets it there, or this command on this machine, or somebody pastes it.
func (l loginCommand) Run(ctx context.Context, to console, c *commands) error {
	cfg, err := c.settings(to)
	if err != nil {
		return err
	}
	if l.RefreshToken {
		return withToken(ctx, to, c)
	}
	before, err := readDesk[teslaState](ctx, to, c, "status", nil)
	if err != nil {
		return err
	}
	form := url.Values{"redirect": {cmp.Or(l.Redirect, redirectOf(cfg))}}
	attempt, err := readDesk[tesla.Attempt](ctx, to, c, "begin", form)
	if err != nil {
		return err
	}
	if err := waitForLogin(ctx, to, c, attempt, before.Access); err != nil {
		return err
	}
	return welcome(ctx, to, c)
}

// withToken signs in with a refresh token that somebody has.
func withToken(ctx context.Context, to console, c *commands) error {
	token, err := bufio.NewReader(io.LimitReader(to.Stdin, 64<<10)).ReadString('\n')
	if err != nil && token == "" {
		return fmt.Errorf("no refresh token on standard input: %w", err)
	}
	if _, err := c.atDesk(ctx, to, "token", url.Values{"token": {token}}); err != nil {
		return err
	}
	return welcome(ctx, to, c)
}

// redirectOf is where a browser can return to.
func redirectOf(cfg *config.Config) string {
	switch {
	case cfg.HTTP.PublicURL != "":
		return cfg.HTTP.PublicURL + callbackPath
	case cfg.Tesla.Domain != "":
		return "https://" + cfg.Tesla.Domain + callbackPath
	}
	return localRedirect
}

// waitForLogin shows the link and waits for the first of the three ways to bring the
// code. access is when the tokens ended before.
func waitForLogin(
	ctx context.Context, to console, c *commands, attempt tesla.Attempt, access time.Time,
) error {
	kept, err := json.Marshal(attempt)
	if err != nil {
		return err
	}
	finish := func(final string) error {
		_, err := c.atDesk(ctx, to, "finish", url.Values{"attempt": {string(kept)}, "url": {final}})
		return err
	}
	returned, stop := awaitBrowser(attempt.Redirect, finish) // before anybody can follow the link
	defer stop()
	fmt.Fprintf(to.Stdout, "Open this in a browser, sign in, and allow what is asked for:\n\n%s\n\n"+
		"If the browser does not say \"Signed in\" then, paste the address of the page that it ended "+
		"on here:\n", attempt.URL)
	pasted := lineOf(to.Stdin)
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		select {
		case final, ok := <-pasted:
			if !ok {
				pasted = nil // nobody types: the browser may still come
				continue
			}
			return finish(final)
		case err := <-returned:
			return err
		case <-tick.C: // the running program may have got it
			if s, err := c.runningState(ctx, to); err == nil && s.State == tesla.SignedIn && !s.Access.Equal(access) {
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// runningState asks the running program alone: without one nothing changes by itself,
// and its lock is not to be taken.
func (c *commands) runningState(ctx context.Context, to console) (s teslaState, err error) {
	cfg, err := c.settings(to)
	if err != nil {
		return s, err
	}
	body, err := ask(ctx, cfg, http.MethodPost, teslaDesk+"status", nil)
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(body, &s)
}

// lineOf reads the first line that somebody types. A read of a terminal cannot be
// called off: it ends with the program.
func lineOf(r io.Reader) <-chan string {
	line := make(chan string, 1)
	go func() {
		defer close(line)
		for s := bufio.NewScanner(r); s.Scan(); {
			if text := strings.TrimSpace(s.Text()); text != "" {
				line <- text
				return
			}
		}
	}()
	return line
}

// awaitBrowser serves the redirect if it is on this machine, and tells what came of
// the browser's return. A port that is taken leaves the other ways.
func awaitBrowser(redirect string, finish func(final string) error) (returned <-chan error, stop func()) {
	done := make(chan error, 1)
	u, err := url.Parse(redirect)
	if err != nil || u.Hostname() != "localhost" && u.Hostname() != "127.0.0.1" {
		return done, func() {}
	}
	l, err := net.Listen("tcp", net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "80")))
	if err != nil {
		return done, func() {}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+cmp.Or(u.Path, "/"), func(w http.ResponseWriter, r *http.Request) {
		err := finish(r.URL.String())
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Connection", "close")
		if err != nil {
			fmt.Fprintln(w, "Not signed in:", err)
		} else {
			fmt.Fprintln(w, "Signed in. You can close this window.")
		}
		select {
		case done <- err:
		default: // a second visit
		}
	})
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: mux}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(l)
	}()
	return done, func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = server.Shutdown(ctx) // the browser is to see the last page
		<-ended
	}
}

// welcome says what was allowed, and what was not.
func welcome(ctx context.Context, to console, c *commands) error {
	s, err := readDesk[teslaState](ctx, to, c, "status", nil)
	if err != nil {
		return err
	}
	if s.State != tesla.SignedIn {
		return errors.New(cmp.Or(s.Why, "not signed in"))
	}
	fmt.Fprintf(to.Stdout, "Signed in, region %s.\n", s.Region)
	if len(s.Missing) > 0 {
		fmt.Fprintf(to.Stdout, "Not allowed: %s. To allow it, sign in once more.\n", strings.Join(s.Missing, ", "))
	}
	fmt.Fprintln(to.Stdout, "Next: wheelhouse tesla pair")
	return nil
}
