package mqtt

import (
	"testing"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

func TestAccess(t *testing.T) {
	home, guest := User{Name: "home"}, User{Name: "guest", Cars: []car.ID{"polestar", "a"}}
	wall := User{Name: "wall", ReadOnly: true}
	a := &access{topics: car.Topics{Prefix: "my/house"}, discovery: "homeassistant"}
	for _, c := range []struct {
		topic       string
		read, write string // users, by letter: h home, g guest, w wall
	}{
		{"anything/else", "hw", "h"},
		{"homeassistant/status", "hw", "h"},
		{"$SYS/broker/uptime", "hw", ""},
		{"$share/g/x", "hw", ""},

		{"my/house", "hw", ""},
		{"my/house/status", "hgw", ""},
		{"my/house/status/set", "hw", ""},
		{"my/house/bridge/posts", "hgw", ""},
		{"my/house/bridge/republish/set", "hgw", "h"},
		{"my/house/bridge/command/x", "hgw", ""},
		{"my/house/account/cost", "hw", ""},
		{"my/house/account/cost/set", "hw", ""},
		{"my/house/fleet/command/honk", "hw", ""},

		{"my/house/polestar/battery", "hgw", ""},
		{"my/house/polestar/charge_limit/set", "hgw", "hg"},
		{"my/house/polestar/climate/mode/set", "hgw", "hg"},
		{"my/house/polestar/climate/mode/of/set", "hgw", ""},
		{"my/house/polestar/climate/mode", "hgw", ""},
		{"my/house/polestar/command/honk", "hgw", "hg"},
		{"my/house/polestar/command/honk/twice", "hgw", ""},
		{"my/house/polestar/command", "hgw", ""},
		{"my/house/polestar/query/vehicle_data", "hgw", "hg"},
		{"my/house/polestar/result", "hgw", ""},
		{"my/house/polestar/event", "hgw", ""},
		{"my/house/polestar/event/set", "hgw", ""},
		{"my/house/polestar/set", "hgw", ""},
		{"my/house/polestar//set", "hgw", ""},
		{"my/house//command/honk", "hw", ""},

		{"my/house/tesla/battery", "hw", ""},
		{"my/house/tesla/charge_limit/set", "hw", "h"},
		{"my/house/tesla/command/honk", "hw", "h"},
		{"my/house/ab/battery", "hw", ""},

		{"my/house/intake/polestar", "hw", "hg"},
		{"my/house/intake/Polestar", "hw", "hg"},
		{"my/house/intake/tesla", "hw", "h"},
		{"my/house/intake/...", "hw", ""},
		{"my/house/intake/polestar/x", "hw", ""},
		{"my/house/intake/set", "hw", "h"},

		{"homeassistant/device/my_house_polestar/values/config", "hgw", "h"},
		{"homeassistant/device/my_house_bridge/values/config", "hgw", "h"},
		{"homeassistant/device/my_house_tesla/values/config", "hw", "h"},
		{"homeassistant/device/my_house_b_a/values/config", "hw", "h"},
		{"homeassistant/device/other_polestar/values/config", "hw", "h"},
		{"homeassistant/sensor/my_house_polestar/config", "hw", "h"},
	} {
		read, write := "", ""
		for _, u := range []User{home, guest, wall} {
			if a.mayRead(u, c.topic) {
				read += u.Name[:1]
			}
			if a.mayWrite(u, c.topic) {
				write += u.Name[:1]
			}
		}
		if read != c.read || write != c.write {
			t.Errorf("%s: read by %q, written by %q; want %q, %q", c.topic, read, write, c.read, c.write)
		}
	}
}

func TestMaySubscribe(t *testing.T) {
	home, guest := User{Name: "home"}, User{Name: "guest", Cars: []car.ID{"a"}}
	a := &access{topics: car.Topics{Prefix: "w"}, discovery: "homeassistant"}
	for filter, want := range map[string]bool{
		"#": true, "w/+/battery": true, "$SYS/#": true, // each message is checked
		"w/a/battery": true, "w/b/battery": false, "w/status": true, "other": false,
		"$share/g/#": false, "$SHARE/g/w/a/battery": false,
	} {
		if got := a.maySubscribe(guest, filter); got != want {
			t.Errorf("guest: %s: %v", filter, got)
		}
		if !a.maySubscribe(home, filter) {
			t.Errorf("home: %s: refused", filter)
		}
	}
}

func TestPasswords(t *testing.T) {
	a := &access{users: map[string]User{
		"home": {Name: "home", Password: "secret"}, "open": {Name: "open"},
	}}
	for _, c := range []struct {
		name, password string
		want           bool
	}{
		{"home", "secret", true},
		{"home", "Secret", false},
		{"home", "secret ", false},
		{"home", "", false},
		{"", "", false},
		{"nobody", "", false},
		{"nobody", "secret", false},
		{"open", "", false},
	} {
		if got := a.knows(c.name, c.password); got != c.want {
			t.Errorf("%q %q: %v", c.name, c.password, got)
		}
	}
}
