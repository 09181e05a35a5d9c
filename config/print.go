package config

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Print writes the settings in effect as YAML. Secrets are masked; what a
// source has set has that source beside it.
func (c *Config) Print(w io.Writer) error {
	tree, err := c.tree(reflect.ValueOf(*c), "")
	if err != nil {
		return fmt.Errorf("printing the settings: %w", err)
	}
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(tree); err != nil {
		return fmt.Errorf("printing the settings: %w", err)
	}
	return enc.Close()
}

// tree is the YAML of a section, of named sections, or of a value.
func (c *Config) tree(v reflect.Value, path string) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.MappingNode}
	switch v.Kind() {
	case reflect.Struct:
		for f, field := range v.Fields() {
			if key := f.Tag.Get("koanf"); key != "" {
				if err := c.add(n, key, field, path); err != nil {
					return nil, err
				}
			}
		}
		return n, nil
	case reflect.Map:
		names := v.MapKeys()
		slices.SortFunc(names, func(a, b reflect.Value) int {
			return strings.Compare(a.String(), b.String())
		})
		for _, name := range names {
			if err := c.add(n, name.String(), v.MapIndex(name), path); err != nil {
				return nil, err
			}
		}
		return n, nil
	}
	if err := n.Encode(v.Interface()); err != nil {
		return nil, err
	}
	if n.Kind == yaml.SequenceNode {
		n.Style = yaml.FlowStyle // on one line, beside its comment
	}
	return n, nil
}

// add appends one key, and beside a value where it was set.
func (c *Config) add(to *yaml.Node, key string, v reflect.Value, path string) error {
	path = join(path, key)
	value, err := c.tree(v, path)
	if err != nil {
		return err
	}
	if value.Kind != yaml.MappingNode {
		value.LineComment = c.origin[path]
	}
	name := &yaml.Node{}
	name.SetString(key)
	to.Content = append(to.Content, name, value)
	return nil
}
