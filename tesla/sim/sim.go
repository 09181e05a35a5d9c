// Package sim is a simulated Tesla: the sign-in page, the tokens, the Fleet API
// of three regions, and cars that sleep, wake, drive, charge and supercharge on a
// clock that is handed in.
//
// It is strict: it verifies what a client sends, refuses what Tesla would refuse
// with Tesla's words, counts every answer as a bill would, and fails on demand. It
// is seeded and deterministic, lives in the North Sea, and knows nothing of
// package tesla: what the two agree on is Tesla's documentation
// (developer.tesla.com/docs/fleet-api).
package sim

import (
	"cmp"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"
)

// What a simulated application is called unless Options say otherwise.
const (
	ClientID     = "00000000-0000-4000-8000-00000000ab01"
	ClientSecret = "invented-secret"
	Domain       = "bridge.example.org"
)

// Options say which Tesla is simulated. The zero value is an application that is
// registered everywhere, with an account in Europe that has four cars.
type Options struct {
	Now  func() time.Time // the only clock; nil: time.Now
	Seed uint64

	Region       string   // where the account lives: na, eu or cn; "": eu
	ClientID     string   // "": ClientID
	ClientSecret string   // "": ClientSecret
	OpenSource   bool     // an application without a secret
	Domain       string   // the application's allowed origin; "": Domain
	Redirects    []string // registered redirect URIs; nil: any on loopback or on Domain
	Fresh        bool     // nothing is registered yet, and no car has the key
	Business     bool     // the account owns a fleet, and may read charging sessions

	// Key fetches the public key that a domain serves, in PEM; nil: what Serve
	// was told. It must not ask this Tesla for anything.
	Key func(domain string) ([]byte, error)
	// StrictLocation refuses a reading that asks for the position without the
	// scope; otherwise the position is left out of it.
	StrictLocation bool
	Wrapped        bool // the charging history comes in the envelope, as some saw it

	Cars   []Spec           // nil: DefaultCars
	Limits map[Category]int // calls a minute and car; nil: DefaultLimits
}

// Tesla is the whole of it: an http.Handler, and an http.RoundTripper for clients
// that need no network. Its methods may be called from any goroutine.
type Tesla struct {
	options Options
	mux     *http.ServeMux

	mu     sync.Mutex // guards everything below, and the cars
	rng    *rand.Rand
	cars   []*Car
	people person
	apps   map[string]registration // by region
	keys   map[string][]byte       // public keys by domain, in PEM
	codes  map[string]code
	grants []*grant
	tokens map[string]token // access tokens
	bill   map[Spent]int
	recent map[bucket][]time.Time
	faults map[string][]Fault
	over   bool // the billing limit is reached
	txid   uint64

	invitations   []*invitation
	subscriptions []int64
}

// New builds a Tesla whose cars begin to live now.
func New(o Options) *Tesla {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Region = cmp.Or(o.Region, "eu")
	o.ClientID = cmp.Or(o.ClientID, ClientID)
	o.ClientSecret = cmp.Or(o.ClientSecret, ClientSecret)
	o.Domain = cmp.Or(o.Domain, Domain)
	if o.Cars == nil {
		o.Cars = DefaultCars()
	}
	if o.Limits == nil {
		o.Limits = DefaultLimits()
	}
	t := &Tesla{
		options: o,
		rng:     rand.New(rand.NewPCG(o.Seed, 0)),
		apps:    map[string]registration{},
		keys:    map[string][]byte{},
		codes:   map[string]code{},
		tokens:  map[string]token{},
		bill:    map[Spent]int{},
		recent:  map[bucket][]time.Time{},
		faults:  map[string][]Fault{},
	}
	now := o.Now()
	for i, spec := range o.Cars {
		spec.Settings.Paired = spec.Settings.Paired && !o.Fresh
		t.cars = append(t.cars, newCar(t, spec, i+1, now))
	}
	if !o.Fresh {
		t.registerEverywhere(now)
	}
	t.mux = t.routes()
	return t
}

// ServeHTTP plays all hosts of Tesla; see Hosts for their paths.
func (t *Tesla) ServeHTTP(w http.ResponseWriter, r *http.Request) { t.mux.ServeHTTP(w, r) }

// Hosts are the places a client needs, as URLs.
type Hosts struct {
	Login string            // the page where people say yes
	Token string            // where tokens are had
	Pair  string            // where a car takes a key; the domain follows
	API   map[string]string // of each region, without a slash at their end
}

// Hosts are the URLs of a Tesla that is served at base, such as
// "http://127.0.0.1:8080".
func (t *Tesla) Hosts(base string) Hosts {
	h := Hosts{Login: base + loginPath, Token: base + tokenPath, Pair: base + pairPath, API: map[string]string{}}
	for _, region := range regions {
		h.API[region] = base + "/" + region
	}
	return h
}

var regions = [...]string{"na", "eu", "cn"}

// Car is the car with the identification number, or nil.
func (t *Tesla) Car(vin string) *Car {
	for _, c := range t.cars { // the list never changes
		if c.spec.VIN == vin {
			return c
		}
	}
	return nil
}

// Cars are all cars of the account, in the order of their specifications.
func (t *Tesla) Cars() []*Car { return slices.Clone(t.cars) }

func (t *Tesla) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+loginPath, t.page("authorize", t.authorize))
	mux.HandleFunc("POST "+tokenPath, t.page("token", t.token))
	mux.HandleFunc("GET "+metadataPath, t.page("metadata", t.metadata))
	mux.HandleFunc("GET "+revokePath, t.page("revoke", t.revokePage))
	mux.HandleFunc("GET "+pairPath+"{domain}", t.page("pair", t.pairPage))
	for _, region := range regions {
		api := http.NewServeMux()
		for _, e := range endpoints() {
			api.HandleFunc(e.method+" "+e.path, t.endpoint(region, e))
		}
		api.HandleFunc("GET /status", t.page("status", func(*call) reply { return text(http.StatusOK, "ok") }))
		api.HandleFunc("/", t.page("unknown", func(*call) reply { return failure("404_not_found") }))
		mux.Handle("/"+region+"/", http.StripPrefix("/"+region, api))
	}
	return mux
}
