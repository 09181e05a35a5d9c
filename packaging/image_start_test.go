//go:build image

package packaging_test

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wheelhouse-mqtt/wheelhouse/internal/supervisor/supervisortest"
)

// A Docker user starts it and types what "credentials" prints into the car and into Home
// Assistant; both work. Its clock shows the time zone that was named.
func (r released) dockerUser(t *testing.T) {
	ops := "WHEELHOUSE_OPS__LISTEN=" + unusedAddress(t) // "health" must know it
	b := newBox(t, r.native(t), append(anyPort(), "TZ=Asia/Kathmandu", ops)...)
	if out, err := b.command("health").CombinedOutput(); err == nil {
		t.Errorf("health, before the start: %s", out)
	}
	b.start(t)
	line := b.says(t, "wheelhouse is running")
	if line["version"] != r.version || !strings.HasSuffix(line["time"], "+05:45") {
		t.Errorf("the log says version %q at %q", line["version"], line["time"])
	}
	output(t, b.command("health"))
	passwords := b.passwords(t)
	if len(passwords) != 2 {
		t.Fatalf("credentials prints %d passwords", len(passwords))
	}
	post(t, line["webhook"], passwords[0])
	heard := hear(t, line["broker"], "home", passwords[1])
	if battery := heard.until(t, "wheelhouse/polestar/battery"); battery != "81.0" && battery != "81" {
		t.Errorf("the car's battery is %s", battery)
	}
	var discovery struct {
		Origin struct {
			Version string `json:"sw_version"`
		}
	}
	told := heard.until(t, "homeassistant/device/")
	err := json.Unmarshal([]byte(told), &discovery)
	if err != nil || discovery.Origin.Version != r.version {
		t.Errorf("Home Assistant is told of version %q, %v: %s", discovery.Origin.Version, err, told)
	}
	b.stop(t)
	if left, err := filepath.Glob(filepath.Join(b.data, "*-wal")); err != nil || len(left) > 0 {
		t.Errorf("stopped, it left %s, %v", left, err)
	}
}

// compose.yaml's mosquitto takes the passwords, and compose.yaml's Wheelhouse its place there.
func (r released) composed(t *testing.T) {
	c := readCompose(t, map[string]string{
		"MQTT_PASSWORD": "one of $its own", "HOME_PASSWORD": "another",
	})
	address := startMosquitto(t, c.Services["mosquitto"])
	env := c.Services["wheelhouse"].Environment
	env["WHEELHOUSE_MQTT__URL"] = "mqtt://" + address
	b := newBox(t, r.native(t), append(environ(env), anyPort()...)...)
	b.start(t)
	webhook := b.says(t, "wheelhouse is running")["webhook"]
	b.says(t, "connected to the MQTT broker")
	post(t, webhook, b.passwords(t)[0])
	hear(t, address, "home", "another").until(t, "wheelhouse/polestar/battery")
	if _, _, err := connect(t, address, "home", "one of $its own"); err == nil {
		t.Error("mosquitto takes any password")
	}
	if _, _, err := connect(t, address, "", ""); err == nil {
		t.Error("mosquitto takes anybody")
	}
}

// The image's authorities are the world's, and what the program believes are these.
func (r released) authorities(t *testing.T) {
	image := r.native(t)
	b := newBox(t, image)
	path := filepath.Join(b.root, "etc/ssl/certs/ca-certificates.crt")
	shipped, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for block, rest := pem.Decode(shipped); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		names[c.Subject.CommonName] = true
	}
	if len(names) < 100 || !names["ISRG Root X1"] || !names["DigiCert Global Root G2"] {
		t.Errorf("%d authorities: %v", len(names), names)
	}
	address, certificate, believed := secureServer(t)
	b.env = append(append(b.env, anyPort()...), "WHEELHOUSE_MQTT__URL=mqtts://"+address)
	b.start(t)
	if err := <-believed; err == nil {
		t.Error("the program believes a certificate of unknown origin")
	}
	b.stop(t)
	if err := os.WriteFile(path, append(bytes.Clone(shipped), certificate...), 0o644); err != nil {
		t.Fatal(err)
	}
	b.start(t)
	if err := <-believed; err != nil {
		t.Errorf("the program does not look at the image's authorities: %v", err)
	}
}

// Home Assistant starts it with its token and the user's options; the broker is the one that the
// Supervisor names.
func (r released) homeAssistantApp(t *testing.T) {
	image := r.native(t)
	// Another one is the broker app.
	brokers := newBox(t, image, append(anyPort(), "WHEELHOUSE_MQTT__PREFIX=brokers",
		"WHEELHOUSE_BROKER__USERS__ADDONS__PASSWORD=from-the-supervisor")...)
	brokers.start(t)
	address := brokers.says(t, "wheelhouse is running")["broker"]
	host, port, _ := net.SplitHostPort(address)
	fake := supervisortest.New(t)
	fake.Offer(&supervisortest.Service{
		Host: host, Port: port, User: "addons", Password: "from-the-supervisor",
	})

	b := newBox(t, image, append(anyPort(), "TZ=Europe/Berlin", "WHEELHOUSE_LOG__FORMAT=json",
		"SUPERVISOR_TOKEN="+supervisortest.Token, "http_proxy="+fake.URL)...)
	options := `{"car_password": "typed-by-hand", "mqtt": {}, "broker": {},
		"cars": [{"id": "polestar", "name": "Daisy"}]}`
	if err := os.WriteFile(filepath.Join(b.data, "options.json"), []byte(options), 0o600); err != nil {
		t.Fatal(err)
	}
	b.start(t)
	webhook := b.says(t, "wheelhouse is running")["webhook"]
	post(t, webhook, "typed-by-hand")
	heard := hear(t, address, "addons", "from-the-supervisor")
	heard.until(t, "wheelhouse/polestar/battery")
	told := heard.until(t, "homeassistant/device/wheelhouse_polestar/")
	if !strings.Contains(told, `"Daisy"`) {
		t.Errorf("the car's name is not the option's: %.300s", told)
	}
	b.stop(t)
}
