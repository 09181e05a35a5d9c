// Package web holds the program's HTTP listeners: the webhook's and the
// private one for health and metrics, with TLS, trusted proxies and limits, and
// what the service manager is told about them.
package web

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"
)

const (
	headerTimeout   = 10 * time.Second
	idleTimeout     = 4 * time.Minute // a car's next report may be three minutes away
	maxHeader       = 16 << 10
	defaultMaxConns = 1000
	shutdownTimeout = 5 * time.Second
)

// Options describe a Server.
type Options struct {
	Listen       string        // plain HTTP, "" for none
	TLSListen    string        // HTTPS, "" for none; needs Certificates
	Certificates *Certificates // nil without TLS
	Handler      http.Handler
	MaxConns     int    // of each listener, 0: 1000; one more is closed at once
	Setting      string // that names Listen ("http.listen"), for the error of a taken port
	Log          zerolog.Logger
}

// Server serves one handler on a plain and a TLS listener. How long a body may
// take is the handler's affair: there is no time limit on reading or writing.
type Server struct {
	http         http.Server
	plain        net.Listener
	secure       net.Listener
	certificates *Certificates
	log          zerolog.Logger
}

// New binds the ports and serves nothing yet.
func New(o Options) (*Server, error) {
	s := &Server{certificates: o.Certificates, log: o.Log}
	var err error
	if s.plain, err = o.bind(o.Listen, o.Setting); err != nil {
		return nil, err
	}
	if o.Certificates != nil {
		s.secure, err = o.bind(o.TLSListen, strings.TrimSuffix(o.Setting, "listen")+"tls.listen")
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		o.Certificates.serveFrom(port(s.plain), port(s.secure))
		o.Handler = o.Certificates.solve(o.Handler)
	}
	s.http = http.Server{
		Handler:           o.Handler,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          log.New(errorLog{o.Log}, "", 0),
	}
	if s.secure != nil {
		// Whichever of the two listeners starts first settles for both whether
		// HTTP/2 is spoken, and the plain one asks only here.
		s.http.TLSConfig = o.Certificates.Config()
		protocols := []string{"h2", "http/1.1"}
		s.http.TLSConfig.NextProtos = slices.Concat(s.http.TLSConfig.NextProtos, protocols)
	}
	return s, nil
}

// bind opens one listener, nil without an address.
func (o Options) bind(address, setting string) (net.Listener, error) {
	if address == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: choose another port, or end what uses it", setting, err)
	}
	if o.MaxConns == 0 {
		o.MaxConns = defaultMaxConns
	}
	return newLimited(l, o.MaxConns, o.Log), nil
}

// Addr returns the plain listener's address, nil if there is none.
func (s *Server) Addr() net.Addr { return addr(s.plain) }

// TLSAddr returns the TLS listener's address, nil if there is none.
func (s *Server) TLSAddr() net.Addr { return addr(s.secure) }

func addr(l net.Listener) net.Addr {
	if l == nil {
		return nil
	}
	return l.Addr()
}

// port returns a listener's port, 0 if there is none.
func port(l net.Listener) int {
	if tcp, ok := addr(l).(*net.TCPAddr); ok {
		return tcp.Port
	}
	return 0
}

// Run serves until ctx ends, then lets running requests finish for at most
// five seconds and cuts off the others.
func (s *Server) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	if s.plain != nil {
		group.Go(func() error { return served(s.http.Serve(s.plain)) })
	}
	if s.secure != nil {
		group.Go(func() error { return served(s.http.ServeTLS(s.secure, "", "")) })
		group.Go(func() error { return s.certificates.keep(ctx) })
	}
	group.Go(func() error {
		<-ctx.Done()
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		if err := s.http.Shutdown(limit); err != nil {
			s.log.Warn().Msg("some requests did not finish in time and are cut off")
			return s.http.Close()
		}
		return nil
	})
	return group.Wait()
}

// served is what Serve returned, less the sign of an orderly end.
func served(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Close frees the ports of a server that does not run.
func (s *Server) Close() error {
	var errs []error
	for _, l := range []net.Listener{s.plain, s.secure} {
		if l != nil {
			errs = append(errs, l.Close())
		}
	}
	return errors.Join(errs...)
}

// errorLog takes the standard library's complaints. Failed handshakes are what
// scanners leave behind, and no news.
type errorLog struct{ log zerolog.Logger }

func (e errorLog) Write(p []byte) (int, error) {
	line := strings.TrimSpace(string(p))
	level := zerolog.WarnLevel
	if strings.Contains(line, "TLS handshake error") {
		level = zerolog.DebugLevel
	}
	e.log.WithLevel(level).Msg(line)
	return len(p), nil
}
