package config

import (
	"errors"
	"io/fs"
	"strings"
)

// Problem is one mistake in the settings.
type Problem struct {
	Source string // file:line:column, the environment variable, or "default"
	Key    string // mqtt.url
	What   string // what is wrong
	Write  string // what to write instead, "" where What says it
}

// String is the problem on one line.
func (p Problem) String() string {
	parts := make([]string, 0, 3)
	for _, s := range []string{p.Source, p.Key, p.What} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	line := strings.Join(parts, ": ")
	if p.Write != "" {
		line += ": write " + p.Write
	}
	return line
}

// Problems are all mistakes that were found, in the order of the sources.
type Problems []Problem

// Error lists the problems, one a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// reason is a file error without the operation and the path, which the message
// already names.
func reason(err error) string {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err.Error()
	}
	return err.Error()
}
