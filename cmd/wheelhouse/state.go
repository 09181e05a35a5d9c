package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/wheelhouse-mqtt/wheelhouse/config"
)

// errRunning is what a second program in one state directory hears.
var errRunning = errors.New("already running")

// lockState makes the state directory and takes its lock: there is one program
// per directory. Closing the file lets go; so does the end of the process.
func lockState(cfg *config.Config) (*os.File, error) {
	if cfg.StateDir == "" {
		return nil, errors.New("no place for the state: set state_dir (WHEELHOUSE_STATE_DIR)")
	}
	if err := os.MkdirAll(cfg.StateDir, 0o700); err != nil {
		return nil, fmt.Errorf("the state directory cannot be made: %w; set state_dir to another one", err)
	}
	path := filepath.Join(cfg.StateDir, "lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the state directory cannot be used: %w; set state_dir to another one", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%w in %s: stop it, or give this one another state_dir", errRunning, cfg.StateDir)
	}
	return f, nil
}
