package tesla_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wheelhouse-mqtt/wheelhouse/tesla"
)

func TestSeal(t *testing.T) {
	key, plain := tesla.NewSealKey(), []byte("a sign-in")
	sealed := tesla.Seal(key, "account", plain)
	if again := tesla.Seal(key, "account", plain); bytes.Equal(sealed, again) {
		t.Fatal("the same nonce twice")
	}
	if got, err := tesla.Open(key, "account", sealed); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("%q, %v", got, err)
	}
	for i := range sealed { // whatever byte changes, it is noticed
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := tesla.Open(key, "account", bad); err == nil {
			t.Fatalf("byte %d may be changed", i)
		}
	}
	for i := range sealed {
		if _, err := tesla.Open(key, "account", sealed[:i]); err == nil {
			t.Fatalf("it may be cut off after %d bytes", i)
		}
	}
	if _, err := tesla.Open(key, "session", sealed); err == nil {
		t.Fatal("it opens for another purpose")
	}
	if _, err := tesla.Open([32]byte{1}, "account", sealed); err == nil ||
		!strings.Contains(err.Error(), "put that key back") {
		t.Fatalf("with another key: %v", err)
	}
	if got, err := tesla.Open(key, "", tesla.Seal(key, "", nil)); err != nil || len(got) != 0 {
		t.Fatalf("nothing: %q, %v", got, err)
	}
}

func TestParseSealKey(t *testing.T) {
	key := [32]byte{0xfb, 0xff, 0xbf, 31: 1}
	for name, text := range map[string]string{
		"its own line": tesla.FormatSealKey(key),
		"capitals":     " " + strings.ToUpper(hex.EncodeToString(key[:])) + "\r\n",
		"base64":       base64.StdEncoding.EncodeToString(key[:]) + "\n",
		"base64 URL":   base64.RawURLEncoding.EncodeToString(key[:]),
		"bytes":        string(key[:]),
	} {
		if got, err := tesla.ParseSealKey([]byte(text)); err != nil || got != key {
			t.Errorf("%s: %x, %v", name, got, err)
		}
	}
	for name, text := range map[string]string{
		"nothing":      "",
		"zeros":        strings.Repeat("00", 32),
		"short":        strings.Repeat("ab", 16),
		"long":         strings.Repeat("ab", 33),
		"a password":   "correct horse battery staple !!\n",
		"a password, ": "correct horse battery staple !!!",
	} {
		if _, err := tesla.ParseSealKey([]byte(text)); err == nil || !strings.Contains(err.Error(), "openssl") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSealKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seal.key")
	key, err := tesla.SealKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := tesla.SealKeyFile(path); err != nil || again != key || key == ([32]byte{}) {
		t.Fatal("another key", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal(info.Mode(), err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{path, path + "/x", filepath.Dir(path)} {
		if _, err := tesla.SealKeyFile(bad); err == nil {
			t.Errorf("%s is a key", bad)
		}
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(tesla.Seal([32]byte{1}, "account", []byte("x")))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, sealed []byte) {
		if plain, err := tesla.Open([32]byte{2}, "account", sealed); err == nil {
			t.Fatalf("%q opens to %q", sealed, plain)
		}
	})
}
