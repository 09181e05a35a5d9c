//go:build proxies

package packaging_test

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// What Cloudflare and Tailscale run is not to be had without them, but that their
// files lead in what is meant for outside, and nothing else, is to be seen from here.

func TestCloudflareTunnel(t *testing.T) {
	var tunnel struct {
		Tunnel  string
		Ingress []struct{ Hostname, Path, Service string }
	}
	text, err := os.ReadFile("proxy/cloudflared.yml")
	if err == nil {
		err = yaml.Unmarshal(text, &tunnel)
	}
	if err != nil || tunnel.Tunnel == "" || len(tunnel.Ingress) != 2 {
		t.Fatalf("%+v, %v", tunnel, err)
	}
	in, rest := tunnel.Ingress[0], tunnel.Ingress[1]
	if in.Hostname != proxyHost || in.Service != "http://127.0.0.1:8480" {
		t.Errorf("%+v", in)
	}
	if rest.Hostname+rest.Path != "" || rest.Service != "http_status:404" {
		t.Errorf("the last rule must take all the rest: %+v", rest)
	}
	path := regexp.MustCompile(in.Path) // as cloudflared does
	for address, want := range map[string]bool{
		"/csv": true, "/csv/": true, "/csv/polestar": true, callbackPath: true, publicKeyPath: true,
		"/tesla": false, callbackPath + "/x": false, publicKeyPath + "x": false, "/.well-known/x": false,
		"/": false, "/csvx": false, "/metrics": false, "/x/csv": false,
	} {
		if got := path.MatchString(address); got != want {
			t.Errorf("%s is led in: %v", address, got)
		}
	}
}

func TestTailscaleFunnel(t *testing.T) {
	var funnel struct {
		TCP map[string]struct{ HTTPS bool }
		Web map[string]struct {
			Handlers map[string]struct{ Proxy string }
		}
		AllowFunnel map[string]bool
	}
	text, err := os.ReadFile("proxy/tailscale.json")
	if err == nil {
		err = json.Unmarshal(text, &funnel)
	}
	if err != nil {
		t.Fatal(err)
	}
	const name = "${TS_CERT_DOMAIN}:443"
	if !funnel.TCP["443"].HTTPS || !funnel.AllowFunnel[name] {
		t.Errorf("%+v", funnel)
	}
	handlers := funnel.Web[name].Handlers
	led := []string{publicKeyPath, "/csv", callbackPath}
	if diff := cmp.Diff(led, slices.Sorted(maps.Keys(handlers))); diff != "" {
		t.Errorf("what is led in (-want +got):\n%s", diff)
	}
	// Tailscale takes the handler's path off and puts the proxy's in its place.
	for path, handler := range handlers {
		if handler.Proxy != "http://127.0.0.1:8480"+path {
			t.Errorf("%s goes to %s", path, handler.Proxy)
		}
	}
}
