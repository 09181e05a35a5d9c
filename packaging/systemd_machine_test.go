//go:build systemd

package packaging_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// notHere is the exit status of .ci/systemd on a machine that cannot boot one.
const notHere = 77

// machine is a Debian that has been booted with systemd, in a container with a
// network of its own that leads nowhere.
type machine struct {
	dir    string // its root
	leader string // the process id of its systemd
	nspawn *exec.Cmd
	log    *os.File // what its console says
}

// newMachine copies a fresh Debian and boots it. The test's end switches it off.
func newMachine(t *testing.T) *machine {
	t.Helper()
	var said bytes.Buffer
	c := exec.Command("../.ci/systemd")
	c.Stderr = &said
	root, err := c.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == notHere {
		t.Skip(strings.TrimSpace(said.String()))
	}
	if err != nil {
		t.Fatalf(".ci/systemd: %v\n%s", err, said.String())
	}
	m := &machine{dir: filepath.Join(t.TempDir(), "debian")}
	execute(t, "cp", "--archive", "--reflink=auto", strings.TrimSpace(string(root)), m.dir)
	if m.log, err = os.Create(filepath.Join(t.TempDir(), "console")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.log.Close() })
	m.boot(t)
	t.Cleanup(m.off)
	return m
}

// boot returns when systemd says that everything has started.
func (m *machine) boot(t *testing.T) {
	t.Helper()
	address := &net.UnixAddr{Name: filepath.Join(m.dir, "..", "notify"), Net: "unixgram"}
	_ = os.Remove(address.Name)
	socket, err := net.ListenUnixgram("unixgram", address)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	m.nspawn = exec.Command("systemd-nspawn", "--quiet", "--directory="+m.dir, "--boot",
		"--notify-ready=yes", "--private-network", "--register=no", "--keep-unit",
		"--link-journal=no", "--resolv-conf=off", "--timezone=off")
	m.nspawn.Env = append(os.Environ(), "NOTIFY_SOCKET="+address.Name)
	m.nspawn.Stdout, m.nspawn.Stderr = m.log, m.log
	if err := m.nspawn.Start(); err != nil {
		t.Fatal(err)
	}
	_ = socket.SetReadDeadline(time.Now().Add(time.Minute))
	for message := make([]byte, 4096); ; {
		n, err := socket.Read(message)
		if err != nil {
			console, _ := os.ReadFile(m.log.Name())
			m.off()
			t.Fatalf("Debian does not boot: %v\n%s", err, console)
		}
		for line := range strings.Lines(string(message[:n])) {
			if pid, ok := strings.CutPrefix(strings.TrimSpace(line), "X_NSPAWN_LEADER_PID="); ok {
				m.leader = pid
			}
			if strings.TrimSpace(line) == "READY=1" {
				return
			}
		}
	}
}

// off ends the machine as a power cut would: with its first process, all end.
func (m *machine) off() {
	if m.leader != "" {
		_ = exec.Command("kill", "-KILL", m.leader).Run()
	} else {
		_ = m.nspawn.Process.Kill()
	}
	_ = m.nspawn.Wait()
	m.leader = ""
}

// try runs a script in the machine, as root, and returns what it said.
func (m *machine) try(t *testing.T, script string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "nsenter", "--target", m.leader, "--all", "--",
		"env", "-i", "HOME=/root", "PATH=/usr/sbin:/usr/bin", "LC_ALL=C.UTF-8",
		"DEBIAN_FRONTEND=noninteractive", "sh", "-euc", script)
	out, err := c.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// run is try for what must go well.
func (m *machine) run(t *testing.T, script string) string {
	t.Helper()
	out, err := m.try(t, script)
	if err != nil {
		journal, _ := m.try(t, "journalctl --quiet --no-pager --lines 30 --unit wheelhouse")
		t.Fatalf("%s: %v\n%s\nThe journal:\n%s", script, err, out, journal)
	}
	return out
}

// until waits until a script goes well.
func (m *machine) until(t *testing.T, script string) {
	t.Helper()
	m.run(t, "timeout 30 sh -c 'until "+script+"; do sleep 0.1; done'")
}

// says compares what a script says.
func (m *machine) says(t *testing.T, script, want string) {
	t.Helper()
	if got := m.run(t, script); got != want {
		t.Errorf("%s: %q, want %q", script, got, want)
	}
}

// put writes a file of the machine.
func (m *machine) put(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	path = filepath.Join(m.dir, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

// execute runs a command here, which must go well.
func execute(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}
