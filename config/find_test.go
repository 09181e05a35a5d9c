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
	dir := t.TempDir()
	env := map[string]string{"STATE_DIRECTORY": dir}
	getenv := func(k string) string { return env[k] }
	touch(t, filepath.Join(dir, "options.json"))
	if got := OptionsFile(getenv); got != "" {
		t.Errorf("options %q outside the app", got)
	}
	env["SUPERVISOR_TOKEN"] = "t"
	if got := OptionsFile(getenv); got != filepath.Join(dir, "options.json") {
		t.Errorf("options %q in the app", got)
	}
	env["STATE_DIRECTORY"] = t.TempDir()
	if got := OptionsFile(getenv); got != "" {
		t.Errorf("options %q where there are none", got)
	}
}

func TestFindFile(t *testing.T) {
	dir := t.TempDir()
	system := filepath.Join(dir, "etc.yaml")
	state, app := filepath.Join(dir, "state"), filepath.Join(dir, "app")
	env := map[string]string{"STATE_DIRECTORY": state, "WHEELHOUSE_CONFIG": "/named.yaml"}
	getenv := func(k string) string { return env[k] }
	expect := func(flag, want string) {
		t.Helper()
		if got := findFile(flag, getenv, app, system); got != want {
			t.Errorf("found %q, want %q", got, want)
		}
	}
	expect("/flag.yaml", "/flag.yaml")
	expect("", "/named.yaml")
	delete(env, "WHEELHOUSE_CONFIG")
	expect("", "")
	touch(t, system)
	expect("", system)
	mkdir(t, state)
	mkdir(t, app)
	touch(t, filepath.Join(state, "wheelhouse.yaml"))
	touch(t, filepath.Join(app, "wheelhouse.yaml"))
	expect("", filepath.Join(state, "wheelhouse.yaml"))
	env["SUPERVISOR_TOKEN"] = "t"
	expect("", filepath.Join(app, "wheelhouse.yaml"))
	env["STATE_DIRECTORY"], env["SUPERVISOR_TOKEN"] = "", ""
	expect("", system)
}

func touch(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
}
