// Package config reads Wheelhouse's settings: defaults, then the YAML file, then
// the Home Assistant app's options, then systemd's credentials, then the
// environment. Whoever is wrong somewhere is told every mistake at once, where it
// stands and what to write.
package config

import "net/netip"

// Config holds every setting. The koanf tags are the names people type; the
// order of the fields is the order of wheelhouse.example.yaml.
type Config struct {
	StateDir  string         `koanf:"state_dir"` // credentials, store, certificates, control socket
	Log       Log            `koanf:"log"`
	HTTP      HTTP           `koanf:"http"`
	Ops       Ops            `koanf:"ops"`
	MQTT      MQTT           `koanf:"mqtt"`
	Broker    Broker         `koanf:"broker"`
	Discovery Discovery      `koanf:"discovery"`
	CarStats  CarStats       `koanf:"carstats"`
	Tesla     Tesla          `koanf:"tesla"`
	Cars      map[string]Car `koanf:"cars" list:"id"`
	Store     Store          `koanf:"store"`

	origin map[string]string // key -> where it was set last; what is missing is a default
}

// Log says what is logged and how.
type Log struct {
	Level  string `koanf:"level"`  // trace, debug, info, warn, error
	Format string `koanf:"format"` // auto, text, json; auto is text on a terminal
}

// HTTP is where cars post to.
type HTTP struct {
	Listen         string         `koanf:"listen"`     // "" to have no plain listener
	PublicURL      string         `koanf:"public_url"` // https, without a slash at its end
	TrustedProxies []netip.Prefix `koanf:"trusted_proxies"`
	TLS            TLS            `koanf:"tls"`
	ACME           ACME           `koanf:"acme"`
	Ingress        string         `koanf:"ingress"` // the page's, "" to have none
}

// TLS is a listener with certificate files.
type TLS struct {
	Listen string `koanf:"listen"`
	Cert   string `koanf:"cert"` // PEM file with the full chain
	Key    string `koanf:"key"`  // PEM file
}

// ACME lets the program fetch a certificate by itself, served on http.tls.listen.
type ACME struct {
	Domain string `koanf:"domain"`
	Email  string `koanf:"email"`
}

// Ops is the private listener for health and metrics.
type Ops struct {
	Listen string `koanf:"listen"` // "" to have none
}

// MQTT is the broker to use and how to publish there.
type MQTT struct {
	URL          string   `koanf:"url"` // "" for the embedded broker, in the app for the Supervisor's
	User         string   `koanf:"user"`
	Password     Secret   `koanf:"password"`
	PasswordFile string   `koanf:"password_file"`
	CAFile       string   `koanf:"ca_file"`
	CertFile     string   `koanf:"cert_file"`
	KeyFile      string   `koanf:"key_file"`
	ClientID     string   `koanf:"client_id"` // "" for wheelhouse_<8 hex>, generated and kept
	Prefix       string   `koanf:"prefix"`
	MinInterval  Duration `koanf:"min_interval"`
}

// Broker is the embedded broker.
type Broker struct {
	Enabled    *bool           `koanf:"enabled"` // nil: see Config.Embedded
	Listen     string          `koanf:"listen"`  // "" to have no plain listener
	TLS        TLS             `koanf:"tls"`
	WebSocket  WebSocket       `koanf:"websocket"`
	MaxPacket  Size            `koanf:"max_packet"`
	MaxClients int             `koanf:"max_clients"`
	Users      map[string]User `koanf:"users" list:"name"`
}

// WebSocket is MQTT for browsers.
type WebSocket struct {
	Listen string `koanf:"listen"`
}

// User is somebody who may connect to the embedded broker.
type User struct {
	Password     Secret   `koanf:"password"`
	PasswordFile string   `koanf:"password_file"`
	Cars         []string `koanf:"cars"` // empty: all
	ReadOnly     bool     `koanf:"read_only"`
}

// Discovery is what Home Assistant is told.
type Discovery struct {
	Enabled                bool   `koanf:"enabled"`
	Prefix                 string `koanf:"prefix"`
	BirthTopic             string `koanf:"birth_topic"`
	UnavailableWhenOffline bool   `koanf:"unavailable_when_offline"`
}

// CarStats is the Car Stats Viewer webhook.
type CarStats struct {
	Password     Secret   `koanf:"password"` // the house's; "" for a generated one
	PasswordFile string   `koanf:"password_file"`
	Discover     bool     `koanf:"discover"`
	MaxBody      Size     `koanf:"max_body"`
	SilentAfter  Duration `koanf:"silent_after"`
	Raw          bool     `koanf:"raw"`
}

// Car is one car, named by its id.
type Car struct {
	Name         string  `koanf:"name"`
	Password     Secret  `koanf:"password"`
	PasswordFile string  `koanf:"password_file"`
	Manufacturer string  `koanf:"manufacturer"`
	Model        string  `koanf:"model"`
	Capacity     float64 `koanf:"capacity"` // kWh, 0 if not given
	VIN          string  `koanf:"vin"`
}

// Store is where records are kept.
type Store struct {
	Path string   `koanf:"path"` // never empty after Load
	Keep Duration `koanf:"keep"` // 0: for ever
}

// Tesla is the account at Tesla. Without a client id there is none.
type Tesla struct {
	ClientID         string      `koanf:"client_id"`
	ClientSecret     Secret      `koanf:"client_secret"`
	ClientSecretFile string      `koanf:"client_secret_file"`
	Domain           string      `koanf:"domain"`           // "" for that of http.public_url
	PrivateKeyFile   string      `koanf:"private_key_file"` // PEM; "" for tesla.key in the state directory
	SealKey          Secret      `koanf:"seal_key"`         // "" for a generated one
	SealKeyFile      string      `koanf:"seal_key_file"`
	Expose           []string    `koanf:"expose"` // paths in vehicle_data
	Poll             TeslaPoll   `koanf:"poll"`
	Budget           TeslaBudget `koanf:"budget"`
	Hosts            TeslaHosts  `koanf:"hosts"`
}

// TeslaPoll is how often a car is looked at.
type TeslaPoll struct {
	State         Duration `koanf:"state"` // whether it is awake
	Idle          Duration `koanf:"idle"`
	Driving       Duration `koanf:"driving"`
	ChargingAC    Duration `koanf:"charging_ac"`
	ChargingACEnd Duration `koanf:"charging_ac_end"` // the last 5 %
	ChargingDC    Duration `koanf:"charging_dc"`
}

// TeslaBudget is what calls may cost, in USD a month.
type TeslaBudget struct {
	Free    float64     `koanf:"free"`    // that Tesla gives
	Soft    float64     `koanf:"soft"`    // from here on cars are looked at less often
	Hard    float64     `koanf:"hard"`    // from here on not at all
	Reserve float64     `koanf:"reserve"` // beyond hard, for orders
	Prices  TeslaPrices `koanf:"prices"`
}

// TeslaPrices are what a call costs, in USD.
type TeslaPrices struct {
	Data    float64 `koanf:"data"`
	Command float64 `koanf:"command"`
	Wake    float64 `koanf:"wake"`
	State   float64 `koanf:"state"`
}

// TeslaHosts are where Tesla is; "" for its own addresses.
type TeslaHosts struct {
	Login string `koanf:"login"`
	Token string `koanf:"token"`
	Pair  string `koanf:"pair"`
	NA    string `koanf:"na"`
	EU    string `koanf:"eu"`
	CN    string `koanf:"cn"`
}

// Default returns the settings of a program that was told nothing. StateDir and
// Store.Path are empty: they depend on the environment, Load fills them in.
func Default() *Config {
	return &Config{
		Log: Log{Level: "info", Format: "auto"},
		HTTP: HTTP{
			Listen: ":8480",
			TrustedProxies: []netip.Prefix{
				netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"),
			},
			TLS: TLS{Listen: ":8443"},
		},
		Ops:       Ops{Listen: "127.0.0.1:8481"},
		MQTT:      MQTT{Prefix: "wheelhouse", MinInterval: 30 * Second},
		Broker:    Broker{Listen: ":1883", MaxPacket: 8 * MiB, MaxClients: 100},
		Discovery: Discovery{Enabled: true, Prefix: "homeassistant", BirthTopic: "homeassistant/status"},
		CarStats:  CarStats{Discover: true, MaxBody: 64 * MiB, SilentAfter: 3 * Minute},
		Tesla: Tesla{
			Poll: TeslaPoll{
				State: 10 * Minute, Idle: 10 * Minute, Driving: Minute,
				ChargingAC: 5 * Minute, ChargingACEnd: Minute, ChargingDC: Minute,
			},
			Budget: TeslaBudget{
				Free: 10, Soft: 5, Hard: 9, Reserve: 1,
				Prices: TeslaPrices{Data: 0.002, Command: 0.001, Wake: 0.02},
			},
		},
	}
}

// Embedded says whether the program runs its own broker. A broker named in
// mqtt.url is used instead of it. Without one, broker.enabled decides; where it
// is not given, the program brings its own broker except in the Home Assistant
// app, where the Supervisor's is the one people mean.
func (c *Config) Embedded(inApp bool) bool {
	switch {
	case c.MQTT.URL != "":
		return false
	case c.Broker.Enabled != nil:
		return *c.Broker.Enabled
	}
	return !inApp
}

// HasTLS says whether cars can post to a TLS listener of the program's own.
func (h HTTP) HasTLS() bool {
	return h.TLS.Listen != "" && (h.TLS.Cert != "" || h.ACME.Domain != "")
}
