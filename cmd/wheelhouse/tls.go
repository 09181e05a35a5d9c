package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/rs/zerolog"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/config"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/mqtt"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/web"
)

// serverCertificates is where the webhook's TLS listener has its certificate
// from, nil for no such listener.
func serverCertificates(cfg *config.Config, log zerolog.Logger) (*web.Certificates, error) {
	switch h := cfg.HTTP; {
	case !h.HasTLS():
		return nil, nil
	case h.TLS.Cert != "":
		return web.Files(h.TLS.Cert, h.TLS.Key, log)
	default:
		return web.ACME(web.ACMEOptions{
			Domain: h.ACME.Domain, Email: h.ACME.Email, Dir: filepath.Join(cfg.StateDir, "acme"), Log: log,
		}), nil
	}
}

// brokerEndpoints are the addresses that the embedded broker listens at.
func brokerEndpoints(b config.Broker, log zerolog.Logger) ([]mqtt.Endpoint, error) {
	var endpoints []mqtt.Endpoint
	if b.Listen != "" {
		endpoints = append(endpoints, mqtt.Endpoint{Address: b.Listen})
	}
	if b.WebSocket.Listen != "" {
		endpoints = append(endpoints, mqtt.Endpoint{Address: b.WebSocket.Listen, WebSocket: true})
	}
	if b.TLS.Cert != "" && b.TLS.Listen != "" {
		certificates, err := web.Files(b.TLS.Cert, b.TLS.Key, log)
		if err != nil {
			return nil, err
		}
		endpoints = append(endpoints, mqtt.Endpoint{Address: b.TLS.Listen, TLS: certificates.Config()})
	}
	return endpoints, nil
}

// brokerUsers are the configured users, and home.
func brokerUsers(users map[string]config.User, secrets credentials) []mqtt.User {
	out := []mqtt.User{{Name: homeUser, Password: secrets.HomePassword, ReadOnly: users[homeUser].ReadOnly}}
	for _, name := range slices.Sorted(maps.Keys(users)) {
		if name == homeUser {
			continue
		}
		u := mqtt.User{Name: name, Password: users[name].Password.Reveal(), ReadOnly: users[name].ReadOnly}
		for _, id := range users[name].Cars {
			u.Cars = append(u.Cars, car.ID(id))
		}
		out = append(out, u)
	}
	return out
}

// clientTLS is how an external broker is trusted, nil for the system's way.
func clientTLS(m config.MQTT) (*tls.Config, error) {
	if m.CAFile == "" && m.CertFile == "" {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if m.CAFile != "" {
		pem, err := os.ReadFile(m.CAFile)
		if err != nil {
			return nil, fmt.Errorf("mqtt.ca_file: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("mqtt.ca_file: %s holds no PEM certificate", m.CAFile)
		}
	}
	if m.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(m.CertFile, m.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("mqtt.cert_file: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
