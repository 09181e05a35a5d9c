//go:build homeassistant

package e2e

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// teslaModel is the list of the entities of a Tesla, written independently of the
// program's table.
const teslaModel = "../../tesla/testdata/entities.csv"

// What the cars of the simulated account are called, by their VINs.
const (
	driving  = "5yj3e1ea0pf000001" // begins to drive when Tesla begins
	sleeping = "7saygdee0pf000002"
)

// teslaAppears: whoever signs in at Tesla finds the car that is awake with all it has,
// the one that sleeps without having been woken or read, and the account. A finger on
// the button brings a newer reading.
func teslaAppears(h *house) {
	h.meetsTesla()
	h.must(h.program.run("tesla", "keygen"))
	h.opens()
	h.must(h.program.run("tesla", "register"))
	h.signsIn()
	h.has(driving, h.teslaKeys())
	h.has("account", h.rowsOf(model, "tesla account"))
	h.keeps("wheelhouse/account/auth", "signed_in")
	h.keeps("wheelhouse/"+driving+"/online", "ON")
	h.keeps("wheelhouse/"+sleeping+"/online", "OFF")
	h.within("a Tesla is complete in Home Assistant", h.agrees(patience), patience)
	h.enablesAll()
	h.agrees(patience)
	h.refreshes(driving)
	h.letsSleep()
}

// meetsTesla starts a simulated Tesla, and leads the program to it.
func (h *house) meetsTesla() {
	h.Helper()
	path := filepath.Join(h.dir, "tesla.yaml")
	out, err := appendTo(path)
	h.must(err)
	defer out.Close() // the process has its own
	tesla, err := spawn(out, h.program.command("tesla", "simulate",
		"--listen", "127.0.0.1:0", "--house", "http://"+local(h.program.webhook)))
	h.must(err)
	h.Cleanup(tesla.kill)
	h.eventually("Tesla says where it is", patience, func() error {
		printed, err := os.ReadFile(path)
		if err == nil && !strings.Contains(string(printed), "cn: ") {
			err = fmt.Errorf("it says %q", printed)
		}
		return err
	})
	printed, err := os.ReadFile(path)
	h.must(err)
	for line := range strings.Lines(string(printed)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		name := "TESLA__" + strings.ToUpper(key)
		if strings.HasPrefix(line, "    ") {
			name = "TESLA__HOSTS__" + strings.ToUpper(key)
		}
		if value != "" {
			h.program.env = append(h.program.env, "WHEELHOUSE_"+name+"="+value)
		}
	}
}

// signsIn follows the link of "tesla login" and pastes where the browser ends: on a
// page that is not there, since the domain is invented.
func (h *house) signsIn() {
	h.Helper()
	login := h.program.command("tesla", "login")
	stdin, err := login.StdinPipe()
	h.must(err)
	stdout, err := login.StdoutPipe()
	h.must(err)
	var complaints strings.Builder
	login.Stderr = &complaints
	h.must(login.Start())
	kill := func() { _ = login.Process.Kill() }
	defer kill() // after its end it does nothing
	defer time.AfterFunc(patience, kill).Stop()
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "http") {
			final, err := whereto(lines.Text())
			h.must(err)
			_, err = fmt.Fprintln(stdin, final)
			h.must(err)
		}
	}
	if err := login.Wait(); err != nil {
		h.Fatalf("signing in: %v\n%s", err, &complaints)
	}
}

// whereto is where a page sends the browser.
func whereto(page string) (string, error) {
	browser := http.Client{
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	a, err := browser.Get(page)
	if err != nil {
		return "", err
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusFound {
		return "", fmt.Errorf("the sign-in page says %s", a.Status)
	}
	return a.Header.Get("Location"), nil
}

// rowsOf are the keys of a device's entities by a model.
func (h *house) rowsOf(path, device string) (keys []string) {
	h.Helper()
	f, err := os.Open(path)
	h.must(err)
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	h.must(err)
	for _, row := range rows {
		if row[0] == device {
			keys = append(keys, row[1])
		}
	}
	return keys
}

// teslaKeys are the entities of a Tesla that drives without a destination and has not
// charged. The model has what obeys orders too, from the lock of the doors on.
func (h *house) teslaKeys() []string {
	h.Helper()
	keys := h.rowsOf(teslaModel, "tesla car")
	keys = append(keys[:slices.Index(keys, "doors")], "refresh")
	return slices.DeleteFunc(keys, func(key string) bool {
		return key == "time_full_charge" ||
			strings.HasPrefix(key, "arrival_") || strings.HasPrefix(key, "destination")
	})
}

// has waits until entities of a device are announced.
func (h *house) has(device string, keys []string) {
	h.Helper()
	h.eventually("all of "+device, patience, func() error {
		kept, err := h.recorder.kept()
		if err != nil {
			return err
		}
		components, err := announced(kept)
		if err != nil {
			return err
		}
		var missing []error
		for _, key := range keys {
			if components["wheelhouse_"+device+"_"+key].Unique == "" {
				missing = append(missing, fmt.Errorf("%s is not announced", key))
			}
		}
		return errors.Join(missing...)
	})
}

// enablesAll makes Home Assistant show every entity that it hides at first.
func (h *house) enablesAll() {
	h.Helper()
	all, hidden := 0, 0
	for _, e := range h.registered() {
		all++
		if e.Disabled != "" {
			hidden++
			h.must(h.ha.socket.call(nil, "config/entity_registry/update",
				map[string]any{"entity_id": e.ID, "disabled_by": nil}))
		}
	}
	h.figures.measured(h.Name(), fmt.Sprintf("entities, %d of them hidden at first", hidden), all, "-")
	h.must(h.ha.rest.reload(h.entry)) // which Home Assistant does itself after 30 s
}

// keeps waits until the broker keeps something on a topic.
func (h *house) keeps(topic, want string) {
	h.Helper()
	h.eventually(topic, patience, func() error { return h.topic(topic, want) })
}

// letsSleep checks by the bill that only the car that drives was read, and none woken.
func (h *house) letsSleep() {
	h.Helper()
	printed, err := h.program.command("tesla", "status", "--json").Output()
	h.must(err)
	var state struct {
		Bill struct {
			Calls map[string]int
			ByVIN map[string]float64
		}
	}
	h.must(json.Unmarshal(printed, &state))
	for vin, cost := range state.Bill.ByVIN {
		if reads := strings.ToLower(vin) == driving; reads != (cost > 0) {
			h.Errorf("%s has cost %v USD", vin, cost)
		}
	}
	if calls := state.Bill.Calls; calls["data"] == 0 || calls["wake"] > 0 {
		h.Errorf("the calls are %v", calls)
	}
}

// refreshes presses the button for newer values of a car that drives: it is somewhere
// else long before it would have been read again.
func (h *house) refreshes(car string) {
	h.Helper()
	entities := h.registered()
	tracker := entities["wheelhouse_"+car+"_location"].ID
	where := func() string {
		at := h.state(tracker).Attributes
		return fmt.Sprint(at["latitude"], at["longitude"])
	}
	before := where()
	h.must(h.presses("button.press", entities["wheelhouse_"+car+"_refresh"].ID))
	took := h.eventually("a newer reading", patience, func() error {
		if where() == before {
			return fmt.Errorf("it is at %s", before)
		}
		return nil
	})
	h.within("from the finger to a newer reading", took, patience)
	h.agrees(patience)
}
