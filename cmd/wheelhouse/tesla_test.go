package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wheelhouse-mqtt/wheelhouse/bridge"
	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/config"
	"github.com/wheelhouse-mqtt/wheelhouse/tesla"
	"github.com/wheelhouse-mqtt/wheelhouse/tesla/sim"
)

// The settings' defaults are those of package tesla, which config cannot ask.
func TestTeslaDefaults(t *testing.T) {
	cfg := config.Default().Tesla
	if got, want := teslaIntervals(cfg.Poll), tesla.DefaultIntervals(); got != want {
		t.Errorf("intervals %+v, want %+v", got, want)
	}
	got, want := teslaBudget(cfg.Budget), tesla.DefaultBudget()
	for category, price := range want.Prices {
		if got.Prices[category] != price {
			t.Errorf("%s costs %v, want %v", category, got.Prices[category], price)
		}
	}
	if got.Free != want.Free || got.Soft != want.Soft || got.Hard != want.Hard || got.Reserve != want.Reserve {
		t.Errorf("budget %+v, want %+v", got, want)
	}
	hosts := teslaHosts(config.TeslaHosts{EU: "http://127.0.0.1:1/eu/"})
	if hosts.API[tesla.Europe] != "http://127.0.0.1:1/eu" || hosts.Login != tesla.DefaultHosts().Login {
		t.Errorf("hosts %+v", hosts)
	}
	if _, err := teslaTable(config.Tesla{Expose: []string{"nonsense"}}); car.CodeOf(err) != car.NoSuch {
		t.Errorf("a field that there is not: %v", err)
	}
}

func TestTeslaNames(t *testing.T) {
	vin := sim.DefaultCars()[0].VIN
	cfg := &config.Config{Cars: map[string]config.Car{"rosso": {VIN: strings.ToLower(vin)}, "polestar": {}}}
	other := sim.DefaultCars()[1].VIN
	for vin, want := range map[string]car.ID{vin: "rosso", other: car.ID(strings.ToLower(other))} {
		id := carOf(cfg, vin)
		back, err := vinOf(cfg, string(id))
		if id != want || err != nil || back != vin {
			t.Errorf("%s is %s, which is %s (%v)", vin, id, back, err)
		}
	}
	for _, id := range []string{"polestar", "", "nobody"} {
		if _, err := vinOf(cfg, id); car.CodeOf(err) != car.NoSuch {
			t.Errorf("%q: %v", id, err)
		}
	}
	says := map[string]car.Value{"vin": car.Text(vin), "vehicle_state.vehicle_name": car.Text("Rosso")}
	got := teslaProfile(car.View{Get: func(path string) car.Value { return says[path] }})
	if want := (bridge.Profile{Name: "Rosso", Manufacturer: "Tesla", Model: "Model 3", VIN: vin}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// The key that seals the sign-in is made once, and is its owner's alone.
func TestSealKey(t *testing.T) {
	cfg := &config.Config{StateDir: t.TempDir()}
	first, err := sealKey(cfg)
	if err != nil {
		t.Fatal(err)
	}
	again, err := sealKey(cfg)
	if err != nil || again != first || first == ([32]byte{}) {
		t.Errorf("another key, or none: %v", err)
	}
	path := filepath.Join(cfg.StateDir, teslaSealFile)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its file: %v, %v", info.Mode(), err)
	}
	cfg.Tesla.SealKey = config.Secret(strings.Repeat("ab", 32))
	if key, err := sealKey(cfg); err != nil || key[0] != 0xab || key[31] != 0xab {
		t.Errorf("the configured key: %x, %v", key, err)
	}
	cfg.Tesla.SealKey = "short"
	if _, err := sealKey(cfg); err == nil || !strings.Contains(err.Error(), "tesla.seal_key") {
		t.Errorf("a bad key: %v", err)
	}
	cfg.Tesla.SealKey = ""
	if err := os.WriteFile(path, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sealKey(cfg); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a damaged file: %v", err)
	}
}

// An answer goes nowhere that only the program may write.
func TestAnswerTopics(t *testing.T) {
	cfg := config.Default()
	q := newQueries(&fleetAPI{cfg: cfg}, nil)
	const result = "wheelhouse/rosso/result"
	for wanted, want := range map[string]string{
		"flows/a": "flows/a", "wheelhouse": result, "wheelhouse/status": result, "wheelhouse/other/battery": result,
		"wheelhouses/a": "wheelhouses/a", "homeassistant/device/x/config": result, "": result, "a/+": result,
		"#": result, "$SYS/a": result, "wheelhouse/rosso/result": result,
	} {
		if got := q.answerTo("rosso", wanted); got != want {
			t.Errorf("%q goes to %q, want %q", wanted, got, want)
		}
	}
}
