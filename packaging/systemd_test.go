//go:build systemd

package packaging_test

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// TestDebian is the life of the package on a Debian with systemd, as its owner
// lives it: each chapter begins where the last one has ended.
func TestDebian(t *testing.T) {
	h := &host{machine: newMachine(t)}
	h.deliver(t)
	for _, chapter := range []struct {
		name string
		tell func(*host, *testing.T)
	}{
		{"lintian", (*host).lintian},
		{"not started", (*host).notStarted},
		{"install", (*host).install},
		{"hardened", (*host).hardened},
		{"kill", (*host).kill},
		{"watchdog", (*host).watchdog},
		{"restart", (*host).restart},
		{"wrong settings", (*host).wrongSettings},
		{"credentials", (*host).credentials},
		{"upgrade", (*host).upgrade},
		{"switched off", (*host).switchedOff},
		{"reboot", (*host).reboot},
		{"remove", (*host).remove},
		{"purge", (*host).purge},
		{"rpm", (*host).rpmLife},
	} {
		if !t.Run(chapter.name, func(t *testing.T) { chapter.tell(h, t) }) {
			t.Fatal("what follows cannot be told without it")
		}
	}
}

// host is a machine with the two packages, and what is known of the service.
type host struct {
	*machine
	password string // that the car types
	points   string // what the car has recorded
}

// arch is this machine's, as nfpm, dpkg and rpm call it.
type arch struct{ nfpm, deb, rpm string }

func archHere() arch {
	return map[string]arch{
		"amd64": {"amd64", "amd64", "x86_64"},
		"arm64": {"arm64", "arm64", "aarch64"},
		"arm":   {"arm7", "armhf", "armv7hl"},
	}[runtime.GOARCH]
}

// deliver builds two versions as .deb and as .rpm, and brings them, and a car's
// body, into the machine. In the second .deb the default configuration has
// changed too: dpkg must keep the owner's nevertheless.
func (h *host) deliver(t *testing.T) {
	t.Helper()
	out, arch := t.TempDir(), archHere()
	for _, version := range []string{"1.0.0", "1.0.1"} {
		makePackages(t, version, out)
	}
	second := filepath.Join(out, "wheelhouse_1.0.1-1_"+arch.deb+".deb")
	execute(t, "sh", "-euc", `
		dpkg-deb --raw-extract "$1" "$2"
		echo "# A new default." >>"$2/etc/wheelhouse/wheelhouse.yaml"
		dpkg-deb --build -Znone "$2" "$1"`, "sh", second, filepath.Join(out, "tree"))
	for from, to := range map[string]string{
		"wheelhouse_1.0.0-1_" + arch.deb + ".deb": "first.deb",
		filepath.Base(second):                     "second.deb",
		"wheelhouse-1.0.0-1." + arch.rpm + ".rpm": "first.rpm",
		"wheelhouse-1.0.1-1." + arch.rpm + ".rpm": "second.rpm",
	} {
		execute(t, "cp", filepath.Join(out, from), filepath.Join(h.dir, "root", to))
	}
	execute(t, "cp", "../carstats/testdata/drivepoints.json", filepath.Join(h.dir, "root/body.json"))
}

// makePackages does what a release does, for this machine's architecture.
func makePackages(t *testing.T, version, out string) {
	t.Helper()
	dist := t.TempDir()
	notices := filepath.Join(dist, "THIRD_PARTY_NOTICES")
	if err := os.WriteFile(notices, []byte("None.\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"VERSION": version, "ARCH": archHere().nfpm, "SOURCE_DATE_EPOCH": "1750000000",
		"DIST": dist, "BINARY": filepath.Join(dist, "wheelhouse"), "CGO_ENABLED": "0",
	} {
		t.Setenv(name, value)
	}
	execute(t, "go", "build", "-trimpath", "-ldflags", "-s -w -X main.release="+version, "-o", dist,
		"../cmd/wheelhouse")
	execute(t, "linux/package", out)
}

// hears lets a car post, and compares the status of the answer.
func (h *host) hears(t *testing.T, car, password, status string) {
	t.Helper()
	h.says(t, "curl --silent --output /dev/null --write-out %{http_code} --user car:"+password+
		" --data-binary @/root/body.json http://localhost:8480/csv/"+car, status)
}

// keeps compares what the car has recorded with what it had.
func (h *host) keeps(t *testing.T) {
	t.Helper()
	if now := h.run(t, "wheelhouse export polestar"); now != h.points {
		t.Errorf("the car had recorded\n%s\nand now it is\n%s", h.points, now)
	}
}

// is compares the state of the service.
func (h *host) is(t *testing.T, active, enabled string) {
	t.Helper()
	h.says(t, "systemctl is-active wheelhouse || true", active)
	h.says(t, "systemctl is-enabled wheelhouse || true", enabled)
}

// has compares what systemd knows of the service.
func (h *host) has(t *testing.T, property, want string) {
	t.Helper()
	h.says(t, "systemctl show --value --property "+property+" wheelhouse", want)
}

// inProc is the running program in /proc.
const inProc = "/proc/$(systemctl show --value --property MainPID wheelhouse)/"

// restarts waits until systemd has started the service again by itself.
func (h *host) restarts(t *testing.T) {
	t.Helper()
	h.until(t, `[ "$(systemctl show --value --property NRestarts wheelhouse)" = 1 ]`)
	h.until(t, "systemctl --quiet is-active wheelhouse")
}

// generated is a password in what "wheelhouse credentials" prints; the car's is
// the first.
var generated = regexp.MustCompile(`(?m)password +([a-z2-9]{10})$`)

// Debian's own critic finds nothing in the .deb that is not explained there.
func (h *host) lintian(t *testing.T) {
	execute(t, "lintian", "--allow-root", "--fail-on", "error,warning",
		filepath.Join(h.dir, "root/first.deb"))
}

// Where the machine's policy forbids it, nothing is started. What root asks for
// before the first start holds after it.
func (h *host) notStarted(t *testing.T) {
	h.put(t, "/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)
	h.run(t, "dpkg --install /root/first.deb && rm /usr/sbin/policy-rc.d")
	h.is(t, "inactive", "enabled")
	before := h.run(t, "wheelhouse credentials")
	h.run(t, "systemctl start wheelhouse")
	h.says(t, "wheelhouse credentials", before)
	h.purge(t)
}

// Installed, it runs; root reads the passwords, nobody else does; a car posts.
func (h *host) install(t *testing.T) {
	said := h.run(t, "dpkg --install /root/first.deb")
	if !strings.Contains(said, "sudo wheelhouse credentials") {
		t.Errorf("nobody is told what to do next: %s", said)
	}
	h.is(t, "active", "enabled")
	h.says(t, "wheelhouse version", "wheelhouse 1.0.0")
	typed := generated.FindAllStringSubmatch(h.run(t, "wheelhouse credentials"), -1)
	if len(typed) != 2 {
		t.Fatalf("no two passwords: %q", typed)
	}
	h.password = typed[0][1]
	journal := h.run(t, "journalctl --output cat --unit wheelhouse")
	if !strings.Contains(journal, "wheelhouse is running") {
		t.Errorf("the journal does not say that it runs:\n%s", journal)
	}
	if generated.MatchString(journal) || strings.Contains(journal, h.password) {
		t.Error("the journal has a password")
	}
	h.hears(t, "polestar", "wrong", "401")
	h.hears(t, "polestar", h.password, "200")
	h.points = h.run(t, "wheelhouse export polestar")
	if n := strings.Count(h.points, "\n"); n < 100 {
		t.Errorf("%d points are stored:\n%s", n, h.points)
	}
	h.until(t, "curl --silent --fail http://localhost:8481/readyz") // the embedded broker too
	h.run(t, `wheelhouse health
		wheelhouse check
		wheelhouse republish polestar`)
	out, err := h.try(t, "setpriv --reuid nobody --clear-groups wheelhouse credentials")
	if err == nil {
		t.Errorf("anybody reads the passwords: %s", out)
	}
}

var exposure = regexp.MustCompile(`Overall exposure level for wheelhouse.service: ([0-9.]+)`)

// The service has few rights, and systemd's own judgement is a good one.
func (h *host) hardened(t *testing.T) {
	m := exposure.FindStringSubmatch(h.run(t, "systemd-analyze security wheelhouse.service"))
	if m == nil {
		t.Fatal("systemd-analyze says nothing")
	}
	if level, err := strconv.ParseFloat(m[1], 64); err != nil || level > 2 {
		t.Errorf("exposure %s, and 2.0 is allowed", m[1])
	}
	t.Log("exposure ", m[1])
	h.says(t, "systemd-analyze verify --man=no wheelhouse.service", "")
	// systemd.exec, DynamicUser: the user ids from 61184 to 65519.
	uid, err := strconv.Atoi(h.run(t, "stat --format %u "+inProc))
	if err != nil || uid < 61184 || uid > 65519 {
		t.Errorf("it runs as user %d", uid)
	}
	h.says(t, "sed -n 's/^CapEff:\t//p' "+inProc+"status", "0000000000000000")
	h.says(t, "stat --format %a /var/lib/private/wheelhouse/wheelhouse.db", "600")
}

// Killed, it is back with all that it had.
func (h *host) kill(t *testing.T) {
	h.run(t, "systemctl kill --signal KILL wheelhouse")
	h.restarts(t)
	h.keeps(t)
}

// Hung, it is killed by the watchdog, and is back.
func (h *host) watchdog(t *testing.T) {
	h.has(t, "WatchdogUSec", "1min")
	h.run(t, `mkdir /run/systemd/system/wheelhouse.service.d
		printf "[Service]\nWatchdogSec=2s\n" >/run/systemd/system/wheelhouse.service.d/test.conf
		systemctl daemon-reload
		systemctl restart wheelhouse
		systemctl kill --signal STOP wheelhouse`)
	h.restarts(t)
	h.run(t, `journalctl --unit wheelhouse | grep --quiet "Failed with result 'watchdog'"
		rm -r /run/systemd/system/wheelhouse.service.d
		systemctl daemon-reload`)
}

// Restarted, it has what it had, the passwords too.
func (h *host) restart(t *testing.T) {
	h.run(t, "systemctl restart wheelhouse")
	h.keeps(t)
	if !strings.Contains(h.run(t, "wheelhouse credentials"), h.password) {
		t.Error("the password is another one")
	}
	h.run(t, "systemctl stop wheelhouse")
	h.has(t, "Result", "success")
	h.keeps(t) // export reads beside the program, or without it
	h.run(t, "wheelhouse republish && systemctl start wheelhouse")
	h.keeps(t)
}

// Wrong settings are told, and not tried again.
func (h *host) wrongSettings(t *testing.T) {
	const file = "/etc/wheelhouse/wheelhouse.yaml"
	h.run(t, "cp "+file+" /root/good.yaml && echo 'mqtt: {urll: x}' >>"+file)
	if _, err := h.try(t, "systemctl restart wheelhouse"); err == nil {
		t.Error("it starts with wrong settings")
	}
	h.has(t, "ExecMainStatus", "78")
	h.has(t, "NRestarts", "0")
	h.has(t, "ActiveState", "failed")
	h.run(t, "journalctl --unit wheelhouse | grep --quiet 'mqtt.urll: is no setting: write url'")
	h.run(t, "cp /root/good.yaml "+file+" && systemctl restart wheelhouse")
}

// Passwords in the credential store count, plain and encrypted.
func (h *host) credentials(t *testing.T) {
	h.run(t, `umask 077
		mkdir -p /etc/credstore /etc/credstore.encrypted
		echo from-a-file >/etc/credstore/wheelhouse.carstats.password
		echo sealed | systemd-creds --quiet encrypt --with-key=host - \
			/etc/credstore.encrypted/wheelhouse.cars.volvo.password
		systemctl restart wheelhouse`)
	h.hears(t, "polestar", h.password, "401")
	h.hears(t, "polestar", "from-a-file", "200")
	h.hears(t, "volvo", "sealed", "200")
	h.run(t, `wheelhouse credentials | grep --quiet from-a-file
		wheelhouse forget volvo --data
		rm -r /etc/credstore /etc/credstore.encrypted
		systemctl restart wheelhouse`)
	h.hears(t, "polestar", h.password, "200")
	h.keeps(t)
}

// A new version keeps data and settings, and does not ask.
func (h *host) upgrade(t *testing.T) {
	h.run(t, "echo 'carstats: {silent_after: 5m}' >>/etc/wheelhouse/wheelhouse.yaml")
	h.run(t, "dpkg --force-confdef --force-confold --install /root/second.deb")
	h.is(t, "active", "enabled")
	h.run(t, "wheelhouse check | grep --quiet 'silent_after: 5m'")
	h.says(t, inProc+"exe version", "wheelhouse 1.0.1")
	h.keeps(t)
}

// What its owner has switched off stays off.
func (h *host) switchedOff(t *testing.T) {
	h.run(t, `systemctl --quiet disable --now wheelhouse
		dpkg --force-confold --install /root/second.deb`)
	h.is(t, "inactive", "disabled")
	h.run(t, "systemctl --quiet enable wheelhouse")
}

// It starts with the machine, after a power cut too.
func (h *host) reboot(t *testing.T) {
	h.off()
	h.boot(t)
	h.is(t, "active", "enabled")
	h.keeps(t)
}

// Removed, it ends and leaves its data; installed again, it has them.
func (h *host) remove(t *testing.T) {
	h.run(t, "dpkg --remove wheelhouse")
	h.says(t, "systemctl is-active wheelhouse || true", "inactive")
	h.says(t, "pidof wheelhouse || true", "")
	h.run(t, "dpkg --force-confold --install /root/second.deb")
	h.is(t, "active", "enabled")
	h.keeps(t)
}

// Purged, nothing of it is left.
func (h *host) purge(t *testing.T) {
	h.run(t, "dpkg --purge wheelhouse")
	h.says(t, "pidof wheelhouse || true", "")
	h.says(t, "systemctl is-enabled wheelhouse 2>&1 || true", "not-found")
	h.says(t, "find / -xdev -iname '*wheelhouse*' 2>/dev/null || true", "")
	h.says(t, "getent passwd wheelhouse || true", "")
}

// The same life, shorter, with the .rpm. This Debian has rpm as a program, but no
// package is known to it: nothing can be asked of dependencies, and there are none.
func (h *host) rpmLife(t *testing.T) {
	h.run(t, "rpm --install --nodeps /root/first.rpm")
	h.is(t, "active", "enabled")
	h.password = generated.FindStringSubmatch(h.run(t, "wheelhouse credentials"))[1]
	h.hears(t, "polestar", h.password, "200")
	h.keeps(t)
	h.run(t, `echo "carstats: {silent_after: 5m}" >>/etc/wheelhouse/wheelhouse.yaml
		rpm --upgrade --nodeps /root/second.rpm`)
	h.is(t, "active", "enabled")
	h.says(t, inProc+"exe version", "wheelhouse 1.0.1")
	h.run(t, "wheelhouse check | grep --quiet 'silent_after: 5m'")
	h.keeps(t)
	h.run(t, "rpm --erase wheelhouse")
	h.says(t, "pidof wheelhouse || true", "")
	h.says(t, "systemctl is-enabled wheelhouse 2>&1 || true", "not-found")
	// rpm knows no purge.
	h.says(t, "find / -xdev -iname '*wheelhouse*' 2>/dev/null | sort", strings.Join([]string{
		"/etc/wheelhouse", "/etc/wheelhouse/wheelhouse.yaml.rpmsave",
		"/var/lib/private/wheelhouse", "/var/lib/private/wheelhouse/wheelhouse.db", "/var/lib/wheelhouse",
	}, "\n"))
}
