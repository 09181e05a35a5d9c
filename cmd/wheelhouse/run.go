package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"github.com/wheelhouse-mqtt/wheelhouse/bridge"
	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/carstats"
	"github.com/wheelhouse-mqtt/wheelhouse/config"
	"github.com/wheelhouse-mqtt/wheelhouse/discovery"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/mqtt"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/store"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/supervisor"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/web"
	"github.com/wheelhouse-mqtt/wheelhouse/tesla"
)

// projectURL is what Home Assistant links to.
const projectURL = "https://github.com/wheelhouse-mqtt/wheelhouse"

// house is the whole program: everything it consists of, in the order in which
// data come through it. build acquires, run serves, close lets go.
type house struct {
	cfg     *config.Config
	log     zerolog.Logger
	systemd web.Systemd

	supervisor *supervisor.Client // nil outside the Home Assistant app

	lock     *os.File
	store    *store.Store
	retained *store.Retained // of the embedded broker
	secrets  credentials

	webhook  *web.Server
	receiver *carstats.Receiver
	bridge   *bridge.Bridge
	herald   *herald
	client   *mqtt.Client
	broker   *mqtt.Broker // nil with an external one
	ops      *web.Server  // nil if switched off
	page     *web.Server  // nil if switched off
	control  *control
	fleet    *fleetAPI // nil without a Tesla account
	queries  *queries  // to it
	metrics  *metrics

	acquired []io.Closer
}

// build opens files, binds ports and checks everything before anything runs.
func build(ctx context.Context, to console, cfg *config.Config, log zerolog.Logger) (h *house, err error) {
	h = &house{
		cfg: cfg, log: log, systemd: web.NewSystemd(to.Getenv), supervisor: ownSupervisor(to.Getenv),
		metrics: newMetrics(),
	}
	defer func() {
		if err != nil {
			h.close()
		}
	}()
	if h.lock, err = lockState(cfg); err != nil {
		return h, err
	}
	h.acquired = append(h.acquired, h.lock)
	if h.store, err = store.Open(ctx, cfg.Store.Path); err != nil {
		return h, err
	}
	h.acquired = append(h.acquired, h.store)
	if h.secrets, err = newCredentials(ctx, cfg, h.store); err != nil {
		return h, err
	}
	topics := car.Topics{Prefix: cfg.MQTT.Prefix}
	if cfg.Embedded(h.supervisor != nil) {
		if err = h.buildBroker(ctx, topics); err != nil {
			return h, err
		}
	}
	if err = h.buildClient(ctx, topics); err != nil {
		return h, err
	}
	if err = h.buildBridge(ctx, topics); err != nil {
		return h, err
	}
	if err = h.buildTesla(ctx); err != nil {
		return h, err
	}
	h.buildReceiver()
	if err = errors.Join(h.buildServers(), h.buildPage()); err != nil {
		return h, err
	}
	if h.control, err = newControl(h); err != nil {
		return h, err
	}
	h.acquired = append(h.acquired, h.control)
	return h, nil
}

func (h *house) buildBroker(ctx context.Context, topics car.Topics) (err error) {
	h.retained, err = store.OpenRetained(ctx, filepath.Join(h.cfg.StateDir, "retained.db"))
	if err != nil {
		return err
	}
	h.acquired = append(h.acquired, h.retained)
	endpoints, err := brokerEndpoints(h.cfg.Broker, h.log)
	if err != nil {
		return err
	}
	h.broker, err = mqtt.NewBroker(mqtt.BrokerOptions{
		Endpoints: endpoints, Users: brokerUsers(h.cfg.Broker.Users, h.secrets), Topics: topics,
		Discovery: h.cfg.Discovery.Prefix, Keeper: h.retained, MaxPacket: int64(h.cfg.Broker.MaxPacket),
		MaxClients: h.cfg.Broker.MaxClients, Orders: []string{topics.Intakes()}, OnOrder: h.intake, Log: h.log,
	})
	if err != nil {
		return err
	}
	h.acquired = append(h.acquired, h.broker)
	return nil
}

// buildClient makes the MQTT client, and the herald whose discovery topics it
// subscribes to.
func (h *house) buildClient(ctx context.Context, topics car.Topics) (err error) {
	d := h.cfg.Discovery
	h.herald, err = newHerald(ctx, discovery.Config{
		Enabled: d.Enabled, Prefix: d.Prefix, Birth: d.BirthTopic, Topics: topics,
		Program:                discovery.Program{Name: "Wheelhouse", Version: version(), URL: projectURL},
		UnavailableWhenOffline: d.UnavailableWhenOffline,
	}, h.store, h.log)
	if err != nil {
		return err
	}
	o := mqtt.ClientOptions{
		URL: h.cfg.MQTT.URL, User: h.cfg.MQTT.User, Password: h.cfg.MQTT.Password.Reveal(),
		ClientID: h.secrets.clientID, Status: topics.Status(),
		OnMessage: h.inbound(topics), OnUp: h.herald.up, OnDown: h.herald.down, Observe: h.metrics.published, Log: h.log,
	}
	for _, filter := range h.herald.announcer.Filters() {
		o.Filters = append(o.Filters, mqtt.Filter{Topic: filter})
	}
	for _, topic := range h.asked(topics) {
		o.Filters = append(o.Filters, mqtt.Filter{Topic: topic, NoRetained: true})
	}
	if h.broker != nil {
		o.Dial = h.broker.Dial
	} else {
		o.Orders, o.OnOrder = []string{topics.Intakes()}, h.intakeFromAfar
		if o.TLS, err = clientTLS(h.cfg.MQTT); err != nil {
			return err
		}
	}
	if asksSupervisor(h.cfg, h.supervisor) {
		o.Server = supervisorsBroker(h.cfg, h.supervisor)
	}
	h.client, err = mqtt.NewClient(o)
	h.herald.client = h.client
	return err
}

func (h *house) buildBridge(ctx context.Context, topics car.Topics) (err error) {
	profiles := make(map[car.ID]bridge.Profile, len(h.cfg.Cars))
	for id, c := range h.cfg.Cars {
		profiles[car.ID(id)] = bridge.Profile{
			Name: c.Name, Manufacturer: c.Manufacturer, Model: c.Model, VIN: c.VIN, Capacity: c.Capacity * 1000,
		}
	}
	table, err := teslaTable(h.cfg.Tesla)
	if err != nil {
		return err
	}
	h.bridge, err = bridge.New(ctx, bridge.Options{
		Store: h.store, Topics: topics, Profiles: profiles, Calm: time.Duration(h.cfg.MQTT.MinInterval),
		Sources: map[car.Source]bridge.Source{
			car.CarStatsSource: {Table: carstats.Table, Silent: time.Duration(h.cfg.CarStats.SilentAfter), Posted: true},
			car.TeslaSource:    {Table: table, Silent: 3 * time.Duration(h.cfg.Tesla.Poll.State), Profile: teslaProfile},
		},
		Keep: time.Duration(h.cfg.Store.Keep), Version: version(), Now: time.Now, Log: h.log,
		Publish: h.client.Publish, Announce: h.herald.announce, Withdraw: h.herald.withdraw,
	})
	return err
}

func (h *house) buildReceiver() {
	accounts := make(map[car.ID]carstats.Account, len(h.cfg.Cars))
	for id, c := range h.cfg.Cars {
		accounts[car.ID(id)] = carstats.Account{Password: c.Password.Reveal()}
	}
	h.receiver = carstats.NewReceiver(carstats.Options{
		Take: h.metrics.taking(h.bridge.Take), Password: h.secrets.CarPassword, Cars: accounts,
		Discover: h.cfg.CarStats.Discover, MaxBody: int64(h.cfg.CarStats.MaxBody), Raw: h.cfg.CarStats.Raw,
		Now: time.Now, Log: h.log,
		Answered: func(id car.ID, status int, reason string) {
			h.metrics.answered(status)
			h.bridge.Answered(id, status, reason)
		},
	})
}

func (h *house) buildServers() (err error) {
	certificates, err := serverCertificates(h.cfg, h.log)
	if err != nil {
		return err
	}
	o := web.Options{
		Listen: h.cfg.HTTP.Listen, Certificates: certificates, Setting: "http.listen", Log: h.log,
		Handler: web.Proxies(h.cfg.HTTP.TrustedProxies, web.Mux(web.Front(frontText),
			web.Route{Prefix: carstats.Path, Handler: h.receiver},
			web.Route{Prefix: tesla.KeyPath, Handler: serveKey(h.cfg)},
			web.Route{Prefix: callbackPath, Handler: h.teslaCallback()})),
	}
	if certificates != nil {
		o.TLSListen = h.cfg.HTTP.TLS.Listen
	}
	if h.webhook, err = web.New(o); err != nil {
		return err
	}
	h.acquired = append(h.acquired, h.webhook)
	if h.cfg.Ops.Listen == "" {
		return nil
	}
	h.metrics.watch(h)
	h.ops, err = web.New(web.Options{
		Listen: h.cfg.Ops.Listen, Setting: "ops.listen", Log: h.log,
		Handler: web.Ops(h.health(), h.readiness(), h.metrics.handler()),
	})
	if err != nil {
		return err
	}
	h.acquired = append(h.acquired, h.ops)
	return nil
}

// run serves until ctx ends. started is called when everything runs.
func (h *house) run(ctx context.Context, started func()) error {
	g := newGroup(h.log)
	g.start(service{"memory", trimMemory})
	if h.broker != nil {
		g.start(service{"broker", h.broker.Run})
	}
	g.start(service{"mqtt", h.client.Run})
	g.start(service{"discovery", h.herald.Run})
	g.start(service{"bridge", h.bridge.Run})
	if h.fleet != nil {
		for _, s := range h.fleet.services(h) {
			g.start(s)
		}
	}
	g.start(service{"control", h.control.Run})
	if h.ops != nil {
		g.start(service{"ops", h.ops.Run})
	}
	if h.page != nil {
		g.start(service{"page", h.page.Run})
	}
	g.start(service{"webhook", h.webhook.Run})
	g.start(service{"watchdog", func(ctx context.Context) error {
		h.systemd.Watch(ctx, h.health(), h.log)
		<-ctx.Done()
		return nil
	}})
	if err := h.systemd.Ready(); err != nil {
		h.log.Warn().Err(err).Msg("the service manager cannot be told")
	}
	started()
	err := g.wait(ctx)
	_ = h.systemd.Stopping()
	return err
}

// close lets go of everything that build acquired, the last thing first.
func (h *house) close() {
	for _, c := range slices.Backward(h.acquired) {
		if err := c.Close(); err != nil {
			h.log.Debug().Err(err).Msg("closing")
		}
	}
	h.acquired = nil
}

// inbound leads what the broker brings to whom it concerns. It must not block.
func (h *house) inbound(topics car.Topics) func(mqtt.Inbound) {
	return func(m mqtt.Inbound) {
		in := topics.Parse(m.Topic)
		switch {
		case in.Kind == car.ForBridgeSet && in.Key == "republish" && !m.Retained:
			h.herald.republish("")
		case in.Kind == car.ForCarSet && in.Key == "refresh" && !m.Retained && h.fleet != nil:
			h.fleet.refresh(in.Car)
		case in.Kind == car.ForQuery && !m.Retained && h.fleet != nil:
			h.queries.ask(in, m)
		case in.Kind == car.Foreign:
			h.herald.heard(m)
		}
	}
}

// intake stores a forwarded webhook body. It returns when the body is durable, or
// why it is not.
func (h *house) intake(ctx context.Context, m mqtt.Inbound) error {
	in := car.Topics{Prefix: h.cfg.MQTT.Prefix}.Parse(m.Topic)
	if in.Kind != car.ForIntake {
		return nil
	}
	err := h.receiver.Intake(ctx, in.Car, m.Payload)
	if err != nil {
		h.log.Warn().Err(err).Str("car", string(in.Car)).Msg("a forwarded body was not stored")
	}
	return err
}

// intakeFromAfar is intake for an external broker, which would send again what it
// hears to have failed. A body that was refused must not come again.
func (h *house) intakeFromAfar(ctx context.Context, m mqtt.Inbound) error {
	err := h.intake(ctx, m)
	if _, refused := errors.AsType[*car.Refusal](err); refused {
		return nil
	}
	return err
}

// health is what a restart could mend.
func (h *house) health() []web.Check {
	return []web.Check{
		{Name: "store", OK: h.store.Ping},
		{Name: "webhook", OK: func(ctx context.Context) error { return reachable(ctx, h.webhook) }},
	}
}

// readiness is what everything needs beyond health.
func (h *house) readiness() []web.Check {
	return []web.Check{{Name: "broker", OK: func(context.Context) error {
		if s := h.client.Stats(); !s.Connected {
			return fmt.Errorf("not connected: %s", s.LastError)
		}
		return nil
	}}}
}

// reachable says whether somebody listens where cars post to.
func reachable(ctx context.Context, s *web.Server) error {
	addr := s.Addr()
	if addr == nil {
		addr = s.TLSAddr()
	}
	if addr == nil {
		return nil
	}
	// An address like [::] means this machine to Dial too. A name, even localhost,
	// would ask a resolver, and a watchdog must not depend on one.
	conn, err := (&net.Dialer{}).DialContext(ctx, addr.Network(), addr.String())
	if err != nil {
		return err
	}
	return conn.Close()
}

const frontText = `Wheelhouse is here.
Car Stats Viewer posts to ` + carstats.Path + ` or ` + carstats.Path + `/NAME.
`
