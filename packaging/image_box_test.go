//go:build image

package packaging_test

import (
	"archive/tar"
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// dockerImage is an image as "docker load" reads it: what it is, and its file system.
type dockerImage struct {
	Architecture, Variant, OS string
	Config                    struct {
		Env, Entrypoint, Cmd  []string
		User, Hostname        string
		ExposedPorts, Volumes map[string]struct{}
		Labels                map[string]string
		Healthcheck           struct {
			Test              []string
			Interval, Timeout time.Duration
		}
	}
	tags  []string
	layer string // the one layer, a tar
}

// loadImage unpacks an image's archive.
func loadImage(t *testing.T, path string) (image dockerImage) {
	t.Helper()
	dir := t.TempDir()
	output(t, exec.Command("tar", "-C", dir, "-xzf", path))
	var manifest []struct {
		Config           string
		RepoTags, Layers []string
	}
	readJSON(t, filepath.Join(dir, "manifest.json"), &manifest)
	if len(manifest) != 1 || len(manifest[0].Layers) != 1 {
		t.Fatalf("%s: not one image with one layer: %v", path, manifest)
	}
	readJSON(t, filepath.Join(dir, manifest[0].Config), &image)
	image.tags, image.layer = manifest[0].RepoTags, filepath.Join(dir, manifest[0].Layers[0])
	return image
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// files are what the layer has, by name.
func (i dockerImage) files(t *testing.T) map[string]*tar.Header {
	t.Helper()
	f, err := os.Open(i.layer)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	files := map[string]*tar.Header{}
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = h
	}
}

// box is a container as compose.yaml asks for it: the image is all that there is, it cannot be
// written to, and root has no rights. The network is the machine's.
type box struct {
	image      dockerImage
	root, data string
	env        []string

	running *exec.Cmd
	lines   *bufio.Scanner // of its log
}

// newBox unpacks the image beside an empty volume.
func newBox(t *testing.T, image dockerImage, env ...string) *box {
	t.Helper()
	b := &box{image: image, root: t.TempDir(), data: t.TempDir()}
	b.env = append(append(b.env, image.Config.Env...), env...)
	output(t, exec.Command("tar", "-C", b.root, "-xpf", image.layer))
	for _, mountpoint := range []string{"proc", "dev"} {
		if err := os.Mkdir(filepath.Join(b.root, mountpoint), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// command is the image's, with these arguments, in a container with this root and volume.
func (b *box) command(args ...string) *exec.Cmd {
	c := exec.Command("bwrap", "--ro-bind", b.root, "/", "--bind", b.data, "/data",
		"--tmpfs", "/tmp", "--proc", "/proc", "--dev", "/dev", "--cap-drop", "ALL",
		"--unshare-pid", "--unshare-ipc", "--unshare-uts", "--as-pid-1", "--die-with-parent")
	c.Args = append(append(append(c.Args, "--"), b.image.Config.Entrypoint...), args...)
	c.Env = b.env
	return c
}

// start runs the program until the test ends.
func (b *box) start(t *testing.T) {
	t.Helper()
	c := b.command()
	b.running = c
	said, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	b.lines = bufio.NewScanner(io.TeeReader(said, t.Output()))
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	// A test that hangs is ended: with the program, its log ends.
	limit := time.AfterFunc(time.Minute, func() { _ = c.Process.Kill() })
	t.Cleanup(func() {
		limit.Stop()
		_ = c.Process.Kill()
		_, _ = io.Copy(io.Discard, said)
		_ = c.Wait()
	})
}

// says reads the log up to a line that has all these words, and returns it.
func (b *box) says(t *testing.T, words ...string) (line map[string]string) {
	t.Helper()
	for b.lines.Scan() {
		found := true
		for _, w := range words {
			found = found && strings.Contains(b.lines.Text(), w)
		}
		var all map[string]any
		if !found || json.Unmarshal(b.lines.Bytes(), &all) != nil {
			continue
		}
		line = map[string]string{}
		for key, value := range all {
			line[key], _ = value.(string)
		}
		return line
	}
	t.Fatalf("the log has no line with %q", words)
	return nil
}

// passwords are what "credentials" prints of the running program: the car's, and home's if the
// broker is its own.
func (b *box) passwords(t *testing.T) (list []string) {
	t.Helper()
	printed := output(t, b.command("credentials"))
	for _, found := range regexp.MustCompile(`password +(\S+)`).FindAllStringSubmatch(printed, -1) {
		list = append(list, found[1])
	}
	return list
}

// stop ends the program as "docker stop" does: with a word to the first process.
func (b *box) stop(t *testing.T) {
	t.Helper()
	outside := strconv.Itoa(b.running.Process.Pid)
	children, err := os.ReadFile("/proc/" + outside + "/task/" + outside + "/children")
	if err != nil {
		t.Fatal(err)
	}
	first, err := strconv.Atoi(strings.TrimSpace(string(children)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(first, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for b.lines.Scan() { // up to its end
	}
	if err := b.running.Wait(); err != nil {
		t.Errorf("stopped, the program says %v", err)
	}
}
