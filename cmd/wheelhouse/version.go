package main

import (
	"fmt"
	"runtime/debug"
)

// release is set by release builds: go build -ldflags "-X main.release=1.2.3".
var release string

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run(to console) error {
	_, err := fmt.Fprintln(to.Stdout, "wheelhouse", version())
	return err
}

// version is the release, or what Go knows of the build.
func version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "development"
}
