//go:build mosquitto

// These tests start Debian's mosquitto: go test -tags mosquitto ./internal/mqtt

package mqtt_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/mqtt"
)

// mosquitto is a mosquitto that can be killed and started again.
type mosquitto struct {
	t    testing.TB
	dir  string
	port int
	cmd  *exec.Cmd
}

// newMosquitto starts one with a configuration. $PORT in it is a free port, $DIR
// a directory.
func newMosquitto(t testing.TB, conf string) *mosquitto {
	t.Helper()
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		path = "/usr/sbin/mosquitto"
	}
	if _, err := os.Stat(path); err != nil {
		t.Skip("no mosquitto here")
	}
	m := &mosquitto{t: t, dir: t.TempDir(), port: freePort(t)}
	conf = strings.NewReplacer("$PORT", fmt.Sprint(m.port), "$DIR", m.dir).Replace(conf)
	if os.Getuid() == 0 {
		conf += "user root\n"
	}
	if err := os.WriteFile(m.file("conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	m.cmd = exec.Command(path, "-c", m.file("conf"))
	m.start()
	t.Cleanup(m.kill)
	return m
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func (m *mosquitto) file(name string) string { return filepath.Join(m.dir, name) }

func (m *mosquitto) address() string { return fmt.Sprintf("127.0.0.1:%d", m.port) }

func (m *mosquitto) dial() (net.Conn, error) { return net.Dial("tcp", m.address()) }

// start starts it and waits until it listens.
func (m *mosquitto) start() {
	m.t.Helper()
	m.cmd = exec.Command(m.cmd.Path, m.cmd.Args[1:]...)
	m.cmd.Stderr = m.t.Output()
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	await(m.t, "mosquitto listens", func() bool {
		c, err := net.Dial("tcp", m.address())
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// kill ends it without a chance to say goodbye.
func (m *mosquitto) kill() {
	_ = m.cmd.Process.Kill()
	_ = m.cmd.Wait()
}

const (
	plainly = "listener $PORT 127.0.0.1\nallow_anonymous true\n"
	keeping = "persistence true\npersistence_location $DIR/\n" +
		"autosave_on_changes true\nautosave_interval 100\n"
)

func TestMosquittoKilled(t *testing.T) {
	for _, keeps := range []bool{true, false} {
		t.Run(fmt.Sprint("data kept ", keeps), func(t *testing.T) {
			m := newMosquitto(t, plainly+keeping)
			c, _ := startClient(t, mqtt.ClientOptions{
				URL: "mqtt://" + m.address(), Status: status, Log: logger(t)})
			const topics = 500
			for i := range topics {
				c.Publish(retained(fmt.Sprint("wheelhouse/a/", i), "1"))
			}
			drained(t, c)
			m.kill()
			if !keeps {
				_ = os.Remove(m.file("mosquitto.db"))
			}
			await(t, "the loss is noticed", func() bool { return !c.Stats().Connected })
			c.Publish(retained("wheelhouse/a/0", "2"))
			m.start()
			start := time.Now()
			await(t, "connected again", func() bool { return c.Stats().Connected })
			drained(t, c)
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("everything back after %v", d)
			}
			p := newPeer(t, peerOptions{dial: m.dial})
			p.subscribe(t, "wheelhouse/#")
			got := make(map[string]bool)
			for range topics + 1 {
				got[p.next(t)] = true
			}
			if !got["wheelhouse/status online +r"] || !got["wheelhouse/a/0 2 +r"] || len(got) != topics+1 {
				t.Errorf("%d messages, status %v", len(got), got["wheelhouse/status online +r"])
			}
		})
	}
}

// TestMosquittoWill: our death is told after ten seconds, a short absence not.
func TestMosquittoWill(t *testing.T) {
	m := newMosquitto(t, plainly)
	o := newPeer(t, peerOptions{dial: m.dial})
	o.subscribe(t, status)
	line := &mortal{dial: tcpDialer(m.address())}
	c, _ := startClient(t, mqtt.ClientOptions{Dial: line.Dial, Status: status})
	drained(t, c)
	line.cut(false)
	o.expect(t, status+" online", status+" online")
	start := time.Now()
	line.cut(true)
	select {
	case p := <-o.got:
		if d := time.Since(start); show(p) != status+" offline" || d < 9*time.Second {
			t.Errorf("%s after %v", show(p), d)
		}
	case <-time.After(15 * time.Second):
		t.Error("no will")
	}
}

func TestMosquittoTransports(t *testing.T) {
	ca := newAuthority(t)
	dir := t.TempDir()
	caFile, _ := write(t, dir, "ca",
		tls.Certificate{Certificate: [][]byte{ca.cert.Raw}, PrivateKey: ca.key})
	cert, key := write(t, dir, "server", ca.server())
	passwords := filepath.Join(dir, "passwords")
	passwd := exec.Command("mosquitto_passwd", "-b", "-c", passwords, home.Name, home.Password)
	if out, err := passwd.CombinedOutput(); err != nil {
		t.Skipf("mosquitto_passwd: %v %s", err, out)
	}
	if os.Getuid() == 0 {
		_ = os.Chmod(passwords, 0o600)
	}
	login := "allow_anonymous false\npassword_file " + passwords + "\n"
	pair := fmt.Sprintf("cafile %s\ncertfile %s\nkeyfile %s\n", caFile, cert, key)
	trust := &tls.Config{RootCAs: ca.pool}
	known := &tls.Config{RootCAs: ca.pool, Certificates: []tls.Certificate{ca.client()}}
	for name, c := range map[string]struct {
		scheme, conf string
		tls          *tls.Config
		password     string
		want         string // of LastError; "" for a round trip
	}{
		"plain":                 {"mqtt", login, nil, home.Password, ""},
		"wrong password":        {"mqtt", login, nil, "wrong", "mqtt.password"},
		"TLS":                   {"mqtts", login + pair, trust, home.Password, ""},
		"TLS by a stranger":     {"mqtts", login + pair, nil, home.Password, "mqtt.ca_file"},
		"WebSocket":             {"ws", login + "protocol websockets\n", nil, home.Password, ""},
		"WebSocket with TLS":    {"wss", login + pair + "protocol websockets\n", trust, home.Password, ""},
		"client certificate":    {"mqtts", pair + "require_certificate true\nuse_identity_as_username true\n", known, "", ""},
		"no client certificate": {"mqtts", pair + "require_certificate true\n", trust, "", "mqtt.cert_file"},
		"TLS where none is":     {"mqtts", login, trust, home.Password, "hung up"},
	} {
		t.Run(name, func(t *testing.T) {
			conf := "listener $PORT 127.0.0.1\n" + c.conf
			if strings.Contains(conf, "websockets") { // this mosquitto does not start with WebSockets alone
				conf += fmt.Sprintf("listener %d 127.0.0.1\n", freePort(t))
			}
			m := newMosquitto(t, conf)
			o := mqtt.ClientOptions{URL: c.scheme + "://" + m.address(), TLS: c.tls, Log: logger(t)}
			if c.password != "" {
				o.User, o.Password = home.Name, c.password
			}
			if c.want == "" {
				roundTrip(t, o)
				return
			}
			client, _ := startClient(t, o)
			await(t, c.want, func() bool { return strings.Contains(client.Stats().LastError, c.want) })
		})
	}
}

// TestMosquittoQuickAck: mosquitto, with Nagle's algorithm on, keeps back the next
// order until its last acknowledgement has been acknowledged, which the kernel
// would put off for 40 ms.
func TestMosquittoQuickAck(t *testing.T) {
	m := newMosquitto(t, plainly)
	var c *mqtt.Client
	begin := make(chan struct{})
	c, _ = startClient(t, mqtt.ClientOptions{
		URL: "mqtt://" + m.address(), Status: status, Filters: []mqtt.Filter{{Topic: "order"}},
		OnMessage: func(in mqtt.Inbound) {
			<-begin
			c.Publish(car.Message{Topic: "result", Payload: string(in.Payload)})
		}})
	close(begin)
	drained(t, c)
	p := newPeer(t, peerOptions{dial: func() (net.Conn, error) { // it has the same trouble
		conn, err := m.dial()
		return mqtt.QuickAck(conn), err
	}})
	p.subscribe(t, "result")
	took := make([]time.Duration, 100)
	for i := range took {
		start := time.Now()
		p.publish(t, car.Message{Topic: "order", Payload: fmt.Sprint(i)})
		p.expect(t, fmt.Sprint("result ", i))
		took[i] = time.Since(start)
	}
	if p50 := median(took); p50 > 10*time.Millisecond {
		t.Errorf("half of the round trips took over %v", p50)
	}
}

// BenchmarkMosquitto measures retained QoS 1 messages from the outbox through
// mosquitto to a subscriber.
func BenchmarkMosquitto(b *testing.B) {
	m := newMosquitto(b, plainly+"max_queued_messages 0\n")
	count := countAll(b, m.dial)
	client, _ := startClient(b, mqtt.ClientOptions{URL: "mqtt://" + m.address(), Status: status})
	b.Run("outbox", func(b *testing.B) { benchOutbox(b, client, count) })
	b.Run("bare paho", func(b *testing.B) { benchPaho(b, m.dial, count) })
}

func tcpDialer(address string) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// client is a certificate for a client.
func (a *authority) client() tls.Certificate {
	return a.sign(&x509.Certificate{
		Subject:     pkix.Name{CommonName: "wheelhouse"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
}

// write writes a pair as PEM files.
func write(t testing.TB, dir, name string, c tls.Certificate) (cert, key string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]*pem.Block{
		name + ".crt": {Type: "CERTIFICATE", Bytes: c.Certificate[0]},
		name + ".key": {Type: "PRIVATE KEY", Bytes: der},
	}
	for name, block := range files {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
}

func logger(t testing.TB) zerolog.Logger { return zerolog.New(zerolog.NewTestWriter(t)) }
