package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"wheelhouse": main})
}

// The stories of testdata/script are told by the real binary.
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("WHEELHOUSE_STATE_DIR", e.WorkDir+"/state")
			for _, listener := range []string{"HTTP", "BROKER", "OPS"} {
				e.Setenv("WHEELHOUSE_"+listener+"__LISTEN", "127.0.0.1:0")
			}
			e.Values[underTest{}] = &program{}
			e.Defer(func() { _ = e.Values[underTest{}].(*program).stop() })
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": serving, "interrupt": interrupt, "powercut": powercut, "post": post, "get": get, "retained": retained,
		},
	})
}

// underTest is the key of the program under test in a script's values.
type underTest struct{}

// program is a wheelhouse that a script has started.
type program struct {
	cmd      *exec.Cmd
	said     *said
	finished chan error
}

// said collects what a program writes and finds the line that says where it
// listens.
type said struct {
	mu    sync.Mutex
	all   strings.Builder
	where chan map[string]any
}

func (s *said) read(r io.Reader) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		s.mu.Lock()
		s.all.WriteString(lines.Text() + "\n")
		s.mu.Unlock()
		var line map[string]any
		if json.Unmarshal(lines.Bytes(), &line) == nil && line["message"] == "wheelhouse is running" {
			s.where <- line
		}
	}
}

func (s *said) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.String()
}

// serving runs wheelhouse until interrupt, and sets $webhook, $broker and $ops. What it
// writes to stdout is the script's stdout.
func serving(ts *testscript.TestScript, neg bool, args []string) {
	p := ts.Value(underTest{}).(*program)
	path, err := exec.LookPath("wheelhouse")
	ts.Check(err)
	p.cmd = exec.Command(path, args...)
	p.cmd.Dir = ts.MkAbs(".")
	p.cmd.Env = environment(ts)
	out, err := os.Create(ts.MkAbs("stdout"))
	ts.Check(err)
	p.cmd.Stdout = out
	stderr, err := p.cmd.StderrPipe()
	ts.Check(err)
	p.said = &said{where: make(chan map[string]any, 1)}
	ts.Check(p.cmd.Start())
	p.finished = make(chan error, 1)
	go func() {
		p.said.read(stderr)
		p.finished <- errors.Join(p.cmd.Wait(), out.Close())
	}()
	select {
	case where := <-p.said.where:
		for _, name := range []string{"webhook", "broker", "ops"} {
			if address, ok := where[name].(string); ok {
				ts.Setenv(name, address)
			}
		}
	case err := <-p.finished:
		p.cmd = nil
		ts.Fatalf("wheelhouse ended: %v\n%s", err, p.said.text())
	case <-time.After(20 * time.Second):
		ts.Fatalf("wheelhouse does not start:\n%s", p.said.text())
	}
}

func environment(ts *testscript.TestScript) []string {
	env := os.Environ()
	for _, name := range []string{"STATE_DIR", "HTTP__LISTEN", "BROKER__LISTEN", "OPS__LISTEN", "MQTT__MIN_INTERVAL",
		"CARSTATS__PASSWORD", "CARSTATS__DISCOVER", "CARSTATS__SILENT_AFTER", "CONFIG", "MQTT__URL", "CARSTATS__RAW"} {
		if v := ts.Getenv("WHEELHOUSE_" + name); v != "" {
			env = append(env, "WHEELHOUSE_"+name+"="+v)
		}
	}
	return env
}

func (p *program) stop() error {
	if p.cmd == nil {
		return nil
	}
	_ = p.cmd.Process.Signal(os.Interrupt)
	return p.wait()
}

func (p *program) wait() error {
	defer func() { p.cmd = nil }()
	select {
	case err := <-p.finished:
		return err
	case <-time.After(15 * time.Second):
		_ = p.cmd.Process.Kill()
		return errors.New("wheelhouse does not stop:\n" + p.said.text())
	}
}

// interrupt ends the program, which must end well. Its log is in $WORK/stderr.
func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	p := ts.Value(underTest{}).(*program)
	ts.Check(p.stop())
	ts.Check(os.WriteFile(ts.MkAbs("stderr"), []byte(p.said.text()), 0o600))
}

// powercut ends the program as a power cut would.
func powercut(ts *testscript.TestScript, neg bool, args []string) {
	p := ts.Value(underTest{}).(*program)
	ts.Check(p.cmd.Process.Kill())
	_ = p.wait()
}

// post PATH USER PASSWORD FILE posts a body to the webhook. The answer is in
// $WORK/answer, its status first.
func post(ts *testscript.TestScript, neg bool, args []string) {
	body := strings.NewReader(ts.ReadFile(args[3]))
	q, err := http.NewRequest(http.MethodPost, "http://"+ts.Getenv("webhook")+args[0], body)
	ts.Check(err)
	q.SetBasicAuth(args[1], args[2])
	answer(ts, q)
}

// get URL fetches a page, like post.
func get(ts *testscript.TestScript, neg bool, args []string) {
	q, err := http.NewRequest(http.MethodGet, args[0], nil)
	ts.Check(err)
	answer(ts, q)
}

func answer(ts *testscript.TestScript, q *http.Request) {
	a, err := http.DefaultClient.Do(q)
	ts.Check(err)
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("answer"), []byte(a.Status+"\n"+string(body)), 0o600))
}

// retained USER PASSWORD TOPIC VALUE waits until a topic of the embedded broker
// holds a value; the value "-" means none, "*" any.
func retained(ts *testscript.TestScript, neg bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	user, password, topic, want := args[0], args[1], args[2], strings.Join(args[3:], " ")
	seen, err := watchTopic(ctx, ts.Getenv("broker"), user, password, topic, func(payload string) bool {
		return payload == want || want == "*" && payload != ""
	})
	if err != nil {
		ts.Fatalf("%s: %v, want %q, saw %q", topic, err, want, seen)
	}
}

// watchTopic subscribes until a message satisfies good, and returns all it saw.
func watchTopic(
	ctx context.Context, broker, user, password, topic string, good func(string) bool,
) (seen []string, err error) {
	messages := make(chan string, 1000)
	conn, err := dialBroker(ctx, broker)
	if err != nil {
		return nil, err
	}
	client := paho.NewClient(paho.ClientConfig{Conn: conn,
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(m paho.PublishReceived) (bool, error) {
			messages <- string(m.Packet.Payload)
			return true, nil
		}}})
	if _, err := client.Connect(ctx, &paho.Connect{
		ClientID: "watch", CleanStart: true, KeepAlive: 30,
		Username: user, UsernameFlag: true, Password: []byte(password), PasswordFlag: true,
	}); err != nil {
		return nil, err
	}
	defer client.Disconnect(&paho.Disconnect{})
	if _, err := client.Subscribe(ctx, &paho.Subscribe{
		Subscriptions: []paho.SubscribeOptions{{Topic: topic, QoS: 1}},
	}); err != nil {
		return nil, err
	}
	for {
		select {
		case payload := <-messages:
			seen = append(seen, payload)
			if good(payload) {
				return seen, nil
			}
		case <-ctx.Done():
			return seen, ctx.Err()
		}
	}
}
