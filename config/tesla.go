package config

import (
	"cmp"
	"net/url"
	"strconv"
)

// shortestPoll is how often Tesla may be asked at most; it counts every call.
const shortestPoll = 10 * Second

// TeslaDomain is where Tesla finds the public key: tesla.domain, else the host of
// http.public_url; "" for unknown.
func (c *Config) TeslaDomain() string {
	u, err := url.Parse(c.HTTP.PublicURL)
	if err != nil {
		return c.Tesla.Domain
	}
	return cmp.Or(c.Tesla.Domain, u.Hostname())
}

func (k *checker) tesla() {
	t := &k.Tesla
	k.secret("tesla.client_secret", &t.ClientSecret, t.ClientSecretFile)
	k.secret("tesla.seal_key", &t.SealKey, t.SealKeyFile)
	k.readable("tesla.private_key_file", t.PrivateKeyFile)
	if t.ClientID == "" && t.ClientSecret != "" {
		k.wrong("tesla.client_secret", "is given without tesla.client_id", "tesla.client_id too")
	}
	if t.Domain != "" && !hostPattern.MatchString(t.Domain) {
		k.wrong("tesla.domain", strconv.Quote(t.Domain)+" is not a domain name in lower case",
			"the name alone, like car.example.org")
	}
	k.teslaPoll()
	k.teslaBudget()
	k.teslaHosts()
}

func (k *checker) teslaPoll() {
	p := k.Tesla.Poll
	for _, every := range []struct {
		key string
		d   Duration
	}{
		{"state", p.State}, {"idle", p.Idle}, {"driving", p.Driving}, {"charging_ac", p.ChargingAC},
		{"charging_ac_end", p.ChargingACEnd}, {"charging_dc", p.ChargingDC},
	} {
		if every.d < shortestPoll {
			k.wrong("tesla.poll."+every.key, every.d.String()+" is less than "+shortestPoll.String(), "a longer time")
		}
	}
}

func (k *checker) teslaBudget() {
	b := k.Tesla.Budget
	for _, amount := range []struct {
		key string
		usd float64
	}{
		{"free", b.Free}, {"soft", b.Soft}, {"hard", b.Hard}, {"reserve", b.Reserve},
		{"prices.data", b.Prices.Data}, {"prices.command", b.Prices.Command},
		{"prices.wake", b.Prices.Wake}, {"prices.state", b.Prices.State},
	} {
		if amount.usd < 0 {
			k.wrong("tesla.budget."+amount.key, "is less than nothing", "0 or more")
		}
	}
	if b.Soft > b.Hard {
		k.wrong("tesla.budget.soft", "is more than tesla.budget.hard", "a smaller one")
	}
}

func (k *checker) teslaHosts() {
	h := k.Tesla.Hosts
	for _, host := range []struct{ key, url string }{
		{"login", h.Login}, {"token", h.Token}, {"pair", h.Pair}, {"na", h.NA}, {"eu", h.EU}, {"cn", h.CN},
	} {
		u, err := url.Parse(host.url)
		if host.url != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
			k.wrong("tesla.hosts."+host.key, strconv.Quote(host.url)+" is not an https address",
				`it, or "" for Tesla's own`)
		}
	}
}
