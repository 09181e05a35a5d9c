package config

import (
	"math"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// mistake is what is wrong with a value, and what to write instead.
type mistake struct{ what, write string }

// convert turns a written value into one that fits a field of type t. Nothing
// is guessed: a number is no text and a word is no truth, but from the
// environment, which knows only text. nil without a mistake means "not set".
func convert(t reflect.Type, n node) (any, *mistake) {
	if n.kind == nothing {
		return nil, nil
	}
	switch t {
	case reflect.TypeFor[Duration]():
		return measure(n, ParseDuration, "s")
	case reflect.TypeFor[Size]():
		return measure(n, ParseSize, "B")
	case reflect.TypeFor[Secret]():
		return words(n, true)
	}
	switch t.Kind() {
	case reflect.String:
		return words(n, false)
	case reflect.Bool, reflect.Pointer:
		return yesNo(n)
	case reflect.Int:
		return whole(n)
	case reflect.Float64:
		return decimal(n)
	}
	return several(t.Elem(), n)
}

// words reads a text. What YAML takes for a number has lost its leading zeros
// or its dots, so it must be quoted; a secret is not repeated.
func words(n node, secret bool) (any, *mistake) {
	if n.kind == text || n.kind == typed {
		if strings.ContainsFunc(n.text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return nil, &mistake{"has a control character (a line break?)", ""}
		}
		if !utf8.ValidString(n.text) {
			return nil, &mistake{"is not UTF-8", ""}
		}
		return n.text, nil
	}
	what := "is read as a " + n.kind.String() + ", not as a text"
	switch {
	case n.kind == list, n.kind == section:
		return nil, &mistake{what, ""}
	case secret:
		return nil, &mistake{what, "it in quotes"}
	}
	return nil, &mistake{n.text + " " + what, strconv.Quote(n.text)}
}

// yesNo reads true or false. YAML 1.2 knows no on and yes.
func yesNo(n node) (any, *mistake) {
	if n.kind == truth || n.kind == typed {
		if b, err := strconv.ParseBool(strings.ToLower(n.text)); err == nil {
			return b, nil
		}
	}
	write := "true or false"
	switch strings.ToLower(n.text) {
	case "on", "yes", "y", "1", "true":
		write = "true"
	case "off", "no", "n", "0", "false":
		write = "false"
	}
	return nil, &mistake{n.show() + " is neither true nor false", write}
}

// measure reads a number with a unit. An empty text means "not set".
func measure[T any](n node, parse func(string) (T, error), unit string) (any, *mistake) {
	if n.kind != text && n.kind != typed && n.kind != number {
		return nil, &mistake{n.show() + " is not a number with a unit", ""}
	}
	if n.text == "" {
		return nil, nil
	}
	v, err := parse(n.text)
	if err == nil {
		return v, nil
	}
	m := &mistake{what: n.text + " " + err.Error()}
	if _, bare := strconv.ParseFloat(n.text, 64); bare == nil {
		m.write = n.text + unit
	}
	return nil, m
}

func whole(n node) (any, *mistake) {
	if n.kind == number || n.kind == typed {
		if i, err := strconv.Atoi(n.text); err == nil {
			return i, nil
		}
	}
	return nil, &mistake{n.show() + " is not a whole number", "it without quotes, like 100"}
}

func decimal(n node) (any, *mistake) {
	if n.kind == number || n.kind == typed {
		x, err := strconv.ParseFloat(n.text, 64)
		if err == nil && !math.IsInf(x, 0) && !math.IsNaN(x) {
			return x, nil
		}
	}
	return nil, &mistake{n.show() + " is not a number", "it without quotes and unit, like 78.5"}
}

// several reads a list; an environment variable separates the items by commas.
func several(each reflect.Type, n node) (any, *mistake) {
	if n.kind == typed {
		for item := range strings.SplitSeq(n.text, ",") {
			n.items = append(n.items, node{kind: typed, text: strings.TrimSpace(item)})
		}
	} else if n.kind != list {
		return nil, &mistake{n.show() + " is not a list", "[" + n.text + "]"}
	}
	items := make([]string, 0, len(n.items))
	for _, item := range n.items {
		v, m := words(item, false)
		if m != nil {
			return nil, m
		}
		s, _ := v.(string)
		if each == reflect.TypeFor[netip.Prefix]() {
			if s, m = network(s); m != nil {
				return nil, m
			}
		}
		items = append(items, s)
	}
	return items, nil
}

// network reads an address or a network and returns it as a network.
func network(s string) (string, *mistake) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		return netip.PrefixFrom(addr, addr.BitLen()).String(), nil
	}
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		return "", &mistake{
			s + " is neither an address nor a network", "it like 10.0.0.0/8 or 192.168.1.2",
		}
	}
	if prefix != prefix.Masked() {
		return "", &mistake{s + " has bits beyond its network", prefix.Masked().String()}
	}
	return prefix.String(), nil
}

// show is the value for a message.
func (n node) show() string {
	switch n.kind {
	case list, section:
		return "a " + n.kind.String()
	case text, typed:
		return strconv.Quote(n.text)
	}
	return n.text
}

// String names a kind for a message.
func (k kind) String() string {
	switch k {
	case truth:
		return "truth value"
	case number:
		return "number"
	case text, typed:
		return "text"
	case list:
		return "list"
	case section:
		return "section"
	}
	return "value of another type"
}
