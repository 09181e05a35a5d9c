package discovery

import (
	"fmt"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// rule says what is wrong with the value of a key, "" if nothing is. The value
// is as encoding/json decodes it into an any.
type rule func(v any) string

// text is any string.
func text(v any) string {
	if _, ok := v.(string); !ok {
		return fmt.Sprintf("must be a text, not %s", kindOf(v))
	}
	return ""
}

// words is a string that is not empty.
func words(v any) string {
	if s, ok := v.(string); !ok || strings.TrimSpace(s) == "" {
		return "must be a text that is not empty"
	}
	return ""
}

// orNull also allows null.
func orNull(r rule) rule {
	return func(v any) string {
		if v == nil {
			return ""
		}
		return r(v)
	}
}

func flag(v any) string {
	if _, ok := v.(bool); !ok {
		return "must be true or false, not " + kindOf(v)
	}
	return ""
}

// always is a bool that has just one good value, because of why.
func always(want bool, why string) rule {
	return func(v any) string {
		if v != want {
			return fmt.Sprintf("must be %t: %s", want, why)
		}
		return ""
	}
}

// never is a key that Home Assistant knows and this program must not use.
func never(why string) rule { return func(any) string { return why } }

func amount(v any) string {
	if _, ok := v.(float64); !ok {
		return "must be a number, not " + kindOf(v)
	}
	return ""
}

// whole is a whole number from low to high.
func whole(low, high float64) rule {
	return func(v any) string {
		if x, ok := v.(float64); !ok || x != math.Trunc(x) || x < low || x > high {
			return fmt.Sprintf("must be a whole number from %g to %g", low, high)
		}
		return ""
	}
}

// oneOf is one of the words.
func oneOf(list string) rule {
	allowed := strings.Fields(list)
	return func(v any) string {
		if s, ok := v.(string); !ok || !slices.Contains(allowed, s) {
			return fmt.Sprintf("%v is none of %s", v, strings.Join(allowed, ", "))
		}
		return ""
	}
}

// list is a list, not empty, of different texts that pass the rule.
func list(each rule) rule {
	return func(v any) string {
		items, ok := v.([]any)
		if !ok || len(items) == 0 {
			return "must be a list that is not empty"
		}
		seen := map[any]bool{}
		for _, item := range items {
			if what := each(item); what != "" {
				return what
			}
			if seen[item] {
				return fmt.Sprintf("%q is in the list twice", item)
			}
			seen[item] = true
		}
		return ""
	}
}

// option is a word that cannot be mistaken for a missing value.
func option(v any) string {
	if what := words(v); what != "" {
		return what
	}
	switch strings.ToLower(v.(string)) {
	case "none", "unknown", "unavailable":
		return fmt.Sprintf("%q cannot be told from a missing value", v)
	}
	return ""
}

func topicRule(v any) string {
	s, ok := v.(string)
	if !ok {
		return "must be a topic, not " + kindOf(v)
	}
	return checkTopic(s)
}

// checkTopic says why a topic cannot be published to.
func checkTopic(topic string) string {
	switch {
	case topic == "":
		return "is an empty topic"
	case len(topic) > math.MaxUint16 || !utf8.ValidString(topic) || strings.ContainsRune(topic, 0):
		return "is no topic MQTT allows"
	case strings.ContainsAny(topic, "+#"):
		return "is a topic with a wildcard"
	case strings.HasPrefix(topic, "~") || strings.HasSuffix(topic, "~"):
		return "is a topic with ~, which is not used here"
	case strings.HasPrefix(topic, "$"):
		return "is a topic of the broker"
	}
	return ""
}

var iconForm = regexp.MustCompile(`^[a-z][a-z0-9-]*:[a-z0-9][a-z0-9-]*$`)

func icon(v any) string {
	if s, ok := v.(string); !ok || !iconForm.MatchString(s) {
		return fmt.Sprintf("%v is no icon like mdi:car", v)
	}
	return ""
}

func entityIDRule(v any) string {
	if s, ok := v.(string); !ok || !entityID.MatchString(s) {
		return fmt.Sprintf("%v is no <platform>.<name> of a-z, 0-9 and single _", v)
	}
	return ""
}

// link is an absolute URL of one of the schemes.
func link(schemes string) rule {
	return func(v any) string {
		s, _ := v.(string)
		u, err := url.Parse(s)
		if err != nil || u.Host == "" || !slices.Contains(strings.Fields(schemes), u.Scheme) {
			return fmt.Sprintf("%v is no address beginning with one of %s", v, schemes)
		}
		return ""
	}
}

// object is an object that is not empty.
func object(v any) string {
	if m, ok := v.(map[string]any); !ok || len(m) == 0 {
		return "must be an object that is not empty"
	}
	return ""
}

// identifiers is a text, or a list of texts.
func identifiers(v any) string {
	if _, ok := v.(string); ok {
		return words(v)
	}
	return list(words)(v)
}

// connections is a list of pairs of texts.
func connections(v any) string {
	pairs, ok := v.([]any)
	if !ok || len(pairs) == 0 {
		return "must be a list that is not empty"
	}
	for _, pair := range pairs {
		two, ok := pair.([]any)
		if !ok || len(two) != 2 || text(two[0])+text(two[1]) != "" {
			return "must be a list of pairs of texts"
		}
	}
	return ""
}

// sources is an availability list.
func sources(v any) string {
	entries, ok := v.([]any)
	if !ok || len(entries) == 0 {
		return "must be a list that is not empty"
	}
	for _, entry := range entries {
		keys, _ := entry.(map[string]any)
		if keys["topic"] == nil {
			return "has an entry without topic"
		}
		for key, value := range keys {
			check, known := sourceRules[key]
			if !known {
				return "has an entry with the unknown key " + key
			}
			if what := check(value); what != "" {
				return key + " " + what
			}
		}
	}
	return ""
}

var sourceRules = map[string]rule{
	"topic":                 topicRule,
	"payload_available":     words,
	"payload_not_available": words,
	"value_template":        words,
}

// expiry is a number of seconds, or an object of times.
func expiry(v any) string {
	parts, ok := v.(map[string]any)
	if !ok {
		return whole(1, math.MaxUint32)(v)
	}
	for key, x := range parts {
		if what := oneOf("days hours minutes seconds")(key) + amount(x); what != "" {
			return what
		}
	}
	return ""
}

// kindOf names the JSON type of a value.
func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a truth value"
	case float64:
		return "a number"
	case string:
		return "a text"
	case []any:
		return "a list"
	}
	return "an object"
}
