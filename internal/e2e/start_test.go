//go:build homeassistant

package e2e

import (
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// model is the list of the entities of a Car Stats Viewer car: what they must be,
// written independently of the program's tables.
const model = "../../cmd/wheelhouse/testdata/entities.csv"

// wanted are the keys of a car's entities by the model.
func (h *house) wanted() (keys []string) {
	h.Helper()
	f, err := os.Open(model)
	h.must(err)
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	h.must(err)
	for _, row := range rows {
		if row[0] == "csv car" {
			keys = append(keys, row[1])
		}
	}
	return keys
}

// complete waits until every entity of the model is announced for a car, and Home
// Assistant shows them all.
func (h *house) complete(car string, within time.Duration) time.Duration {
	h.Helper()
	keys := h.wanted()
	return h.eventually("a complete car", within, func() error {
		kept, err := h.recorder.kept()
		if err != nil {
			return err
		}
		components, err := announced(kept)
		if err != nil {
			return err
		}
		for _, key := range keys {
			if components["wheelhouse_"+car+"_"+key].Unique == "" {
				return fmt.Errorf("%s of %s is not announced", key, car)
			}
		}
		return h.agreement()
	})
}

// livesWith opens the house for a car that has shown everything it has, and returns
// what its clock shows.
func (h *house) livesWith(car string) time.Time {
	h.Helper()
	h.opens()
	ahead := h.goesOut(car)
	h.complete(car, patience)
	return ahead
}

// cleanStart: everything that the broker keeps is in Home Assistant's registries,
// under the ids asked for, with its state, unit and classes.
func cleanStart(h *house) {
	h.livesWith(polestar)
	h.asksFor()
}

// asksFor checks that every entity has the id that it asked for, and that the car
// is linked to the program.
func (h *house) asksFor() {
	h.Helper()
	kept, err := h.recorder.kept()
	h.must(err)
	components, err := announced(kept)
	h.must(err)
	entities := h.registered()
	for unique, c := range components {
		if entities[unique].ID != c.Entity {
			h.Errorf("%s is %s, not %s", unique, entities[unique].ID, c.Entity)
		}
		if on := entities[unique].Disabled == ""; on != c.on() {
			h.Errorf("%s is enabled: %v", unique, on)
		}
	}
	devices, err := h.ha.socket.devices()
	h.must(err)
	if via := devices["wheelhouse_"+polestar].Via; via == "" || via != devices["wheelhouse_bridge"].ID {
		h.Errorf("the car is linked to %q", via)
	}
}

// twoCars: nothing of one car is taken for the other's.
func twoCars(h *house) {
	h.livesWith(polestar)
	h.goesOut("volvo")
	h.complete("volvo", patience)
	h.complete(polestar, patience)
	h.asksFor()
}

// lateHome: Home Assistant, which knows the broker, starts after everything was
// said.
func lateHome(h *house) {
	h.opens()
	h.agrees(patience)
	h.must(h.ha.stop())
	h.goesOut(polestar)
	h.must(h.ha.start())
	h.complete(polestar, patience)
	h.asksFor()
}

// allAtOnce: a program that knows its car tells a Home Assistant that does not.
func allAtOnce(h *house) {
	h.opensBroker()
	h.must(h.program.start())
	h.goesOut(polestar)
	h.must(h.ha.start())
	h.must(h.program.stop())
	h.mosquito.kill()
	h.must(h.mosquito.forget())
	h.must(h.mosquito.start())
	h.joins()
	began := time.Now()
	h.must(h.program.start())
	h.complete(polestar, patience)
	seen := time.Now()
	for _, m := range h.recorder.since(began) {
		if m.Payload != "" && strings.Contains(m.Topic, "/device/wheelhouse_"+polestar) {
			h.within("discovery to the last entity", seen.Sub(m.At), 2*time.Second)
			return
		}
	}
	h.Error("nothing was announced")
}

// protocols: Home Assistant reaches the embedded broker with MQTT 5 and 3.1.1.
func protocols(h *house) {
	h.must(h.program.start())
	h.must(h.ha.start())
	h.broker.protocol = "5"
	h.joins()
	h.goesOut(polestar)
	h.complete(polestar, patience)
	h.must(h.ha.rest.remove(h.entry))
	h.broker.protocol = "3.1.1"
	h.joins()
	h.complete(polestar, patience)
}

// ownPrefix: the discovery prefix and the birth topic are the user's.
func ownPrefix(h *house) {
	h.opens()
	h.must(h.ha.rest.configureMQTT(h.entry, map[string]any{
		"discovery_prefix": "my_home", "birth_topic": "my_home/birth",
	}))
	h.must(h.ha.rest.reload(h.entry))
	h.goesOut(polestar)
	h.complete(polestar, patience)
	began := time.Now()
	h.must(h.ha.stop())
	h.must(h.ha.start())
	h.agrees(patience)
	h.eventually("states follow the birth", 30*time.Second, func() error {
		born := false
		for _, m := range h.recorder.since(began) {
			born = born || m.Topic == "my_home/birth" && m.Payload == "online"
			if born && m.Topic == "wheelhouse/polestar/battery" {
				return nil
			}
		}
		return fmt.Errorf("born %v", born)
	})
}

// closedDoors: wrong passwords and a broker that is away are told, and mend.
func closedDoors(h *house) {
	h.excused = []string{"password", "connect"}
	h.must(h.program.start()) // there is no broker yet
	h.must(h.ha.start())
	if _, err := h.ha.rest.addMQTT(h.broker); !errors.Is(err, errRefused) {
		h.Errorf("without a broker Home Assistant says %v", err)
	}
	h.must(h.mosquito.setPassword("another-password"))
	h.must(h.mosquito.start())
	h.eventually("the program says what is wrong", patience, func() error {
		if lines := h.program.complaints(); !strings.Contains(strings.Join(lines, ""), "password") {
			return fmt.Errorf("it says %q", lines)
		}
		return nil
	})
	if _, err := h.ha.rest.addMQTT(h.broker); !errors.Is(err, errRefused) {
		h.Errorf("with a wrong password Home Assistant says %v", err)
	}
	h.mosquito.kill()
	h.must(h.mosquito.setPassword(h.broker.password))
	h.must(h.mosquito.start())
	h.joins()
	h.goesOut(polestar)
	h.complete(polestar, time.Minute)
}
