package tesla

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

const (
	sealedFor   = "tesla account"     // see Seal
	refreshLife = 90 * 24 * time.Hour // of a refresh token (third-party tokens)
	movedLately = 10 * time.Minute
)

// AccountState is what an account can do.
type AccountState string

// The states. Only SignedIn makes calls; the others wait for a person.
const (
	SignedIn      AccountState = "signed_in"
	LoginRequired AccountState = "login_required"
	NotSetUp      AccountState = "not_set_up"
	RegionError   AccountState = "region_error"
)

// Vault keeps one text through a crash: when Save returns nil it is durable, and
// whatever happens meanwhile Load returns the old or the new one, whole. Load
// returns nothing where nothing was saved, and where nothing is saved again.
type Vault interface {
	Load(ctx context.Context) ([]byte, error)
	Save(ctx context.Context, sealed []byte) error
}

// AccountOptions say whose account that is and where it is kept.
type AccountOptions struct {
	Hosts        Hosts
	HTTP         *http.Client // nil: one of its own, 30 s
	Vault        Vault        // sees sealed texts only
	Key          [32]byte     // seals them
	ClientID     string       // of the application at developer.tesla.com
	ClientSecret string       // "" for an application that has none
	Domain       string       // where the public key is served
	Agent        string       // User-Agent
	Now          func() time.Time
	Log          zerolog.Logger
	// Changed hears every change of State, in order. It must not wait, and of the
	// account it may call State and Status only.
	Changed func(AccountState)
}

// Account owns the tokens of one sign-in. Tesla's refresh tokens are used once,
// the last used one for 24 h more; so there is one owner, and it promises: a
// refresh token is used only when it is in the vault. Then a crash at any instant
// leaves the newest token there, or the last used one, and both work.
type Account struct {
	o    AccountOptions
	http *http.Client
	turn chan struct{} // a lock for which a caller waits no longer than its context

	mu       sync.Mutex // guards the fields below; never held while waiting
	tokens   Tokens
	state    AccountState
	why      string
	unkept   bool // the vault does not have these tokens
	failures int  // refreshes in a row that failed
	failed   error
	retry    time.Time // not to be tried before
	from     Region    // where the account was before it moved
	moved    time.Time
	partners map[Region]Tokens
	attempts []pending // under way, the newest last
}

// NewAccount opens the account that the vault keeps. Whatever is wrong with what
// is kept is a state, not an error: a new sign-in mends it.
func NewAccount(ctx context.Context, o AccountOptions) (*Account, error) {
	if o.Key == ([32]byte{}) {
		return nil, errors.New("the account has no key to seal its sign-in with")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	a := &Account{
		o: o, http: strictClient(o.HTTP),
		turn:     make(chan struct{}, 1),
		partners: map[Region]Tokens{},
	}
	sealed, err := o.Vault.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("the kept sign-in cannot be read: %w", err)
	}
	a.state, a.why = a.open(sealed)
	return a, nil
}

// strictClient follows no redirect: a form with secrets goes where it was sent.
func strictClient(from *http.Client) *http.Client {
	if from == nil {
		from = &http.Client{Timeout: 30 * time.Second}
	}
	c := *from
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// open reads what was kept and says what it is good for.
func (a *Account) open(sealed []byte) (AccountState, string) {
	if a.o.ClientID == "" {
		return NotSetUp, "tesla.client_id is missing: make an application at developer.tesla.com"
	}
	if len(sealed) == 0 {
		return LoginRequired, "nobody is signed in: run `wheelhouse tesla login`"
	}
	plain, err := Open(a.o.Key, sealedFor, sealed)
	if err == nil {
		err = json.Unmarshal(plain, &a.tokens)
	}
	if err != nil {
		return LoginRequired, "the kept sign-in cannot be opened: " + err.Error() +
			", or run `wheelhouse tesla login`"
	}
	return SignedIn, ""
}

// become sets the state and tells. Holds the turn.
func (a *Account) become(state AccountState, why string) {
	a.mu.Lock()
	same := a.state == state
	a.state, a.why = state, why
	a.mu.Unlock()
	if same {
		return
	}
	level := zerolog.WarnLevel
	if state == SignedIn {
		level = zerolog.InfoLevel
	}
	a.o.Log.WithLevel(level).Str("state", string(state)).Str("why", why).Msg("Tesla account")
	if a.o.Changed != nil {
		a.o.Changed(state)
	}
}

// Region is where the account lives, North America until it is known.
func (a *Account) Region() Region {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.tokens.Region == "" {
		return NorthAmerica
	}
	return a.tokens.Region
}

// Moved notes that a 421 named another region. One that sends to and fro ends in
// RegionError.
func (a *Account) Moved(ctx context.Context, to Region) error {
	if err := a.lock(ctx); err != nil {
		return err
	}
	defer a.unlock()
	now := a.o.Now()
	_, known := a.o.Hosts.API[to]
	a.mu.Lock()
	here := a.tokens.Region
	circle := to == a.from && now.Sub(a.moved).Abs() < movedLately
	a.mu.Unlock()
	if to == here {
		return nil
	}
	if !known || circle {
		why := fmt.Sprintf("Tesla sends the account from region %q to %q, which does not help: "+
			"run `wheelhouse tesla login`", here, to)
		a.become(RegionError, why)
		return halted(why)
	}
	a.mu.Lock()
	a.from, a.moved = here, now
	a.tokens.Region, a.unkept = to, true
	a.mu.Unlock()
	a.o.Log.Info().Str("region", string(to)).Msg("the Tesla account lives there")
	_ = a.save(ctx) // else it is found out again
	return nil
}

// State is what the account can do.
func (a *Account) State() AccountState {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state
}

// Scopes is what the person allowed.
func (a *Account) Scopes() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.tokens.Scopes)
}

// Missing is what the person was asked for and did not allow. Begin asks again.
func (a *Account) Missing() []string { return a.Status().Missing }

// Status is all that may be told about an account.
type Status struct {
	State   AccountState
	Why     string    // and what to do, unless it is signed in
	Problem string    // what went wrong and passes, or ""
	Subject string    // the account's number at Tesla
	Region  Region    // where it lives
	Scopes  []string  // allowed
	Missing []string  // asked for, not allowed
	Access  time.Time // when the access token ends; it is replaced before
	Until   time.Time // when the sign-in ends if the program does not run
}

// Status returns it.
func (a *Account) Status() Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.tokens
	s := Status{
		State: a.state, Why: a.why, Subject: t.Subject, Region: t.Region,
		Scopes: slices.Clone(t.Scopes), Access: t.Expires,
	}
	for _, scope := range t.Asked {
		if len(t.Scopes) > 0 && !slices.Contains(t.Scopes, scope) {
			s.Missing = append(s.Missing, scope)
		}
	}
	if t.Refresh != "" {
		s.Until = t.Issued.Add(refreshLife)
	}
	if a.failed != nil {
		s.Problem = a.failed.Error()
	}
	return s
}

// current returns the tokens.
func (a *Account) current() Tokens {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.tokens
}

// lock takes the turn.
func (a *Account) lock(ctx context.Context) error {
	select {
	case a.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return car.Refuse(car.Timeout, "Tesla's sign-in took too long: %v", ctx.Err())
	}
}

func (a *Account) unlock() { <-a.turn }
