//go:build mosquitto

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority signs certificates for tests and writes them where programs find
// them.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.cert, a.key = a.sign("ca")
	return a
}

// sign makes a certificate of that name, and the files NAME.pem and NAME.key.
func (a *authority) sign(name string) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	of := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	by, with := a.cert, a.key
	if by == nil {
		of.IsCA, of.BasicConstraintsValid, of.KeyUsage = true, true, x509.KeyUsageCertSign
		by, with = of, key
	}
	der, err := x509.CreateCertificate(rand.Reader, of, by, &key.PublicKey, with)
	if err != nil {
		a.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(name+".pem", "CERTIFICATE", der)
	a.write(name+".key", "PRIVATE KEY", secret)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

func (a *authority) write(name, kind string, der []byte) {
	block := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	if err := os.WriteFile(a.file(name), block, 0o600); err != nil {
		a.t.Fatal(err)
	}
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// A broker that wants TLS and a certificate gets both; who has none is told
// which setting would help.
func TestClientCertificate(t *testing.T) {
	ca := newAuthority(t)
	ca.sign("server")
	ca.sign("wheelhouse")
	m := newRealBroker(t, strings.ReplaceAll("require_certificate true\nuse_identity_as_username true\n"+
		"cafile $CA/ca.pem\ncertfile $CA/server.pem\nkeyfile $CA/server.key\n", "$CA", ca.dir))
	url := "MQTT__URL=mqtts://" + m.address()

	h := newHouse(t, m, url, "MQTT__USER=", "MQTT__PASSWORD=", "MQTT__CA_FILE="+ca.file("ca.pem"),
		"MQTT__CERT_FILE="+ca.file("wheelhouse.pem"), "MQTT__KEY_FILE="+ca.file("wheelhouse.key"))
	started(t, h)
	drive(t, h, "polestar", 0, 0.81)
	pair, err := tls.LoadX509KeyPair(ca.file("wheelhouse.pem"), ca.file("wheelhouse.key"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	p := join(t, login{address: m.address(), tls: &tls.Config{
		RootCAs: roots, Certificates: []tls.Certificate{pair},
	}})
	expect(t, p, "a value over TLS", holds(p, battery, "81"))

	stranger := newHouse(t, m, url, "MQTT__USER=", "MQTT__PASSWORD=", "MQTT__CA_FILE="+ca.file("ca.pem"))
	started(t, stranger)
	says(t, stranger, "mqtt.cert_file")
}
