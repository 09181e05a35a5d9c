package config

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
)

// Sources are where settings come from, the later over the earlier.
type Sources struct {
	File        string   // YAML, "" for none
	Options     string   // the Home Assistant app's options (JSON), "" for none
	Credentials string   // systemd's directory of credentials, "" for none
	Environ     []string // KEY=value, as os.Environ gives it
}

// Load returns the settings: the defaults where no source says otherwise. The
// error is Problems when a source is wrong.
func Load(from Sources) (*Config, error) {
	r := &reader{origin: map[string]string{}}
	k, err := r.merge(from)
	if err != nil {
		return nil, err
	}
	// The defaults are in the struct before decoding, not in a layer of koanf's,
	// where an empty section would wipe them.
	c := Default()
	err = k.UnmarshalWithConf("", c, koanf.UnmarshalConf{DecoderConfig: &mapstructure.DecoderConfig{
		TagName:     "koanf",
		ErrorUnused: true,
		MatchName:   func(key, field string) bool { return key == field },
		DecodeHook:  mapstructure.TextUnmarshallerHookFunc(),
	}})
	if err != nil {
		return nil, fmt.Errorf("reading the settings: %w", err)
	}
	c.origin = r.origin
	c.complete(from.Environ)
	problems := slices.Concat(r.problems, c.check())
	if len(problems) > 0 {
		return nil, problems.inOptions(from.Options)
	}
	return c, nil
}

// merge reads the sources on top of each other.
func (r *reader) merge(from Sources) (*koanf.Koanf, error) {
	k := koanf.New(".")
	var errs []error
	load := func(p koanf.Provider, parser koanf.Parser) { errs = append(errs, k.Load(p, parser)) }
	for _, f := range []strict{{r, from.File, parseYAML}, {r, from.Options, parseOptions}} {
		if f.name == "" {
			continue
		}
		if err := k.Load(file.Provider(f.name), f); err != nil {
			r.wrong(f.name, "", mistake{what: "cannot be read: " + reason(err)})
		}
	}
	for key, value := range r.credentials(from.Credentials) {
		errs = append(errs, k.Set(key, value))
	}
	environ := latest(from.Environ)
	load(env.Provider(".", env.Opt{
		Prefix:        environment,
		TransformFunc: r.variable,
		EnvironFunc:   func() []string { return environ },
	}), nil)
	return k, errors.Join(errs...)
}

// latest is an environment with each variable once, in order; the last one of a
// name counts, as it does for programs.
func latest(environ []string) []string {
	pairs := map[string]string{}
	for _, pair := range environ {
		name, _, _ := strings.Cut(pair, "=")
		pairs[name] = pair
	}
	return slices.Sorted(maps.Values(pairs))
}

// complete fills in what depends on the environment.
func (c *Config) complete(environ []string) {
	if c.StateDir == "" {
		c.StateDir = StateDir(lookup(environ))
	}
	if c.Store.Path == "" {
		c.Store.Path = filepath.Join(c.StateDir, "wheelhouse.db")
	}
	c.HTTP.PublicURL = strings.TrimRight(c.HTTP.PublicURL, "/")
	if InApp(lookup(environ)) {
		c.completeApp()
	}
}

// completeApp fills in what is another default in the Home Assistant app: there
// people read the log, on a page that is no terminal.
func (c *Config) completeApp() {
	if _, set := c.origin["http.ingress"]; !set {
		c.HTTP.Ingress = appIngress
	}
	if c.Log.Format == "auto" {
		c.Log.Format = "text"
	}
}

// lookup reads a variable of an environment; the last one of a name counts.
func lookup(environ []string) func(string) string {
	return func(name string) string {
		for _, pair := range slices.Backward(environ) {
			if value, ok := strings.CutPrefix(pair, name+"="); ok {
				return value
			}
		}
		return ""
	}
}
