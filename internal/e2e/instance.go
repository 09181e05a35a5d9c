//go:build homeassistant

package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// instance is a Home Assistant with a configuration directory of its own, to be
// started and stopped as often as a scenario likes.
type instance struct {
	version string
	dir     string // its configuration
	log     string // a file for what it writes, over all its starts
	port    int    // where it listens; kept in its storage after the first start
	login   login

	process *process
	rest    rest
	socket  *socket

	began, running time.Time // of the last start: the process, and Home Assistant itself
}

// How long Home Assistant may take on a slow and busy machine.
const (
	startWithin = 5 * time.Minute
	endWithin   = 90 * time.Second
)

// start runs Home Assistant until it says that it is running, and logs in.
func (ha *instance) start() error {
	if err := ha.launch(); err != nil {
		return err
	}
	return ha.ready()
}

// launch starts the process and does not wait.
func (ha *instance) launch() error {
	out, err := appendTo(ha.log)
	if err != nil {
		return err
	}
	defer out.Close() // the process has its own
	ha.rest = rest{base: "http://" + local(ha.port)}
	ha.began = time.Now()
	ha.process, err = spawn(out, exec.Command(script, "start", ha.version, ha.dir, "--skip-pip", "--log-no-color"))
	return err
}

// ready waits until a launched Home Assistant runs, and logs in.
func (ha *instance) ready() error {
	if err := ha.until("HTTP", func() error { return ha.rest.get("/manifest.json", nil) }); err != nil {
		return err
	}
	token, err := ha.rest.access(ha.login)
	if err != nil {
		return err
	}
	ha.rest.token = token
	if err := ha.until("running", ha.core); err != nil {
		return err
	}
	ha.running = time.Now()
	ha.socket, err = connect(local(ha.port), token)
	return errors.Join(err, ha.keepPort())
}

// core is nil when Home Assistant runs and its recorder has its tables.
func (ha *instance) core() error {
	var c struct {
		State    string `json:"state"`
		Recorder struct {
			Migrating bool `json:"migration_in_progress"`
		} `json:"recorder_state"`
	}
	if err := ha.rest.get("/api/core/state", &c); err != nil {
		return err
	}
	if c.State != "RUNNING" || c.Recorder.Migrating {
		return fmt.Errorf("it is %s, migrating %v", c.State, c.Recorder.Migrating)
	}
	return nil
}

// keepPort confirms the HTTP settings, which Home Assistant takes from its file
// on trial: five minutes later it would restart itself on another port. Releases
// before 2026.8 know nothing of that.
func (ha *instance) keepPort() error {
	if ha.socket == nil {
		return nil
	}
	var c struct {
		Active string `json:"active_config_type"`
	}
	if err := ha.socket.call(&c, "http/config", nil); err != nil || c.Active != "pending" {
		return nil
	}
	return ha.socket.call(nil, "http/config/promote", nil)
}

// until asks again and again while the process lives.
func (ha *instance) until(what string, ask func() error) error {
	var err error
	for late := time.Now().Add(startWithin); time.Now().Before(late); {
		if err = ask(); err == nil {
			return nil
		}
		select {
		case <-ha.process.ended:
			return fmt.Errorf("home assistant ended before %s: %w", what, ha.process.err)
		case <-time.After(20 * time.Millisecond):
		}
	}
	return fmt.Errorf("home assistant: no %s within %v: %w", what, startWithin, err)
}

// stop ends Home Assistant; it writes its storage then.
func (ha *instance) stop() error {
	if ha.process == nil {
		return nil
	}
	if ha.socket != nil {
		ha.socket.close()
	}
	err := ha.process.stop(endWithin)
	ha.process, ha.socket = nil, nil
	return err
}

// forgetHistory removes the recorder's database. One that was closed more than ten
// minutes ago would be taken for one of a crash.
func (ha *instance) forgetHistory() error {
	files, err := filepath.Glob(filepath.Join(ha.dir, "home-assistant_v2.db*"))
	for _, file := range files {
		err = errors.Join(err, os.Remove(file))
	}
	return err
}

// configuration is the file of a home: in metric or US units, at the place where
// the simulated cars start, with a zone on their way.
const configuration = `homeassistant:
  name: Home
  latitude: 56.171864
  longitude: 3.2
  elevation: 60
  radius: 100
  unit_system: %s
  time_zone: %s
  currency: EUR
  country: %s
  language: en
http:
  server_host: 127.0.0.1
  server_port: %d
api:
config:
websocket_api:
onboarding:
history:
energy:
person:
zone:
  - {name: Work, latitude: 56.028136, longitude: 3.2, radius: 200}
recorder: {commit_interval: 1}
logger: {default: warning}
system_log: {max_entries: 500}
`

// home is where a Home Assistant stands.
type home struct{ units, zone, country string }

var (
	metric = home{"metric", "UTC", "SE"}
	us     = home{"us_customary", "America/St_Johns", "US"} // a zone with half an hour
)

// settle makes the configuration directory of a home and starts it for the first
// time: with an owner, and without the rest of the onboarding, which would load
// integrations that need the internet.
func settle(version, dir string, h home) (*instance, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	ha := &instance{version: version, dir: filepath.Join(dir, "config"), log: filepath.Join(dir, "homeassistant.log"),
		port: port, login: login{client: "http://" + local(port) + "/"}}
	if err := os.MkdirAll(ha.dir, 0o755); err != nil {
		return nil, err
	}
	text := fmt.Sprintf(configuration, h.units, h.zone, h.country, port)
	if err := os.WriteFile(filepath.Join(ha.dir, "configuration.yaml"), []byte(text), 0o600); err != nil {
		return nil, err
	}
	if err := ha.launch(); err != nil {
		return nil, err
	}
	if err := ha.until("onboarding", func() error { return ha.rest.get("/api/onboarding", nil) }); err != nil {
		return nil, errors.Join(err, ha.stop())
	}
	if ha.login, err = ha.rest.own(ha.login); err == nil {
		err = ha.ready()
	}
	if err != nil {
		return nil, errors.Join(err, ha.stop())
	}
	return ha, nil
}

// copyTo is a Home Assistant with a copy of the configuration. It listens on the
// same port, which is in there; so only one can run at a time.
func (ha *instance) copyTo(dir string) (*instance, error) {
	twin := &instance{version: ha.version, dir: filepath.Join(dir, "config"),
		log: filepath.Join(dir, "homeassistant.log"), port: ha.port, login: ha.login}
	return twin, os.CopyFS(twin.dir, os.DirFS(ha.dir))
}
