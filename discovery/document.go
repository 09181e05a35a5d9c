package discovery

import (
	"fmt"
	"io"
	"strings"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// Section is one device of the entity documentation.
type Section struct {
	Title string
	ID    car.ID // as it stands in topics: a placeholder such as "<car>", or car.BridgeID
	Table car.Table
}

// Document writes the entity tables of the sections in Markdown: per field its
// topic, what Home Assistant shows, what the topic carries, and where the value
// comes from.
func Document(w io.Writer, topics car.Topics, sections ...Section) error {
	var b strings.Builder
	for i, s := range sections {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "## %s\n\n", s.Title)
		b.WriteString("| Topic | Name | Entity | Unit | Payload | At first | Source |\n")
		b.WriteString("|---|---|---|---|---|---|---|\n")
		for _, f := range s.Table.Fields {
			cells := []string{
				code(topicOf(topics, s.ID, f)), f.Name, kind(f), f.Unit(), payload(f), shown(f), source(f),
			}
			for i, cell := range cells {
				cells[i] = strings.ReplaceAll(cell, "|", `\|`)
			}
			fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
		}
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the entity tables: %w", err)
	}
	return nil
}

// topicOf is the topic that a field uses.
func topicOf(t car.Topics, id car.ID, f car.Field) string {
	switch {
	case f.IsStatus:
		return t.Status()
	case f.Is.Platform == car.EventEntity:
		return t.Event(id)
	case f.Is.Platform == car.Button:
		return t.Set(id, f.Key)
	}
	return t.Value(id, f.Key)
}

// kind is the entity's platform, device class and state class.
func kind(f car.Field) string {
	words := []string{string(f.Is.Platform)}
	for _, word := range []string{f.Is.Class, f.Is.State} {
		if word != "" {
			words = append(words, word)
		}
	}
	return strings.Join(words, ", ")
}

// payload says what the topic carries.
func payload(f car.Field) string {
	switch f.Is.Platform {
	case car.BinarySensor:
		if f.IsStatus {
			return "`online` `offline`"
		}
		return "`ON` `OFF`"
	case car.DeviceTracker:
		return "JSON: `latitude`, `longitude`, …"
	case car.EventEntity:
		return "JSON, not retained: `event_type` is one of " + codes(f.Options)
	case car.Button:
		return "`PRESS`"
	}
	switch {
	case numeric(f.Is.Class, f.Unit(), f.Is.State):
		return digits(f.Is)
	case f.Is.Class == "timestamp":
		return "time, RFC 3339, UTC"
	case len(f.Options) > 0:
		return codes(f.Options)
	}
	return "text"
}

// digits describes a number.
func digits(q car.Quantity) string {
	s := "whole number"
	switch q.Digits {
	case 0:
	case 1:
		s = "number, 1 decimal"
	default:
		s = fmt.Sprintf("number, %d decimals", q.Digits)
	}
	if q.High > q.Low {
		s += fmt.Sprintf(", %g to %g", q.Low, q.High)
	}
	return s
}

// shown says how Home Assistant first shows the entity.
func shown(f car.Field) string {
	s := "on"
	if f.Off {
		s = "off"
	}
	if f.Diagnostic {
		s += ", diagnostic"
	}
	return s
}

// source says where a value comes from. Paths with a dot are of what the
// program computes itself.
func source(f car.Field) string {
	if f.Is.Platform == car.Button {
		return "an order"
	}
	if f.From == "" || strings.Contains(f.From, ".") {
		return "computed"
	}
	return code(f.From)
}

func code(s string) string { return "`" + s + "`" }

func codes(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = code(word)
	}
	return strings.Join(quoted, " ")
}
