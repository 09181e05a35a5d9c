//go:build homeassistant

package e2e

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
)

// record of Home Assistant's log: time, level, thread, logger, text. What does not
// look like one belongs to the record before.
var logLine = regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ (WARNING|ERROR|CRITICAL) \(.*?\) \[(.*?)\] `)

var anyLine = regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ `)

// harmless are lines that have nothing to do with us, in any scenario.
var harmless = []string{
	"Skipping pip installation of required modules", // as it was told
	"ffmpeg", // for cameras; the program is not installed
}

// complaints are the warnings and errors in a log of Home Assistant, without
// those that contain one of the texts that are allowed.
func complaints(path string, allowed ...string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var found []string
	open := false
	for line := range strings.Lines(string(text)) {
		switch {
		case anyLine.MatchString(line):
			if open = logLine.MatchString(line); open {
				found = append(found, line)
			}
		case open:
			found[len(found)-1] += line
		}
	}
	return slices.DeleteFunc(found, func(line string) bool {
		return slices.ContainsFunc(append(allowed, harmless...), func(text string) bool {
			return strings.Contains(line, text)
		})
	}), nil
}

// repairs are what Home Assistant would have its user repair because of MQTT.
// Other issues are its own affair, like that of a changed http section.
func (s *socket) repairs(allowed ...string) ([]string, error) {
	var list struct {
		Issues []struct {
			Domain string `json:"domain"`
			ID     string `json:"issue_id"`
		} `json:"issues"`
	}
	if err := s.call(&list, "repairs/list_issues", nil); err != nil {
		return nil, err
	}
	var found []string
	for _, i := range list.Issues {
		if i.Domain == "mqtt" && !slices.Contains(allowed, i.ID) {
			found = append(found, fmt.Sprintf("%s: %s", i.Domain, i.ID))
		}
	}
	return found, nil
}
