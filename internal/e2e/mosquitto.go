//go:build homeassistant

package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// mosquitto is Debian's broker, to be killed and started as often as a scenario
// likes.
type mosquitto struct {
	dir     string
	account account
	process *process
}

const mosquittoPath = "/usr/sbin/mosquitto"

// newMosquitto prepares a broker with one user, that keeps what it retains in its
// directory.
func newMosquitto(dir string, a account) (*mosquitto, error) {
	if _, err := os.Stat(mosquittoPath); err != nil {
		return nil, unavailable("there is no mosquitto: apt install mosquitto")
	}
	m := &mosquitto{dir: dir, account: a}
	if err := m.setPassword(a.password); err != nil {
		return nil, err
	}
	conf := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous false\npassword_file %s\n", a.port, m.file("passwords")) +
		fmt.Sprintf("persistence true\npersistence_location %s/\nautosave_on_changes true\nautosave_interval 1\n", dir) +
		"max_queued_messages 0\nlog_type subscribe\nlog_type error\nlog_type warning\nuser root\n"
	return m, os.WriteFile(m.file("conf"), []byte(conf), 0o600)
}

func (m *mosquitto) file(name string) string { return filepath.Join(m.dir, "mosquitto."+name) }

// setPassword is what the user must say from the next start on.
func (m *mosquitto) setPassword(password string) error {
	users := exec.Command("mosquitto_passwd", "-b", "-c", m.file("passwords"), m.account.user, password)
	if out, err := users.CombinedOutput(); err != nil {
		return fmt.Errorf("mosquitto_passwd: %w: %s", err, out)
	}
	return nil
}

// start runs the broker until it listens.
func (m *mosquitto) start() error {
	out, err := appendTo(m.file("log"))
	if err != nil {
		return err
	}
	defer out.Close() // the process has its own
	if m.process, err = spawn(out, exec.Command(mosquittoPath, "-c", m.file("conf"))); err != nil {
		return err
	}
	for late := time.Now().Add(programStarts); time.Now().Before(late); {
		c, err := net.Dial("tcp", local(m.account.port))
		if err == nil {
			return c.Close()
		}
		select {
		case <-m.process.ended:
			return fmt.Errorf("mosquitto ended: %w", m.process.err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return fmt.Errorf("mosquitto does not listen")
}

// kill ends the broker as a power cut would; forget loses its data too.
func (m *mosquitto) kill() {
	if m.process != nil {
		m.process.kill()
		m.process = nil
	}
}

func (m *mosquitto) forget() error {
	err := os.Remove(filepath.Join(m.dir, "mosquitto.db"))
	if os.IsNotExist(err) {
		return nil
	}
	return err
}

// subscriptions counts how often somebody subscribed to a topic.
func (m *mosquitto) subscriptions(topic string) int {
	text, _ := os.ReadFile(m.file("log"))
	return strings.Count(string(text), " "+topic+"\n")
}
