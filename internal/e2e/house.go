//go:build homeassistant

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// house is all that a scenario plays with: a Home Assistant, a broker, the program
// and a recorder between them. Nothing of it runs until the scenario starts it.
// What must hold ends the scenario if it does not.
type house struct {
	*testing.T
	place
	dir      string
	ha       *instance
	broker   account
	mosquito *mosquitto // nil: the program's own broker is used
	program  *program
	recorder *recorder
	entry    string   // of the MQTT integration
	allowed  []string // texts in complaints of Home Assistant that belong to the scenario
	excused  []string // texts in complaints of the program that belong to the scenario
	figures  *figures
}

// place is in what surroundings a scenario is played.
type place struct {
	version   string
	home      home
	mosquitto bool
}

func (p place) String() string {
	broker := "embedded"
	if p.mosquitto {
		broker = "mosquitto"
	}
	return p.version + "-" + p.home.units + "-" + broker
}

// patience is how long most things may take.
const patience = 10 * time.Second

// furnish makes a house with a copy of a Home Assistant. Settings are the
// program's.
func furnish(t *testing.T, p place, template *instance, binary string, settings ...string) *house {
	t.Helper()
	h := &house{T: t, place: p, dir: t.TempDir()}
	var err error
	h.ha, err = template.copyTo(h.dir)
	h.must(err)
	port, err := freePort()
	h.must(err)
	h.broker = account{port: port, user: homeUser, password: homePassword}
	if p.mosquitto {
		h.mosquito, err = newMosquitto(h.dir, h.broker)
		h.must(err)
	}
	h.program, err = newProgram(binary, h.dir, h.broker, !p.mosquitto, settings...)
	h.must(err)
	h.recorder, err = record(t.Context(), h.broker)
	h.must(err)
	t.Cleanup(h.clear)
	return h
}

// must ends the scenario if something that it builds on has gone wrong.
func (h *house) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

// eventually asks until nothing is wrong any more and returns how long it took. The
// longer it may take, the more rarely it asks.
func (h *house) eventually(what string, within time.Duration, ask func() error) time.Duration {
	h.Helper()
	return h.watches(max(within/500, 20*time.Millisecond), what, within, ask)
}

// watches is eventually for who must not miss the moment.
func (h *house) watches(pace time.Duration, what string, within time.Duration, ask func() error) time.Duration {
	h.Helper()
	began := time.Now()
	for {
		err := ask()
		took := time.Since(began)
		if err == nil {
			return took
		}
		if took > within {
			h.Fatalf("%s: not within %v: %v", what, within, err)
		}
		time.Sleep(pace)
	}
}

// always asks for a while, and nothing may be wrong.
func (h *house) always(what string, during time.Duration, ask func() error) {
	h.Helper()
	for end := time.Now().Add(during); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err := ask(); err != nil {
			h.Fatalf("%s: %v", what, err)
		}
	}
}

// opens starts the broker, the program and Home Assistant, and makes them know
// each other.
func (h *house) opens() {
	h.Helper()
	h.opensBroker()
	h.must(h.program.start())
	h.must(h.ha.start())
	h.joins()
}

// opensBroker starts mosquitto, if there is one.
func (h *house) opensBroker() {
	h.Helper()
	if h.mosquito != nil {
		h.must(h.mosquito.start())
	}
}

// joins adds the MQTT integration to Home Assistant.
func (h *house) joins() {
	h.Helper()
	var err error
	h.entry, err = h.ha.rest.addMQTT(h.broker)
	h.must(err)
}

// agrees waits until Home Assistant shows all that the broker keeps, and nothing
// else, and returns how long that took.
func (h *house) agrees(within time.Duration) time.Duration {
	h.Helper()
	return h.eventually("Home Assistant shows what was sent", within, h.agreement)
}

func (h *house) agreement() error {
	kept, err := h.recorder.kept()
	if err != nil {
		return err
	}
	entities, err := h.ha.socket.entities()
	if err != nil {
		return err
	}
	devices, err := h.ha.socket.devices()
	if err != nil {
		return err
	}
	states, err := h.ha.rest.states()
	if err != nil {
		return err
	}
	return compare(kept, entities, devices, states, h.home)
}

// state is what Home Assistant shows of an entity.
func (h *house) state(id string) state {
	h.Helper()
	var s state
	h.must(h.ha.rest.get("/api/states/"+id, &s))
	return s
}

// shows waits until an entity has a state.
func (h *house) shows(id, want string) {
	h.Helper()
	h.eventually(id, patience, func() error {
		var s state
		if err := h.ha.rest.get("/api/states/"+id, &s); err != nil {
			return err
		}
		if !equal(s.State, want) {
			return fmt.Errorf("%q, want %q", s.State, want)
		}
		return nil
	})
}

// registered are the MQTT entities by their unique id.
func (h *house) registered() map[string]entity {
	h.Helper()
	entities, err := h.ha.socket.entities()
	h.must(err)
	return entities
}

// topic is what the broker keeps on a topic; an error if that is something else
// than want.
func (h *house) topic(topic, want string) error {
	kept, err := h.recorder.kept()
	if err == nil && kept[topic] != want {
		err = fmt.Errorf("%s holds %.80q, want %q", topic, kept[topic], want)
	}
	return err
}

// presses calls a service for an entity, as a person's finger does.
func (h *house) presses(service, entity string) error {
	return h.acts(service, map[string]any{"entity_id": entity})
}

// acts calls one of Home Assistant's services.
func (h *house) acts(service string, data map[string]any) error {
	domain, name, _ := strings.Cut(service, ".")
	return h.ha.socket.call(nil, "call_service", map[string]any{
		"domain": domain, "service": name, "service_data": data,
	})
}

// clear ends everything. Home Assistant and the program must have had nothing to
// complain about. What a failed scenario needs to be understood is kept.
func (h *house) clear() {
	if h.Failed() {
		h.dump()
	}
	h.needsNoRepair()
	if err := errors.Join(h.ha.stop(), h.program.stop()); err != nil {
		h.Error(err)
	}
	if h.mosquito != nil {
		h.mosquito.kill()
	}
	h.recorder.close()
	lines, err := complaints(h.ha.log, h.allowed...)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		h.Error(err)
	}
	for _, line := range lines {
		h.Errorf("Home Assistant complains: %.1500s", line)
	}
	for _, line := range h.program.complaints(h.excused...) {
		h.Errorf("the program complains: %s", line)
	}
	if h.Failed() {
		h.keep()
	}
}

// needsNoRepair checks that Home Assistant asks its user for nothing because of us.
func (h *house) needsNoRepair() {
	if h.ha.socket == nil {
		return
	}
	issues, err := h.ha.socket.repairs(h.allowed...)
	if err != nil {
		h.Log("repairs: ", err)
	}
	for _, issue := range issues {
		h.Errorf("Home Assistant wants a repair: %s", issue)
	}
}

// artefacts is the folder of what is left of a failed scenario.
func (h *house) artefacts() string {
	root := os.Getenv("E2E_ARTEFACTS")
	if root == "" {
		root = filepath.Join(os.TempDir(), "wheelhouse-e2e")
	}
	return filepath.Join(root, strings.ReplaceAll(h.Name(), "/", "_"))
}

// dump writes the registries and states into the scenario's directory.
func (h *house) dump() {
	if h.ha.socket == nil {
		return
	}
	for _, kind := range []string{"config/entity_registry/list", "config/device_registry/list", "get_states"} {
		var list json.RawMessage
		if h.ha.socket.call(&list, kind, nil) == nil {
			name := strings.ReplaceAll(kind, "/", "_") + ".json"
			_ = os.WriteFile(filepath.Join(h.dir, name), list, 0o600)
		}
	}
}

// keep copies what lies in the scenario's directory, but for what is large.
func (h *house) keep() {
	to := h.artefacts()
	_ = os.RemoveAll(to)
	if err := os.MkdirAll(to, 0o700); err != nil {
		h.Log(err)
		return
	}
	if err := h.recorder.write(filepath.Join(to, "mqtt.jsonl")); err != nil {
		h.Log(err)
	}
	files, _ := filepath.Glob(filepath.Join(h.dir, "*.*"))
	for _, file := range files {
		if data, err := os.ReadFile(file); err == nil {
			_ = os.WriteFile(filepath.Join(to, filepath.Base(file)), data, 0o600)
		}
	}
	h.Logf("kept in %s", to)
}
