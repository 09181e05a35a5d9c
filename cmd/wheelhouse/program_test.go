package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// program is the real binary, to be started and ended as often as a test likes.
type program struct {
	dir string   // where it runs
	env []string // beyond the test's own
	out string   // a file for its standard output, "" for none

	cmd      *exec.Cmd
	said     *said
	finished chan error
	where    map[string]any // its addresses: webhook, broker, ops
}

// start runs wheelhouse until it serves.
func (p *program) start(args ...string) error {
	path, err := exec.LookPath("wheelhouse")
	if err != nil {
		return err
	}
	p.cmd = exec.Command(path, args...)
	p.cmd.Dir = p.dir
	p.cmd.Env = append(os.Environ(), p.env...)
	if p.out != "" {
		out, err := os.Create(p.out)
		if err != nil {
			return err
		}
		defer out.Close() // the program has its own
		p.cmd.Stdout = out
	}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		return err
	}
	p.said = newSaid()
	if err := p.cmd.Start(); err != nil {
		return err
	}
	p.finished = make(chan error, 1)
	go func() {
		p.said.read(stderr)
		p.finished <- p.cmd.Wait()
	}()
	return p.serves()
}

func (p *program) serves() error {
	select {
	case p.where = <-p.said.where:
		return nil
	case err := <-p.finished:
		p.cmd = nil
		return fmt.Errorf("wheelhouse ended: %w\n%s", err, p.said.text())
	case <-time.After(patience):
		return fmt.Errorf("wheelhouse does not start:\n%s", p.said.text())
	}
}

// address is where the program listens: as webhook, broker or ops.
func (p *program) address(name string) string {
	address, _ := p.where[name].(string)
	return address
}

// stop ends the program as a service manager does.
func (p *program) stop() error {
	if p.cmd == nil {
		return nil
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	return p.wait()
}

// kill ends the program as a power cut would.
func (p *program) kill() {
	if p.cmd != nil {
		_ = p.cmd.Process.Kill()
		_ = p.wait()
	}
}

func (p *program) wait() error {
	defer func() { p.cmd = nil }()
	select {
	case err := <-p.finished:
		return err
	case <-time.After(stopWithin + time.Second):
		_ = p.cmd.Process.Kill()
		<-p.finished
		return errors.New("wheelhouse does not stop:\n" + p.said.text())
	}
}

// said collects what a program writes and finds the line that says where it
// listens.
type said struct {
	mu      sync.Mutex
	all     strings.Builder
	changed chan struct{} // closed and made anew with each line
	where   chan map[string]any
}

func newSaid() *said {
	return &said{changed: make(chan struct{}), where: make(chan map[string]any, 1)}
}

func (s *said) read(r io.Reader) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		s.mu.Lock()
		s.all.WriteString(lines.Text() + "\n")
		close(s.changed)
		s.changed = make(chan struct{})
		s.mu.Unlock()
		var line map[string]any
		if json.Unmarshal(lines.Bytes(), &line) == nil && line["message"] == "wheelhouse is running" {
			s.where <- line
		}
	}
}

// until waits until what was said matches.
func (s *said) until(what *regexp.Regexp) error {
	for late := time.After(patience); ; {
		s.mu.Lock()
		all, changed := s.all.String(), s.changed
		s.mu.Unlock()
		if what.MatchString(all) {
			return nil
		}
		select {
		case <-changed:
		case <-late:
			return fmt.Errorf("wheelhouse does not say %q:\n%s", what, all)
		}
	}
}

func (s *said) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.String()
}
