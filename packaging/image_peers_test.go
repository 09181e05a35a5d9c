//go:build image

package packaging_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"
)

// anyPort has the program listen on ports that the system chooses.
func anyPort() []string {
	return []string{
		"WHEELHOUSE_HTTP__LISTEN=127.0.0.1:0", "WHEELHOUSE_HTTP__INGRESS=127.0.0.1:0",
		"WHEELHOUSE_OPS__LISTEN=127.0.0.1:0", "WHEELHOUSE_BROKER__LISTEN=127.0.0.1:0",
	}
}

// post is a car's report.
func post(t *testing.T, webhook, password string) {
	t.Helper()
	body, err := os.ReadFile("../carstats/testdata/live-2.1.json")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + webhook + "/csv/polestar"
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	q.SetBasicAuth("car", password)
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusOK {
		t.Fatalf("the webhook says %s", a.Status)
	}
}

// startMosquitto runs compose.yaml's service until the test ends, with folders and a port of ours.
func startMosquitto(t *testing.T, s composeService) (address string) {
	t.Helper()
	address = unusedAddress(t)
	_, port, _ := net.SplitHostPort(address)
	dir, err := os.MkdirTemp("", "mosquitto") // mosquitto's own user can enter it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	here := strings.NewReplacer("/mosquitto/", dir+"/", "listener 1883", "listener "+port+" 127.0.0.1")
	conf, err := os.ReadFile("container/mosquitto.conf")
	place := filepath.Join(dir, "config", "mosquitto.conf")
	for _, err := range []error{
		err, os.Chmod(dir, 0o755), os.Mkdir(filepath.Dir(place), 0o755),
		os.WriteFile(place, []byte(here.Replace(string(conf))), 0o644),
		os.Mkdir(filepath.Join(dir, "data"), 0o777), os.Chmod(filepath.Join(dir, "data"), 0o777),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, arg := range s.Command {
		s.Command[i] = here.Replace(arg)
	}
	c := exec.Command(s.Command[0], s.Command[1:]...)
	c.Env = append(os.Environ(), environ(s.Environment)...)
	c.Stdout, c.Stderr = t.Output(), t.Output()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	return address
}

// ear hears what a broker's user may.
type ear chan *paho.Publish

// connect is one try to get in there.
func connect(t *testing.T, address, user, password string) (ear, *paho.Client, error) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	heard := make(ear, 1000)
	take := func(p paho.PublishReceived) (bool, error) {
		heard <- p.Packet
		return true, nil
	}
	c := paho.NewClient(paho.ClientConfig{
		Conn: conn, OnPublishReceived: []func(paho.PublishReceived) (bool, error){take},
	})
	_, err = c.Connect(t.Context(), &paho.Connect{
		ClientID: "ear", CleanStart: true, KeepAlive: 30, Username: user, UsernameFlag: user != "",
		Password: []byte(password), PasswordFlag: password != "",
	})
	return heard, c, err
}

// hear subscribes to everything.
func hear(t *testing.T, address, user, password string) ear {
	t.Helper()
	heard, c, err := connect(t, address, user, password)
	if err == nil {
		_, err = c.Subscribe(t.Context(), &paho.Subscribe{
			Subscriptions: []paho.SubscribeOptions{{Topic: "#"}},
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return heard
}

// until waits for a topic, or one below it if it ends with a slash, and returns the payload.
func (e ear) until(t *testing.T, topic string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		select {
		case p := <-e:
			if p.Topic == topic || strings.HasSuffix(topic, "/") && strings.HasPrefix(p.Topic, topic) {
				return string(p.Payload)
			}
		case <-ctx.Done():
			t.Fatalf("nothing is said on %s", topic)
		}
	}
}

// unusedAddress is one that the system has chosen, for a program that must be told.
func unusedAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// secureServer is a server with a certificate of its own, that tells for each visitor whether it
// was believed.
func secureServer(t *testing.T) (address string, certificate []byte, believed <-chan error) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, about, about, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	visits := make(chan error)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			err = conn.(*tls.Conn).HandshakeContext(t.Context())
			_ = conn.Close()
			select {
			case visits <- err:
			case <-t.Context().Done():
			}
		}
	}()
	return l.Addr().String(), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), visits
}
