package config

import (
	"errors"
	"slices"
	"strings"
)

// reader turns sources into maps that fit Config, and collects what is wrong
// with them and where each value comes from. What is wrong is left out, so that
// the rest can still be checked.
type reader struct {
	problems Problems
	origin   map[string]string
}

func (r *reader) wrong(at, key string, m mistake) {
	r.problems = append(r.problems, Problem{Source: at, Key: key, What: m.what, Write: m.write})
}

// strict is a koanf parser that accepts only what Config has.
type strict struct {
	*reader
	name  string
	parse func(name string, data []byte) (node, error)
}

// Unmarshal reads a whole file. It reports to the reader and never fails.
func (s strict) Unmarshal(data []byte) (map[string]any, error) {
	n, err := s.parse(s.name, data)
	if err != nil {
		if p, ok := errors.AsType[Problem](err); ok {
			s.problems = append(s.problems, p)
		}
		return nil, nil
	}
	return s.section(root(), n, ""), nil
}

// Marshal is koanf's other half of a parser; nothing is written.
func (s strict) Marshal(map[string]any) ([]byte, error) { return nil, errors.ErrUnsupported }

// section reads a section; one without keys sets nothing.
func (r *reader) section(s shape, n node, path string) map[string]any {
	if n.kind == list && s.listed != "" {
		n = n.byName(s.listed)
	}
	if n.kind == nothing {
		return nil
	}
	if n.kind != section {
		r.wrong(n.at, path, mistake{n.show() + " stands where keys belong", "it below one of its keys"})
		return nil
	}
	read := map[string]any{}
	first := map[string]string{}
	for _, e := range n.keys {
		key := join(path, e.key)
		if at, twice := first[e.key]; twice {
			r.wrong(e.at, key, mistake{"stands here a second time, first at " + at, "it once"})
			continue
		}
		first[e.key] = e.at
		child, ok := r.known(s, e.key, e.at, path)
		if !ok {
			continue
		}
		if s.named != nil && e.value.kind == nothing {
			e.value.kind = section // a car of which only the id is told is a car
		}
		if v := r.value(child, e.value, key); v != nil {
			read[e.key] = v
			r.origin[key] = e.at
		}
	}
	return read
}

// value reads a setting or a section; nil is not set.
func (r *reader) value(s shape, n node, key string) any {
	if s.of == nil {
		if below := r.section(s, n, key); below != nil {
			return below
		}
		return nil
	}
	v, m := convert(s.of, n)
	if m != nil {
		r.wrong(n.at, key, *m)
		return nil
	}
	return v
}

// known finds the shape below key, and complains where there is none.
func (r *reader) known(s shape, key, at, path string) (shape, bool) {
	child, ok := s.child(key)
	if !ok {
		r.wrong(at, join(path, key), mistake{"is no setting", s.suggest(key)})
		return shape{}, false
	}
	if s.named != nil && !namePattern.MatchString(key) {
		r.wrong(at, join(path, key), mistake{"is no name", "letters, digits and _ - @ only"})
		return shape{}, false
	}
	return child, true
}

// variable is koanf's transformation of an environment variable into a key and
// its value; "" for one that sets nothing. An empty variable counts as not set:
// that is what a compose file's ${NAME:-} means.
func (r *reader) variable(name, value string) (string, any) {
	if value == "" || foreign(name) {
		return "", nil
	}
	s, path := root(), ""
	for key := range strings.SplitSeq(strings.ToLower(strings.TrimPrefix(name, environment)), "__") {
		if s.of != nil {
			r.wrong(name, join(path, key), mistake{"is no setting", variableName(path)})
			return "", nil
		}
		child, ok := s.child(key)
		if !ok {
			r.wrong(name, join(path, key), mistake{"is no setting", s.suggestVariable(path, key)})
			return "", nil
		}
		if _, ok = r.known(s, key, name, path); !ok {
			return "", nil
		}
		s, path = child, join(path, key)
	}
	if s.of == nil {
		write := "a key of it: " + variableName(s.paths(path)[0])
		r.wrong(name, path, mistake{"is a section, not a setting", write})
		return "", nil
	}
	v := r.value(s, node{at: name, kind: typed, text: value}, path)
	if v == nil {
		return "", nil
	}
	r.from(path, name)
	return path, v
}

// from remembers that a value, and the sections it is in, were set there.
func (r *reader) from(path, source string) {
	for ; path != ""; path = parent(path) {
		r.origin[path] = source
	}
}

// foreign says whether a variable is not a setting: the file's name, the password
// of a simulated car, and what Docker's links and Kubernetes set for a service
// called wheelhouse.
func foreign(name string) bool {
	return name == environment+"CONFIG" || name == environment+"SIMULATE_PASSWORD" || name == environment+"PORT" ||
		strings.HasPrefix(name, environment+"PORT_") || strings.HasPrefix(name, environment+"SERVICE_")
}

// variableName is the environment variable of a key.
func variableName(path string) string {
	return environment + strings.ToUpper(strings.ReplaceAll(path, ".", "__"))
}

// suggestVariable finds the variable that was meant; most often an underscore is
// missing.
func (s shape) suggestVariable(path, key string) string {
	paths := slices.DeleteFunc(s.paths(path), func(p string) bool { return strings.Contains(p, "*") })
	if near := nearest(join(path, key), paths); near != "" {
		return variableName(near)
	}
	if near := nearest(key, s.names()); near != "" {
		return variableName(join(path, near))
	}
	return s.suggest(key)
}

// parent cuts the last key off a path.
func parent(path string) string { return path[:max(strings.LastIndexByte(path, '.'), 0)] }
