//go:build proxies

package packaging_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/carstats/sim"
)

// proxyHost is the name in the files that people copy.
const proxyHost = "car.example.org"

// simulated is a car that comes by this way.
func (p passage) simulated(t *testing.T, o sim.Options) *sim.Car {
	t.Helper()
	o.URL, o.User, o.Password = "https://"+proxyHost+"/csv/"+p.car, p.car, proxyPassword
	o.Client, o.Seed = p.client(t), 1
	car, err := sim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return car
}

// client finds the public name at the proxy's door, comes from a stranger's address
// and trusts the test's authority alone. It speaks HTTP/1.1, as the app does.
func (p passage) client(t *testing.T) *http.Client {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(stranger)}}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, p.door)
		},
		TLSClientConfig: &tls.Config{RootCAs: p.keys.roots},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// ask makes a request with the right password, unless a change says otherwise.
func (p passage) ask(
	t *testing.T, method, path string, body io.Reader, changes ...func(*http.Request),
) (status int, answer string) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), method, "https://"+proxyHost+path, body)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	q.SetBasicAuth("polestar", proxyPassword)
	for _, change := range changes {
		change(q)
	}
	a, err := p.client(t).Do(q)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		t.Error(err)
	}
	return a.StatusCode, string(text)
}

func length[N int | int64](n N) func(*http.Request) {
	return func(q *http.Request) { q.ContentLength = int64(n) }
}

// readerFunc is a reader that does something when its turn comes.
type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// endless is one byte again and again.
type endless byte

func (e endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(e)
	}
	return len(b), nil
}

// keys are a certificate for the public name, and who vouches for it.
type keys struct {
	cert, key string // PEM files
	roots     *x509.CertPool
}

func makeKeys(t *testing.T) *keys {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: proxyHost}, DNSNames: []string{proxyHost},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, about, about, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	k := &keys{
		cert: filepath.Join(t.TempDir(), "cert.pem"), key: filepath.Join(t.TempDir(), "key.pem"),
		roots: x509.NewCertPool(),
	}
	certText := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	k.roots.AppendCertsFromPEM(certText)
	if err := os.WriteFile(k.cert, certText, 0o600); err != nil {
		t.Fatal(err)
	}
	keyText := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	if err := os.WriteFile(k.key, keyText, 0o600); err != nil {
		t.Fatal(err)
	}
	return k
}
