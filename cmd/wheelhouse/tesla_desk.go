package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/store"
	"github.com/wheelhouse-mqtt/wheelhouse/tesla"
)

// teslaDesk is where the commands "wheelhouse tesla" are served: in the running
// program behind its control socket, otherwise in the command itself.
const teslaDesk = "/tesla/"

// teslaState is what "wheelhouse tesla status" tells.
type teslaState struct {
	tesla.Status
	Domain string     `json:"domain"`
	Bill   tesla.Bill `json:"bill"`
	Cars   []teslaCar `json:"cars,omitempty"`
	Error  string     `json:"error,omitempty"` // why there are no cars
}

// teslaCar is a car of the account.
type teslaCar struct {
	VIN   string `json:"vin"`
	ID    car.ID `json:"id"`
	Name  string `json:"name"`
	State string `json:"state"` // online, asleep, offline
	Key   keyed  `json:"key"`
	Link  string `json:"link"` // where it takes the key
}

// keyed says whether a car has the key.
type keyed string

const (
	hasKey   keyed = "has the key"
	lacksKey keyed = "lacks the key"
	needsNot keyed = "needs no key"
)

// region is what came of a registration in one region.
type region struct {
	Region tesla.Region `json:"region"`
	New    bool         `json:"new"`
	Error  string       `json:"error,omitempty"`
}

// desk serves the commands.
func (f *fleetAPI) desk() http.Handler {
	mux := http.NewServeMux()
	serve := func(name string, act func(context.Context, url.Values) (any, error)) {
		mux.HandleFunc("POST "+teslaDesk+name, func(w http.ResponseWriter, q *http.Request) {
			err := q.ParseForm()
			var answer any
			if err == nil {
				answer, err = act(q.Context(), q.PostForm)
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusConflict)
				return
			}
			if raw, ok := answer.([]byte); ok {
				_, _ = w.Write(raw)
				return
			}
			_ = json.NewEncoder(w).Encode(answer)
		})
	}
	serve("status", f.status)
	serve("begin", f.begin)
	serve("finish", f.finish)
	serve("token", func(ctx context.Context, form url.Values) (any, error) {
		return f.account.Status(), f.account.LoginWithRefreshToken(ctx, form.Get("token"))
	})
	serve("logout", func(ctx context.Context, _ url.Values) (any, error) { return nil, f.account.Logout(ctx) })
	serve("register", f.register)
	serve("cars", func(ctx context.Context, form url.Values) (any, error) {
		return f.cars(ctx, form.Get("vin"))
	})
	serve("keys", func(ctx context.Context, form url.Values) (any, error) {
		return f.client.FleetStatus(ctx, form["vin"]...)
	})
	serve("get", f.get)
	return mux
}

func (f *fleetAPI) status(ctx context.Context, form url.Values) (any, error) {
	s := teslaState{Status: f.account.Status(), Domain: f.cfg.TeslaDomain(), Bill: f.meter.Bill()}
	if s.State == tesla.SignedIn && form.Get("cars") != "" {
		var err error
		if s.Cars, err = f.cars(ctx, ""); err != nil {
			s.Error = err.Error()
		}
		s.Status = f.account.Status() // the question may have changed it
	}
	return s, nil
}

func (f *fleetAPI) begin(_ context.Context, form url.Values) (any, error) {
	return f.account.Begin(form.Get("redirect"), nil), nil
}

func (f *fleetAPI) finish(ctx context.Context, form url.Values) (any, error) {
	var attempt tesla.Attempt
	if err := json.Unmarshal([]byte(form.Get("attempt")), &attempt); err != nil {
		return nil, err
	}
	return nil, f.account.Finish(ctx, attempt, form.Get("url"))
}

func (f *fleetAPI) register(ctx context.Context, form url.Values) (any, error) {
	key, err := carKey(f.cfg)
	if err != nil {
		return nil, err
	}
	var where []tesla.Region
	for _, r := range form["region"] {
		where = append(where, tesla.Region(r))
	}
	all, err := f.account.Register(ctx, f.options, &key.PublicKey, where...)
	if err != nil && len(all) == 0 {
		return nil, err
	}
	regions := make([]region, len(all))
	for i, r := range all {
		regions[i] = region{Region: r.Region, New: r.New}
		if r.Err != nil {
			regions[i].Error = r.Err.Error()
		}
	}
	return regions, nil
}

// cars are the account's cars, or the one with the VIN, and how far each has the
// key.
func (f *fleetAPI) cars(ctx context.Context, vin string) ([]teslaCar, error) {
	vehicles, err := f.client.Vehicles(ctx)
	if err != nil {
		return nil, err
	}
	var cars []teslaCar
	var vins []string
	for _, v := range vehicles {
		if vin != "" && v.VIN != vin {
			continue
		}
		vins = append(vins, v.VIN)
		cars = append(cars, teslaCar{
			VIN: v.VIN, ID: carOf(f.cfg, v.VIN), Name: v.Name, State: v.State,
			Link: tesla.PairURL(f.options.Hosts, f.cfg.TeslaDomain(), v.VIN),
		})
	}
	if len(cars) == 0 {
		return nil, errors.New("the account has no such car")
	}
	status, err := f.client.FleetStatus(ctx, vins...)
	if err != nil {
		return nil, err
	}
	for i := range cars {
		cars[i].Key = keyOf(status, cars[i].VIN)
	}
	return cars, nil
}

func keyOf(s tesla.FleetStatus, vin string) keyed {
	c, known := s.Cars[vin]
	switch {
	case slices.Contains(s.Paired, vin):
		return hasKey
	case !known || c.SigningRequired:
		return lacksKey
	}
	return needsNot
}

// get makes the call that somebody asks for.
func (f *fleetAPI) get(ctx context.Context, form url.Values) (any, error) {
	call, err := f.call(form.Get("endpoint"), form.Get("car"), form["set"])
	if err != nil {
		return nil, err
	}
	if body := form.Get("body"); body != "" {
		call.Body = json.RawMessage(body)
	}
	if e, _ := tesla.EndpointOf(call.Endpoint); e.Unsafe && form.Get("change") == "" {
		return nil, car.Refuse(car.Forbidden, "%s changes something: say --change if that is what you want", e.Name)
	}
	return f.client.DoRaw(ctx, call)
}

// call is the call of an endpoint about a car ("" for none), with NAME=VALUE pairs
// for its path and its query.
func (f *fleetAPI) call(endpoint, about string, set []string) (tesla.Call, error) {
	e, ok := tesla.EndpointOf(endpoint)
	if !ok {
		return tesla.Call{}, car.Refuse(car.NoSuch, "there is no endpoint %q: `wheelhouse tesla get` lists them",
			endpoint)
	}
	call := tesla.Call{Endpoint: e.Name, Path: map[string]string{}, Query: url.Values{}}
	if about != "" {
		var err error
		if call.VIN, err = vinOf(f.cfg, about); err != nil {
			return call, err
		}
	}
	for _, pair := range set {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return call, car.Refuse(car.Invalid, "%q is not NAME=VALUE", pair)
		}
		if strings.Contains(e.Path, "{"+name+"}") {
			call.Path[name] = value
		} else {
			call.Query.Add(name, value)
		}
	}
	return call, nil
}

// atDesk asks the running program, or does it here when there is none.
func (c *commands) atDesk(ctx context.Context, to console, name string, form url.Values) ([]byte, error) {
	cfg, err := c.settings(to)
	if err != nil {
		return nil, err
	}
	if cfg.Tesla.ClientID == "" {
		return nil, errNoTesla
	}
	answer, err := ask(ctx, cfg, http.MethodPost, teslaDesk+name, form)
	if !errors.Is(err, errNotRunning) {
		return answer, err
	}
	err = alone(ctx, cfg, func(s *store.Store) error {
		f, err := newFleetAPI(ctx, cfg, s, newLog(to.Stderr, cfg.Log), nil)
		if err == nil {
			answer, err = serveOnce(ctx, f.desk(), teslaDesk+name, form)
		}
		return err
	})
	return answer, err
}

// errNoTesla is what commands say before there is an application.
var errNoTesla = errors.New("tesla.client_id is missing: make an application at developer.tesla.com and " +
	"name it there")

// readDesk is atDesk for an answer in JSON.
func readDesk[T any](
	ctx context.Context, to console, c *commands, name string, form url.Values,
) (out T, err error) {
	answer, err := c.atDesk(ctx, to, name, form)
	if err != nil {
		return out, err
	}
	return out, json.Unmarshal(answer, &out)
}

// serveOnce has a handler answer one request without a connection.
func serveOnce(ctx context.Context, h http.Handler, path string, form url.Values) ([]byte, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := &captured{header: http.Header{}, status: http.StatusOK}
	h.ServeHTTP(w, q)
	if w.status != http.StatusOK {
		return nil, errors.New(strings.TrimSpace(w.body.String()))
	}
	return w.body.Bytes(), nil
}

// captured is what a handler answers.
type captured struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *captured) Header() http.Header         { return a.header }
func (a *captured) WriteHeader(status int)      { a.status = status }
func (a *captured) Write(p []byte) (int, error) { return a.body.Write(p) }

// ending is a time as people read it on a console.
func ending(t time.Time) string {
	if t.IsZero() {
		return "unknown"
	}
	return fmt.Sprintf("%s (in %d days)", t.UTC().Format("2006-01-02 15:04 UTC"), int(time.Until(t).Hours()/24))
}
