package sim

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"strings"
	"time"
)

// pairPath is where a person lets cars take the application's key.
const pairPath = "/_ak/"

// registration is an application in a region.
type registration struct {
	domain string
	key    string // the uncompressed point, in hex
	at     time.Time
}

// Serve says which public key, in PEM, a domain serves from now on; nil for none.
func (t *Tesla) Serve(domain string, key []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.keys[domain] = key
}

// registerEverywhere is the state of an application that was set up long ago.
func (t *Tesla) registerEverywhere(now time.Time) {
	key, _ := shape("partner_public_key")["public_key"].(string)
	for _, region := range regions {
		t.apps[region] = registration{t.options.Domain, key, now}
	}
}

// register takes an application's domain into the region.
func (t *Tesla) register(c *call) reply {
	domain, _ := c.body["domain"].(string)
	switch {
	case domain == "" || domain != strings.ToLower(domain) || strings.ContainsAny(domain, "/: "):
		return failure("400_invalid_field").explain("domain must be a host name in lower case")
	case domain != t.options.Domain && !strings.HasSuffix(domain, "."+t.options.Domain):
		return failure("412_not_registered").explain("domain is no allowed origin of the application")
	}
	key, err := t.fetchKey(domain)
	if err != nil {
		return failure("424_public_key_fetch").explain("%v", err)
	}
	if old, ok := t.apps[c.region]; ok && old.domain == domain && old.key == key {
		return failure("422_invalid_resource")
	}
	t.apps[c.region] = registration{domain, key, c.now}
	answer := shape("partner_account")
	answer["client_id"], answer["domain"], answer["public_key"] = t.options.ClientID, domain, key
	answer["created_at"], answer["updated_at"] = stamp(c.now), stamp(c.now)
	return good(answer)
}

// fetchKey is the public key of a domain as the API shows it.
func (t *Tesla) fetchKey(domain string) (string, error) {
	data := t.keys[domain]
	if t.options.Key != nil {
		var err error
		if data, err = t.options.Key(domain); err != nil {
			return "", err
		}
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return "", errors.New("no PEM at the well-known path")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return "", err
	}
	public, ok := key.(*ecdsa.PublicKey)
	if !ok || public.Curve != elliptic.P256() {
		return "", errors.New("the key is not of the curve prime256v1")
	}
	point, err := public.Bytes()
	return hex.EncodeToString(point), err
}

// publicKey reads the registered key back.
func (t *Tesla) publicKey(c *call) reply {
	app, ok := t.apps[c.region]
	if !ok || app.domain != c.query.Get("domain") {
		return failure("404_not_found")
	}
	return good(object{"public_key": app.key})
}

// pairPage is the phone on which a person lets a car, or every car, take the key
// of the domain's application.
func (t *Tesla) pairPage(c *call) reply {
	if t.apps[t.options.Region].domain != c.r.PathValue("domain") {
		return page(http.StatusNotFound, "<h1>The application is not registered</h1>")
	}
	for _, car := range t.cars {
		if vin := c.query.Get("vin"); !car.spec.Model.old() && (vin == "" || vin == car.spec.VIN) {
			car.settings.Paired = true
		}
	}
	return page(http.StatusOK, "<h1>Key added</h1>")
}

func stamp(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }

// number is a number of a fixture.
func number(v any) float64 {
	n, _ := v.(json.Number)
	f, _ := n.Float64()
	return f
}
