package web

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// pairOnDisk is a self-signed certificate, its key, and who trusts it.
type pairOnDisk struct {
	cert, key string
	roots     *x509.CertPool
}

// writePair makes a certificate for a name and writes it over the last one.
func writePair(t *testing.T, dir, name string) pairOnDisk {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Unix(0, 0), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	p := pairOnDisk{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), x509.NewCertPool()}
	p.roots.AddCert(cert)
	replace(t, p.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	replace(t, p.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
	return p
}

// replace writes a file and gives it the test's time, which may be a fake one.
func replace(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
}

func TestFilesReload(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		pair := writePair(t, dir, "one")
		certs, err := Files(pair.cert, pair.key, zerolog.New(&log))
		if err != nil {
			t.Fatal(err)
		}
		serves := func(after time.Duration, want string) {
			t.Helper()
			<-time.After(after)
			got, err := certs.Config().GetCertificate(nil)
			if err != nil || got.Leaf.Subject.CommonName != want {
				t.Errorf("serves %v, %v; want %s", got.Leaf.Subject.CommonName, err, want)
			}
		}
		serves(0, "one")
		<-time.After(500 * time.Millisecond)
		writePair(t, dir, "two")
		serves(499*time.Millisecond, "one") // looked at less than a second ago
		serves(time.Millisecond, "two")

		replace(t, pair.key, []byte("broken"))
		serves(time.Second, "two")
		serves(time.Second, "two")
		if n := strings.Count(log.String(), "serving the old one"); n != 1 {
			t.Errorf("a broken pair is told %d times, want once", n)
		}
		if err := os.Remove(pair.cert); err != nil {
			t.Fatal(err)
		}
		serves(time.Second, "two")

		writePair(t, dir, "three")
		serves(time.Second, "three")
		if n := strings.Count(log.String(), "certificate loaded"); n != 2 {
			t.Errorf("a new pair is told %d times, want twice", n)
		}
	})
}

func TestFilesAtStart(t *testing.T) {
	dir := t.TempDir()
	pair := writePair(t, dir, "one")
	replace(t, pair.key, []byte("broken"))
	_, err := Files(pair.cert, pair.key, zerolog.Nop())
	if err == nil || !strings.Contains(err.Error(), pair.key) {
		t.Errorf("a broken pair is no start: %v", err)
	}
}
