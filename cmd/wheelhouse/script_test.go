package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"wheelhouse": main, "wheelhouse-bare": bareMain})
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
			p := &program{dir: e.WorkDir, out: e.WorkDir + "/stdout"}
			e.Values[underTest{}] = p
			e.Defer(p.kill)
			e.Values[simulatedTesla{}] = &teslaTown{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": serving, "interrupt": interrupt, "powercut": powercut, "post": post, "get": get,
			"retained": retained, "topics": topics, "publish": publish, "logged": logged,
			"tesla": simulateTesla, "domain": domain, "signin": signIn, "phone": phone, "token": refreshToken, "question": question,
		},
	})
}

// underTest is the key of the program under test in a script's values.
type underTest struct{}

// serving runs wheelhouse until interrupt, and sets $webhook, $broker and $ops. What it
// writes to stdout is the script's stdout.
func serving(ts *testscript.TestScript, neg bool, args []string) {
	p := ts.Value(underTest{}).(*program)
	p.env = environment(ts)
	ts.Check(p.start(args...))
	for _, name := range []string{"webhook", "broker", "ops"} {
		ts.Setenv(name, p.address(name))
	}
}

// environment is what a script has set of the settings.
func environment(ts *testscript.TestScript) (env []string) {
	for _, name := range []string{
		"STATE_DIR", "CONFIG", "LOG__LEVEL", "HTTP__LISTEN", "BROKER__LISTEN", "OPS__LISTEN", "STORE__KEEP",
		"MQTT__MIN_INTERVAL", "MQTT__URL", "CARSTATS__PASSWORD", "CARSTATS__DISCOVER", "CARSTATS__SILENT_AFTER",
		"CARSTATS__RAW", "TESLA__CLIENT_ID", "TESLA__CLIENT_SECRET", "TESLA__DOMAIN", "TESLA__HOSTS__LOGIN",
		"TESLA__HOSTS__TOKEN", "TESLA__HOSTS__PAIR", "TESLA__HOSTS__NA", "TESLA__HOSTS__EU", "TESLA__HOSTS__CN",
	} {
		if v := ts.Getenv("WHEELHOUSE_" + name); v != "" {
			env = append(env, "WHEELHOUSE_"+name+"="+v)
		}
	}
	return env
}

// interrupt ends the program, which must end well. Its log is in $WORK/stderr.
func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	p := ts.Value(underTest{}).(*program)
	ts.Check(p.stop())
	ts.Check(os.WriteFile(ts.MkAbs("stderr"), []byte(p.said.text()), 0o600))
}

// powercut ends the program as a power cut would.
func powercut(ts *testscript.TestScript, neg bool, args []string) {
	ts.Value(underTest{}).(*program).kill()
}

// logged REGEXP waits until the running program says something.
func logged(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(ts.Value(underTest{}).(*program).said.until(regexp.MustCompile(args[0])))
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

// atBroker does something as a client of the embedded broker.
func atBroker(ts *testscript.TestScript, user, password string, act func(context.Context, *peer) error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	p, err := newPeer(ctx, login{address: ts.Getenv("broker"), user: user, password: password})
	ts.Check(err)
	defer p.leave()
	if err := act(ctx, p); err != nil {
		ts.Fatalf("%v; the broker retains\n%s", err, list(p.snapshot()))
	}
}

// retained USER PASSWORD TOPIC VALUE waits until a topic of the embedded broker
// holds a value; the value "*" means any. With ! it waits until no topic matches
// the regular expression TOPIC.
func retained(ts *testscript.TestScript, neg bool, args []string) {
	good := func(kept map[string]string) bool {
		want, got := strings.Join(args[3:], " "), kept[args[2]]
		return got == want || want == "*" && got != ""
	}
	if neg {
		unwanted := regexp.MustCompile(args[2])
		good = func(kept map[string]string) bool {
			return !slices.ContainsFunc(slices.Collect(maps.Keys(kept)), unwanted.MatchString)
		}
	}
	atBroker(ts, args[0], args[1], func(ctx context.Context, p *peer) error {
		if err := p.until(ctx, func() bool { return good(p.kept) }); err != nil {
			return fmt.Errorf("waiting for %q: %w", args[2:], err)
		}
		return nil
	})
}

// topics USER PASSWORD writes to $WORK/topics what the embedded broker retains,
// as far as that user may read.
func topics(ts *testscript.TestScript, neg bool, args []string) {
	atBroker(ts, args[0], args[1], func(ctx context.Context, p *peer) error {
		return os.WriteFile(ts.MkAbs("topics"), []byte(list(p.snapshot())), 0o600)
	})
}

// publish USER PASSWORD TOPIC FILE [retain] publishes at QoS 1; "-" is an empty
// payload. With ! the broker must refuse.
func publish(ts *testscript.TestScript, neg bool, args []string) {
	payload := ""
	if args[3] != "-" {
		payload = strings.TrimSuffix(ts.ReadFile(args[3]), "\n")
	}
	atBroker(ts, args[0], args[1], func(ctx context.Context, p *peer) error {
		reason, err := p.publish(ctx, args[2], payload, len(args) > 4)
		switch {
		case neg && err == nil:
			return fmt.Errorf("%s was published", args[2])
		case neg && reason >= 0x80:
			err = nil
		}
		return err
	})
}

// list is what a broker retains, a line each, in order.
func list(kept map[string]string) string {
	var b strings.Builder
	for _, topic := range slices.Sorted(maps.Keys(kept)) {
		fmt.Fprintln(&b, topic, kept[topic])
	}
	return b.String()
}
