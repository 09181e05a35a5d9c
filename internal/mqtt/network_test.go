package mqtt_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/internal/mqtt"
)

// authority is a certificate authority of our own.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{t: t, pool: x509.NewCertPool()}
	pair := a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	})
	a.cert, a.key = pair.Leaf, pair.PrivateKey.(*ecdsa.PrivateKey)
	a.pool.AddCert(a.cert)
	return a
}

// sign makes a certificate, signed by itself for the authority.
func (a *authority) sign(c *x509.Certificate) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		a.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// server is a certificate for loopback.
func (a *authority) server() tls.Certificate {
	return a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "broker"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
}

// roundTrip lets a client publish and hear its own message.
func roundTrip(t testing.TB, o mqtt.ClientOptions) {
	t.Helper()
	heard := make(chan string, 10)
	o.Status, o.Filters = status, []mqtt.Filter{{Topic: "echo/#"}}
	o.OnMessage = func(m mqtt.Inbound) { heard <- m.Topic + " " + string(m.Payload) }
	c, _ := startClient(t, o)
	drained(t, c)
	c.Publish(retained("echo/large", strings.Repeat("x", 100_000)))
	select {
	case got := <-heard:
		if got != "echo/large "+strings.Repeat("x", 100_000) {
			t.Errorf("heard %.20q, %d bytes", got, len(got))
		}
	case <-time.After(quick):
		t.Errorf("heard nothing: %+v", c.Stats())
	}
}

func TestEndpoints(t *testing.T) {
	ca := newAuthority(t)
	secure := &tls.Config{Certificates: []tls.Certificate{ca.server()}}
	b := startBroker(t, mqtt.BrokerOptions{Endpoints: []mqtt.Endpoint{
		{Address: "127.0.0.1:0"},
		{Address: "127.0.0.1:0", TLS: secure},
		{Address: "127.0.0.1:0", WebSocket: true},
		{Address: "127.0.0.1:0", WebSocket: true, TLS: secure},
	}})
	trust := &tls.Config{RootCAs: ca.pool}
	for i, scheme := range []string{"mqtt", "mqtts", "ws", "wss"} {
		t.Run(scheme, func(t *testing.T) {
			roundTrip(t, mqtt.ClientOptions{
				URL: scheme + "://" + b.Addr(i).String(), User: home.Name, Password: home.Password, TLS: trust})
		})
	}
	t.Run("explained", func(t *testing.T) {
		web := httptest.NewServer(http.NotFoundHandler())
		defer web.Close()
		elsewhere := &tls.Config{RootCAs: ca.pool, ServerName: "elsewhere"}
		at := func(i int) string { return b.Addr(i).String() }
		for name, c := range map[string]struct {
			url  string
			tls  *tls.Config
			want string
		}{
			"unknown authority": {"mqtts://" + at(1), nil, "mqtt.ca_file"},
			"other host":        {"mqtts://" + at(1), elsewhere, "elsewhere"},
			"TLS where none is": {"mqtts://" + at(0), trust, "hung up"},
			"none where TLS is": {"mqtt://" + at(1), nil, "mqtts://"},
			"no WebSocket":      {strings.Replace(web.URL, "http", "ws", 1), nil, "404"},
			"nobody":            {"mqtt://127.0.0.1:1", nil, "refused"},
		} {
			t.Run(name, func(t *testing.T) {
				client, _ := startClient(t, mqtt.ClientOptions{URL: c.url, TLS: c.tls})
				await(t, c.want, func() bool { return strings.Contains(client.Stats().LastError, c.want) })
			})
		}
	})
}

// TestWebSocketStrangers: what is no WebSocket's greeting is answered or not,
// and closed.
func TestWebSocketStrangers(t *testing.T) {
	b := startBroker(t, mqtt.BrokerOptions{Endpoints: loopback(mqtt.Endpoint{WebSocket: true})})
	for _, hello := range []string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\x10\x00\x00\x00\r\n\r\n",
		"GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 70_000),
	} {
		c, err := tcp(b.Addr(0))()
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write([]byte(hello))
		hungUp(t, c, time.Second)
		_ = c.Close()
	}
}
