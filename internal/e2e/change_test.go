//go:build homeassistant

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// newField: what a car shows later appears later, and nothing else blinks.
func newField(h *house) {
	h.opens()
	h.must(h.program.post(polestar, raw(map[string]string{"lat": "", "lon": "", "alt": "", "ambientTemperature": ""})))
	h.shows("sensor.polestar_battery", "72")
	h.agrees(patience)
	before := h.registered()
	if e := before["wheelhouse_polestar_location"]; e.ID != "" {
		h.Errorf("%s without a position", e.ID)
	}
	h.must(h.ha.socket.watch())
	h.must(h.program.post(polestar, raw(nil)))
	h.shows(tracker, "home")
	h.shows("sensor.polestar_outside_temperature", "11.5")
	h.agrees(patience)
	after := h.registered()
	for unique, e := range before {
		if after[unique] != e {
			h.Errorf("%s has changed: %v, before %v", unique, after[unique], e)
		}
	}
	old := map[string]bool{}
	for _, e := range before {
		old[e.ID] = true
	}
	for _, c := range h.ha.socket.seen() {
		if old[c.entity] && c.state == "unavailable" {
			h.Errorf("%s blinked", c.entity)
		}
	}
}

// forgotten: a car that is forgotten leaves nothing behind.
func forgotten(h *house) {
	if h.version != newest { // several topics of one device are cleared at once
		h.allowed = []string{"No device components to cleanup"}
	}
	h.livesWith(polestar)
	h.goesOut("volvo")
	h.complete("volvo", patience)
	h.must(h.program.run("forget", polestar))
	h.agrees(patience)
	h.eventually("the device goes", patience, func() error {
		devices, err := h.ha.socket.devices()
		if err == nil && devices["wheelhouse_polestar"].ID != "" {
			err = errors.New("it is there")
		}
		return err
	})
	h.eventually("the broker keeps nothing of the car", patience, func() error {
		kept, err := h.recorder.kept()
		for topic := range kept {
			if strings.Contains(topic, polestar) {
				err = fmt.Errorf("it keeps %s", topic)
			}
		}
		return err
	})
	h.complete("volvo", patience)
}

// edited is another version of the program: the files of the checkout, with texts
// replaced by others. It is built once for all places.
func (h *house) edited(name string, edits map[string][]string) string {
	h.Helper()
	binary := filepath.Join(filepath.Dir(h.program.binary), name)
	if _, err := os.Stat(binary); err == nil {
		return binary
	}
	overlay := map[string]map[string]string{"Replace": {}}
	for file, pairs := range edits {
		path, err := filepath.Abs(filepath.Join("../..", file))
		h.must(err)
		text, err := os.ReadFile(path)
		h.must(err)
		changed := strings.NewReplacer(pairs...).Replace(string(text))
		if changed == string(text) {
			h.Fatalf("%s has nothing of %q", file, pairs)
		}
		copied := filepath.Join(h.dir, name+"-"+filepath.Base(file))
		h.must(os.WriteFile(copied, []byte(changed), 0o600))
		overlay["Replace"][path] = copied
	}
	data, err := json.Marshal(overlay)
	h.must(err)
	file := filepath.Join(h.dir, name+"-overlay.json")
	h.must(os.WriteFile(file, data, 0o600))
	h.must(build(binary, "-overlay", file))
	return binary
}

// upgrade goes on with another version of the program.
func (h *house) upgrade(binary string) {
	h.Helper()
	h.must(h.program.stop())
	h.program.binary = binary
	h.must(h.program.start())
}

const carTable = "carstats/table.go"

// fieldRemoved: a version of the program that knows a field no more takes its
// entity along.
func fieldRemoved(h *house) {
	next := h.edited("without-gear", map[string][]string{carTable: {
		`{Key: "gear",`, `//`, "var Table = car.Table{Fields:", `var Table = car.Table{Gone: []string{"gear"}, Fields:`,
	}})
	h.livesWith(polestar)
	before := h.registered()
	h.upgrade(next)
	h.eventually("the entity goes", 30*time.Second, func() error {
		entities, err := h.ha.socket.entities()
		if err == nil && entities["wheelhouse_polestar_gear"].ID != "" {
			err = errors.New("it is there")
		}
		return err
	})
	h.agrees(patience)
	h.eventually("nothing speaks of it any more", 75*time.Second, func() error {
		kept, err := h.recorder.kept()
		if err == nil && strings.Contains(kept["homeassistant/device/wheelhouse_polestar/sensor/config"], `"gear"`) {
			err = errors.New("the announcement does")
		}
		return errors.Join(err, h.topic("wheelhouse/polestar/gear", ""))
	})
	delete(before, "wheelhouse_polestar_gear")
	h.same(before)
}

// customised: what users have changed stays as they made it when a new version of
// the program brings other names and icons.
func customised(h *house) {
	next := h.edited("renamed", map[string][]string{carTable: {
		`Name: "Battery"`, `Name: "State of charge"`, `Name: "Speed"`, `Name: "Velocity"`,
		"mdi:car-shift-pattern", "mdi:cog",
	}})
	h.livesWith(polestar)
	area := h.area("Garage")
	update := func(id string, changes map[string]any) {
		changes["entity_id"] = id
		h.must(h.ha.socket.call(nil, "config/entity_registry/update", changes))
	}
	update("sensor.polestar_battery", map[string]any{"new_entity_id": "sensor.akku", "name": "Akku", "area_id": area})
	update("sensor.polestar_power", map[string]any{"disabled_by": "user"})
	devices, err := h.ha.socket.devices()
	h.must(err)
	h.must(h.ha.socket.call(nil, "config/device_registry/update", map[string]any{
		"device_id": devices["wheelhouse_polestar"].ID, "name_by_user": "My car", "area_id": area,
	}))
	before := h.registered()
	h.upgrade(next)
	h.eventually("the new names are there", 20*time.Second, func() error {
		if name := h.registered()["wheelhouse_polestar_speed"].Original; name != "Velocity" {
			return fmt.Errorf("it is %q", name)
		}
		return nil
	})
	h.agrees(20 * time.Second)
	h.keptAs(before)
	h.shows("sensor.akku", h.battery())
	if icon := h.state("sensor.polestar_gear").attribute("icon"); icon != "mdi:cog" {
		h.Errorf("the icon is %q", icon)
	}
	devices, err = h.ha.socket.devices()
	h.must(err)
	if d := devices["wheelhouse_polestar"]; d.NameByUser != "My car" || d.Area != area {
		h.Errorf("the device is %v", d)
	}
}

// keptAs checks that entries of the registry are as they were, but for the names
// that we give.
func (h *house) keptAs(before map[string]entity) {
	h.Helper()
	after := h.registered()
	for unique, was := range before {
		is := after[unique]
		is.Original, was.Original = "", ""
		if is != was {
			h.Errorf("%s is %v, was %v", unique, is, was)
		}
	}
}

// battery is what the broker keeps of the charge.
func (h *house) battery() string {
	h.Helper()
	kept, err := h.recorder.kept()
	h.must(err)
	return kept["wheelhouse/polestar/battery"]
}

// area makes an area and returns its id.
func (h *house) area(name string) string {
	h.Helper()
	var a struct {
		ID string `json:"area_id"`
	}
	h.must(h.ha.socket.call(&a, "config/area_registry/create", map[string]any{"name": name}))
	return a.ID
}

// deviceDeleted: a device that the user deletes stays away, over a restart of the
// program too, until it is asked for again; then it is the same.
func deviceDeleted(h *house) {
	h.allowed = []string{"No device components to cleanup"}
	h.livesWith(polestar)
	before := h.registered()
	devices, err := h.ha.socket.devices()
	h.must(err)
	h.must(h.ha.deleteDevice(devices["wheelhouse_polestar"].ID, h.entry))
	unannounced := func() error {
		kept, err := h.recorder.kept()
		if err != nil {
			return err
		}
		for topic := range kept {
			if strings.Contains(topic, "/device/wheelhouse_polestar") {
				return fmt.Errorf("%s is kept", topic)
			}
		}
		return nil
	}
	away := func() error { return errors.Join(unannounced(), h.agreement()) }
	h.eventually("the device goes", patience, away)
	h.reports(polestar, parked())
	h.must(h.program.stop())
	h.must(h.program.start())
	h.eventually("Home Assistant is back", 20*time.Second, away)
	h.reports(polestar, parked())
	h.always("the device stays away", 4*time.Second, unannounced)
	h.eventually("Home Assistant has nothing of it", patience, away)
	h.must(h.presses("button.press", republishButton))
	h.complete(polestar, patience)
	h.sameIDs(before)
}

// sameIDs checks that entities have the ids that they had.
func (h *house) sameIDs(before map[string]entity) {
	h.Helper()
	after := h.registered()
	for unique, e := range before {
		if after[unique].ID != e.ID {
			h.Errorf("%s is %q, was %q", unique, after[unique].ID, e.ID)
		}
	}
}

// entityDeleted: a single entity that the user deletes comes back with the next
// message; Home Assistant wants it disabled instead.
func entityDeleted(h *house) {
	h.allowed = []string{"sensor.polestar_power"}
	h.livesWith(polestar)
	before := h.registered()
	h.must(h.ha.socket.call(nil, "config/entity_registry/remove", map[string]any{"entity_id": "sensor.polestar_power"}))
	h.eventually("the entity goes", patience, func() error {
		if e := h.registered()["wheelhouse_polestar_power"]; e.ID != "" {
			return errors.New("it is there")
		}
		return nil
	})
	kept, err := h.recorder.kept()
	h.must(err)
	if kept["homeassistant/device/wheelhouse_polestar/sensor/config"] == "" {
		h.Error("the discovery topic is empty")
	}
	h.must(h.program.run("republish", polestar))
	h.complete(polestar, patience)
	h.sameIDs(before)
}
