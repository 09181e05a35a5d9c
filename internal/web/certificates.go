package web

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// Certificates is where a TLS listener has its certificate from: Files or ACME.
type Certificates struct {
	config    *tls.Config
	solve     func(http.Handler) http.Handler // answers what a CA asks over plain HTTP
	serveFrom func(httpPort, tlsPort int)     // learns the ports before Run
	keep      func(context.Context) error     // keeps the certificate valid until ctx ends
}

// Config returns the TLS settings for a listener; TLS 1.2 is the oldest spoken.
func (c *Certificates) Config() *tls.Config { return c.config.Clone() }

// Files serves a certificate from PEM files, cert with the whole chain. The
// files are looked at when somebody connects, at most once a second, and loaded
// when they have changed; a pair that cannot be used leaves the old one in place.
func Files(cert, key string, log zerolog.Logger) (*Certificates, error) {
	f := &pairFiles{cert: cert, key: key, log: log}
	f.stamp = f.look()
	if err := f.load(); err != nil {
		return nil, err
	}
	f.looked = time.Now()
	return &Certificates{
		config:    &tls.Config{GetCertificate: f.current, MinVersion: tls.VersionTLS12},
		solve:     func(next http.Handler) http.Handler { return next },
		serveFrom: func(int, int) {},
		keep:      func(context.Context) error { return nil },
	}, nil
}

// pairFiles is a certificate and its key on disk.
type pairFiles struct {
	cert, key string
	log       zerolog.Logger

	mu     sync.Mutex // guards what follows
	pair   *tls.Certificate
	stamp  stamp     // of the files when they were last read
	looked time.Time // when the stamp was last compared
}

// stamp tells versions of the two files apart.
type stamp struct {
	cert, key         time.Time
	certSize, keySize int64
}

// current returns the pair to serve.
func (f *pairFiles) current(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := time.Now(); now.Sub(f.looked) >= time.Second {
		f.looked = now
		f.refresh()
	}
	return f.pair, nil
}

// refresh loads the pair if the files are others than before. A broken pair is
// told once: the stamp is kept, and changes with the next attempt.
func (f *pairFiles) refresh() {
	found := f.look()
	if found == f.stamp {
		return
	}
	f.stamp = found
	if err := f.load(); err != nil {
		f.log.Warn().Err(err).Msg("the new certificate cannot be used: serving the old one")
		return
	}
	f.log.Info().Str("file", f.cert).Time("expires", f.pair.Leaf.NotAfter).Msg("certificate loaded")
}

func (f *pairFiles) load() error {
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return fmt.Errorf("certificate %s, key %s: %w", f.cert, f.key, err)
	}
	f.pair = &pair
	return nil
}

// look reads the files' stamp; a missing file has a zero one.
func (f *pairFiles) look() stamp {
	var s stamp
	if info, err := os.Stat(f.cert); err == nil {
		s.cert, s.certSize = info.ModTime(), info.Size()
	}
	if info, err := os.Stat(f.key); err == nil {
		s.key, s.keySize = info.ModTime(), info.Size()
	}
	return s
}
