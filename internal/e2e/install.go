//go:build homeassistant

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// script makes Home Assistant's root and starts it.
const script = "../../.ci/homeassistant"

// notHere is the script's exit status for a machine that cannot do it.
const notHere = 77

// unavailable says why there is no Home Assistant on this machine.
type unavailable string

func (u unavailable) Error() string { return string(u) }

// install makes a release of Home Assistant where it is not there yet. The error
// is an unavailable one if this machine cannot have it.
func install(version string) error {
	var out bytes.Buffer
	c := exec.Command(script, "make", version)
	c.Stdout, c.Stderr = os.Stderr, &out
	err := c.Run()
	if err == nil {
		return nil
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == notHere {
		return unavailable(strings.TrimPrefix(lines[len(lines)-1], "skipped: "))
	}
	return fmt.Errorf("%s make %s: %w\n%s", script, version, err, out.String())
}
