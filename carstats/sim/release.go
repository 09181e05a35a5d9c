package sim

import (
	"fmt"
	"slices"
	"strings"
)

// upload is how a release frames its whole database.
type upload uint8

const (
	noUpload  upload = iota // up to 0.25.1
	oneBody                 // 0.25.2: everything in one request
	slices251               // 0.26: 251 points, the first of which is the last of the slice before
	chunks250               // 0.27 on: 250 points, then each session with its points
)

// Release is one version of the app: what it writes and how it frames it. The
// facts are the app's own, read in its source at the tags of the versions.
type Release struct {
	Version string // four groups, as in appVersion and User-Agent
	API     string // apiVersion as raw JSON: "2.1" in quotes, or 2; empty: API 1.0
	Fork    string // "" or Boessi

	arrays     bool   // sends driving points and charging sessions
	abrp       bool   // always sends abrpPackage
	named      bool   // its User-Agent is its own, not Android's
	full       bool   // charged_soc, and in uploads chargeTime and chargingPoints
	mayLackAny bool   // power and temperature may be missing
	upload     upload // framing of the database upload
}

// Boessi is the fork whose live keys begin with realTime. It counts any status
// below 400 as success.
const Boessi = "boessi"

// Newest is the version a car has if nothing else is said.
const Newest = "0.28.1.0019"

// releases lists what was released, oldest first.
func releases() []Release {
	const api = `"2.1"`
	return []Release{
		{Version: "0.24.0"},
		{Version: "0.24.1.0005", abrp: true},
		{Version: "0.25.0.0042", API: "2"},
		{Version: "0.25.1.0011", API: "2"},
		{Version: "0.25.2.0019", API: api, arrays: true, named: true, upload: oneBody},
		{Version: "0.26.0.0010", API: api, arrays: true, named: true, upload: slices251},
		{Version: "0.26.1.0001", API: api, arrays: true, named: true, upload: slices251},
		{Version: "0.26.2.0002", API: api, arrays: true, named: true, upload: slices251},
		{Version: "0.27.3.0001", API: api, arrays: true, named: true, full: true, upload: chunks250},
		{Version: "0.28.0.0017", API: api, arrays: true, named: true, full: true, upload: chunks250},
		{Version: Newest, API: api, arrays: true, named: true, full: true, mayLackAny: true,
			upload: chunks250},
	}
}

// Versions lists the releases a car can run, oldest first.
func Versions() []string {
	var names []string
	for _, r := range releases() {
		names = append(names, r.Version)
	}
	return names
}

// ReleaseOf finds the newest release whose version begins with the given
// groups: "0.26", "0.26.2" or "0.26.2.0002". Empty means Newest.
func ReleaseOf(version string) (Release, error) {
	for _, r := range slices.Backward(releases()) {
		if version == "" || r.Version == version || strings.HasPrefix(r.Version, version+".") {
			return r, nil
		}
	}
	return Release{}, fmt.Errorf("app version %q: not a release, use one of %s",
		version, strings.Join(Versions(), ", "))
}

// legacy says whether the release speaks API 1.0.
func (r Release) legacy() bool { return r.API == "" }

// userAgent is the header the release sends.
func (r Release) userAgent() string {
	if r.named {
		return "CarStatsViewer " + r.Version
	}
	return "Dalvik/2.1.0 (Linux; U; Android 12)"
}

// accepts says whether the app takes a status for success.
func (r Release) accepts(status int) bool {
	return status == 200 || r.Fork == Boessi && status >= 200 && status < 400
}
