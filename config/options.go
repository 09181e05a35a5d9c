package config

import "strings"

// sslFolder is where the Supervisor shows an app the certificates of the house.
const sslFolder = "/ssl/"

// options are the app's options that have other names than the settings: flat,
// as the app's page shows them best. Every other option is called like its
// setting.
var options = []struct {
	option, key string
	folder      string // of a file named without one
}{
	{option: "public_url", key: "http.public_url"},
	{option: "certificate", key: "http.tls.cert", folder: sslFolder},
	{option: "private_key", key: "http.tls.key", folder: sslFolder},
	{option: "acme_domain", key: "http.acme.domain"},
	{option: "acme_email", key: "http.acme.email"},
	{option: "car_password", key: "carstats.password"},
	{option: "discover_cars", key: "carstats.discover"},
	{option: "log_level", key: "log.level"},
	{option: "broker.home_password", key: "broker.users.home.password"},
}

// OptionOf returns what a setting is called among the app's options.
func OptionOf(key string) string {
	for _, o := range options {
		if o.key == key {
			return o.option
		}
	}
	return key
}

// parseOptions reads the Home Assistant app's options as settings. What is empty
// is not set: that is how the Supervisor writes an option that the user has
// cleared.
func parseOptions(name string, data []byte) (node, error) {
	n, err := parseJSON(name, data)
	if err != nil {
		return n, err
	}
	n = n.withoutBlanks()
	for _, o := range options {
		e, ok := n.cut(o.option)
		if !ok || e.value.kind == nothing {
			continue
		}
		if v := &e.value; v.kind == text && o.folder != "" && !strings.Contains(v.text, "/") {
			v.text = o.folder + v.text
		}
		n.put(o.key, e)
	}
	return n, nil
}

// inOptions lets problems with an option name it, and any other, as the app's
// page does.
func (ps Problems) inOptions(file string) Problems {
	var pairs []string
	for _, o := range options {
		pairs = append(pairs, o.key, o.option)
	}
	names := strings.NewReplacer(pairs...)
	for i, p := range ps {
		if strings.HasPrefix(p.Source, file+":") {
			ps[i].Key, ps[i].What = names.Replace(p.Key), names.Replace(p.What)
			ps[i].Write = names.Replace(p.Write)
		}
	}
	return ps
}

// withoutBlanks makes empty texts of sections nothing.
func (n node) withoutBlanks() node {
	for i, e := range n.keys {
		if e.value.kind == text && e.value.text == "" {
			e.value.kind = nothing
		}
		n.keys[i].value = e.value.withoutBlanks()
	}
	for i, item := range n.items {
		n.items[i] = item.withoutBlanks()
	}
	return n
}

// cut takes the key at a path out of its section.
func (n *node) cut(path string) (entry, bool) {
	key, rest, deeper := strings.Cut(path, ".")
	for i := range n.keys {
		switch e := n.keys[i]; {
		case e.key != key:
		case deeper:
			return n.keys[i].value.cut(rest)
		default:
			n.keys = append(n.keys[:i], n.keys[i+1:]...)
			return e, true
		}
	}
	return entry{}, false
}

// put adds a key at a path, in sections that are there or are made.
func (n *node) put(path string, e entry) {
	key, rest, deeper := strings.Cut(path, ".")
	if !deeper {
		n.keys = append(n.keys, entry{key: key, at: e.at, value: e.value})
		return
	}
	for i := range n.keys {
		if at := &n.keys[i]; at.key == key && at.value.kind == section {
			at.value.put(rest, e)
			return
		}
	}
	below := entry{key: key, at: e.at, value: node{at: e.at, kind: section}}
	below.value.put(rest, e)
	n.keys = append(n.keys, below)
}
