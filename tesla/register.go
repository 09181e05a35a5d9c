package tesla

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// partnerScopes are those of the application's own token.
const partnerScopes = "openid vehicle_device_data vehicle_cmds vehicle_charging_cmds"

// partner returns the application's own token for a region, a new one when the one
// it has grows old.
func (a *Account) partner(ctx context.Context, region Region) (string, error) {
	if a.o.ClientID == "" || a.o.ClientSecret == "" {
		return "", errors.New("tesla.client_id or tesla.client_secret is missing: both are on the " +
			"application's page at developer.tesla.com")
	}
	if err := a.lock(ctx); err != nil {
		return "", err
	}
	defer a.unlock()
	now := a.o.Now()
	a.mu.Lock()
	t := a.partners[region]
	a.mu.Unlock()
	if t.Access != "" && now.Before(t.due()) {
		return t.Access, nil
	}
	got, err := a.ask(ctx, url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {a.o.ClientID},
		"client_secret": {a.o.ClientSecret},
		"scope":         {partnerScopes},
		"audience":      {a.o.Hosts.API[region]},
	})
	if _, why := final(err); why != "" {
		return "", errors.New(why)
	}
	if err != nil {
		return "", err
	}
	t = got.tokens(now, a.o.Hosts)
	a.mu.Lock()
	a.partners[region] = t
	a.mu.Unlock()
	return t.Access, nil
}

// dropPartner forgets a partner token that was refused, if it is one.
func (a *Account) dropPartner(refused string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for region, t := range a.partners {
		if t.Access == refused {
			delete(a.partners, region)
			return true
		}
	}
	return false
}

// Registration is what came of registering in one region.
type Registration struct {
	Region Region
	New    bool  // false: it was registered before
	Err    error // nil: Tesla has our public key there; else what to do
}

// Register tells Tesla's regions, without any North America and Europe, which
// domain the application has, and compares the public key that Tesla then holds.
// Tesla fetches the key from the domain meanwhile (see CheckServed). It may be
// repeated. The calls go out as via says, with the application's own token.
func (a *Account) Register(ctx context.Context, via ClientOptions, key *ecdsa.PublicKey, regions ...Region,
) ([]Registration, error) {
	domain, err := CleanDomain(a.o.Domain)
	if err != nil {
		return nil, err
	}
	if len(regions) == 0 {
		regions = []Region{NorthAmerica, Europe}
	}
	var all []Registration
	var errs []error
	for _, region := range regions {
		if a.o.Hosts.API[region] == "" {
			return nil, fmt.Errorf("there is no region %q: na, eu or cn", region)
		}
		c := NewClient(a.asPartner(via, region))
		fresh, err := register(ctx, c, domain)
		if err == nil {
			err = readBack(ctx, c, domain, key)
		}
		if err != nil {
			err = fmt.Errorf("registration in region %s: %w", region, err)
			errs = append(errs, err)
		}
		all = append(all, Registration{region, fresh, err})
	}
	return all, errors.Join(errs...)
}

// asPartner makes a client's options those of the application in one region.
func (a *Account) asPartner(via ClientOptions, region Region) ClientOptions {
	via.Hosts = a.o.Hosts
	via.Region = func() Region { return region }
	via.Token = func(ctx context.Context, _ Identity) (string, error) { return a.partner(ctx, region) }
	via.Renew = a.Renew
	via.Moved = func(context.Context, Region) error {
		return errors.New("the application is of another region: register it there only")
	}
	return via
}

func register(ctx context.Context, c *Client, domain string) (fresh bool, err error) {
	_, err = c.RegisterPartner(ctx, domain)
	if IsTaken(err) {
		return false, nil
	}
	var e *Error
	if !errors.As(err, &e) {
		return err == nil, err
	}
	switch e.Code {
	case codeRegister:
		err = fmt.Errorf("%s is not of the application's allowed origins: enter https://%s at "+
			"developer.tesla.com, then repeat (%w)", domain, domain, err)
	case codeKeyFetch:
		err = fmt.Errorf("tesla could not fetch https://%s%s: `wheelhouse tesla serve-key` tells why (%w)",
			domain, KeyPath, err)
	case codeLimited:
		err = fmt.Errorf("tesla is busy with another registration: repeat in a minute (%w)", err)
	}
	return false, err
}

// readBack compares the key that Tesla holds with ours.
func readBack(ctx context.Context, c *Client, domain string, key *ecdsa.PublicKey) error {
	want, err := PublicHex(key)
	if err != nil {
		return err
	}
	got, err := c.PartnerPublicKey(ctx, domain)
	if err != nil {
		return fmt.Errorf("the registered key cannot be read back: %w", err)
	}
	if !strings.EqualFold(got, want) {
		return fmt.Errorf("tesla holds another public key for %s than the one this program signs with: "+
			"serve the right one at https://%s%s and repeat, or put the old private key back", domain, domain, KeyPath)
	}
	return nil
}
