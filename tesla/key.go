package tesla

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strings"
)

// KeyPath is where Tesla looks for an application's public key, on its domain
// (developer.tesla.com, "partner endpoints").
const KeyPath = "/.well-known/appspecific/com.tesla.3p.public-key.pem"

const maxKey = 64 << 10 // bytes of a served key that are read

// NewKey makes a key pair for a car: P-256, what Tesla asks for.
func NewKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

// WriteKey writes a private key to a new file that only its owner may read. A file
// that is there is never overwritten: its key may be on cars.
func WriteKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return fmt.Errorf("the key cannot be written: %w", err)
	}
	err = writeNew(path, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already and may be on your cars: it is not overwritten: %w", path, err)
	}
	if err != nil {
		return fmt.Errorf("the key cannot be written: %w", err)
	}
	return nil
}

// ReadKey reads a private key that WriteKey, openssl or tesla-keygen wrote.
func ReadKey(path string) (*ecdsa.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the car key cannot be read: %w", err)
	}
	key, err := ParseKey(text)
	if err != nil {
		return nil, fmt.Errorf("the car key in %s: %w", path, err)
	}
	return key, nil
}

// ParseKey reads a private key in PEM: as SEC 1 ("EC PRIVATE KEY") or PKCS #8.
func ParseKey(text []byte) (*ecdsa.PrivateKey, error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch {
		case block.Type == "EC PRIVATE KEY" && block.Headers["DEK-Info"] == "":
			key, err := x509.ParseECPrivateKey(block.Bytes)
			return checkCurve(key, err)
		case block.Type == "PRIVATE KEY":
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			ec, _ := key.(*ecdsa.PrivateKey)
			return checkCurve(ec, err)
		case strings.Contains(block.Type, "ENCRYPTED") || block.Headers["DEK-Info"] != "":
			return nil, errors.New("it has a password: take that off with `openssl pkey`")
		case block.Type == "PUBLIC KEY":
			return nil, errors.New("that is the public key: the private one is needed")
		}
	}
	return nil, errors.New("there is no private key in PEM: make one with `wheelhouse tesla keygen`")
}

func checkCurve(key *ecdsa.PrivateKey, err error) (*ecdsa.PrivateKey, error) {
	if err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	if key == nil || key.Curve != elliptic.P256() {
		return nil, errors.New("it is not of the curve P-256: make one with `wheelhouse tesla keygen`")
	}
	return key, nil
}

// PublicPEM is a public key as Tesla wants it served.
func PublicPEM(key *ecdsa.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("the public key cannot be written: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// PublicHex is a public key as Tesla tells it: the uncompressed point, 130
// hexadecimal digits that begin with 04.
func PublicHex(key *ecdsa.PublicKey) (string, error) {
	point, err := key.Bytes()
	return hex.EncodeToString(point), err
}

// KeyHandler serves a public key in PEM, at KeyPath.
func KeyHandler(public []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "GET only", http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("Content-Type", "application/x-pem-file")
		w.Header().Set("Cache-Control", "no-cache") // a new key is to be seen at once
		_, _ = w.Write(public)
	})
}

// CheckServed looks at the public key as Tesla does, by https from the domain, and
// explains what is wrong. A nil client is one of its own.
func CheckServed(ctx context.Context, client *http.Client, domain string, want *ecdsa.PublicKey) error {
	domain, err := CleanDomain(domain)
	if err != nil {
		return err
	}
	address := "https://" + domain + KeyPath
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("the domain %s: %w", domain, err)
	}
	response, err := strictClient(client).Do(request)
	if err != nil {
		return notReached(address, domain, err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxKey))
	if err != nil {
		return fmt.Errorf("%s breaks off: %w", address, err)
	}
	if err := served(response, body, want); err != nil {
		return fmt.Errorf("%s %w", address, err)
	}
	return nil
}

// notReached explains why an address does not answer.
func notReached(address, domain string, err error) error {
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &name):
		return fmt.Errorf("%s has no address: make a DNS record for it, or check tesla.domain (%w)", domain, err)
	case errors.As(err, &certificate):
		return fmt.Errorf("%s has no certificate that others trust: get one, from Let's Encrypt for example (%w)",
			domain, err)
	}
	return fmt.Errorf("%s does not answer: it must be reached from the internet, at port 443 (%w)", address, err)
}

// served explains what is wrong with an answer.
func served(r *http.Response, body []byte, want *ecdsa.PublicKey) error {
	switch {
	case r.StatusCode >= 300 && r.StatusCode < 400:
		return fmt.Errorf("sends elsewhere (%d to %.100q): serve the key right there", r.StatusCode,
			r.Header.Get("Location"))
	case r.StatusCode == http.StatusNotFound:
		return errors.New("is not there (404): pass this path on to Wheelhouse, or put the file there")
	case r.StatusCode == http.StatusUnauthorized || r.StatusCode == http.StatusForbidden:
		return fmt.Errorf("is not public (%d): let this one path through without a password", r.StatusCode)
	case r.StatusCode != http.StatusOK:
		return fmt.Errorf("answers %d: look at the web server in front", r.StatusCode)
	}
	block, _ := pem.Decode(body)
	if block == nil {
		if strings.HasPrefix(http.DetectContentType(body), "text/html") {
			return errors.New("is a web page: pass this path on to Wheelhouse instead")
		}
		return errors.New("is no key in PEM: it must begin with -----BEGIN PUBLIC KEY-----")
	}
	if strings.Contains(block.Type, "PRIVATE") {
		return errors.New("shows the PRIVATE key to everybody: take it away, and make a new pair with " +
			"`wheelhouse tesla keygen`")
	}
	got, err := x509.ParsePKIXPublicKey(block.Bytes)
	if key, ok := got.(*ecdsa.PublicKey); err != nil || !ok || key.Curve != elliptic.P256() {
		return errors.New("is no public key of the curve P-256")
	} else if !key.Equal(want) {
		return errors.New("is another key than the one this program signs with: serve that one " +
			"(`wheelhouse tesla serve-key` prints it)")
	}
	return nil
}

// CleanDomain makes a domain of what people write for one: https://House.example.org/.
func CleanDomain(text string) (string, error) {
	d := strings.ToLower(strings.TrimSpace(text))
	d = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(d, "https://"), "http://"), "/")
	bad := strings.Trim(d, "abcdefghijklmnopqrstuvwxyz0123456789-.")
	if d == "" || bad != "" || !strings.Contains(strings.Trim(d, "."), ".") || net.ParseIP(d) != nil {
		return "", fmt.Errorf("tesla.domain %q is no public host name: it looks like house.example.org, "+
			"without a port or a path", text)
	}
	return d, nil
}
