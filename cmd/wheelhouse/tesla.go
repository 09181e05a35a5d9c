package main

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/wheelhouse-mqtt/wheelhouse/bridge"
	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/carstats"
	"github.com/wheelhouse-mqtt/wheelhouse/config"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/store"
	"github.com/wheelhouse-mqtt/wheelhouse/tesla"
)

// The names of what Tesla's half keeps in the store and in the state directory.
const (
	settingTesla  = "tesla.account"
	teslaKeyFile  = "tesla.key"
	teslaSealFile = "tesla.seal"

	callbackPath = "/tesla/callback" // where a browser returns to after the sign-in
)

// fleetAPI is what it takes to talk to Tesla: the account, what calls cost, and the
// client that makes them.
type fleetAPI struct {
	cfg     *config.Config
	log     zerolog.Logger
	options tesla.ClientOptions
	account *tesla.Account
	meter   *tesla.Meter
	client  *tesla.Client
	reader  atomic.Pointer[tesla.Reader] // of the cars, nil before anybody has signed in
	changed chan struct{}                // the account's state is another: for its device
	signed  chan struct{}                // and for whileSignedIn
}

// observer hears of every answer of Tesla.
type observer = func(endpoint string, of tesla.Category, status int, took time.Duration)

// newFleetAPI reads the sign-in and what the month has cost. It asks nobody.
func newFleetAPI(
	ctx context.Context, cfg *config.Config, s *store.Store, log zerolog.Logger, observe observer,
) (*fleetAPI, error) {
	key, err := sealKey(cfg)
	if err != nil {
		return nil, err
	}
	f := &fleetAPI{cfg: cfg, log: log, changed: make(chan struct{}, 1), signed: make(chan struct{}, 1)}
	hosts, agent := teslaHosts(cfg.Tesla.Hosts), "wheelhouse/"+version()
	f.account, err = tesla.NewAccount(ctx, tesla.AccountOptions{
		Hosts: hosts, Vault: vault{s}, Key: key, ClientID: cfg.Tesla.ClientID,
		ClientSecret: cfg.Tesla.ClientSecret.Reveal(), Domain: cfg.TeslaDomain(), Agent: agent,
		Now: time.Now, Log: log, Changed: func(tesla.AccountState) { knock(f.changed); knock(f.signed) },
	})
	if err != nil {
		return nil, err
	}
	if f.meter, err = tesla.NewMeter(ctx, ledger{s}, teslaBudget(cfg.Tesla.Budget), time.Now); err != nil {
		return nil, err
	}
	f.options = tesla.ClientOptions{
		Hosts: hosts, Token: f.account.Token, Renew: f.account.Renew, Region: f.account.Region,
		Moved: f.account.Moved, Meter: f.meter, Agent: agent, Log: log, Observe: observe,
	}
	f.client = tesla.NewClient(f.options)
	return f, nil
}

func teslaHosts(h config.TeslaHosts) tesla.Hosts {
	hosts := tesla.DefaultHosts()
	hosts.Login, hosts.Token = cmp.Or(h.Login, hosts.Login), cmp.Or(h.Token, hosts.Token)
	hosts.Pair = cmp.Or(h.Pair, hosts.Pair)
	for region, base := range map[tesla.Region]string{
		tesla.NorthAmerica: h.NA, tesla.Europe: h.EU, tesla.China: h.CN,
	} {
		hosts.API[region] = strings.TrimSuffix(cmp.Or(base, hosts.API[region]), "/")
	}
	return hosts
}

func teslaBudget(b config.TeslaBudget) tesla.Budget {
	prices := tesla.DefaultPrices()
	prices[tesla.Data], prices[tesla.Command] = b.Prices.Data, b.Prices.Command
	prices[tesla.Wake], prices[tesla.State] = b.Prices.Wake, b.Prices.State
	return tesla.Budget{Free: b.Free, Soft: b.Soft, Hard: b.Hard, Reserve: b.Reserve, Prices: prices}
}

func teslaIntervals(p config.TeslaPoll) tesla.Intervals {
	return tesla.Intervals{
		State: time.Duration(p.State), Idle: time.Duration(p.Idle), Driving: time.Duration(p.Driving),
		ChargingAC: time.Duration(p.ChargingAC), ChargingACEnd: time.Duration(p.ChargingACEnd),
		ChargingDC: time.Duration(p.ChargingDC),
	}
}

// sealKey is the configured key, else the state directory's, made at the first time.
func sealKey(cfg *config.Config) (key [32]byte, err error) {
	if configured := cfg.Tesla.SealKey.Reveal(); configured != "" {
		if key, err = tesla.ParseSealKey([]byte(configured)); err != nil {
			return key, fmt.Errorf("tesla.seal_key: %w", err)
		}
		return key, nil
	}
	return tesla.SealKeyFile(filepath.Join(cfg.StateDir, teslaSealFile))
}

// carKeyPath is the file with the key whose public half cars are given.
func carKeyPath(cfg *config.Config) string {
	return cmp.Or(cfg.Tesla.PrivateKeyFile, filepath.Join(cfg.StateDir, teslaKeyFile))
}

// carKey is the key pair for cars.
func carKey(cfg *config.Config) (*ecdsa.PrivateKey, error) {
	key, err := tesla.ReadKey(carKeyPath(cfg))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no key in %s yet: run `wheelhouse tesla keygen`", carKeyPath(cfg))
	}
	return key, err
}

// serveKey serves the public key where Tesla looks for it, as soon as there is one.
func serveKey(cfg *config.Config) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, err := carKey(cfg)
		if err != nil {
			http.Error(w, "404 there is no key yet: wheelhouse tesla keygen", http.StatusNotFound)
			return
		}
		public, err := tesla.PublicPEM(&key.PublicKey)
		if err != nil {
			http.Error(w, "500 "+err.Error(), http.StatusInternalServerError)
			return
		}
		tesla.KeyHandler(public).ServeHTTP(w, r)
	})
}

// vault keeps the sealed sign-in in the store.
type vault struct{ *store.Store }

// Load returns what Save kept, nil for nothing.
func (v vault) Load(ctx context.Context) ([]byte, error) {
	text, _, err := v.Setting(ctx, settingTesla)
	if err != nil || text == "" {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(text)
}

// Save returns when the sign-in is durable.
func (v vault) Save(ctx context.Context, sealed []byte) error {
	return v.SetSetting(ctx, settingTesla, base64.StdEncoding.EncodeToString(sealed))
}

// ledger keeps what was spent in the store.
type ledger struct{ store *store.Store }

// Spend adds calls to those of their kind.
func (l ledger) Spend(ctx context.Context, one tesla.Spent) error {
	return l.store.Spend(ctx, store.Spent{
		Month: one.Month, Category: string(one.Category), Endpoint: one.Endpoint, VIN: one.VIN,
		Status: one.Status, Calls: one.Calls,
	})
}

// Spending returns the calls of a month.
func (l ledger) Spending(ctx context.Context, month string) ([]tesla.Spent, error) {
	rows, err := l.store.Spending(ctx, month)
	spent := make([]tesla.Spent, len(rows))
	for i, r := range rows {
		spent[i] = tesla.Spent{
			Month: r.Month, Category: tesla.Category(r.Category), Endpoint: r.Endpoint, VIN: r.VIN,
			Status: r.Status, Calls: r.Calls,
		}
	}
	return spent, err
}

// carOf is the id of a VIN's car: that of the configuration, else the VIN itself.
func carOf(cfg *config.Config, vin string) car.ID {
	for id, c := range cfg.Cars {
		if strings.EqualFold(c.VIN, vin) {
			return car.ID(id)
		}
	}
	return car.MakeID(vin)
}

// vinOf is the VIN of the car that somebody calls id, or by its VIN.
func vinOf(cfg *config.Config, id string) (string, error) {
	if c, ok := cfg.Cars[string(car.MakeID(id))]; ok && c.VIN != "" {
		return strings.ToUpper(c.VIN), nil
	}
	if len(id) == 17 {
		return strings.ToUpper(id), nil
	}
	return "", car.Refuse(car.NoSuch, "%q is no VIN, and no car with a vin in the settings", id)
}

// teslaModels are the models by the fourth character of a VIN.
var teslaModels = map[byte]string{
	'S': "Model S", '3': "Model 3", 'X': "Model X", 'Y': "Model Y",
	'C': "Cybertruck", 'R': "Roadster", 'T': "Semi",
}

// teslaProfile is what a Tesla says of itself.
func teslaProfile(v car.View) bridge.Profile {
	p := bridge.Profile{Manufacturer: "Tesla", VIN: v.Get("vin").Word()}
	p.Name = cmp.Or(v.Get("vehicle_state.vehicle_name").Word(), v.Get("display_name").Word())
	if len(p.VIN) > 3 {
		p.Model = teslaModels[p.VIN[3]]
	}
	return p
}

// values are what is known of the account, for its device.
func (f *fleetAPI) values() map[string]car.Value {
	state, bill := f.account.State(), f.meter.Bill()
	return map[string]car.Value{
		car.AccountAuth:       car.Text(string(state)),
		car.AccountProblem:    car.Bool(state != tesla.SignedIn),
		car.AccountCost:       car.Number(bill.Cost),
		car.AccountForecast:   car.Number(bill.Forecast),
		car.AccountCredit:     car.Number(bill.FreeLeft),
		car.AccountOverBudget: car.Bool(bill.Soft || bill.Hard),
		car.AccountData:       car.Number(float64(bill.Calls[tesla.Data])),
		car.AccountCommands:   car.Number(float64(bill.Calls[tesla.Command])),
		car.AccountWakes:      car.Number(float64(bill.Calls[tesla.Wake])),
	}
}

// tell tells of the account at every change of its state, and of what it costs every
// minute, until ctx ends.
func (f *fleetAPI) tell(
	ctx context.Context, account func(context.Context, map[string]car.Value) error,
) error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		if err := account(ctx, f.values()); err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-tick.C:
		case <-f.changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// knock lets somebody look again, unless somebody has knocked already.
func knock(door chan<- struct{}) {
	select {
	case door <- struct{}{}:
	default:
	}
}

// whileSignedIn runs something while somebody is signed in, again and again until ctx
// ends: so nothing is asked that could only be refused, and a sign-in is noticed at
// once.
func (f *fleetAPI) whileSignedIn(ctx context.Context, run func(context.Context) error) error {
	for ctx.Err() == nil {
		if f.account.State() != tesla.SignedIn {
			f.anotherState(ctx)
			continue
		}
		mine, stop := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() { ended <- run(mine) }()
		for mine.Err() == nil && f.account.State() == tesla.SignedIn {
			f.anotherState(mine)
		}
		stop()
		if err := <-ended; err != nil {
			return err
		}
	}
	return nil
}

// anotherState waits until the account's state may be another.
func (f *fleetAPI) anotherState(ctx context.Context) {
	select {
	case <-f.signed:
	case <-ctx.Done():
	}
}

// teslaTable is the table of Teslas, with the fields that the settings name.
func teslaTable(t config.Tesla) (car.Table, error) {
	more, err := tesla.Expose(t.Expose)
	if err != nil {
		return car.Table{}, fmt.Errorf("tesla.expose: %w", err)
	}
	table := tesla.Table
	table.Fields = slices.Concat(table.Fields, more)
	return table, nil
}

// buildTesla makes what talks to Tesla, if there is an account.
func (h *house) buildTesla(ctx context.Context) (err error) {
	if h.cfg.Tesla.ClientID == "" {
		return nil
	}
	h.fleet, err = newFleetAPI(ctx, h.cfg, h.store, h.log, h.metrics.asked)
	h.queries = newQueries(h.fleet, h.client.Publish)
	return err
}

// read reads the account's cars until ctx ends. Every sign-in begins anew: it may be
// another account's.
func (f *fleetAPI) read(ctx context.Context, take carstats.Take) error {
	return f.whileSignedIn(ctx, func(ctx context.Context) error {
		r := tesla.NewReader(tesla.ReaderOptions{
			Client: f.client, Take: take, Intervals: teslaIntervals(f.cfg.Tesla.Poll),
			Cars: func(vin string) car.ID { return carOf(f.cfg, vin) }, Now: time.Now, Log: f.log,
		})
		f.reader.Store(r)
		return r.Run(ctx)
	})
}

// refresh reads a car once, if it is awake.
func (f *fleetAPI) refresh(id car.ID) {
	if r := f.reader.Load(); r != nil {
		r.Refresh(id)
	}
}

// services are what runs for Tesla: the sign-in is kept fresh, cars are read,
// questions answered, and the account has its device.
func (f *fleetAPI) services(h *house) []service {
	return []service{
		{"account", f.account.Run},
		{"account device", func(ctx context.Context) error { return f.tell(ctx, h.bridge.Account) }},
		{"tesla", func(ctx context.Context) error { return f.read(ctx, h.bridge.Take) }},
		{"queries", h.queries.Run},
	}
}

// teslaDesk serves the commands about Tesla in the running program.
func (h *house) teslaDesk() http.Handler {
	if h.fleet == nil {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "the running program has no tesla.client_id: restart it", http.StatusConflict)
		})
	}
	return h.fleet.desk()
}

// teslaCallback is where a browser returns to after a sign-in that the running
// program has begun.
func (h *house) teslaCallback() http.Handler {
	if h.fleet == nil {
		return http.NotFoundHandler()
	}
	return h.fleet.account.Callback(nil)
}

// asked are the topics by which somebody asks the program for something.
func (h *house) asked(topics car.Topics) []string {
	if h.cfg.Tesla.ClientID == "" {
		return []string{topics.BridgeSets()}
	}
	return []string{topics.Sets(), topics.Queries()}
}
