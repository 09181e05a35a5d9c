//go:build mosquitto

// These tests start Debian's mosquitto: go test -tags mosquitto ./cmd/wheelhouse

package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// realBroker is a mosquitto that can be killed and started again.
type realBroker struct {
	t    testing.TB
	dir  string
	port int
	cmd  *exec.Cmd
}

const (
	brokerUser, brokerPassword = "bridge", "bridge-password"

	passwords = "allow_anonymous false\npassword_file $DIR/passwords\nmax_queued_messages 0\n"
	keeping   = "persistence true\npersistence_location $DIR/\nautosave_on_changes true\nautosave_interval 1\n"
)

// newRealBroker starts one on a free port, with users who have passwords. $DIR in
// the configuration is its directory.
func newRealBroker(t testing.TB, conf string) *realBroker {
	t.Helper()
	m := &realBroker{t: t, dir: t.TempDir(), port: freePort(t)}
	if _, err := os.Stat("/usr/sbin/mosquitto"); err != nil {
		t.Skip("no mosquitto here: apt install mosquitto")
	}
	users := exec.Command("mosquitto_passwd", "-b", "-c", m.file("passwords"), brokerUser, brokerPassword)
	if out, err := users.CombinedOutput(); err != nil {
		t.Fatalf("mosquitto_passwd: %v %s", err, out)
	}
	conf = fmt.Sprintf("listener %d 127.0.0.1\n", m.port) + strings.ReplaceAll(conf, "$DIR", m.dir)
	if os.Getuid() == 0 {
		conf += "user root\n"
	}
	if err := os.WriteFile(m.file("conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
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

func (m *realBroker) file(name string) string { return filepath.Join(m.dir, name) }

func (m *realBroker) address() string { return fmt.Sprintf("127.0.0.1:%d", m.port) }

// start starts it and waits until it listens.
func (m *realBroker) start() {
	m.t.Helper()
	m.cmd = exec.Command("/usr/sbin/mosquitto", "-c", m.file("conf"))
	m.cmd.Stderr = m.t.Output()
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	eventually(m.t, "mosquitto listens", func() bool {
		c, err := net.Dial("tcp", m.address())
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// kill ends it as a power cut would.
func (m *realBroker) kill() {
	_ = m.cmd.Process.Kill()
	_ = m.cmd.Wait()
}

// eventually asks again and again, for what nobody tells.
func eventually(t testing.TB, what string, good func() bool) {
	t.Helper()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for late := time.After(patience); !good(); {
		select {
		case <-again.C:
		case <-late:
			t.Fatal("waited in vain: ", what)
		}
	}
}

// peer is somebody else at the broker.
func (m *realBroker) peer() *peer {
	m.t.Helper()
	return join(m.t, login{address: m.address(), user: brokerUser, password: brokerPassword})
}

func join(t testing.TB, l login) *peer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p, err := newPeer(ctx, l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.leave)
	return p
}

// expect waits until good holds of what the peer knows.
func expect(t testing.TB, p *peer, what string, good func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := p.until(ctx, good); err != nil {
		t.Fatalf("waited in vain: %s: %v; the broker retains\n%s", what, err, list(p.snapshot()))
	}
}

// say publishes at QoS 1.
func say(t testing.TB, p *peer, topic, payload string, retain bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := p.publish(ctx, topic, payload, retain); err != nil {
		t.Fatal(err)
	}
}

const carPassword = "car-password"

// newHouse is the program as a client of the broker, not started yet. Settings
// are further environment variables, without their prefix.
func newHouse(t testing.TB, m *realBroker, settings ...string) *program {
	t.Helper()
	dir := t.TempDir()
	p := &program{dir: dir}
	for _, s := range append([]string{
		"STATE_DIR=" + dir + "/state", "HTTP__LISTEN=127.0.0.1:0", "OPS__LISTEN=127.0.0.1:0",
		"MQTT__URL=mqtt://" + m.address(), "MQTT__USER=" + brokerUser, "MQTT__PASSWORD=" + brokerPassword,
		"MQTT__MIN_INTERVAL=0s", "CARSTATS__PASSWORD=" + carPassword,
	}, settings...) {
		p.env = append(p.env, "WHEELHOUSE_"+s)
	}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() && p.said != nil {
			t.Log(p.said.text())
		}
	})
	return p
}

func started(t testing.TB, p *program) {
	t.Helper()
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
}

// says waits until the program's log holds a text.
func says(t testing.TB, p *program, text string) {
	t.Helper()
	if err := p.said.until(regexp.MustCompile(regexp.QuoteMeta(text))); err != nil {
		t.Fatal(err)
	}
}

// drive posts a live report with a driving point, seconds after a fixed time.
func drive(t testing.TB, p *program, name string, second int, battery float64) {
	t.Helper()
	url := "http://" + p.address("webhook") + "/csv/" + name
	q, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body(second, battery)))
	if err != nil {
		t.Fatal(err)
	}
	q.SetBasicAuth(name, carPassword)
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusOK {
		t.Fatal(a.Status)
	}
}

// body is a report with a driving point at its own time.
func body(second int, battery float64) string {
	at := 1748763307208 + int64(second)*1000
	return fmt.Sprintf(`{"apiVersion":"2.1","timestamp":%d,"stateOfCharge":%g,"batteryLevel":%g,"speed":13.9,`+
		`"power":9187500.0,"selectedGear":"D","ignitionState":"Started","chargePortConnected":false,`+
		`"ambientTemperature":14.5,"lat":56.1,"lon":3.2,"alt":88.8,"drivingPoints":[{"driving_point_epoch_time":%d,`+
		`"distance_delta":100.41,"energy_delta":27.73,"state_of_charge":%g,"lat":56.1,"lon":3.2,"alt":88.8}]}`,
		at, battery, battery*78000, at, battery)
}

// run runs a command of the program beside it and returns what it writes.
func run(t testing.TB, p *program, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("wheelhouse")
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(path, args...)
	c.Dir, c.Env, c.Stderr = p.dir, append(os.Environ(), p.env...), t.Output()
	out, err := c.Output()
	if err != nil {
		t.Fatalf("wheelhouse %v: %v", args, err)
	}
	return string(out)
}
