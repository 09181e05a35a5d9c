package main

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/mqtt"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/supervisor/supervisortest"
)

// app is the real binary as a Home Assistant app, below a fake Supervisor.
type app struct {
	program
	t          testing.TB
	supervisor *supervisortest.Fake
}

// newApp makes an app with these options, and no broker to use.
func newApp(t testing.TB, options string, env ...string) *app {
	t.Helper()
	dir := t.TempDir()
	a := &app{t: t, supervisor: supervisortest.New(t)}
	a.dir, a.out = dir, filepath.Join(dir, "stdout")
	a.env = append([]string{
		"SUPERVISOR_TOKEN=" + supervisortest.Token, "HTTP_PROXY=" + a.supervisor.URL, "NO_PROXY=",
		"WHEELHOUSE_STATE_DIR=" + dir, "WHEELHOUSE_LOG__FORMAT=json", "WHEELHOUSE_HTTP__LISTEN=127.0.0.1:0",
		"WHEELHOUSE_HTTP__INGRESS=127.0.0.1:0", "WHEELHOUSE_OPS__LISTEN=127.0.0.1:0",
		"WHEELHOUSE_BROKER__LISTEN=127.0.0.1:0",
	}, env...)
	if err := os.WriteFile(filepath.Join(dir, "options.json"), []byte(options), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.kill)
	return a
}

func (a *app) run() {
	a.t.Helper()
	if err := a.start(); err != nil {
		a.t.Fatal(err)
	}
}

// get is what a listener of the app answers: the status and the body.
func (a *app) get(listener, path string) string {
	a.t.Helper()
	r, err := http.Get("http://" + a.address(listener) + path)
	if err != nil {
		a.t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return r.Status + "\n" + string(body)
}

// says waits for a line of the log.
func (a *app) says(what string) {
	a.t.Helper()
	if err := a.said.until(regexp.MustCompile(what)); err != nil {
		a.t.Fatal(err)
	}
}

// tells wants each text in what somebody was told.
func tells(t testing.TB, told string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(told, w) {
			t.Errorf("no word of %q in\n%s", w, told)
		}
	}
}

// brokerApp is another app: a broker that the Supervisor can tell of.
type brokerApp struct {
	login
	t   testing.TB
	end func()
}

// newBrokerApp starts one on a free port. As with any broker but the embedded
// one, Wheelhouse is a user like others there.
func newBrokerApp(t testing.TB, user, password string, encrypted *tls.Config) *brokerApp {
	t.Helper()
	b, err := mqtt.NewBroker(mqtt.BrokerOptions{
		Endpoints: []mqtt.Endpoint{{Address: "127.0.0.1:0", TLS: encrypted}},
		Users:     []mqtt.User{{Name: user, Password: password}},
		Topics:    car.Topics{Prefix: "others"}, Discovery: "others", Log: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	g := newGroup(zerolog.Nop())
	g.start(service{"broker app", b.Run})
	a := &brokerApp{t: t, login: login{address: b.Addr(0).String(), user: user, password: password}}
	a.end = func() {
		if err := g.stop(); err != nil {
			t.Error(err)
		}
		g.services = nil
	}
	t.Cleanup(a.end)
	return a
}

// service is what the Supervisor tells of it, the port as a text.
func (b *brokerApp) service() *supervisortest.Service {
	host, port, _ := net.SplitHostPort(b.address)
	return &supervisortest.Service{Host: host, Port: port, User: b.user, Password: b.password}
}

// holds waits until a retained topic has a value there.
func (b *brokerApp) holds(topic, value string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	p, err := newPeer(ctx, b.login)
	if err != nil {
		b.t.Fatal(err)
	}
	defer p.leave()
	if err := p.until(ctx, func() bool { return p.kept[topic] == value }); err != nil {
		b.t.Fatalf("waiting for %s %s: %v; there is\n%s", topic, value, err, list(p.snapshot()))
	}
}

// The app uses the broker that the Supervisor names, and goes with it to another
// place and password.
func TestAppUsesSupervisorsBroker(t *testing.T) {
	first := newBrokerApp(t, "addons", "first-secret", nil)
	a := newApp(t, `{"public_url": "https://car.example.org", "car_password": "easy-secret", "discover_cars": true,
		"cars": [{"id": "polestar", "name": "The Swede"}], "mqtt": {"url": ""}, "broker": {}}`)
	a.supervisor.Offer(first.service())
	a.run()
	first.holds("wheelhouse/status", "online")
	post := strings.NewReader(`{"apiVersion":"2.1","stateOfCharge":0.5,"timestamp":1748763307208}`)
	q, err := http.NewRequest(http.MethodPost, "http://"+a.address("webhook")+"/csv/polestar", post)
	if err != nil {
		t.Fatal(err)
	}
	q.SetBasicAuth("x", "easy-secret")
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusOK {
		t.Error(r.Status)
	}
	first.holds("wheelhouse/polestar/battery", "50")
	tells(t, a.get("page", "/"), "200 OK", "The Swede", "https://car.example.org/csv/NAME", "easy-secret",
		"just now", "mqtt://"+first.address, `class="good">connected`)

	second := newBrokerApp(t, "addons", "second-secret", nil)
	a.supervisor.Offer(second.service())
	first.end()
	second.holds("wheelhouse/polestar/battery", "50")
	second.holds("wheelhouse/status", "online")
	if err := a.stop(); err != nil {
		t.Error(err)
	}
	second.holds("wheelhouse/status", "offline")
	if a.supervisor.Refused() > 0 {
		t.Error("the Supervisor was asked for what it does not tell")
	}
	if log := a.said.text(); regexp.MustCompile(`(first|second|easy)-secret|` + supervisortest.Token).MatchString(log) {
		t.Errorf("a secret is in the log:\n%s", log)
	}
}

// Without a broker the app waits, says so once, and needs no restart when one has
// been installed.
func TestAppWaitsForBroker(t *testing.T) {
	const advice = "install the Mosquitto broker app"
	a := newApp(t, `{"mqtt": {}, "broker": {"home_password": ""}, "cars": []}`)
	a.run()
	for range 3 {
		<-a.supervisor.Asked()
	}
	a.says(advice)
	if n := strings.Count(a.said.text(), advice); n != 1 {
		t.Errorf("told %d times:\n%s", n, a.said.text())
	}
	tells(t, a.get("ops", "/readyz"), "503", advice)
	tells(t, a.get("ops", "/healthz"), "200")
	tells(t, a.get("page", "/"), advice, "the option public_url", "Home Assistant&#39;s", "not connected", "None yet")

	b := newBrokerApp(t, "addons", "secret", nil)
	s := b.service()
	s.Port = 1 // it registers before it listens
	a.supervisor.Offer(s)
	a.says("127.0.0.1:1: .*refused")
	a.supervisor.Offer(b.service())
	b.holds("wheelhouse/status", "online")
	tells(t, a.get("ops", "/readyz"), "200")
}

// A broker with TLS is believed if the system believes its certificate.
func TestAppEncrypted(t *testing.T) {
	https := httptest.NewTLSServer(nil)
	https.Close()
	roots := filepath.Join(t.TempDir(), "roots.pem")
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: https.Certificate().Raw})
	if err := os.WriteFile(roots, root, 0o600); err != nil {
		t.Fatal(err)
	}
	b := newBrokerApp(t, "addons", "secret", &tls.Config{Certificates: https.TLS.Certificates})
	b.tls = &tls.Config{InsecureSkipVerify: true}
	s := b.service()
	s.TLS = true

	stranger := newApp(t, `{}`)
	stranger.supervisor.Offer(s)
	stranger.run()
	stranger.says("mqtt.ca_file: .*signed by nobody known here")

	a := newApp(t, `{}`, "SSL_CERT_FILE="+roots)
	a.supervisor.Offer(s)
	a.run()
	b.holds("wheelhouse/status", "online")
}

// Options count above what the Supervisor says: a broker by its address, a user
// of one's own, the embedded broker.
func TestAppOptionsFirst(t *testing.T) {
	wrong := &supervisortest.Service{Host: "127.0.0.1", Port: 1, User: "addons", Password: "wrong"}
	b := newBrokerApp(t, "me", "mine", nil)
	for name, tt := range map[string]struct {
		options string
		offered *supervisortest.Service
		asked   bool
	}{
		"another broker": {
			`{"mqtt": {"url": "mqtt://` + b.address + `", "user": "me", "password": "mine"}}`, wrong, false,
		},
		"another user": {`{"mqtt": {"user": "me", "password": "mine"}}`, b.service(), true},
	} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t, tt.options)
			tt.offered.User, tt.offered.Password = wrong.User, wrong.Password
			a.supervisor.Offer(tt.offered)
			a.run()
			b.holds("wheelhouse/status", "online")
			if asked := len(a.supervisor.Asked()) > 0; asked != tt.asked {
				t.Errorf("the Supervisor was asked: %v", asked)
			}
			if err := a.stop(); err != nil {
				t.Error(err)
			}
			b.holds("wheelhouse/status", "offline")
		})
	}
	t.Run("the embedded one", func(t *testing.T) {
		a := newApp(t, `{"broker": {"enabled": true, "home_password": "at-home"}}`)
		a.supervisor.Offer(wrong)
		a.run()
		own := &brokerApp{t: t, login: login{address: a.address("broker"), user: "home", password: "at-home"}}
		own.holds("wheelhouse/status", "online")
		name, err := os.Hostname()
		if err != nil {
			t.Fatal(err)
		}
		tells(t, a.get("page", "/"), "Wheelhouse&#39;s own", "at-home", name, "Add integration, MQTT")
		if len(a.supervisor.Asked()) > 0 {
			t.Error("the Supervisor was asked")
		}
	})
}

// The commands tell the truth in the app, too.
func TestAppCommands(t *testing.T) {
	a := newApp(t, `{"public_url": "https://car.example.org", "car_password": "easy-secret"}`)
	say := func(args ...string) string {
		t.Helper()
		c := exec.Command("wheelhouse", args...)
		c.Dir, c.Env = a.dir, append(os.Environ(), a.env...)
		out, err := c.CombinedOutput()
		if err != nil {
			t.Errorf("%v: %v", args, err)
		}
		return string(out)
	}
	tells(t, say("check"), "# no MQTT broker: install", "public_url: https://car.example.org # ",
		"options.json:1:2", "password: '***'")
	a.supervisor.Offer(&supervisortest.Service{Host: "core-mosquitto", Port: 1883, User: "addons", Password: "hush"})
	told := say("check")
	tells(t, told, `# The MQTT broker: mqtt://core-mosquitto:1883, user "addons"`)
	if strings.Contains(told, "hush") {
		t.Error("check tells a password")
	}
	tells(t, say("credentials"), "https://car.example.org/csv/NAME", "easy-secret",
		"In Home Assistant: nothing, if its MQTT integration uses the broker app")
	a.env = append(a.env, "WHEELHOUSE_BROKER__ENABLED=true", "WHEELHOUSE_HTTP__PUBLIC_URL=")
	tells(t, say("credentials"), "port 0", "user      home")

	without := newApp(t, `{"certificate": "no.pem"}`)
	c := exec.Command("wheelhouse")
	c.Dir, c.Env = without.dir, append(os.Environ(), without.env...)
	out, err := c.CombinedOutput()
	if c.ProcessState.ExitCode() != exitConfig {
		t.Errorf("a wrong option: %v", err)
	}
	tells(t, string(out), "certificate: /ssl/no.pem cannot be read", "private_key too")
}
