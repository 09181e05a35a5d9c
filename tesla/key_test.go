package tesla_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wheelhouse-mqtt/wheelhouse/tesla"
)

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := tesla.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func public(t testing.TB, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	text, err := tesla.PublicPEM(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func encode(kind string, der []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func TestKeyFile(t *testing.T) {
	path, key := filepath.Join(t.TempDir(), "car.key"), newKey(t)
	if err := tesla.WriteKey(path, key); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
	if err := tesla.WriteKey(path, newKey(t)); !errors.Is(err, fs.ErrExist) ||
		!strings.Contains(err.Error(), "on your cars") {
		t.Fatalf("overwritten: %v", err)
	}
	got, err := tesla.ReadKey(path)
	if err != nil || !got.Equal(key) {
		t.Fatal(err)
	}
	if _, err := tesla.ReadKey(path + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	point, err := tesla.PublicHex(&key.PublicKey)
	if err != nil || len(point) != 130 || !strings.HasPrefix(point, "04") {
		t.Fatalf("%s, %v", point, err)
	}
}

func TestParseKey(t *testing.T) {
	key := newKey(t)
	wide, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err1 := x509.MarshalECPrivateKey(key)
	pkcs8, err8 := x509.MarshalPKCS8PrivateKey(key)
	// What `openssl ecparam -genkey` writes in front of the key.
	parameters := "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
	for name, text := range map[string][]byte{
		"SEC 1":   encode("EC PRIVATE KEY", sec1, err1),
		"PKCS #8": encode("PRIVATE KEY", pkcs8, err8),
		"openssl": append([]byte(parameters), encode("EC PRIVATE KEY", sec1, err1)...),
	} {
		if got, err := tesla.ParseKey(text); err != nil || !got.Equal(key) {
			t.Errorf("%s: %v", name, err)
		}
	}
	wide1, err1 := x509.MarshalECPrivateKey(wide)
	wide8, err8 := x509.MarshalPKCS8PrivateKey(wide)
	for want, text := range map[string][]byte{
		"no private key in PEM": []byte("hello"),
		"public key":            public(t, key),
		"damaged":               encode("EC PRIVATE KEY", sec1[1:], nil),
		"P-256: ":               encode("EC PRIVATE KEY", wide1, err1),
		"P-256":                 encode("PRIVATE KEY", wide8, err8),
		"password":              encode("ENCRYPTED PRIVATE KEY", pkcs8, nil),
		"openssl pkey": pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1,
			Headers: map[string]string{"DEK-Info": "AES-128-CBC,00"}}),
	} {
		if _, err := tesla.ParseKey(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// onTheInternet is a client that reaches h as bridge.example.org, with a trusted
// certificate or without.
func onTheInternet(t testing.TB, h http.Handler, trusted bool) *http.Client {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = nil
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	if trusted {
		roots.AddCert(s.Certificate())
	}
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "example.com"},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, s.Listener.Addr().String())
		},
	}}
}

func TestCheckServed(t *testing.T) {
	key := newKey(t)
	ours := tesla.KeyHandler(public(t, key))
	status := func(code int, location string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(code)
		}
	}
	text := func(body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }
	}
	sec1, err := x509.MarshalECPrivateKey(key)
	for name, tt := range map[string]struct {
		h    http.Handler
		want string
	}{
		"ours":       {ours, ""},
		"redirect":   {status(301, "https://www.a.b/"), "sends elsewhere (301 to \"https://www.a.b/\")"},
		"not there":  {http.NotFoundHandler(), "404"},
		"password":   {status(401, ""), "without a password"},
		"forbidden":  {status(403, ""), "without a password"},
		"gateway":    {status(502, ""), "502"},
		"page":       {text([]byte("<!doctype html><html>hello")), "web page"},
		"no key":     {text([]byte("hello")), "no key in PEM"},
		"empty":      {text(nil), "no key in PEM"},
		"other key":  {tesla.KeyHandler(public(t, newKey(t))), "another key"},
		"no P-256":   {text(encode("PUBLIC KEY", []byte("x"), nil)), "P-256"},
		"private":    {text(encode("EC PRIVATE KEY", sec1, err)), "PRIVATE"},
		"breaks off": {http.HandlerFunc(abort), "does not answer"},
	} {
		mux := http.NewServeMux()
		mux.Handle(tesla.KeyPath, tt.h)
		err := tesla.CheckServed(t.Context(), onTheInternet(t, mux, true), domain, &key.PublicKey)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	err = tesla.CheckServed(t.Context(), onTheInternet(t, ours, false), domain, &key.PublicKey)
	if err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("certificate: %v", err)
	}
	noName := func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
	}
	nowhere := &http.Client{Transport: &http.Transport{DialContext: noName}}
	err = tesla.CheckServed(t.Context(), nowhere, domain, &key.PublicKey)
	if err == nil || !strings.Contains(err.Error(), "DNS record") {
		t.Errorf("no name: %v", err)
	}
	if err := tesla.CheckServed(t.Context(), nil, "localhost", &key.PublicKey); err == nil {
		t.Error("localhost is a domain")
	}
}

func abort(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func TestKeyHandler(t *testing.T) {
	h := tesla.KeyHandler([]byte("key"))
	for method, want := range map[string]int{"GET": 200, "HEAD": 200, "POST": 405, "DELETE": 405} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, tesla.KeyPath, nil))
		if w.Code != want {
			t.Errorf("%s: %d", method, w.Code)
		}
	}
}

func TestCleanDomain(t *testing.T) {
	for text, want := range map[string]string{
		"bridge.example.org":            "bridge.example.org",
		" https://Bridge.Example.org/ ": "bridge.example.org",
		"http://a.b":                    "a.b",
		"":                              "",
		"localhost":                     "",
		"bridge.example.org:8443":       "",
		"bridge.example.org/path":       "",
		"192.0.2.1":                     "",
		"a b.org":                       "",
		"[::1]":                         "",
	} {
		got, err := tesla.CleanDomain(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}
