package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"

	"go.yaml.in/yaml/v3"
)

// parseYAML reads a file into nodes, which know their places. An error is a
// Problem.
func parseYAML(name string, data []byte) (node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return node{at: name}, nil // an empty file
	} else if err != nil {
		return node{}, syntaxProblem(name, err)
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		if err != nil {
			return node{}, syntaxProblem(name, err)
		}
		return node{}, Problem{
			Source: place(name, more.Line, more.Column),
			What:   "a second document begins here: keep all settings in one",
		}
	}
	return yamlNode(name, doc.Content[0]), nil
}

// Error makes a Problem an error of its own.
func (p Problem) Error() string { return p.String() }

// yamlLine finds where the YAML parser says it stopped.
var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

func syntaxProblem(name string, err error) Problem {
	source, what := name, err.Error()
	if m := yamlLine.FindStringSubmatch(what); m != nil {
		what = what[len(m[0]):]
		if m[1] != "" {
			source += ":" + m[1]
		}
	}
	return Problem{Source: source, What: "not YAML: " + what}
}

func place(name string, line, column int) string {
	return fmt.Sprintf("%s:%d:%d", name, line, column)
}

// yamlNode translates the YAML parser's tree. Aliases are not followed: in a
// file of settings they save nothing, and nested they can fill the memory.
func yamlNode(name string, y *yaml.Node) node {
	n := node{at: place(name, y.Line, y.Column), text: y.Value}
	switch y.Kind {
	case yaml.MappingNode:
		n.kind = section
		for i := 0; i+1 < len(y.Content); i += 2 {
			k := y.Content[i]
			at := place(name, k.Line, k.Column)
			n.keys = append(n.keys, entry{k.Value, at, yamlNode(name, y.Content[i+1])})
		}
	case yaml.SequenceNode:
		n.kind = list
		for _, item := range y.Content {
			n.items = append(n.items, yamlNode(name, item))
		}
	case yaml.ScalarNode:
		n.kind = scalarKind(y.ShortTag())
	default:
		n.kind = other
	}
	return n
}

func scalarKind(tag string) kind {
	switch tag {
	case "!!null":
		return nothing
	case "!!bool":
		return truth
	case "!!int", "!!float":
		return number
	case "!!str":
		return text
	}
	return other
}

// parseJSON reads the Home Assistant app's options into nodes. An error is a
// Problem.
func parseJSON(name string, data []byte) (node, error) {
	j := jsonReader{name: name, data: data, dec: json.NewDecoder(bytes.NewReader(data))}
	j.dec.UseNumber()
	// One pass by the standard library finds every error, too deep nesting among
	// them, so that the second can be simple.
	if err := json.Unmarshal(data, new(json.RawMessage)); err != nil {
		at := len(data)
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			at = int(syntax.Offset) - 1
		}
		return node{}, Problem{Source: j.place(at), What: "not JSON: " + err.Error()}
	}
	return j.value(), nil
}

// jsonReader reads valid JSON token by token, for the places.
type jsonReader struct {
	name string
	data []byte
	dec  *json.Decoder
}

// place names the line and column of an offset.
func (j jsonReader) place(offset int) string {
	before := j.data[:min(max(offset, 0), len(j.data))]
	line := bytes.Count(before, []byte("\n"))
	return place(j.name, line+1, len(before)-bytes.LastIndexByte(before, '\n'))
}

// next returns the next token and where it begins.
func (j jsonReader) next() (json.Token, string) {
	offset := int(j.dec.InputOffset())
	rest := bytes.TrimLeft(j.data[offset:], " \t\r\n,:")
	token, _ := j.dec.Token()
	return token, j.place(len(j.data) - len(rest))
}

func (j jsonReader) value() node {
	token, at := j.next()
	switch v := token.(type) {
	case json.Delim:
		if v == '[' {
			return j.list(at)
		}
		return j.section(at)
	case bool:
		return node{at: at, kind: truth, text: fmt.Sprint(v)}
	case json.Number:
		return node{at: at, kind: number, text: v.String()}
	case string:
		return node{at: at, kind: text, text: v}
	}
	return node{at: at}
}

func (j jsonReader) list(at string) node {
	n := node{at: at, kind: list}
	for j.dec.More() {
		n.items = append(n.items, j.value())
	}
	j.next()
	return n
}

func (j jsonReader) section(at string) node {
	n := node{at: at, kind: section}
	for j.dec.More() {
		key, at := j.next()
		n.keys = append(n.keys, entry{key: fmt.Sprint(key), at: at, value: j.value()})
	}
	j.next()
	return n
}
