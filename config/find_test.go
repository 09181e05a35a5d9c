package config

import (
	"os"
	"path/filepath"
	"testing"
)

func TestStateDir(t *testing.T) {
	for name, tt := range map[string]struct {
		env  map[string]string
		want string
	}{
		"named":         {map[string]string{"WHEELHOUSE_STATE_DIR": "/n", "STATE_DIRECTORY": "/s"}, "/n"},
		"systemd":       {map[string]string{"STATE_DIRECTORY": "/s", "SUPERVISOR_TOKEN": "t"}, "/s"},
		"systemd's two": {map[string]string{"STATE_DIRECTORY": "/s:/t"}, "/s"},
		"app":           {map[string]string{"SUPERVISOR_TOKEN": "t", "HOME": "/root"}, "/data"},
		"XDG":           {map[string]string{"XDG_STATE_HOME": "/x", "HOME": "/h"}, "/x/wheelhouse"},
		"XDG, relative": {map[string]string{"XDG_STATE_HOME": "x", "HOME": "/h"}, "/h/.local/state/wheelhouse"},
		"home":          {map[string]string{"HOME": "/h"}, "/h/.local/state/wheelhouse"},
		"nothing":       {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := StateDir(func(k string) string { return tt.env[k] }); got != tt.want {
				t.Errorf("state directory %q, want %q", got, tt.want)
			}
		})
	}
}

func TestOptionsFile(t *testing.T) {
	env := map[string]string{}
	getenv := func(k string) string { return env[k] }
	if got := OptionsFile(getenv); got != "" {
		t.Errorf("options %q outside the app", got)
	}
	env["SUPERVISOR_TOKEN"] = "t"
	if got := OptionsFile(getenv); got != "/data/options.json" {
		t.Errorf("options %q in the app", got)
	}
}

func TestFindFile(t *testing.T) {
	dir := t.TempDir()
	system := filepath.Join(dir, "etc.yaml")
	state := filepath.Join(dir, "state")
	env := map[string]string{"STATE_DIRECTORY": state, "WHEELHOUSE_CONFIG": "/named.yaml"}
	getenv := func(k string) string { return env[k] }
	expect := func(flag, want string) {
		t.Helper()
		if got := findFile(flag, getenv, system); got != want {
			t.Errorf("found %q, want %q", got, want)
		}
	}
	touch := func(path string) {
		t.Helper()
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	expect("/flag.yaml", "/flag.yaml")
	expect("", "/named.yaml")
	delete(env, "WHEELHOUSE_CONFIG")
	expect("", "")
	touch(system)
	expect("", system)
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	touch(filepath.Join(state, "wheelhouse.yaml"))
	expect("", filepath.Join(state, "wheelhouse.yaml"))
	env["STATE_DIRECTORY"] = ""
	expect("", system)
}
