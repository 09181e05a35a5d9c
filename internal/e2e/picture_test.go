//go:build homeassistant

package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// devicePage takes a picture of a car's page as a person sees it. It is for people
// to look at; the test only knows whether names that must be there are.
func (h *house) devicePage(name string) {
	h.Helper()
	b, err := browse(h.dir, 1200, 2200)
	var none unavailable
	if errors.As(err, &none) {
		h.Log("no picture of the device page: ", none)
		return
	}
	h.must(err)
	defer b.close()
	h.allowed = append(h.allowed, // integrations that the pages' onboarding sets up, and that need the internet
		"google_translate", "components.met", "radio_browser", "shopping_list")
	h.must(h.ha.rest.finishOnboarding(h.ha.login.client))
	devices, err := h.ha.socket.devices()
	h.must(err)
	h.must(b.open(h.ha.rest.base + "/manifest.json"))
	h.eventually("a page of the right origin", patience, func() error {
		where, err := b.evaluate("location.origin")
		if err == nil && where != h.ha.rest.base {
			err = errors.New(where)
		}
		return err
	})
	_, err = b.evaluate(fmt.Sprintf(`localStorage.setItem("hassTokens", JSON.stringify({access_token: %q,
		token_type: "Bearer", expires_in: 1800, hassUrl: %q, clientId: %q, expires: Date.now() + 1700000,
		refresh_token: %q}))`, h.ha.rest.token, h.ha.rest.base, h.ha.login.client, h.ha.login.refresh))
	h.must(err)
	h.must(b.open(h.ha.rest.base + "/config/devices/device/" + devices["wheelhouse_polestar"].ID))
	h.eventually("the page is drawn", time.Minute, func() error {
		text, err := b.evaluate(pageText)
		for _, name := range []string{name, "Sensors", "Diagnostic", "Battery", "Trip consumption", "Last update"} {
			if err == nil && !strings.Contains(text, name) {
				err = fmt.Errorf("no %q on the page: %.300q", name, text)
			}
		}
		return err
	})
	h.eventually("every icon is drawn", time.Minute, func() error {
		empty, err := b.evaluate(emptyIcons)
		if err == nil && empty != "0" {
			err = fmt.Errorf("%s are not", empty)
		}
		return err
	})
	path := filepath.Join(pictures(), "device-page.png")
	h.must(os.MkdirAll(pictures(), 0o755))
	h.must(b.picture(path))
	h.Log("look at ", path)
}

// pictures is where pictures go.
func pictures() string {
	if dir := os.Getenv("E2E_PICTURES"); dir != "" {
		return dir
	}
	return filepath.Join(os.TempDir(), "wheelhouse-e2e")
}

// pageText is the text of a page whose elements live in shadow roots.
const pageText = `(function text(node) {
	if (node.nodeType === 3) return node.data.trim() + " ";
	if (node.tagName === "STYLE" || node.tagName === "SCRIPT") return "";
	let all = node.shadowRoot ? text(node.shadowRoot) : "";
	for (const child of node.childNodes) all += text(child);
	return all;
})(document.body)`

// emptyIcons counts the icons of a page that have nothing to show yet; a page
// without any icon has one too few.
const emptyIcons = `(function() {
	let all = 0, empty = 0;
	(function visit(node) {
		if (node.tagName === "HA-SVG-ICON") {
			all++;
			if (!node.shadowRoot?.querySelector("path")?.getAttribute("d")) empty++;
		}
		if (node.tagName === "HA-STATE-ICON" && !node.shadowRoot?.querySelector("ha-icon, ha-svg-icon")) empty++;
		if (node.tagName === "HA-ICON" && !node.shadowRoot?.querySelector("ha-svg-icon")) empty++;
		for (const child of node.shadowRoot?.children ?? []) visit(child);
		for (const child of node.children) visit(child);
	})(document.body);
	return all === 0 ? 1 : empty;
})()`
