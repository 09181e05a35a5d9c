package web

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"

	"github.com/caddyserver/certmagic"
	"github.com/rs/zerolog"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// ACMEOptions describe a certificate that the program fetches by itself.
type ACMEOptions struct {
	Domain string
	Email  string         // where the CA writes to, may be ""
	Dir    string         // account, keys and certificates are kept below it
	CA     string         // the CA's directory URL, "" for Let's Encrypt
	Roots  *x509.CertPool // to trust the CA's own server by, nil for the system's
	Log    zerolog.Logger
}

// ACME serves a certificate fetched from the CA, whose terms the operator
// accepts by naming a domain. The CA connects to port 443 (TLS-ALPN-01) or 80
// (HTTP-01) of the domain, which must lead to the TLS or the plain listener.
func ACME(o ACMEOptions) *Certificates {
	if o.CA == "" {
		o.CA = certmagic.LetsEncryptProductionCA
	}
	logger := zap.New(zapToZerolog{o.Log})
	var config *certmagic.Config
	cache := certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return config, nil },
		Logger:           logger,
	})
	config = certmagic.New(cache, certmagic.Config{
		Storage: &certmagic.FileStorage{Path: o.Dir},
		Logger:  logger,
	})
	issuer := certmagic.NewACMEIssuer(config, certmagic.ACMEIssuer{
		CA: o.CA, Email: o.Email, Agreed: true, TrustedRoots: o.Roots,
		DisableDistributedSolvers: true, // this program is alone
		Logger:                    logger,
	})
	config.Issuers = []certmagic.Issuer{issuer}
	served := config.TLSConfig()
	served.MinVersion = tls.VersionTLS12
	return &Certificates{
		config:    served,
		solve:     issuer.HTTPChallengeHandler,
		serveFrom: func(httpPort, tlsPort int) { answerFrom(issuer, httpPort, tlsPort) },
		keep: func(ctx context.Context) error {
			defer cache.Stop()
			if err := config.ManageAsync(ctx, []string{o.Domain}); err != nil {
				return fmt.Errorf("http.acme.domain: %w", err)
			}
			<-ctx.Done()
			return nil
		},
	}
}

// answerFrom makes certmagic rely on our listeners: on any other port it would
// open one of its own. Without a plain listener (port 0) there is no HTTP-01.
func answerFrom(issuer *certmagic.ACMEIssuer, httpPort, tlsPort int) {
	issuer.AltHTTPPort, issuer.AltTLSALPNPort = httpPort, tlsPort
	issuer.DisableHTTPChallenge = httpPort == 0
}

// zapToZerolog hands certmagic's log lines to zerolog. What it calls news is
// chatter to everybody else.
type zapToZerolog struct{ log zerolog.Logger }

// Enabled says whether lines of a level are wanted.
func (z zapToZerolog) Enabled(l zapcore.Level) bool { return z.log.GetLevel() <= zerologLevel(l) }

// With returns a core whose lines carry the fields.
func (z zapToZerolog) With(fields []zapcore.Field) zapcore.Core {
	return zapToZerolog{z.log.With().Fields(fieldMap(fields)).Logger()}
}

// Check adds the core to a line that it wants.
func (z zapToZerolog) Check(e zapcore.Entry, c *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if z.Enabled(e.Level) {
		return c.AddCore(e, z)
	}
	return c
}

// Write writes a line.
func (z zapToZerolog) Write(e zapcore.Entry, fields []zapcore.Field) error {
	z.log.WithLevel(zerologLevel(e.Level)).Fields(fieldMap(fields)).Msg("acme: " + e.Message)
	return nil
}

// Sync has nothing to do: zerolog does not buffer.
func (z zapToZerolog) Sync() error { return nil }

func zerologLevel(l zapcore.Level) zerolog.Level {
	switch {
	case l >= zapcore.ErrorLevel:
		return zerolog.ErrorLevel
	case l == zapcore.WarnLevel:
		return zerolog.WarnLevel
	}
	return zerolog.DebugLevel
}

func fieldMap(fields []zapcore.Field) map[string]any {
	enc := zapcore.NewMapObjectEncoder()
	for _, f := range fields {
		f.AddTo(enc)
	}
	return enc.Fields
}
