package config

import (
	"reflect"
	"strings"
)

// shape is what a setting may look like, read from the fields of Config: a
// section with keys, named sections (cars, users), or a value.
type shape struct {
	key    string
	of     reflect.Type // of a value
	keys   []shape      // of a section
	named  *shape       // of named sections: each one's shape
	listed string       // of named sections: the item's key that holds its name in a list
}

// shapeOf reads the shape of a type. Values are everything but structs, and
// maps of structs.
func shapeOf(key string, t reflect.Type) shape {
	switch t.Kind() {
	case reflect.Struct:
		s := shape{key: key}
		for f := range t.Fields() {
			if name := f.Tag.Get("koanf"); name != "" {
				child := shapeOf(name, f.Type)
				child.listed = f.Tag.Get("list")
				s.keys = append(s.keys, child)
			}
		}
		return s
	case reflect.Map:
		each := shapeOf("", t.Elem())
		return shape{key: key, named: &each}
	}
	return shape{key: key, of: t}
}

// root is the shape of the whole configuration.
func root() shape { return shapeOf("", reflect.TypeFor[Config]()) }

// child returns the shape below key.
func (s shape) child(key string) (shape, bool) {
	if s.named != nil {
		return *s.named, true
	}
	for _, c := range s.keys {
		if c.key == key {
			return c, true
		}
	}
	return shape{}, false
}

// at returns the shape of a whole path, that of nothing if no setting is there.
func (s shape) at(path string) shape {
	for key := range strings.SplitSeq(path, ".") {
		child, ok := s.child(key)
		if !ok {
			return shape{}
		}
		s = child
	}
	return s
}

// names lists the keys of a section.
func (s shape) names() []string {
	names := make([]string, len(s.keys))
	for i, c := range s.keys {
		names[i] = c.key
	}
	return names
}

// paths lists the values below s, named sections with an asterisk for the name.
func (s shape) paths(prefix string) []string {
	if s.of != nil {
		return []string{prefix}
	}
	if s.named != nil {
		return s.named.paths(join(prefix, "*"))
	}
	var paths []string
	for _, c := range s.keys {
		paths = append(paths, c.paths(join(prefix, c.key))...)
	}
	return paths
}

// join adds a key to a path.
func join(path, key string) string { return strings.TrimPrefix(path+"."+key, ".") }

// suggest says what somebody probably meant by the unknown key: the nearest of
// the section's keys, else a key of that name elsewhere, else all that there are.
func (s shape) suggest(key string) string {
	if near := nearest(key, s.names()); near != "" {
		return near
	}
	for _, path := range root().paths("") {
		if path == key || strings.HasSuffix(path, "."+key) {
			return path
		}
	}
	return "one of " + strings.Join(s.names(), ", ")
}

// nearest returns the name with the smallest edit distance to word, at most
// three and at most half of the name; "" if there is none.
func nearest(word string, names []string) string {
	best, found := 4, ""
	for _, name := range names {
		d := distance(plain(word), plain(name))
		if d < best && 2*d <= len(plain(name)) {
			best, found = d, name
		}
	}
	return found
}

// plain drops what people vary when they type a key: case and separators.
func plain(s string) string {
	return strings.NewReplacer("_", "", "-", "", ".", "", " ", "").Replace(strings.ToLower(s))
}

// distance is the Levenshtein distance in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
