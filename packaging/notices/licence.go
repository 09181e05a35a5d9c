package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A text is a file that must be passed on with the work that it belongs to.
type text struct{ name, body string }

// passedOn are such files, whatever their kind; terms are those that say the module's terms: what
// is called LICENSE-SOMETHING is about single files of it.
var (
	passedOn = regexp.MustCompile(
		`(?i)^(licen[cs]e|copying|copyright|notice|patents|edl-v10)([.-].*)?$`)
	terms = regexp.MustCompile(`(?i)^(licen[cs]e|copying|edl-v10)(\.md|\.txt)?$`)
)

// aside are directories whose files no program contains.
var aside = []string{"testdata", "vendor", "examples", "_examples", "third_party"}

// chosen is the file with the licence that we take, where a module offers several.
var chosen = map[string]string{
	// EPL-2.0 OR BSD-3-Clause, says every source file; the latter is in edl-v10.
	"github.com/eclipse/paho.golang": "edl-v10",
}

// readLicences collects the texts and names the licence.
func (m *module) readLicences() error {
	err := filepath.WalkDir(m.Dir, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(m.Dir, path)
		switch {
		case err != nil:
			return err
		case d.IsDir() && (slices.Contains(aside, d.Name()) || m.Path == goModule && name != "."):
			return fs.SkipDir // of Go, only the files at its root are about what is linked
		case !d.Type().IsRegular() || !passedOn.MatchString(d.Name()) || filepath.Ext(path) == ".go":
			return nil
		}
		body, err := os.ReadFile(path)
		m.texts = append(m.texts, text{filepath.ToSlash(name), strings.TrimSpace(string(body))})
		return err
	})
	if err != nil {
		return err
	}
	m.Licence, err = m.judge()
	return err
}

// judge says under which licences the module is passed on, if the project may do that.
func (m *module) judge() (string, error) {
	var found []string
	only, choice := chosen[m.Path]
	for _, t := range m.texts {
		if !terms.MatchString(t.name) || choice && t.name != only {
			continue
		}
		kinds := kindsOf(t.body)
		if len(kinds) == 0 {
			return "", fmt.Errorf("%s %s: its %s is no licence that the project has agreed to",
				m.Path, m.Version, t.name)
		}
		found = append(found, kinds...)
	}
	if len(found) == 0 {
		return "", fmt.Errorf("%s %s has no licence", m.Path, m.Version)
	}
	slices.Sort(found)
	return strings.Join(slices.Compact(found), " AND "), nil
}

// agreed are the licences that the project passes on, each with words that only it has. All ask
// for no more than to be passed on themselves.
var agreed = []struct{ kind, words string }{
	{"MIT", "permission is hereby granted, free of charge, to any person obtaining a copy"},
	{"ISC", "permission to use, copy, modify, and/or distribute this software for any purpose"},
	{"BSD-3-Clause", "redistribution and use in source and binary forms"},
	{"Apache-2.0", "apache license, version 2.0"},
	{"CC0-1.0", "cc0 1.0 universal"},
}

// refused are words of licences that ask for more, and may stand beside another's.
var refused = regexp.MustCompile(`gnu (lesser |affero |library )?general public|mozilla public|` +
	`eclipse public|server side public|business source|commons clause|noncommercial`)

func kindsOf(body string) []string {
	body = strings.Join(strings.Fields(strings.ToLower(body)), " ")
	if refused.MatchString(body) {
		return nil
	}
	var kinds []string
	for _, a := range agreed {
		if !strings.Contains(body, a.words) {
			continue
		}
		// The third clause is what the second BSD licence lacks.
		if a.kind == "BSD-3-Clause" && !strings.Contains(body, "neither the name") {
			a.kind = "BSD-2-Clause"
		}
		kinds = append(kinds, a.kind)
	}
	return kinds
}
