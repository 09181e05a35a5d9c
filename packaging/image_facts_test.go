//go:build image

package packaging_test

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// Whoever asks any part of the release is told the version of the Home Assistant app's
// config.yaml. What the program tells Home Assistant, and the images' labels: see there.
func (r released) oneVersion(t *testing.T) {
	program := r.path("build/linux-" + nativeArch() + "/wheelhouse")
	if said := output(t, exec.Command(program, "version")); said != "wheelhouse "+r.version+"\n" {
		t.Errorf("the program says %q", said)
	}
	for _, arch := range []string{"amd64", "arm64", "armhf"} {
		deb := r.path("wheelhouse_VERSION-1_" + arch + ".deb")
		if said := output(t, exec.Command("dpkg-deb", "-f", deb, "Version")); said != r.version+"-1\n" {
			t.Errorf("%s says %q", deb, said)
		}
	}
	for _, arch := range []string{"x86_64", "aarch64", "armv7hl"} {
		lead := make([]byte, 96) // its name stands from the tenth byte on
		f, err := os.Open(r.path("wheelhouse-VERSION-1." + arch + ".rpm"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.Read(lead)
		_ = f.Close()
		name := string(bytes.TrimRight(lead[10:76], "\x00"))
		if err != nil || name != "wheelhouse-"+r.version+"-1" {
			t.Errorf("the rpm for %s says %q, %v", arch, name, err)
		}
	}
}

// Each bill names its binary, and all that is linked into it with a licence.
func (r released) bills(t *testing.T) {
	for _, arch := range releaseArches {
		var bill struct {
			Metadata struct {
				Component struct {
					Version string
					Hashes  []struct{ Content string }
				}
			}
			Components []struct {
				Name     string
				Licenses []struct{ Expression string }
			}
		}
		text, err := os.ReadFile(r.path("wheelhouse_VERSION_linux_" + arch + ".cdx.json"))
		if err == nil {
			err = json.Unmarshal(text, &bill)
		}
		if err != nil {
			t.Fatal(err)
		}
		binary := r.path("build/linux-" + arch + "/wheelhouse")
		sum, _, _ := strings.Cut(output(t, exec.Command("sha256sum", binary)), " ")
		about := bill.Metadata.Component
		if about.Version != r.version || len(about.Hashes) != 1 || about.Hashes[0].Content != sum {
			t.Errorf("%s: the bill is about %+v", arch, about)
		}
		var listed []string
		for _, c := range bill.Components {
			listed = append(listed, c.Name)
			if len(c.Licenses) != 1 || c.Licenses[0].Expression == "" {
				t.Errorf("%s: %s has no licence", arch, c.Name)
			}
		}
		if linked := linkedInto(t, binary); !slices.Equal(linked, listed) {
			t.Errorf("%s: the binary has %v, the bill %v", arch, linked, listed)
		}
	}
}

// linkedInto are the modules that a binary says it was made of, Go's own library among them.
func linkedInto(t *testing.T, binary string) []string {
	t.Helper()
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	modules := []string{"std"}
	for _, m := range info.Deps {
		modules = append(modules, m.Path)
	}
	slices.Sort(modules)
	return modules
}

// native is the image for this machine.
func (r released) native(t *testing.T) dockerImage {
	t.Helper()
	return r.imageOf(t, nativeArch())
}

// nativeArch is this machine's architecture, as artefacts are named.
func nativeArch() string {
	if runtime.GOARCH == "arm" {
		return "armv7"
	}
	return runtime.GOARCH
}

func (r released) imageOf(t *testing.T, arch string) dockerImage {
	t.Helper()
	return loadImage(t, r.path("wheelhouse_VERSION_image_"+arch+".tar.gz"))
}

// Each image is what the Dockerfile says, small, and for the right machines.
func (r released) images(t *testing.T) {
	_, name := appVersion(t)
	for _, want := range []struct{ arch, docker, hass string }{
		{"amd64", "amd64", "amd64"}, {"arm64", "arm64", "aarch64"}, {"armv7", "armv7", "armv7"},
	} {
		image := r.imageOf(t, want.arch)
		c, files := image.Config, image.files(t)
		for _, check := range []struct {
			what      string
			got, want any
		}{
			{"platform", image.OS + "/" + image.Architecture + image.Variant, "linux/" + want.docker},
			{"tags", image.tags, []string{name + ":" + r.version}},
			{"command", append(c.Entrypoint, c.Cmd...), []string{"/wheelhouse"}},
			{"user", c.User, ""},
			{"state directory", slices.Contains(c.Env, "STATE_DIRECTORY=/data"), true},
			{"volumes", slices.Sorted(maps.Keys(c.Volumes)), []string{"/data"}},
			{
				"ports", slices.Sorted(maps.Keys(c.ExposedPorts)),
				[]string{"1883/tcp", "8443/tcp", "8480/tcp"},
			},
			{"health check", c.Healthcheck.Test, []string{"CMD", "/wheelhouse", "health"}},
			{"health check's interval", c.Healthcheck.Interval, 10 * time.Second},
			{"io.hass.version", c.Labels["io.hass.version"], r.version},
			{"io.hass.type", c.Labels["io.hass.type"], "app"},
			{"io.hass.arch", c.Labels["io.hass.arch"], want.hass},
			{"version", c.Labels["org.opencontainers.image.version"], r.version},
			{"licence", c.Labels["org.opencontainers.image.licenses"], "MIT"},
			{"chance", c.Hostname, ""},
		} {
			if !reflect.DeepEqual(check.got, check.want) {
				t.Errorf("%s: %s: %v, not %v", want.arch, check.what, check.got, check.want)
			}
		}
		for file, mode := range map[string]int64{
			"wheelhouse": 0o755, "data/": 0o755, "tmp/": 0o1777,
			"etc/ssl/certs/ca-certificates.crt":            0o644,
			"usr/share/doc/wheelhouse/LICENSE":             0o644,
			"usr/share/doc/wheelhouse/THIRD_PARTY_NOTICES": 0o644,
		} {
			if h := files[file]; h == nil || h.Mode&0o7777 != mode || h.Uid != 0 {
				t.Errorf("%s: %s: %+v", want.arch, file, h)
			}
		}
		if info, err := os.Stat(image.layer); err != nil || info.Size() > 30_000_000 {
			t.Errorf("%s: %d bytes, %v", want.arch, info.Size(), err)
		}
	}
}
