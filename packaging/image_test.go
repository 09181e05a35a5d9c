//go:build image

package packaging_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var coldRelease = flag.Bool("release.cold", false, "make the second release without a build cache")

// The release is made twice, in two places, and must be the same. Then its image is started as
// its users start it.
func TestRelease(t *testing.T) {
	tools(t, "git", "buildah", "bwrap", "dpkg-deb", "unshare", "mosquitto")
	one, two := filepath.Join(t.TempDir(), "checkout"), filepath.Join(t.TempDir(), "another", "place")
	cloneTo(t, "..", one, 0o022)
	cloneTo(t, one, two, 0o002)
	r := released{dir: filepath.Join(t.TempDir(), "out")}
	r.version, _ = appVersion(t)

	sums := makeRelease(t, one, r.dir)
	t.Run("again", func(t *testing.T) {
		var env []string
		if *coldRelease {
			env = append(env, "GOCACHE="+t.TempDir())
		}
		if again := makeRelease(t, two, filepath.Join(t.TempDir(), "o"), env...); again != sums {
			t.Errorf("two releases of one commit differ:\n%s\n%s", sums, again)
		}
	})
	t.Run("nothing of this machine", r.anonymous)
	t.Run("one version", r.oneVersion)
	t.Run("bill of materials", r.bills)
	t.Run("image", r.images)
	t.Run("Docker user", r.dockerUser)
	t.Run("Docker user with mosquitto", r.composed)
	t.Run("certificate authorities", r.authorities)
	t.Run("Home Assistant app", r.homeAssistantApp)
}

// tools says what is missing here.
func tools(t *testing.T, names ...string) {
	t.Helper()
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin") // Debian's mosquitto
	if os.Getuid() != 0 {
		t.Skip("skipped: containers take the rights of root; nothing of the release was tried")
	}
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("skipped: %v; nothing of the release was tried (.ci/run release installs it)", err)
		}
	}
}

// cloneTo makes a clone with the checkout's files as they are now. Their modes are those that a
// machine with this umask gives.
func cloneTo(t *testing.T, from, to string, umask os.FileMode) {
	t.Helper()
	output(t, exec.Command("git", "clone", "-q", from, to))
	list := output(t, exec.Command("git", "-C", from, "ls-files", "-coz", "--exclude-standard"))
	for name := range strings.SplitSeq(strings.Trim(list, "\x00"), "\x00") {
		info, err := os.Lstat(filepath.Join(from, name))
		if os.IsNotExist(err) { // removed, but not yet committed
			err = os.RemoveAll(filepath.Join(to, name))
		} else if err == nil {
			err = copyFile(filepath.Join(from, name), filepath.Join(to, name), (info.Mode()|0o066)&^umask)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func copyFile(from, to string, mode os.FileMode) error {
	body, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(to, body, mode); err != nil {
		return err
	}
	return os.Chmod(to, mode) // whatever the umask here
}

// makeRelease runs packaging/release in a checkout, on a machine of another name, and returns the
// checksums.
func makeRelease(t *testing.T, checkout, out string, env ...string) string {
	t.Helper()
	const renamed = `hostname "$0"; exec "$@"`
	c := exec.Command("unshare", "--uts", "sh", "-ec", renamed, filepath.Base(checkout),
		filepath.Join(checkout, "packaging", "release"), out)
	c.Env = append(os.Environ(), env...)
	c.Stdout, c.Stderr = t.Output(), t.Output()
	if err := c.Run(); err != nil {
		t.Fatalf("packaging/release: %v", err)
	}
	sums, err := os.ReadFile(filepath.Join(out, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	return string(sums)
}

// released is a directory that packaging/release has filled.
type released struct{ dir, version string }

// releaseArches are the architectures as artefacts are named.
var releaseArches = []string{"amd64", "arm64", "armv7"}

// path of an artefact; VERSION in its name is the release's.
func (r released) path(name string) string {
	return filepath.Join(r.dir, strings.ReplaceAll(name, "VERSION", r.version))
}

// No binary tells where it was made.
func (r released) anonymous(t *testing.T) {
	traces := []string{filepath.Dir(r.dir)}
	for _, name := range []string{"GOROOT", "GOMODCACHE", "GOCACHE"} {
		traces = append(traces, strings.TrimSpace(output(t, exec.Command("go", "env", name))))
	}
	for _, arch := range releaseArches {
		body, err := os.ReadFile(r.path("build/linux-" + arch + "/wheelhouse"))
		if err != nil {
			t.Fatal(err)
		}
		for _, trace := range traces {
			if bytes.Contains(body, []byte(trace+"/")) {
				t.Errorf("%s: the binary contains %s", arch, trace)
			}
		}
	}
}

// output is what a command prints.
func output(t *testing.T, c *exec.Cmd) string {
	t.Helper()
	out, err := c.Output()
	if err != nil {
		var said []byte
		if e, ok := err.(*exec.ExitError); ok {
			said = e.Stderr
		}
		t.Fatal(fmt.Errorf("%s: %w\n%s", c, err, said))
	}
	return string(out)
}
