package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/tesla"
	"github.com/wheelhouse-mqtt/wheelhouse/tesla/sim"
)

// demoTeslaID is the simulated Tesla's id.
const demoTeslaID = "model_3"

// demoTesla is a simulated Tesla, the company, on a port of its own. Its clock is
// ours.
type demoTesla struct {
	*sim.Tesla
	car      *sim.Car // the first one, which is always doing something
	listener net.Listener
	server   *http.Server
}

func newDemoTesla(listen string, o sim.Options) (*demoTesla, error) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, err
	}
	o.Cars[0].Plan = sim.Busy()
	t := &demoTesla{Tesla: sim.New(o), listener: l}
	t.car = t.Cars()[0]
	t.car.Do(sim.Drive(0, 8*time.Minute, 6))
	t.server = &http.Server{Handler: t.Tesla, ReadHeaderTimeout: 5 * time.Second}
	return t, nil
}

// oneTesla is an account with one car, which is set up already.
func oneTesla(seed uint64) sim.Options { return sim.Options{Seed: seed, Cars: sim.DefaultCars()[:1]} }

// settings lead a house to this Tesla, as environment variables.
func (t *demoTesla) settings() (environ []string) {
	hosts := t.Hosts("http://" + t.listener.Addr().String())
	for name, value := range map[string]string{
		"TESLA__CLIENT_ID": sim.ClientID, "TESLA__CLIENT_SECRET": sim.ClientSecret, "TESLA__DOMAIN": sim.Domain,
		"TESLA__HOSTS__LOGIN": hosts.Login, "TESLA__HOSTS__TOKEN": hosts.Token, "TESLA__HOSTS__PAIR": hosts.Pair,
		"TESLA__HOSTS__NA": hosts.API["na"], "TESLA__HOSTS__EU": hosts.API["eu"],
		"TESLA__HOSTS__CN":   hosts.API["cn"],
		"TESLA__POLL__STATE": "10s", "TESLA__POLL__IDLE": "10s", "TESLA__POLL__DRIVING": "10s",
		"TESLA__POLL__CHARGING_AC": "10s", "TESLA__POLL__CHARGING_AC_END": "10s", "TESLA__POLL__CHARGING_DC": "10s",
		"CARS__" + strings.ToUpper(demoTeslaID) + "__VIN": sim.DefaultCars()[0].VIN,
	} {
		environ = append(environ, "WHEELHOUSE_"+name+"="+value)
	}
	return environ
}

// Run serves until ctx ends.
func (t *demoTesla) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = t.server.Close() })
	defer stop()
	if err := t.server.Serve(t.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Close frees the port of a Tesla that was never run.
func (t *demoTesla) Close() error { return errors.Join(t.server.Close(), t.listener.Close()) }

// signIn signs the house in, as its owner would in a browser.
func (t *demoTesla) signIn(ctx context.Context, f *fleetAPI) error {
	_, refresh := t.Tokens("openid", "offline_access", "user_data", "vehicle_device_data", "vehicle_location")
	return f.account.LoginWithRefreshToken(ctx, refresh)
}

// line is the car at a glance, and what reading it would cost.
func (t *demoTesla) line() string {
	s, calls := t.car.Snapshot(), 0
	for _, n := range t.Bill() {
		calls += n
	}
	return fmt.Sprintf("%-10s %s  %-8s %4.0f km/h %5.1f kW  battery %3.0f %%  %d calls answered, %.2f USD",
		demoTeslaID, s.At.UTC().Format("15:04:05"), s.Doing, s.Speed, s.Power, s.Fill*100, calls, t.Cost())
}

type teslaSimCommand struct {
	Listen string `help:"Where it listens." default:"127.0.0.1:8490"`
	House  string `help:"Where its domain leads to." default:"http://127.0.0.1:8480" placeholder:"URL"`
	Seed   uint64 `help:"The same seed gives the same cars." default:"1"`
}

// Run is a simulated Tesla until ctx ends. It knows an application of which nothing
// is registered yet, and prints the settings that lead to it.
func (s teslaSimCommand) Run(ctx context.Context, to console) error {
	t, err := newDemoTesla(s.Listen, sim.Options{
		Seed: s.Seed, Cars: sim.DefaultCars(), Fresh: true, Key: func(string) ([]byte, error) { return s.key(ctx) },
	})
	if err != nil {
		return err
	}
	h := t.Hosts("http://" + t.listener.Addr().String())
	fmt.Fprintf(to.Stdout, "tesla:\n  client_id: %s\n  client_secret: %s\n  domain: %s\n  hosts:\n",
		sim.ClientID, sim.ClientSecret, sim.Domain)
	fmt.Fprintf(to.Stdout, "    login: %s\n    token: %s\n    pair: %s\n    na: %s\n    eu: %s\n    cn: %s\n",
		h.Login, h.Token, h.Pair, h.API["na"], h.API["eu"], h.API["cn"])
	return t.Run(ctx)
}

// key is the public key that the house serves, as Tesla fetches it from the domain.
func (s teslaSimCommand) key(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, s.House+tesla.KeyPath, nil)
	if err != nil {
		return nil, err
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		return nil, err
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusOK {
		return nil, errors.New(a.Status)
	}
	return io.ReadAll(io.LimitReader(a.Body, 64<<10))
}
