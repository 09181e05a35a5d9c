package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wheelhouse-mqtt/wheelhouse/config"
)

// credentialsDir is a directory as systemd makes one: files by their names.
func credentialsDir(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		write(t, dir, name, content)
	}
	return dir
}

func TestCredentials(t *testing.T) {
	file := write(t, t.TempDir(), "w.yaml", "mqtt: {password: file}\ncarstats: {password: file}\ncars: {volvo: }")
	dir := credentialsDir(t, map[string]string{
		"wheelhouse.mqtt.password":              "first\n",
		"wheelhouse.carstats.password":          "second\r\n",
		"wheelhouse.cars.polestar.password":     "a new car",
		"wheelhouse.cars.volvo.password":        " spaces are meant \n",
		"wheelhouse.broker.users.home.password": "000123",
		"tls.key":                               "not\nours\n",
		"wheelhouse":                            "neither",
	})
	c, err := config.Load(config.Sources{
		File: file, Credentials: dir, Environ: []string{"HOME=/h", "WHEELHOUSE_CARSTATS__PASSWORD=environment"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for what, pair := range map[string][2]string{
		"over the file":         {c.MQTT.Password.Reveal(), "first"},
		"under the environment": {c.CarStats.Password.Reveal(), "environment"},
		"a car":                 {c.Cars["polestar"].Password.Reveal(), "a new car"},
		"a car of the file":     {c.Cars["volvo"].Password.Reveal(), " spaces are meant "},
		"a user":                {c.Broker.Users["home"].Password.Reveal(), "000123"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %q, want %q", what, pair[0], pair[1])
		}
	}
	var b strings.Builder
	if err := c.Print(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"  password: '***' # " + dir, "  password: '***' # WHEELHOUSE_CARSTATS__PASSWORD"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in\n%s", want, b.String())
		}
	}
}

func TestCredentialProblems(t *testing.T) {
	const all = "one of mqtt.password, broker.users.*.password, carstats.password, tesla.client_secret, tesla.seal_key, cars.*.password"
	for name, want := range map[string]string{
		"mqtt.pasword":              "is no password: write mqtt.password",
		"mqtt.url":                  "is no password: write " + all,
		"mqtt":                      "is no password: write " + all,
		"mqtt.password.x":           "is no password: write mqtt.password",
		"cars.*.password":           "is no password: write cars.*.password",
		"cars.volvo":                "is no password: write " + all,
		"broker.users.a b.password": "is no password: write broker.users.*.password",
		"":                          "is no password: write " + all,
	} {
		dir := credentialsDir(t, map[string]string{"wheelhouse." + name: "hidden"})
		want := "wheelhouse." + name + ": " + strings.TrimPrefix(name+": ", ": ") + want
		if got := credentialError(t, dir); got != want {
			t.Errorf("the message is\n%s\nand should be\n%s", got, want)
		}
	}
	for content, want := range map[string]string{
		"":              "does not hold one line",
		"\n":            "does not hold one line",
		"hidden\ntwo\n": "does not hold one line",
		"hidden\x07":    "has a control character (a line break?)",
		"hidden\xff":    "is not UTF-8",
	} {
		dir := credentialsDir(t, map[string]string{"wheelhouse.mqtt.password": content})
		want := "wheelhouse.mqtt.password: mqtt.password: " + want
		if got := credentialError(t, dir); got != want {
			t.Errorf("%q: the message is\n%s\nand should be\n%s", content, got, want)
		}
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "wheelhouse.mqtt.password"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got, want := credentialError(t, dir),
		"wheelhouse.mqtt.password: mqtt.password: cannot be read: is a directory"; got != want {
		t.Errorf("the message is %q, and should be %q", got, want)
	}
	none := dir + "/none"
	if got, want := credentialError(t, none), none+": cannot be read: no such file or directory"; got != want {
		t.Errorf("the message is %q, and should be %q", got, want)
	}
}

// credentialError loads credentials that have one mistake. No message may repeat
// what they hold.
func credentialError(t *testing.T, dir string) string {
	t.Helper()
	_, err := config.Load(config.Sources{Credentials: dir, Environ: []string{"HOME=/h"}})
	var problems config.Problems
	if !errors.As(err, &problems) || len(problems) != 1 {
		t.Fatalf("the error is no single problem: %v", err)
	}
	if strings.Contains(err.Error(), "hidden") {
		t.Errorf("a secret is shown: %v", err)
	}
	return strings.ReplaceAll(err.Error(), dir+"/", "")
}
