//go:build homeassistant

package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// program is the real wheelhouse, to be started and ended as often as a scenario
// likes, always on the same ports and with the same state.
type program struct {
	binary  string
	dir     string // its state, and its log
	webhook int
	broker  account // where it is a client, or its own
	env     []string
	process *process
}

const (
	carPassword      = "car-password"
	homeUser         = "home"
	homePassword     = "home-password"
	programStops     = 12 * time.Second // a little more than it promises
	programStarts    = 20 * time.Second
	runningMessage   = "wheelhouse is running"
	programLogName   = "wheelhouse.log"
	programStateName = "state"
)

// newProgram prepares a program with its embedded broker, or with another one.
// Settings are environment variables without their prefix.
func newProgram(binary, dir string, broker account, embedded bool, settings ...string) (*program, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p := &program{binary: binary, dir: dir, webhook: port, broker: broker}
	settings = append([]string{
		"STATE_DIR=" + filepath.Join(dir, programStateName), "HTTP__LISTEN=" + local(port), "OPS__LISTEN=127.0.0.1:0",
		"CARSTATS__PASSWORD=" + carPassword, "MQTT__MIN_INTERVAL=0s",
	}, settings...)
	if embedded {
		settings = append(settings, "BROKER__LISTEN="+local(broker.port), "BROKER__USERS__HOME__PASSWORD="+broker.password)
	} else {
		settings = append(settings, "MQTT__URL=mqtt://"+local(broker.port),
			"MQTT__USER="+broker.user, "MQTT__PASSWORD="+broker.password)
	}
	for _, s := range settings {
		p.env = append(p.env, "WHEELHOUSE_"+s)
	}
	return p, nil
}

func (p *program) log() string { return filepath.Join(p.dir, programLogName) }

// start runs the program until it serves.
func (p *program) start() error {
	out, err := appendTo(p.log())
	if err != nil {
		return err
	}
	defer out.Close() // the process has its own
	before := p.starts()
	p.process, err = spawn(out, p.command())
	if err != nil {
		return err
	}
	for late := time.Now().Add(programStarts); p.starts() == before; {
		select {
		case <-p.process.ended:
			return fmt.Errorf("wheelhouse ended: %w", p.process.err)
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(late) {
			return fmt.Errorf("wheelhouse does not start: see %s", p.log())
		}
	}
	return nil
}

// command is a command line of the program, in its environment.
func (p *program) command(args ...string) *exec.Cmd {
	c := exec.Command(p.binary, args...)
	c.Env = append(os.Environ(), p.env...)
	return c
}

// run runs a command of the program beside it.
func (p *program) run(args ...string) error {
	out, err := p.command(args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("wheelhouse %v: %w\n%s", args, err, out)
	}
	return nil
}

// starts counts how often the program has said that it serves.
func (p *program) starts() int {
	text, _ := os.ReadFile(p.log())
	return strings.Count(string(text), runningMessage)
}

// complaints are the warnings and errors in the program's log, without those that
// contain one of the texts that are excused.
func (p *program) complaints(excused ...string) (lines []string) {
	f, err := os.Open(p.log())
	if err != nil {
		return nil
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		var line struct{ Level string }
		bad := json.Unmarshal(s.Bytes(), &line) == nil && (line.Level == "warn" || line.Level == "error")
		if bad && !slices.ContainsFunc(excused, func(e string) bool { return strings.Contains(s.Text(), e) }) {
			lines = append(lines, s.Text())
		}
	}
	return lines
}

func (p *program) stop() error {
	if p.process == nil {
		return nil
	}
	err := p.process.stop(programStops)
	p.process = nil
	return err
}

func (p *program) kill() {
	if p.process != nil {
		p.process.kill()
		p.process = nil
	}
}

// url is where a car posts to.
func (p *program) url(name string) string { return "http://" + local(p.webhook) + "/csv/" + name }

// post sends a body as a car and must be answered 200.
func (p *program) post(name, body string) error {
	q, err := http.NewRequest(http.MethodPost, p.url(name), strings.NewReader(body))
	if err != nil {
		return err
	}
	q.SetBasicAuth(name, carPassword)
	a, err := restClient.Do(q)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusOK {
		return fmt.Errorf("the webhook answers %s", a.Status)
	}
	return nil
}
