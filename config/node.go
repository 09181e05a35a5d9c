package config

// kind is how a value was written.
type kind uint8

const (
	nothing kind = iota // null, or a section without a key: not set
	truth               // true, false
	number              // 30, 0x1f, 1e3
	text                // a string
	other               // a date, a tag of YAML's
	list                // [a, b]
	section             // {a: b}
	typed               // an environment variable: may be anything
)

// node is one value as somebody wrote it, with the place where it stands.
type node struct {
	at    string // file:line:column or the environment variable's name
	kind  kind
	text  string  // of a scalar, as it was written
	items []node  // of a list
	keys  []entry // of a section, in the order of writing
}

// entry is one key of a section.
type entry struct {
	key   string
	at    string
	value node
}

// byName turns a list of sections into a section of them: the Home Assistant
// app's options can hold lists, but no keys that the user chooses. The item's
// key called by becomes its name; an item without one gets the name "".
func (n node) byName(by string) node {
	named := node{at: n.at, kind: section}
	for _, item := range n.items {
		e := entry{at: item.at, value: node{at: item.at, kind: item.kind, text: item.text}}
		for _, k := range item.keys {
			if k.key == by {
				e.key, e.at = k.value.text, k.value.at
				continue
			}
			e.value.keys = append(e.value.keys, k)
		}
		named.keys = append(named.keys, e)
	}
	return named
}
