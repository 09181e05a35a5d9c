package tesla

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"
)

const (
	saveWithin = 10 * time.Second
	retryFirst = 10 * time.Second // after a refresh that failed; doubled each time
	retryMost  = 15 * time.Minute
	tooYoung   = 5 * time.Minute // a refused token of this age is not replaced: the next would be refused too
	lookAgain  = time.Minute
)

// Token returns a valid access token for whoever the call is made for. It
// refreshes when it is time; others who ask meanwhile wait for the same refresh.
// An error of which IsLoginRequired is true stays until a person acts.
func (a *Account) Token(ctx context.Context, as Identity) (string, error) {
	switch as {
	case Nobody:
		return "", nil
	case Partner:
		return a.partner(ctx, a.Region())
	}
	return a.owner(ctx, "")
}

// Renew replaces an access token that a call was refused with (401). If that
// happened already, it does nothing.
func (a *Account) Renew(ctx context.Context, refused string) error {
	if a.dropPartner(refused) {
		return nil
	}
	_, err := a.owner(ctx, refused)
	return err
}

// owner returns an access token that is not the refused one.
func (a *Account) owner(ctx context.Context, refused string) (string, error) {
	if token, done, err := a.glance(refused); done {
		return token, err
	}
	if err := a.lock(ctx); err != nil {
		return "", err
	}
	defer a.unlock()
	if token, done, err := a.glance(refused); done { // somebody else did it meanwhile
		return token, err
	}
	err := a.mend(ctx, refused)
	now, t := a.o.Now(), a.current()
	if err != nil && a.State() == SignedIn && t.Access != refused && now.Before(t.Expires) {
		return t.Access, nil // the old one still works
	}
	if err != nil {
		return "", err
	}
	return t.Access, nil
}

// glance says whether there is nothing to be done, and the result.
func (a *Account) glance(refused string) (token string, done bool, err error) {
	now := a.o.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.tokens
	valid := now.Before(t.Expires) && t.Access != refused
	switch {
	case a.state != SignedIn:
		return "", true, halted(a.why)
	case valid && (now.Before(a.retry) || !a.unkept && t.fresh(now)):
		return t.Access, true, nil
	case now.Before(a.retry):
		return "", true, a.failed
	case refused != "" && t.Access == refused && now.Sub(t.Issued).Abs() < tooYoung:
		return "", true, errors.New("tesla refuses an access token that it has just given: try again in 5 minutes")
	}
	return "", false, nil
}

// mend keeps what is not kept, and then replaces tokens that are old or refused.
// Holds the turn.
func (a *Account) mend(ctx context.Context, refused string) error {
	if err := a.save(ctx); err != nil {
		return err
	}
	if t := a.current(); t.Access != refused && t.fresh(a.o.Now()) {
		return nil
	}
	return a.refresh(ctx)
}

// refresh uses the refresh token, which is in the vault. Holds the turn.
func (a *Account) refresh(ctx context.Context) error {
	old := a.current()
	if old.Refresh == "" {
		a.become(LoginRequired, "the sign-in has ended, because offline_access was not allowed: "+
			"run `wheelhouse tesla login` and allow it")
		return halted(a.Status().Why)
	}
	fresh, err := a.renewed(ctx, old.Refresh)
	if state, why := final(err); state != "" {
		a.become(state, why)
		return halted(why)
	}
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return err // somebody did not want to wait: that is no failure
	}
	if err != nil {
		return a.later(err)
	}
	fresh.Asked, fresh.Region = old.Asked, old.Region // a 421 knows the region better than a claim
	_ = a.adopt(ctx, fresh)                           // good to be used even so: Status and the log tell
	return nil
}

// renewed asks for the next tokens with a refresh token.
func (a *Account) renewed(ctx context.Context, refresh string) (Tokens, error) {
	got, err := a.ask(ctx, url.Values{
		"grant_type": {"refresh_token"}, "client_id": {a.o.ClientID}, "refresh_token": {refresh},
	})
	if err != nil {
		return Tokens{}, err
	}
	t := got.tokens(a.o.Now(), a.o.Hosts)
	if t.Refresh == "" {
		t.Refresh = refresh // not replaced: it stays good
	}
	return t, nil
}

// adopt makes tokens the account's own and keeps them. With an error they are in
// use, but not kept. Holds the turn.
func (a *Account) adopt(ctx context.Context, t Tokens) error {
	a.mu.Lock()
	a.tokens, a.unkept = t, true
	a.mu.Unlock()
	return a.save(ctx)
}

// save puts the tokens into the vault, if they are not there. It is not stopped
// by the end of a caller. Holds the turn.
func (a *Account) save(ctx context.Context) error {
	a.mu.Lock()
	t, unkept := a.tokens, a.unkept
	a.mu.Unlock()
	if !unkept {
		return nil
	}
	plain, err := json.Marshal(t)
	if err != nil {
		return err // it cannot be
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveWithin)
	defer cancel()
	if err := a.o.Vault.Save(ctx, Seal(a.o.Key, sealedFor, plain)); err != nil {
		return a.later(fmt.Errorf("the sign-in could not be kept, a crash now may cost it: %w", err))
	}
	a.mu.Lock()
	a.unkept = false
	a.failures, a.failed, a.retry = 0, nil, time.Time{}
	a.mu.Unlock()
	return nil
}

// later notes a failure that passes and returns it. Holds the turn.
func (a *Account) later(err error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	pause := min(retryFirst<<min(a.failures, 10), retryMost)
	var e *Error
	if errors.As(err, &e) {
		pause = max(pause, e.RetryAfter)
	}
	a.failures, a.failed, a.retry = a.failures+1, err, a.o.Now().Add(pause)
	a.o.Log.Warn().Err(err).Dur("again_in", pause).Msg("the sign-in at Tesla has a problem")
	return err
}

// Run replaces the tokens before they end, so that a sign-in lasts for as long as
// the program runs, and keeps what could not be kept. It returns when ctx ends.
func (a *Account) Run(ctx context.Context) error {
	look := time.NewTicker(lookAgain)
	defer look.Stop()
	for {
		_, _ = a.owner(ctx, "") // a failure is noted, logged, and tried again
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		}
	}
}
