package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	fileName    = "wheelhouse.yaml"
	systemFile  = "/etc/wheelhouse/wheelhouse.yaml"
	optionsName = "options.json"
	appData     = "/data"   // where the Supervisor keeps an app's files
	appFolder   = "/config" // the app's folder that the user can edit
	appIngress  = ":8099"   // where the Supervisor expects an app's page
	environment = "WHEELHOUSE_"
)

// InApp says whether the program runs as a Home Assistant app: the Supervisor
// gives each of its apps a token.
func InApp(getenv func(string) string) bool { return getenv("SUPERVISOR_TOKEN") != "" }

// OptionsFile returns the file with the Home Assistant app's options, which the
// Supervisor writes into the state directory at each start. It is "" where the
// program is no app, or where there is none: the defaults will do then.
func OptionsFile(getenv func(string) string) string {
	if !InApp(getenv) {
		return ""
	}
	return firstOf(filepath.Join(StateDir(getenv), optionsName))
}

// StateDir returns the state directory where state_dir names none in a file:
// the environment's, systemd's, the Home Assistant app's, else the user's own
// (XDG base directory specification: a relative path counts as unset). It is ""
// where the environment does not even name a home.
func StateDir(getenv func(string) string) string {
	if dir := getenv(environment + "STATE_DIR"); dir != "" {
		return dir
	}
	// systemd joins several directories by colons (systemd.exec, StateDirectory=).
	if dir, _, _ := strings.Cut(getenv("STATE_DIRECTORY"), ":"); dir != "" {
		return dir
	}
	if InApp(getenv) {
		return appData
	}
	if dir := getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "wheelhouse")
	}
	if home := getenv("HOME"); home != "" {
		return filepath.Join(home, ".local", "state", "wheelhouse")
	}
	return ""
}

// FindFile returns the configuration file: the one named on the command line,
// else the environment's, else the first that exists of wheelhouse.yaml in the
// state directory (in the Home Assistant app: in the folder /config, which users
// can reach) and /etc/wheelhouse/wheelhouse.yaml, else "". A file that was named
// need not exist: Load says so.
func FindFile(flag string, getenv func(string) string) string {
	return findFile(flag, getenv, appFolder, systemFile)
}

func findFile(flag string, getenv func(string) string, app, system string) string {
	if flag != "" {
		return flag
	}
	if named := getenv(environment + "CONFIG"); named != "" {
		return named
	}
	dir := StateDir(getenv)
	if InApp(getenv) {
		dir = app
	}
	if dir == "" {
		return firstOf(system)
	}
	return firstOf(filepath.Join(dir, fileName), system)
}

// firstOf returns the first path that exists, else "". What cannot be read is
// found as well: silence would hide it.
func firstOf(paths ...string) string {
	for _, path := range paths {
		if _, err := os.Stat(path); !os.IsNotExist(err) && !errors.Is(err, syscall.ENOTDIR) {
			return path
		}
	}
	return ""
}
