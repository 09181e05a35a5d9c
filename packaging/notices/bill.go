package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// bill is a bill of materials, CycloneDX 1.6 (ECMA-424).
type bill struct {
	Format       string       `json:"bomFormat"`
	Spec         string       `json:"specVersion"`
	Version      int          `json:"version"`
	Metadata     metadata     `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type metadata struct {
	Timestamp string    `json:"timestamp"`
	Component component `json:"component"`
}

type component struct {
	Type     string    `json:"type"`
	Ref      string    `json:"bom-ref"`
	Name     string    `json:"name"`
	Version  string    `json:"version"`
	PURL     string    `json:"purl"`
	Licences []licence `json:"licenses"`
	Hashes   []hash    `json:"hashes,omitempty"`
}

type licence struct {
	Expression string `json:"expression"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type dependency struct {
	Ref string   `json:"ref"`
	On  []string `json:"dependsOn"`
}

const own = "github.com/wheelhouse-mqtt/wheelhouse"

// writeBill writes DIR/wheelhouse_VERSION_PLATFORM.cdx.json for the binary PLATFORM/wheelhouse.
func writeBill(dir, binary, version string, parts []module) error {
	body, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	sum := sha256.Sum256(body)
	program := newComponent("application", module{Path: own, Version: "v" + version, Licence: "MIT"})
	program.Name, program.Version = "wheelhouse", version
	program.Hashes = []hash{{"SHA-256", hex.EncodeToString(sum[:])}}
	b := bill{
		Format: "CycloneDX", Spec: "1.6", Version: 1,
		Metadata: metadata{time.Unix(seconds, 0).UTC().Format(time.RFC3339), program},
	}
	uses := dependency{Ref: program.Ref}
	for _, m := range parts {
		c := newComponent("library", m)
		b.Components = append(b.Components, c)
		uses.On = append(uses.On, c.Ref)
	}
	b.Dependencies = []dependency{uses}
	text, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	platform := strings.ReplaceAll(filepath.Base(filepath.Dir(binary)), "-", "_")
	name := fmt.Sprintf("wheelhouse_%s_%s.cdx.json", version, platform)
	return os.WriteFile(filepath.Join(dir, name), append(text, '\n'), 0o644)
}

// newComponent names a module as the package URL specification does: the version of Go's own
// library is written 1.2.3.
func newComponent(kind string, m module) component {
	url := "pkg:golang/" + m.Path + "@" + strings.TrimPrefix(m.Version, "go")
	return component{
		Type: kind, Ref: url, Name: m.Path, Version: m.Version, PURL: url,
		Licences: []licence{{m.Licence}},
	}
}
