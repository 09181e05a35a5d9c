package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/mqtt"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/store"
)

// secret is the password of everything under test.
const secret = "for-tests-only"

// subject is a program under test, a process of its own: the real binary, or
// what it is compared with.
type subject struct {
	cmd      *exec.Cmd
	said     *said
	finished chan error

	state   string // its state directory
	webhook string // addresses
	broker  string
	began   time.Duration // from the start of the process to serving
}

// serve runs the real binary. more are settings as environment variables,
// without WHEELHOUSE_.
func serve(tb testing.TB, binary, state string, more ...string) *subject {
	tb.Helper()
	settings := append([]string{
		"STATE_DIR=" + state, "HTTP__LISTEN=127.0.0.1:0", "BROKER__LISTEN=127.0.0.1:0", "OPS__LISTEN=127.0.0.1:0",
		"LOG__FORMAT=json", "CARSTATS__PASSWORD=" + secret, "BROKER__USERS__HOME__PASSWORD=" + secret,
		"MQTT__MIN_INTERVAL=0s",
	}, more...)
	for i := range settings {
		settings[i] = "WHEELHOUSE_" + settings[i]
	}
	p := launch(tb, binary, settings)
	p.state = state
	return p
}

// bare is what wheelhouse is compared with: an HTTP handler that reads a body
// and answers 200, and the embedded broker without anything else.
func bare(tb testing.TB) *subject { return launch(tb, "wheelhouse-bare", nil) }

// launch starts a program and waits until it says where it listens. The test's
// end kills it.
func launch(tb testing.TB, binary string, settings []string) *subject {
	tb.Helper()
	path, err := exec.LookPath(binary)
	if err != nil {
		tb.Fatal(err)
	}
	p := &subject{cmd: exec.Command(path), finished: make(chan error, 1)}
	p.said = newSaid()
	p.cmd.Env = append(os.Environ(), settings...)
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		tb.Fatal(err)
	}
	start := time.Now()
	if err := p.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	go func() {
		p.said.read(stderr)
		p.finished <- p.cmd.Wait()
	}()
	tb.Cleanup(p.kill)
	select {
	case where := <-p.said.where:
		p.began = time.Since(start)
		p.webhook, _ = where["webhook"].(string)
		p.broker, _ = where["broker"].(string)
	case err := <-p.finished:
		p.finished <- err
		tb.Fatalf("%s ended: %v\n%s", binary, err, p.said.text())
	case <-time.After(20 * time.Second):
		tb.Fatalf("%s does not start:\n%s", binary, p.said.text())
	}
	return p
}

// kill ends the program as a power cut would. It may be called twice.
func (p *subject) kill() {
	_ = p.cmd.Process.Kill()
	p.finished <- <-p.finished
}

// stop ends the program as its user would.
func (p *subject) stop(tb testing.TB) {
	tb.Helper()
	_ = p.cmd.Process.Signal(os.Interrupt)
	err := <-p.finished
	p.finished <- err
	if err != nil {
		tb.Errorf("wheelhouse did not end well: %v\n%s", err, p.said.text())
	}
}

// points counts a car's stored driving points.
func (p *subject) points(tb testing.TB, id car.ID) (n int) {
	tb.Helper()
	db, err := store.OpenReadOnly(tb.Context(), filepath.Join(p.state, "wheelhouse.db"))
	if err != nil {
		tb.Fatal(err)
	}
	defer db.Close()
	for _, err := range db.Read(tb.Context()).Points(id, 0, 1<<62) {
		if err != nil {
			tb.Fatal(err)
		}
		n++
	}
	return n
}

// memory is a line of /proc/PID/status in MB: VmRSS is what the process holds
// now, VmHWM the most it ever held.
func (p *subject) memory(tb testing.TB, line string) float64 {
	tb.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		tb.Skip("memory is measured on Linux only: ", err)
	}
	_, rest, _ := strings.Cut(string(status), line+":")
	kB, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		tb.Fatal(err)
	}
	return kB * 1024 / 1e6
}

// cpuTime is what a process has used so far.
func cpuTime(pid int) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * tick
}

// tick is the unit of time in /proc.
const tick = time.Second / 100

// effort is the CPU time that a measurement took: the program's, the tests' cars
// and subscriber, a broker of its own, and everything on the machine.
type effort struct{ program, cars, broker, machine time.Duration }

func effortOf(program *subject, broker int) effort {
	e := effort{program: cpuTime(program.cmd.Process.Pid), broker: cpuTime(broker)}
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	e.cars = time.Duration(u.Utime.Nano() + u.Stime.Nano())
	stat, _ := os.ReadFile("/proc/stat")
	for i, field := range strings.Fields(string(stat[:bytes.IndexByte(append(stat, '\n'), '\n')])) {
		n, err := strconv.ParseInt(field, 10, 64)
		if err == nil && i != 4 && i != 5 { // but idle, and idle for the disk
			e.machine += time.Duration(n) * tick
		}
	}
	return e
}

// since is what was spent after before.
func (e effort) since(before effort) effort {
	return effort{
		e.program - before.program, e.cars - before.cars, e.broker - before.broker, e.machine - before.machine,
	}
}

// elsewhere is the part of what the machine did that had nothing to do with the
// measurement, in per cent: above a few, its figures say little.
func (e effort) elsewhere() float64 {
	return 100 * max(0, 1-float64(e.program+e.cars+e.broker)/float64(max(1, e.machine)))
}

// bareMain is the program wheelhouse-bare.
func bareMain() {
	if err := runBare(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runBare(ctx context.Context) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	broker, err := mqtt.NewBroker(mqtt.BrokerOptions{
		Endpoints: []mqtt.Endpoint{{Address: "127.0.0.1:0"}},
		Users:     []mqtt.User{{Name: homeUser, Password: secret}},
		Topics:    car.Topics{Prefix: "wheelhouse"}, Log: zerolog.Nop(),
	})
	if err != nil {
		return err
	}
	ended := make(chan error, 2)
	go func() { ended <- broker.Run(ctx) }()
	go func() {
		ended <- http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			_, _ = io.Copy(io.Discard, q.Body)
			_, _ = io.WriteString(w, "ok\n")
		}))
	}()
	fmt.Fprintf(os.Stderr, `{"message":"wheelhouse is running","webhook":%q,"broker":%q}`+"\n",
		l.Addr(), broker.Addr(0))
	return errors.Join(<-ended)
}
