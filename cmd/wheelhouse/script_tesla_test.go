package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/wheelhouse-mqtt/wheelhouse/tesla"
	"github.com/wheelhouse-mqtt/wheelhouse/tesla/sim"
)

// simulatedTesla is the key of the simulated Tesla in a script's values.
type simulatedTesla struct{}

// teslaTown is a simulated Tesla, and where it is.
type teslaTown struct {
	*sim.Tesla
	server *httptest.Server
}

func townOf(ts *testscript.TestScript) *teslaTown { return ts.Value(simulatedTesla{}).(*teslaTown) }

// simulateTesla begins a Tesla that knows an application, but nothing of it is
// registered yet, and names it in the settings. $vin is its first car.
func simulateTesla(ts *testscript.TestScript, neg bool, args []string) {
	t := townOf(ts)
	t.Tesla = sim.New(sim.Options{Fresh: true})
	t.server = httptest.NewServer(t.Tesla)
	ts.Defer(t.server.Close)
	hosts := t.Hosts(t.server.URL)
	for name, value := range map[string]string{
		"CLIENT_ID": sim.ClientID, "CLIENT_SECRET": sim.ClientSecret, "DOMAIN": sim.Domain,
		"HOSTS__LOGIN": hosts.Login, "HOSTS__TOKEN": hosts.Token, "HOSTS__PAIR": hosts.Pair,
		"HOSTS__NA": hosts.API["na"], "HOSTS__EU": hosts.API["eu"], "HOSTS__CN": hosts.API["cn"],
	} {
		ts.Setenv("WHEELHOUSE_TESLA__"+name, value)
	}
	vin := sim.DefaultCars()[0].VIN
	ts.Setenv("VIN", vin)
	ts.Setenv("vin", strings.ToLower(vin))
	l, err := net.Listen("tcp", "localhost:0")
	ts.Check(err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	ts.Check(errors.Join(err, l.Close()))
	ts.Setenv("port", port) // free just now
}

// domain leads the application's domain to the webhook, as a DNS record would.
func domain(ts *testscript.TestScript, neg bool, args []string) {
	a, err := http.Get("http://" + ts.Getenv("webhook") + tesla.KeyPath)
	ts.Check(err)
	defer a.Body.Close()
	key, err := io.ReadAll(a.Body)
	ts.Check(err)
	townOf(ts).Serve(sim.Domain, key)
}

// signIn paste|house|browser [ARGS] runs "wheelhouse tesla login" as somebody does
// who follows its link and then pastes where the browser ended, or whose browser
// returns to the running program, or to the command.
func signIn(ts *testscript.TestScript, neg bool, args []string) {
	path, err := exec.LookPath("wheelhouse")
	ts.Check(err)
	login := exec.Command(path, append([]string{"tesla", "login"}, args[1:]...)...)
	login.Env = append(os.Environ(), environment(ts)...)
	var complaints strings.Builder
	login.Stderr = &complaints
	stdin, err := login.StdinPipe()
	ts.Check(err)
	stdout, err := login.StdoutPipe()
	ts.Check(err)
	ts.Check(login.Start())
	said := bufio.NewReader(stdout)
	line := ""
	for err == nil && !strings.HasPrefix(line, "http") {
		line, err = said.ReadString('\n')
	}
	var final string
	if err == nil {
		final, err = authorize(strings.TrimSpace(line))
	}
	switch {
	case err != nil:
	case args[0] == "paste":
		_, err = fmt.Fprintln(stdin, final)
	case args[0] == "house":
		_, query, _ := strings.Cut(final, "?")
		err = visit("http://" + ts.Getenv("webhook") + callbackPath + "?" + query)
	default:
		err = visit(final)
	}
	giveUp := time.AfterFunc(patience, func() { _ = login.Process.Kill() })
	defer giveUp.Stop()
	if err != nil {
		_ = login.Process.Kill()
	}
	rest, _ := io.ReadAll(said)
	ended := login.Wait()
	ts.Check(os.WriteFile(ts.MkAbs("said"), []byte(string(rest)+complaints.String()), 0o600))
	if err = cmp.Or(err, ended); (err != nil) != neg {
		ts.Fatalf("signing in: %v\n%s%s", err, rest, &complaints)
	}
}

// authorize opens the sign-in page, and returns where the browser is sent.
func authorize(url string) (string, error) {
	browser := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	a, err := browser.Get(url)
	if err != nil {
		return "", err
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusFound {
		return "", fmt.Errorf("the sign-in page says %s", a.Status)
	}
	return a.Header.Get("Location"), nil
}

// visit opens a page, as a browser does.
func visit(url string) error {
	a, err := http.Get(url)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	page, err := io.ReadAll(a.Body)
	if err == nil && a.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", a.Status, page)
	}
	return err
}

// phone VIN opens the link by which a car takes the key, as its owner does.
func phone(ts *testscript.TestScript, neg bool, args []string) {
	t := townOf(ts)
	ts.Check(visit(t.Hosts(t.server.URL).Pair + sim.Domain + "?vin=" + args[0]))
}

// question USER PASSWORD TOPIC PAYLOAD ANSWERTOPIC asks something by MQTT and waits
// for the answer, which is in $WORK/answer with its topic; "-" is an empty payload or
// no topic.
func question(ts *testscript.TestScript, neg bool, args []string) {
	for i := range args {
		args[i] = strings.TrimPrefix(args[i], "-")
	}
	mark := "question about " + args[2]
	atBroker(ts, args[0], args[1], func(ctx context.Context, p *peer) error {
		if err := p.question(ctx, args[2], args[3], args[4], mark); err != nil {
			return err
		}
		var answer string
		err := p.until(ctx, func() bool {
			for _, a := range p.answers {
				if text, ok := strings.CutPrefix(a, mark+" "); ok && !strings.HasPrefix(text, args[2]) {
					answer = text
				}
			}
			return answer != ""
		})
		return cmp.Or(err, os.WriteFile(ts.MkAbs("answer"), []byte(answer), 0o600))
	})
}

// refreshToken writes a refresh token to $WORK/token, as other programs have one.
func refreshToken(ts *testscript.TestScript, neg bool, args []string) {
	_, token := townOf(ts).Tokens("openid", "offline_access", "vehicle_device_data")
	ts.Check(os.WriteFile(ts.MkAbs("token"), []byte(token+"\n"), 0o600))
}
