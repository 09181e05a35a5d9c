package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/wheelhouse-mqtt/wheelhouse/carstats"
	"github.com/wheelhouse-mqtt/wheelhouse/config"
)

// someURL stands for a public address that is not known.
const someURL = "https://YOUR.HOUSE"

// guide tells people what to type where, in the words of the place where the
// program runs.
type guide struct {
	publicURL string // "" while it is missing, and
	missing   string // what to do about that
	again     string // where the passwords can be seen later
	host      string // of the embedded broker, for Home Assistant
	port      string // "" without an embedded broker
	shared    bool   // the broker is the one that Home Assistant has already
}

// newGuide is for people at a console, or in the Home Assistant app. port is the
// embedded broker's.
func newGuide(cfg *config.Config, inApp bool, port string) guide {
	g := guide{publicURL: cfg.HTTP.PublicURL, port: port, host: hostName(inApp)}
	if inApp {
		g.missing = "the documentation shows how to have one; name it in the option " +
			config.OptionOf("http.public_url")
		g.again = "see the app's page"
		g.shared = port == "" && cfg.MQTT.URL == ""
		return g
	}
	g.missing = "lead one to " + plainAddress(cfg.HTTP.Listen) + " and name it in http.public_url"
	g.again = "see: wheelhouse credentials"
	return g
}

// print says it. Passwords are shown only if asked for.
func (g guide) print(w io.Writer, c credentials, show bool) {
	hidden := func(s string) string {
		if show {
			return s
		}
		return "(as before; " + g.again + ")"
	}
	var b strings.Builder
	fmt.Fprintln(&b,
		"\nIn the car: Car Stats Viewer, settings, webhook (telemetry type \"Both\", use location on)")
	fmt.Fprintf(&b, "  address   %s%s/NAME     any short name: it becomes the car's\n",
		cmp.Or(g.publicURL, someURL), carstats.Path)
	fmt.Fprintf(&b, "  user      anything\n  password  %s\n", hidden(c.CarPassword))
	if g.publicURL == "" {
		fmt.Fprintf(&b, "  The car insists on a public https address: %s.\n", g.missing)
	}
	switch {
	case g.port != "":
		fmt.Fprintln(&b, "In Home Assistant: Settings, Devices & services, Add integration, MQTT")
		fmt.Fprintf(&b, "  broker    %s, port %s\n  user      %s\n  password  %s\n",
			g.host, g.port, homeUser, hidden(c.HomePassword))
	case g.shared:
		fmt.Fprintln(&b, "In Home Assistant: nothing, if its MQTT integration uses the broker app")
	}
	_, _ = io.WriteString(w, b.String()+"\n")
}

// plainAddress is a listen address as a URL that can be typed.
func plainAddress(listen string) string {
	if strings.HasPrefix(listen, ":") {
		return "http://this-machine" + listen
	}
	return "http://" + listen
}
