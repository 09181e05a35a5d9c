package web

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/rs/zerolog"
	"go.uber.org/zap"
)

// authority is a CA that speaks as much ACME (RFC 8555) as one certificate
// needs: it believes every signature, and looks at the challenge as a CA does.
type authority struct {
	*httptest.Server
	t        *testing.T
	kind     string // the only challenge offered
	validate func() error

	mu     sync.Mutex
	key    *ecdsa.PrivateKey
	cert   *x509.Certificate
	status string // of the order and all in it
	issued []byte // PEM
	calls  int
	orders int
}

const token = "tokentokentokentokentoken"

func newAuthority(t *testing.T, kind string) *authority {
	t.Helper()
	a := &authority{t: t, kind: kind, status: "pending"}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, root, root, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.Server = httptest.NewTLSServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.Close)
	return a
}

// roots trusts the CA's own server.
func (a *authority) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.Certificate())
	return pool
}

func (a *authority) serve(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls++
	w.Header().Set("Replay-Nonce", fmt.Sprint("nonce", a.calls))
	w.Header().Set("Content-Type", "application/json")
	answer := func(status int, v any) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	}
	identifier := map[string]string{"type": "dns", "value": "car.example.org"}
	order := map[string]any{
		"status":      map[string]string{"pending": "pending", "valid": "ready", "issued": "valid"}[a.status],
		"identifiers": []any{identifier}, "authorizations": []string{a.URL + "/authz"},
		"finalize": a.URL + "/finalize", "certificate": a.URL + "/cert",
	}
	challenge := map[string]string{
		"type": a.kind, "url": a.URL + "/challenge", "token": token,
		"status": strings.Replace(a.status, "issued", "valid", 1),
	}
	switch r.URL.Path {
	case "/dir":
		answer(200, map[string]string{
			"newNonce": a.URL + "/nonce", "newAccount": a.URL + "/account",
			"newOrder": a.URL + "/order",
		})
	case "/nonce":
	case "/account":
		w.Header().Set("Location", a.URL+"/account/1")
		answer(201, map[string]string{"status": "valid"})
	case "/order":
		a.orders++
		w.Header().Set("Location", a.URL+"/order/1")
		answer(201, order)
	case "/order/1":
		answer(200, order)
	case "/authz":
		answer(200, map[string]any{
			"identifier": identifier, "status": challenge["status"], "challenges": []any{challenge},
		})
	case "/challenge":
		if err := a.validate(); err != nil {
			a.t.Errorf("challenge: %v", err)
		}
		a.status, challenge["status"] = "valid", "valid"
		answer(200, challenge)
	case "/finalize":
		a.sign(r.Body)
		a.status, order["status"] = "issued", "valid"
		answer(200, order)
	case "/cert":
		w.Header().Set("Content-Type", "application/pem-certificate-chain")
		_, _ = w.Write(a.issued)
	default:
		answer(404, map[string]string{"type": "urn:ietf:params:acme:error:malformed"})
	}
}

// sign issues what the body's certificate request asks for.
func (a *authority) sign(body io.Reader) {
	var jws struct{ Payload string }
	var payload struct{ CSR string }
	if err := json.NewDecoder(body).Decode(&jws); err != nil {
		a.t.Error(err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(jws.Payload)
	if err = errors.Join(err, json.Unmarshal(raw, &payload)); err != nil {
		a.t.Error(err)
	}
	der, _ := base64.RawURLEncoding.DecodeString(payload.CSR)
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		a.t.Error(err)
		return
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: csr.DNSNames,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	if der, err = x509.CreateCertificate(rand.Reader, leaf, a.cert, csr.PublicKey, a.key); err != nil {
		a.t.Error(err)
	}
	a.issued = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// handshake connects as a car would.
func handshake(address string, roots *x509.CertPool) error {
	conn, err := tls.Dial("tcp", address, &tls.Config{ServerName: "car.example.org", RootCAs: roots})
	if err == nil {
		err = conn.Close()
	}
	return err
}

// domain starts a server for car.example.org with a certificate from the CA.
func (a *authority) domain(t *testing.T, dir string, log io.Writer) *Server {
	t.Helper()
	s, err := New(Options{
		Listen: "127.0.0.1:0", TLSListen: "127.0.0.1:0",
		Handler: http.HandlerFunc(ok), Log: zerolog.Nop(),
		Certificates: ACME(ACMEOptions{
			Domain: "car.example.org", Dir: dir,
			CA: a.URL + "/dir", Roots: a.roots(), Log: zerolog.New(log),
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// serves waits until the server has a certificate of the CA's.
func (a *authority) serves(t *testing.T, s *Server) {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	for deadline := time.Now().Add(20 * time.Second); ; <-time.After(10 * time.Millisecond) {
		err := handshake(s.TLSAddr().String(), roots)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no certificate: %v", err)
		}
	}
}

// TestACME has a certificate issued by each challenge, then starts again: the
// certificate that was kept is served without a new order.
func TestACME(t *testing.T) {
	for kind, validate := range map[string]func(*Server) error{
		"tls-alpn-01": func(s *Server) error {
			conn, err := tls.Dial("tcp", s.TLSAddr().String(), &tls.Config{
				ServerName: "car.example.org", NextProtos: []string{"acme-tls/1"},
				InsecureSkipVerify: true, // the certificate is the answer, and nobody signed it
			})
			if err != nil {
				return err
			}
			defer func() { _ = conn.Close() }()
			state := conn.ConnectionState()
			if state.NegotiatedProtocol != "acme-tls/1" || !hasChallenge(state.PeerCertificates[0]) {
				return errors.New("no answer in the certificate")
			}
			return nil
		},
		"http-01": func(s *Server) error {
			url := "http://" + s.Addr().String() + "/.well-known/acme-challenge/" + token
			req, err := http.NewRequest(http.MethodGet, url, nil)
			if err != nil {
				return err
			}
			req.Host = "car.example.org"
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				return err
			}
			body, err := io.ReadAll(res.Body)
			if !strings.HasPrefix(string(body), token+".") {
				err = errors.Join(err, fmt.Errorf("answer %q", body))
			}
			return errors.Join(err, res.Body.Close())
		},
	} {
		t.Run(kind, func(t *testing.T) {
			dir := t.TempDir()
			a := newAuthority(t, kind)
			s := a.domain(t, dir, io.Discard)
			a.validate = func() error { return validate(s) }
			stop := run(t, s)
			a.serves(t, s)
			code, body := get(t, http.DefaultClient, "http://"+s.Addr().String()+"/")
			if code != 200 || body != "ok" {
				t.Errorf("other requests get %d %s", code, body)
			}
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			onlyOwner(t, dir)

			s = a.domain(t, dir, io.Discard)
			stop = run(t, s)
			a.serves(t, s)
			if err := stop(); err != nil || a.orders != 1 {
				t.Fatalf("%v; %d orders, want the first alone", err, a.orders)
			}
		})
	}
}

// hasChallenge looks for the extension of RFC 8737.
func hasChallenge(c *x509.Certificate) bool {
	for _, e := range c.Extensions {
		if e.Id.String() == "1.3.6.1.5.5.7.1.31" {
			return true
		}
	}
	return false
}

// onlyOwner wants files that nobody else can read: keys are among them.
func onlyOwner(t *testing.T, dir string) {
	t.Helper()
	keys := 0
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s may be read by others: %v", path, info.Mode())
		}
		if filepath.Ext(path) == ".key" {
			keys++
		}
		return err
	})
	if err != nil || keys < 2 {
		t.Errorf("%d keys are kept, want the account's and the certificate's (%v)", keys, err)
	}
}

// TestACMEFails wants the reason in the log: somebody has to act.
func TestACMEFails(t *testing.T) {
	a := newAuthority(t, "tls-alpn-01")
	logged := make(lines, 100)
	s := a.domain(t, t.TempDir(), logged)
	a.validate = func() error { return errors.New("") }
	a.status = "invalid"
	stop := run(t, s)
	for line := range logged {
		if strings.Contains(line, `"level":"error"`) && strings.Contains(line, "acme: ") {
			break
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// lines hands written lines over, and drops what nobody takes.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	select {
	case l <- string(p):
	default:
	}
	return len(p), nil
}

func TestACMEPorts(t *testing.T) {
	for name, tt := range map[string]struct {
		http, tls int
		noHTTP    bool
	}{
		"both":     {8480, 8443, false},
		"TLS only": {0, 8443, true},
	} {
		t.Run(name, func(t *testing.T) {
			var issuer certmagic.ACMEIssuer
			answerFrom(&issuer, tt.http, tt.tls)
			if issuer.AltHTTPPort != tt.http || issuer.AltTLSALPNPort != tt.tls ||
				issuer.DisableHTTPChallenge != tt.noHTTP || issuer.DisableTLSALPNChallenge {
				t.Errorf("ports %d and %d, HTTP-01 off: %v",
					issuer.AltHTTPPort, issuer.AltTLSALPNPort, issuer.DisableHTTPChallenge)
			}
		})
	}
}

func TestZapToZerolog(t *testing.T) {
	var out bytes.Buffer
	debug := zapToZerolog{zerolog.New(&out).Level(zerolog.DebugLevel)}
	logger := zap.New(debug).With(zap.String("a", "b"))
	logger.Info("chatter", zap.Int("n", 1))
	logger.Warn("careful")
	logger.Error("broken", zap.Error(errors.New("why")))
	want := `{"level":"debug","a":"b","n":1,"message":"acme: chatter"}
{"level":"warn","a":"b","message":"acme: careful"}
{"level":"error","a":"b","error":"why","message":"acme: broken"}
`
	if out.String() != want {
		t.Errorf("got %s", out.String())
	}
	quiet := zapToZerolog{zerolog.New(&out).Level(zerolog.InfoLevel)}
	if quiet.Enabled(zap.InfoLevel) || !quiet.Enabled(zap.WarnLevel) {
		t.Error("at level info, certmagic's news is not news")
	}
}
