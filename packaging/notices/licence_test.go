package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	mit    = "Permission is hereby granted, free of charge,\nto any person  obtaining a copy"
	bsd2   = "Redistribution and use in source and binary forms, with or without modification"
	bsd3   = bsd2 + ". Neither the name of the author"
	apache = "Licensed under the Apache License, Version 2.0"
	gpl    = "GNU General Public License"
	epl    = "Eclipse Public License - v 2.0"
)

// tree is a module's files.
type tree map[string]string

// What the project has agreed to is named; everything else is refused.
func TestLicences(t *testing.T) {
	for _, test := range []struct {
		name, module string
		files        tree
		want, refuse string
	}{
		{name: "MIT", files: tree{"LICENSE": mit}, want: "MIT"},
		{name: "three clauses", files: tree{"COPYING": bsd3}, want: "BSD-3-Clause"},
		{name: "two clauses", files: tree{"LICENSE.md": bsd2}, want: "BSD-2-Clause"},
		{name: "two in one", files: tree{"LICENCE": mit + apache}, want: "Apache-2.0 AND MIT"},
		{name: "two files", files: tree{"LICENSE": mit, "COPYING": bsd3}, want: "BSD-3-Clause AND MIT"},
		{name: "of a part", files: tree{"LICENSE": mit, "part/LICENSE": bsd2}, want: "MIT"},
		{name: "of single files", files: tree{"LICENSE": mit, "LICENSE-LOGO": "ours"}, want: "MIT"},
		{name: "none", files: tree{"README": mit}, refuse: "no licence"},
		{name: "only code", files: tree{"license.go": mit}, refuse: "no licence"},
		{name: "only of a part", files: tree{"part/LICENSE": mit}, refuse: "no licence"},
		{name: "unknown", files: tree{"LICENSE": "All rights reserved."}, refuse: "LICENSE"},
		{name: "copyleft", files: tree{"LICENSE": gpl}, refuse: "LICENSE"},
		{name: "copyleft beside", files: tree{"LICENSE": mit, "COPYING": gpl}, refuse: "COPYING"},
		{name: "copyleft within", files: tree{"LICENSE": mit + gpl}, refuse: "LICENSE"},
		{
			name: "the one chosen", module: "github.com/eclipse/paho.golang",
			files: tree{"LICENSE": epl, "edl-v10": bsd3}, want: "BSD-3-Clause",
		},
		{name: "no choice", files: tree{"LICENSE": epl, "edl-v10": bsd3}, refuse: "LICENSE"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := module{Path: test.module, Version: "v1.0.0", Dir: t.TempDir()}
			for name, body := range test.files {
				write(t, filepath.Join(m.Dir, name), body)
			}
			err := m.readLicences()
			switch {
			case test.refuse == "" && err != nil:
				t.Error(err)
			case test.refuse != "" && (err == nil || !strings.Contains(err.Error(), test.refuse)):
				t.Errorf("not refused for its %s: %v, %q", test.refuse, err, m.Licence)
			case m.Licence != test.want:
				t.Errorf("%q, not %q", m.Licence, test.want)
			}
		})
	}
}

// Everything that must be passed on is.
func TestNotices(t *testing.T) {
	m := module{Path: "example.org/m", Version: "v1.0.0", Dir: t.TempDir()}
	passed := []string{"LICENSE", "NOTICE", "PATENTS", "LICENSE-3RD-PARTY.md", "part/COPYING"}
	for _, name := range passed {
		write(t, filepath.Join(m.Dir, name), "the words of "+name+", "+mit)
	}
	write(t, filepath.Join(m.Dir, "testdata", "LICENSE"), "somebody else's")
	if err := m.readLicences(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "notices")
	if err := writeNotices(path, []module{m}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), " MIT\n") {
		t.Errorf("the table does not name the licence:\n%s", text)
	}
	for _, name := range passed {
		if !strings.Contains(string(text), "the words of "+name+",") {
			t.Errorf("%s is not passed on", name)
		}
	}
	if strings.Contains(string(text), "somebody else's") {
		t.Error("what only tests have is there, too")
	}
}

func write(t *testing.T, path, body string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
		t.Fatal(err)
	}
}
