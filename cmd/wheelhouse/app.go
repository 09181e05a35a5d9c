package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/wheelhouse-mqtt/wheelhouse/config"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/mqtt"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/supervisor"
)

// ownSupervisor is the Supervisor whose app the program is, nil if it is none.
func ownSupervisor(getenv func(string) string) *supervisor.Client {
	if !config.InApp(getenv) {
		return nil
	}
	return &supervisor.Client{URL: supervisor.URL, Token: getenv("SUPERVISOR_TOKEN")}
}

// asksSupervisor says whether the broker is the one that the Supervisor names.
func asksSupervisor(cfg *config.Config, s *supervisor.Client) bool {
	return s != nil && cfg.MQTT.URL == "" && !cfg.Embedded(true)
}

// supervisorsBroker asks for the broker. A user of its own in mqtt.user goes there
// instead of the one that the Supervisor has for its apps.
func supervisorsBroker(
	cfg *config.Config, s *supervisor.Client,
) func(context.Context) (mqtt.Server, error) {
	return func(ctx context.Context) (mqtt.Server, error) {
		b, err := s.Broker(ctx)
		if err != nil {
			return mqtt.Server{}, err
		}
		if cfg.MQTT.User != "" {
			b.User, b.Password = cfg.MQTT.User, cfg.MQTT.Password.Reveal()
		}
		return mqtt.Server{URL: b.Address(), User: b.User, Password: b.Password}, nil
	}
}

// printBroker says, as a comment, what no setting says: the broker that the
// Supervisor names just now.
func printBroker(ctx context.Context, w io.Writer, cfg *config.Config, s *supervisor.Client) error {
	b, err := supervisorsBroker(cfg, s)(ctx)
	if err != nil {
		_, err = fmt.Fprintf(w, "# %v.\n", err)
		return err
	}
	_, err = fmt.Fprintf(w,
		"# The MQTT broker: %s, user %q, as the Home Assistant Supervisor says.\n", b.URL, b.User)
	return err
}

// settingName is what people who see this program call a setting.
func (h *house) settingName(key string) string {
	if h.supervisor != nil {
		return "the option " + config.OptionOf(key)
	}
	return key
}

// host is what Home Assistant calls the machine with the embedded broker.
func (h *house) host() string { return hostName(h.supervisor != nil) }

// hostName is the app's own name in Home Assistant's network, which is its
// container's.
func hostName(inApp bool) string {
	if name, err := os.Hostname(); err == nil && inApp {
		return name
	}
	return "this machine"
}

// brokerName is the broker, for people.
func (h *house) brokerName() string {
	switch {
	case h.broker != nil:
		return "Wheelhouse's own"
	case h.client.Broker() == "":
		return "Home Assistant's"
	}
	return h.client.Broker()
}
