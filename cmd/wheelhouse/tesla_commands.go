package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/internal/web"
	"github.com/wheelhouse-mqtt/wheelhouse/tesla"
)

// teslaCommand is everything about an account at Tesla, in the order in which it is
// needed.
type teslaCommand struct {
	Keygen   keygenCommand   `cmd:"" help:"Make the key whose public half your cars are given."`
	ServeKey serveKeyCommand `cmd:"" name:"serve-key" help:"Serve the public key, and look from outside."`
	Register registerCommand `cmd:"" help:"Register the application in Tesla's regions."`
	Login    loginCommand    `cmd:"" help:"Sign in at Tesla."`
	Pair     pairCommand     `cmd:"" help:"Let the cars take the key."`
	Status   statusCommand   `cmd:"" help:"Print who is signed in, the cars, and what the month has cost."`
	Get      getCommand      `cmd:"" help:"Ask Tesla's API something and print the answer."`
	Logout   logoutCommand   `cmd:"" help:"Forget the sign-in."`
	Simulate teslaSimCommand `cmd:"" help:"Be a simulated Tesla, to try all this with."`
}

type keygenCommand struct{}

// Run makes the key pair. One that is there stays.
func (keygenCommand) Run(to console, c *commands) error {
	cfg, err := c.settings(to)
	if err != nil {
		return err
	}
	lock, err := lockState(cfg) // it makes the directory, too
	if err == nil {
		defer lock.Close()
	} else if !errors.Is(err, errRunning) {
		return err
	}
	key, err := tesla.NewKey()
	if err == nil {
		err = tesla.WriteKey(carKeyPath(cfg), key)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(to.Stdout, "The private key is in %s: keep a copy, and show it to nobody.\n", carKeyPath(cfg))
	fmt.Fprintf(to.Stdout, "Wheelhouse serves the public key at https://%s%s\n",
		orPlaceholder(cfg.TeslaDomain()), tesla.KeyPath)
	fmt.Fprintln(to.Stdout, "Next: wheelhouse tesla serve-key")
	return nil
}

func orPlaceholder(domain string) string {
	if domain == "" {
		return "YOUR.DOMAIN"
	}
	return domain
}

type serveKeyCommand struct{}

// Run looks at the public key from outside. Without the program it serves it
// meanwhile, and until ctx ends.
func (serveKeyCommand) Run(ctx context.Context, to console, c *commands) error {
	cfg, err := c.settings(to)
	if err != nil {
		return err
	}
	key, err := carKey(cfg)
	if err != nil {
		return err
	}
	public, err := tesla.PublicPEM(&key.PublicKey)
	if err != nil {
		return err
	}
	fmt.Fprintf(to.Stdout, "%s", public)
	check := func(ctx context.Context) error {
		if err := tesla.CheckServed(ctx, nil, cfg.TeslaDomain(), &key.PublicKey); err != nil {
			return err
		}
		fmt.Fprintf(to.Stdout, "https://%s%s shows this key.\n", cfg.TeslaDomain(), tesla.KeyPath)
		fmt.Fprintln(to.Stdout, "Next: wheelhouse tesla register")
		return nil
	}
	lock, err := lockState(cfg)
	if errors.Is(err, errRunning) {
		return check(ctx) // the program serves it
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	log := newLog(to.Stderr, cfg.Log)
	certificates, err := serverCertificates(cfg, log)
	if err != nil {
		return err
	}
	o := web.Options{
		Listen: cfg.HTTP.Listen, Certificates: certificates, Setting: "http.listen", Log: log,
		Handler: web.Mux(web.Front(frontText), web.Route{Prefix: tesla.KeyPath, Handler: serveKey(cfg)}),
	}
	if certificates != nil {
		o.TLSListen = cfg.HTTP.TLS.Listen
	}
	server, err := web.New(o)
	if err != nil {
		return err
	}
	defer server.Close()
	g := newGroup(log)
	g.start(service{"webhook", server.Run})
	if err := check(ctx); err != nil {
		fmt.Fprintln(to.Stderr, "wheelhouse:", err)
	}
	fmt.Fprintln(to.Stderr, "The key is served until Ctrl-C, and whenever Wheelhouse runs.")
	return g.wait(ctx)
}

type registerCommand struct {
	Region []string `help:"Only there: na, eu or cn; otherwise North America and Europe." enum:"na,eu,cn"`
}

// Run registers the application, which may be repeated.
func (r registerCommand) Run(ctx context.Context, to console, c *commands) error {
	regions, err := readDesk[[]region](ctx, to, c, "register", url.Values{"region": r.Region})
	if err != nil {
		return err
	}
	var errs []error
	for _, r := range regions {
		switch {
		case r.Error != "":
			errs = append(errs, errors.New(r.Error))
		case r.New:
			fmt.Fprintf(to.Stdout, "%s: registered, and Tesla holds this key\n", r.Region)
		default:
			fmt.Fprintf(to.Stdout, "%s: was registered, and Tesla holds this key\n", r.Region)
		}
	}
	if len(errs) == 0 {
		fmt.Fprintln(to.Stdout, "Next: wheelhouse tesla login")
	}
	return errors.Join(errs...)
}

type pairCommand struct {
	Car string `arg:"" optional:"" help:"Only this car, by its id or VIN."`
}

// pairEvery is how often Tesla is asked whether the key is on the cars.
const pairEvery = 5 * time.Second

// Run shows each car's link and waits until the key is on it.
func (p pairCommand) Run(ctx context.Context, to console, c *commands) error {
	cfg, err := c.settings(to)
	if err != nil {
		return err
	}
	form := url.Values{}
	if p.Car != "" {
		vin, err := vinOf(cfg, p.Car)
		if err != nil {
			return err
		}
		form.Set("vin", vin)
	}
	if cfg.TeslaDomain() == "" {
		return errors.New("tesla.domain is missing: the domain that shows the public key")
	}
	cars, err := readDesk[[]teslaCar](ctx, to, c, "cars", form)
	if err != nil {
		return err
	}
	var vins []string
	for _, car := range cars {
		if vins = append(vins, car.VIN); car.Key == lacksKey {
			invite(to, car)
		}
	}
	told := map[string]bool{}
	return tesla.AwaitPairing(ctx, pairEvery, func(ctx context.Context) ([]tesla.Pairing, error) {
		status, err := readDesk[tesla.FleetStatus](ctx, to, c, "keys", url.Values{"vin": vins})
		all := make([]tesla.Pairing, len(vins))
		for i, vin := range vins {
			key := keyOf(status, vin)
			all[i] = tesla.Pairing{VIN: vin, Paired: key == hasKey, Required: key != needsNot}
		}
		return all, err
	}, func(all []tesla.Pairing, err error) {
		if err != nil {
			fmt.Fprintln(to.Stderr, "wheelhouse:", err)
			return
		}
		for _, p := range all {
			key := needsNot
			if p.Paired {
				key = hasKey
			}
			if !told[p.VIN] && (p.Paired || !p.Required) {
				told[p.VIN] = true
				fmt.Fprintln(to.Stdout, p.VIN, key)
			}
		}
	})
}

// invite shows where a car takes the key.
func invite(to console, car teslaCar) {
	fmt.Fprintf(to.Stdout, "\n%s (%s): open this on the phone with the Tesla app, and allow it:\n%s\n",
		car.VIN, car.Name, car.Link)
	if code, err := tesla.QR(car.Link, isTerminal(to.Stdout)); err == nil {
		fmt.Fprint(to.Stdout, code)
	}
}

type statusCommand struct {
	JSON bool `help:"As JSON."`
}

// Run prints how it stands with Tesla. It asks no car.
func (s statusCommand) Run(ctx context.Context, to console, c *commands) error {
	state, err := readDesk[teslaState](ctx, to, c, "status", url.Values{"cars": {"yes"}})
	if err != nil {
		return err
	}
	if s.JSON {
		e := json.NewEncoder(to.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(state)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "sign-in   %s\n", state.State)
	for _, why := range []string{state.Why, state.Problem} {
		if why != "" {
			fmt.Fprintf(&b, "          %s\n", why)
		}
	}
	if state.State == tesla.SignedIn {
		fmt.Fprintf(&b, "until     %s, and longer while the program runs\n", ending(state.Until))
		fmt.Fprintf(&b, "scopes    %s\n", strings.Join(state.Scopes, " "))
		if len(state.Missing) > 0 {
			fmt.Fprintf(&b, "missing   %s: wheelhouse tesla login asks again\n", strings.Join(state.Missing, " "))
		}
		fmt.Fprintf(&b, "region    %s\n", state.Region)
	}
	fmt.Fprintf(&b, "domain    %s\n", orPlaceholder(state.Domain))
	bill := state.Bill
	fmt.Fprintf(&b, "cost      %.2f USD in %s, %.2f expected, %.2f left of what is free\n",
		bill.Cost, bill.Month, bill.Forecast, bill.FreeLeft)
	pairs := false
	for _, car := range state.Cars {
		fmt.Fprintf(&b, "car       %s, %s, %s, %s\n", car.ID, car.Name, car.State, car.Key)
		pairs = pairs || car.Key == lacksKey
	}
	if pairs {
		fmt.Fprintln(&b, "Next: wheelhouse tesla pair")
	}
	if state.Error != "" {
		fmt.Fprintf(&b, "cars      %s\n", state.Error)
	}
	_, err = io.WriteString(to.Stdout, b.String())
	return err
}

type getCommand struct {
	Endpoint string   `arg:"" optional:"" help:"Its name; without one all are listed."`
	Car      string   `arg:"" optional:"" help:"The car's id or VIN."`
	Set      []string `help:"A parameter, or a part of the path." placeholder:"NAME=VALUE" sep:"none"`
	Body     string   `help:"What to send." placeholder:"JSON"`
	Change   bool     `help:"Also if it changes something."`
}

// Run makes one call and prints what Tesla answers. It counts like any other.
func (g getCommand) Run(ctx context.Context, to console, c *commands) error {
	if g.Endpoint == "" {
		return listEndpoints(to.Stdout)
	}
	if g.Body != "" && !json.Valid([]byte(g.Body)) {
		return errors.New("--body is no JSON")
	}
	form := url.Values{"endpoint": {g.Endpoint}, "car": {g.Car}, "set": g.Set, "body": {g.Body}}
	if g.Change {
		form.Set("change", "yes")
	}
	body, err := c.atDesk(ctx, to, "get", form)
	if err != nil {
		return err
	}
	var pretty bytes.Buffer
	if json.Indent(&pretty, body, "", "  ") == nil {
		body = append(bytes.TrimSpace(pretty.Bytes()), '\n')
	}
	_, err = to.Stdout.Write(body) // an invoice is a PDF
	return err
}

func listEndpoints(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, e := range tesla.Endpoints() {
		note := ""
		if e.Unsafe {
			note = "changes something"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", e.Name, e.Category, e.Method, e.Path, note)
	}
	return t.Flush()
}

type logoutCommand struct{}

// Run forgets the sign-in. The cars' topics stay as they are.
func (logoutCommand) Run(ctx context.Context, to console, c *commands) error {
	_, err := c.atDesk(ctx, to, "logout", nil)
	return err
}
