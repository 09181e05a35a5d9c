package config

import (
	"maps"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// maxPacket is the largest packet MQTT knows (MQTT 5, 2.1.4: four bytes of length).
const maxPacket = 268_435_455 * Byte

// label is one level of a domain name.
const label = `[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?`

var (
	// namePattern is what a named section may be called. A dot would look like a
	// level of the key.
	namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_@-]*$`)
	// carPattern repeats how a car's id looks: this package is a leaf and cannot
	// ask the one that makes them.
	carPattern  = regexp.MustCompile(`^[a-z0-9]+(?:_[a-z0-9]+)*$`)
	mailPattern = regexp.MustCompile(`^[^@\s]+@[^@\s]+$`)
	hostPattern = regexp.MustCompile(`^(?:` + label + `\.)+[a-z]` + label + `$`)
)

// reservedCars are topic levels that can be no car.
func reservedCars() []string { return []string{"status", "bridge", "account", "intake", "fleet"} }

// checker looks at whole settings and collects what is wrong.
type checker struct {
	*Config
	problems Problems
}

// check finds what no single value shows, and reads the secrets' files.
func (c *Config) check() Problems {
	k := &checker{Config: c}
	k.log()
	k.http()
	k.mqtt()
	k.broker()
	k.discovery()
	k.carStats()
	k.cars()
	k.tesla()
	k.listeners()
	if c.StateDir == "" {
		k.wrong("state_dir", "is not given, and the environment names no home directory",
			"a directory that the program may write to")
	}
	if c.Store.Keep != 0 && c.Store.Keep < Day {
		k.wrong("store.keep", c.Store.Keep.String()+" is less than a day", `1d or more, or "" for ever`)
	}
	return k.problems
}

func (k *checker) wrong(key, what, write string) {
	source := "default"
	for at := key; at != ""; at = parent(at) {
		if o, ok := k.origin[at]; ok {
			source = o
			break
		}
	}
	k.problems = append(k.problems, Problem{Source: source, Key: key, What: what, Write: write})
}

func (k *checker) log() {
	k.oneOf("log.level", k.Log.Level, "trace", "debug", "info", "warn", "error")
	k.oneOf("log.format", k.Log.Format, "auto", "text", "json")
}

func (k *checker) oneOf(key, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		k.wrong(key, strconv.Quote(value)+" is not known", "one of "+strings.Join(allowed, ", "))
	}
}

func (k *checker) http() {
	h := k.HTTP
	if h.PublicURL != "" {
		k.publicURL(h.PublicURL)
	}
	k.pair("http.tls.cert", h.TLS.Cert, "http.tls.key", h.TLS.Key)
	if h.ACME.Domain == "" && h.ACME.Email != "" {
		k.wrong("http.acme.email", "is given without http.acme.domain", "http.acme.domain too")
	}
	if h.ACME.Domain != "" {
		k.acme()
	}
	if h.Listen == "" && !h.HasTLS() {
		k.wrong("http.listen", "is empty, and no TLS listener is configured: no car could post",
			"an address like :8480")
	}
}

func (k *checker) acme() {
	h := k.HTTP
	if !hostPattern.MatchString(h.ACME.Domain) {
		k.wrong("http.acme.domain", strconv.Quote(h.ACME.Domain)+" is not a domain name in lower case",
			"the name alone, like car.example.org")
	}
	if mail := h.ACME.Email; mail != "" && !mailPattern.MatchString(mail) {
		k.wrong("http.acme.email", strconv.Quote(h.ACME.Email)+" is not a mail address", "")
	}
	if h.TLS.Cert != "" || h.TLS.Key != "" {
		k.wrong("http.acme.domain", "is given beside http.tls.cert: only one certificate can be served",
			"one of the two")
	}
	if h.TLS.Listen == "" {
		k.wrong("http.tls.listen", "is empty, but http.acme.domain needs it", "an address like :8443")
	}
}

func (k *checker) publicURL(s string) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Scheme != "https" || u.Hostname() == "":
		k.wrong("http.public_url", "is not an https address: the car accepts no other",
			"it like https://car.example.org")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		k.wrong("http.public_url", "has more than host, port and path", "it like https://car.example.org")
	}
}

// pair wants a certificate with its key, both readable.
func (k *checker) pair(certKey, cert, keyKey, key string) {
	switch {
	case cert != "" && key == "":
		k.wrong(certKey, "is given without "+keyKey, keyKey+" too")
	case cert == "" && key != "":
		k.wrong(keyKey, "is given without "+certKey, certKey+" too")
	}
	k.readable(certKey, cert)
	k.readable(keyKey, key)
}

func (k *checker) readable(key, path string) {
	if path == "" {
		return
	}
	f, err := os.Open(path)
	if err != nil {
		k.wrong(key, path+" cannot be read: "+reason(err), "")
		return
	}
	_ = f.Close()
}

// secret reads a secret's file.
func (k *checker) secret(key string, value *Secret, path string) {
	if path == "" {
		return
	}
	fileKey := key + "_file"
	if *value != "" {
		k.wrong(fileKey, "is given beside "+key, "one of the two")
		return
	}
	data, err := os.ReadFile(path)
	if err != nil {
		k.wrong(fileKey, path+" cannot be read: "+reason(err), "")
		return
	}
	read, ok := oneLine(data)
	if !ok {
		k.wrong(fileKey, path+" does not hold one line", "")
		return
	}
	*value = Secret(read)
	k.origin[key] = path
}

func (k *checker) mqtt() {
	m := &k.MQTT
	k.secret("mqtt.password", &m.Password, m.PasswordFile)
	if m.URL != "" {
		k.brokerURL(m.URL)
	}
	k.readable("mqtt.ca_file", m.CAFile)
	k.pair("mqtt.cert_file", m.CertFile, "mqtt.key_file", m.KeyFile)
	k.topic("mqtt.prefix", m.Prefix)
	if m.MinInterval < 0 {
		k.wrong("mqtt.min_interval", m.MinInterval.String()+" is negative", "0s or more")
	}
}

func (k *checker) brokerURL(s string) {
	const example = "it like mqtt://broker.example.org:1883"
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" {
		k.wrong("mqtt.url", "is not an address", example) // may hold a password: not repeated
		return
	}
	encrypted := slices.Contains([]string{"mqtts", "ssl", "tls", "wss"}, u.Scheme)
	webSocket := u.Scheme == "ws" || u.Scheme == "wss"
	switch {
	case !encrypted && !slices.Contains([]string{"mqtt", "tcp", "ws"}, u.Scheme):
		k.wrong("mqtt.url", strconv.Quote(u.Scheme)+" is no way to a broker",
			"one of mqtt://, mqtts://, tcp://, ssl://, tls://, ws://, wss://")
	case u.User != nil:
		k.wrong("mqtt.url", "holds a user", "mqtt.user and mqtt.password")
	case !webSocket && (strings.Trim(u.Path, "/") != "" || u.RawQuery != "") || u.Fragment != "":
		k.wrong("mqtt.url", "has more than host and port", example)
	}
	if port := u.Port(); port != "" && !validPort(port, 1) {
		k.wrong("mqtt.url", "port "+port+" does not exist", example)
	}
	// A certificate to trust that nobody checks would be a false comfort.
	if !encrypted && (k.MQTT.CAFile != "" || k.MQTT.CertFile != "") {
		k.wrong("mqtt.url", u.Scheme+":// is not encrypted, but certificates are given",
			"mqtts:// or wss://")
	}
}

// topic checks a topic, or the beginning of one.
func (k *checker) topic(key, topic string) {
	switch {
	case topic == "":
		k.wrong(key, "is empty", "a topic without wildcards")
	case strings.ContainsAny(topic, "+#"):
		k.wrong(key, strconv.Quote(topic)+" has a wildcard", "it without + and #")
	case strings.HasPrefix(topic, "/"), strings.HasSuffix(topic, "/"), strings.Contains(topic, "//"):
		k.wrong(key, strconv.Quote(topic)+" has an empty level", "it without the extra /")
	case strings.HasPrefix(topic, "$"):
		k.wrong(key, strconv.Quote(topic)+" belongs to the broker", "it without the $")
	case strings.ContainsFunc(topic, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		k.wrong(key, strconv.Quote(topic)+" has a space", "it without")
	case len(topic) > 200:
		k.wrong(key, "is longer than 200 bytes", "a shorter one")
	}
}

func (k *checker) broker() {
	b := &k.Broker
	k.pair("broker.tls.cert", b.TLS.Cert, "broker.tls.key", b.TLS.Key)
	if b.TLS.Listen != "" && b.TLS.Cert == "" {
		k.wrong("broker.tls.listen", "is given without a certificate",
			"broker.tls.cert and broker.tls.key too")
	}
	if b.TLS.Listen == "" && b.TLS.Cert != "" {
		k.wrong("broker.tls.cert", "is given without broker.tls.listen",
			`broker.tls.listen: ":8883" too`)
	}
	if b.MaxPacket < KiB || b.MaxPacket > maxPacket {
		k.wrong("broker.max_packet", b.MaxPacket.String()+" is not between 1KiB and 255MiB", "8MiB")
	}
	if b.MaxClients < 1 {
		k.wrong("broker.max_clients", strconv.Itoa(b.MaxClients)+" lets nobody in", "1 or more")
	}
	for _, name := range slices.Sorted(maps.Keys(b.Users)) {
		k.user(name)
	}
}

func (k *checker) user(name string) {
	u, key := k.Broker.Users[name], "broker.users."+name
	before := len(k.problems)
	k.secret(key+".password", &u.Password, u.PasswordFile)
	if u.Password == "" && len(k.problems) == before {
		k.wrong(key, "has no password", "password or password_file")
	}
	for _, id := range u.Cars {
		k.carID(key+".cars", id)
	}
	k.Broker.Users[name] = u
}

func (k *checker) discovery() {
	k.topic("discovery.prefix", k.Discovery.Prefix)
	k.topic("discovery.birth_topic", k.Discovery.BirthTopic)
}

func (k *checker) carStats() {
	s := &k.CarStats
	k.secret("carstats.password", &s.Password, s.PasswordFile)
	if s.MaxBody < KiB {
		k.wrong("carstats.max_body", s.MaxBody.String()+" holds no report", "64MiB")
	}
	if s.SilentAfter < 10*Second {
		k.wrong("carstats.silent_after", s.SilentAfter.String()+" is shorter than two reports of a car",
			"10s or more")
	}
}

func (k *checker) cars() {
	vins := map[string]string{}
	for _, id := range slices.Sorted(maps.Keys(k.Cars)) {
		car, key := k.Cars[id], "cars."+id
		k.carID(key, id)
		k.secret(key+".password", &car.Password, car.PasswordFile)
		if car.Capacity < 0 || car.Capacity > 1000 {
			k.wrong(key+".capacity", "is no battery's capacity in kWh", "it like 78")
		}
		if other, twice := vins[strings.ToUpper(car.VIN)]; twice && car.VIN != "" {
			k.wrong(key+".vin", "is the vin of cars."+other+" too", "each car's own")
		}
		vins[strings.ToUpper(car.VIN)] = id
		k.Cars[id] = car
	}
}

func (k *checker) carID(key, id string) {
	switch {
	case slices.Contains(reservedCars(), id):
		k.wrong(key, id+" is a topic of the program's own", "another id")
	case len(id) > 32 || !carPattern.MatchString(id):
		k.wrong(key, strconv.Quote(id)+" is no car's id",
			"at most 32 of a-z and 0-9, words joined by one _")
	}
}

// listeners checks the addresses, and that no two that open are the same.
func (k *checker) listeners() {
	embedded := k.MQTT.URL == ""
	taken := map[string]string{}
	for _, l := range []struct {
		key, address string
		opens        bool
	}{
		{"http.listen", k.HTTP.Listen, true},
		{"http.tls.listen", k.HTTP.TLS.Listen, k.HTTP.HasTLS()},
		{"http.ingress", k.HTTP.Ingress, true},
		{"ops.listen", k.Ops.Listen, true},
		{"broker.listen", k.Broker.Listen, embedded},
		{"broker.tls.listen", k.Broker.TLS.Listen, embedded},
		{"broker.websocket.listen", k.Broker.WebSocket.Listen, embedded},
	} {
		if l.address == "" {
			continue
		}
		host, port, err := net.SplitHostPort(l.address)
		if err != nil || !validPort(port, 0) || strings.ContainsAny(host, " /") {
			k.wrong(l.key, strconv.Quote(l.address)+" is not an address to listen on",
				"it like :8480 or 127.0.0.1:8480")
			continue
		}
		if !l.opens || port == "0" {
			continue
		}
		if other, twice := taken[l.address]; twice {
			k.wrong(l.key, l.address+" is "+other+" too", "another port")
		}
		taken[l.address] = l.key
	}
}

func validPort(s string, lowest uint64) bool {
	port, err := strconv.ParseUint(s, 10, 16)
	return err == nil && port >= lowest
}
