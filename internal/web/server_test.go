package web

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// pipes is a listener of in-memory connections, for tests under fake time.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial() net.Conn {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours
}

// run starts a server; the returned function stops it and returns Run's error.
func run(t *testing.T, s *Server) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() { _ = stop() })
	return stop
}

// piped starts a server on in-memory connections.
func piped(t *testing.T, handler http.HandlerFunc) (*pipes, func() error) {
	t.Helper()
	s, err := New(Options{Handler: handler, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	p := newPipes()
	s.plain = p
	return p, run(t, s)
}

func ok(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }

func get(t *testing.T, client *http.Client, url string) (int, string) {
	t.Helper()
	res, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestPlainAndTLSServeTheSame(t *testing.T) {
	dir := t.TempDir()
	pair := writePair(t, dir, "one")
	certs, err := Files(pair.cert, pair.key, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{
		Listen: "127.0.0.1:0", TLSListen: "127.0.0.1:0", Certificates: certs, Log: zerolog.Nop(),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprintf(w, "%s %v", r.Proto, r.TLS != nil)
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	stop := run(t, s)
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pair.roots, ServerName: "one"}, ForceAttemptHTTP2: true,
	}}
	if _, body := get(t, client, "http://"+s.Addr().String()); body != "HTTP/1.1 false" {
		t.Errorf("plain: %s", body)
	}
	if _, body := get(t, client, "https://"+s.TLSAddr().String()); body != "HTTP/2.0 true" {
		t.Errorf("TLS: %s", body)
	}
	client.CloseIdleConnections()
	if err := stop(); err != nil {
		t.Errorf("stopping: %v", err)
	}
	for _, a := range []net.Addr{s.Addr(), s.TLSAddr()} {
		l, err := net.Listen("tcp", a.String())
		if err != nil {
			t.Errorf("port not freed: %v", err)
			continue
		}
		_ = l.Close()
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	pair := writePair(t, t.TempDir(), "one")
	certs, err := Files(pair.cert, pair.key, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := net.Pipe()
	go func() { _ = tls.Server(theirs, certs.Config()).Handshake(); _ = theirs.Close() }()
	old := tls.Client(ours, &tls.Config{
		RootCAs: pair.roots, ServerName: "one", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11,
	})
	if err := old.Handshake(); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
}

func TestTakenPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, err = New(Options{Listen: l.Addr().String(), Setting: "http.listen", Log: zerolog.Nop()})
	if err == nil || !strings.HasPrefix(err.Error(), "http.listen: listen tcp "+l.Addr().String()) {
		t.Errorf("error %v does not say which setting and port", err)
	}
	pair := writePair(t, t.TempDir(), "one")
	certs, err := Files(pair.cert, pair.key, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	_, err = New(Options{
		Listen: "127.0.0.1:0", TLSListen: l.Addr().String(), Certificates: certs,
		Setting: "http.listen", Log: zerolog.Nop(),
	})
	if err == nil || !strings.HasPrefix(err.Error(), "http.tls.listen: ") {
		t.Errorf("error %v does not say which setting", err)
	}
}

func TestSlowHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := piped(t, ok)
		c := p.dial()
		_, _ = io.WriteString(c, "POST /csv HTTP/1.1\r\n")
		start := time.Now()
		_, _ = io.ReadAll(c) // ends when the server hangs up
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("a slow header is given %v, want 10s", took)
		}
	})
}

func TestSlowBodyIsTheHandlersAffair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := make(chan string, 1)
		p, _ := piped(t, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			got <- fmt.Sprint(string(body), err)
			<-time.After(time.Hour)
			ok(w, r)
		})
		c := p.dial()
		go func() {
			_, _ = io.WriteString(c, "POST /csv HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n"+
				"Connection: close\r\n\r\na")
			<-time.After(time.Hour)
			_, _ = io.WriteString(c, "b")
		}()
		answer, _ := io.ReadAll(c)
		if body := <-got; body != "ab<nil>" {
			t.Errorf("the handler read %s", body)
		}
		if !strings.HasSuffix(string(answer), "ok") {
			t.Errorf("the slow answer was %q", answer)
		}
	})
}

func TestIdleConnectionStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := piped(t, ok)
		c := p.dial()
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		start := time.Now()
		_, _ = io.ReadAll(c)
		if idle := time.Since(start); idle < 3*time.Minute || idle > 5*time.Minute {
			t.Errorf("an idle connection is closed after %v, want 3 to 5 minutes", idle)
		}
	})
}

func TestLargeHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := piped(t, ok)
		c := p.dial()
		go func() {
			large := strings.Repeat("x", 32<<10)
			_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\nX: "+large+"\r\n\r\n")
		}()
		line := make([]byte, 12)
		if _, err := io.ReadFull(c, line); err != nil || string(line) != "HTTP/1.1 431" {
			t.Errorf("a header of 32 KiB is answered by %q, %v", line, err)
		}
		_ = c.Close()
	})
}

func TestShutdown(t *testing.T) {
	for name, tt := range map[string]struct {
		needs  time.Duration // of the running request
		want   time.Duration // until Run returns
		answer string
	}{
		"a request finishes":       {2 * time.Second, 2 * time.Second, "ok"},
		"a request never finishes": {time.Hour, 5 * time.Second, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, stop := piped(t, func(w http.ResponseWriter, r *http.Request) {
					select {
					case <-time.After(tt.needs):
						ok(w, r)
					case <-r.Context().Done():
					}
				})
				c := p.dial()
				_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
				answered := make(chan string)
				go func() { all, _ := io.ReadAll(c); answered <- string(all) }()
				synctest.Wait()
				start := time.Now()
				err := stop()
				// Shutdown looks again twice a second at most.
				if took := time.Since(start).Round(time.Second); took != tt.want || err != nil {
					t.Errorf("stopping took %v (%v), want %v", took, err, tt.want)
				}
				if got := <-answered; !strings.HasSuffix(got, tt.answer) || (tt.answer == "") != (got == "") {
					t.Errorf("answer %q", got)
				}
			})
		})
	}
}

func TestConnectionLimit(t *testing.T) {
	var log bytes.Buffer
	s, err := New(Options{
		Listen: "127.0.0.1:0", Handler: http.HandlerFunc(ok), MaxConns: 2, Log: zerolog.New(&log),
	})
	if err != nil {
		t.Fatal(err)
	}
	stop := run(t, s)
	ask := func(c net.Conn) error {
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		_, err := io.ReadFull(c, make([]byte, len("HTTP/1.1 200")))
		return err
	}
	conns := make([]net.Conn, 4)
	for i := range conns {
		if conns[i], err = net.Dial("tcp", s.Addr().String()); err != nil {
			t.Fatal(err)
		}
		if err := ask(conns[i]); (err == nil) != (i < 2) {
			t.Errorf("connection %d: %v", i, err)
		}
	}
	_ = conns[0].Close()
	for { // the server learns of the end in its own time
		c, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		err = ask(c)
		_ = c.Close()
		if err == nil {
			break
		}
	}
	_ = conns[1].Close()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if n := strings.Count(log.String(), "too many connections"); n != 1 {
		t.Errorf("told %d times, want once: %s", n, log.String())
	}
}

func TestErrorLog(t *testing.T) {
	var out bytes.Buffer
	e := errorLog{zerolog.New(&out)}
	_, _ = io.WriteString(e, "http: TLS handshake error from 10.0.0.1:1: EOF\n")
	_, _ = io.WriteString(e, "http: panic serving 10.0.0.1:1: oops\n")
	want := `{"level":"debug","message":"http: TLS handshake error from 10.0.0.1:1: EOF"}
{"level":"warn","message":"http: panic serving 10.0.0.1:1: oops"}
`
	if out.String() != want {
		t.Errorf("got %s", out.String())
	}
}

func TestServed(t *testing.T) {
	broken := errors.New("broken")
	if served(http.ErrServerClosed) != nil || !errors.Is(served(broken), broken) {
		t.Error("only an orderly end is no error")
	}
}
