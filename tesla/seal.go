package tesla

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	sealVersion = 1
	nonceSize   = 12
)

// Seal encrypts a text with AES-256-GCM under a random nonce:
//
//	1 byte version, 12 bytes nonce, the text and 16 bytes that prove it
//
// A sealed text opens only for the purpose it was sealed for.
func Seal(key [32]byte, purpose string, plain []byte) []byte {
	head := make([]byte, 1+nonceSize, 1+nonceSize+len(plain)+16)
	head[0] = sealVersion
	_, _ = rand.Read(head[1:]) // it never fails: Go ends the program before
	return sealer(key).Seal(head, head[1:], plain, authentic(purpose))
}

// Open decrypts what Seal made. Its errors say what to do.
func Open(key [32]byte, purpose string, sealed []byte) ([]byte, error) {
	switch {
	case len(sealed) < 1+nonceSize+16:
		return nil, errors.New("it is cut off: put a copy back")
	case sealed[0] != sealVersion:
		return nil, errors.New("a newer version of the program sealed it: use that one")
	}
	nonce, text := sealed[1:1+nonceSize], sealed[1+nonceSize:]
	plain, err := sealer(key).Open(nil, nonce, text, authentic(purpose))
	if err != nil {
		return nil, errors.New("another key sealed it, or it was changed: " +
			"put that key back (tesla.seal_key, or seal.key in the state directory)")
	}
	return plain, nil
}

// authentic binds a sealed text to its version and purpose.
func authentic(purpose string) []byte { return append([]byte{sealVersion}, purpose...) }

// sealer cannot fail: AES takes a key of 32 bytes, and GCM takes AES.
func sealer(key [32]byte) cipher.AEAD {
	block, _ := aes.NewCipher(key[:])
	gcm, _ := cipher.NewGCM(block)
	return gcm
}

// NewSealKey makes a key for Seal.
func NewSealKey() (key [32]byte) {
	_, _ = rand.Read(key[:])
	return key
}

// FormatSealKey writes a key as a line that ParseSealKey reads.
func FormatSealKey(key [32]byte) string { return hex.EncodeToString(key[:]) + "\n" }

// SealKeyFile reads the key in a file, or makes both: readable for its owner only,
// and on the disk before anything is sealed with it.
func SealKeyFile(path string) (key [32]byte, err error) {
	text, err := os.ReadFile(path)
	if err == nil {
		if key, err = ParseSealKey(text); err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
		return key, err
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return key, fmt.Errorf("the key of the sign-in cannot be read: %w", err)
	}
	key = NewSealKey()
	if err := writeNew(path, []byte(FormatSealKey(key))); err != nil {
		return key, fmt.Errorf("the key of the sign-in cannot be written: %w", err)
	}
	return key, nil
}

// writeNew writes a secret to a file that was not there, durably.
func writeNew(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path)) // half a key is none, and would stay for ever
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// ParseSealKey reads a key of 32 bytes: as 64 hexadecimal digits, in base64 of
// either alphabet, or just the bytes. A password is none: it can be guessed.
func ParseSealKey(text []byte) (key [32]byte, err error) {
	line := strings.TrimSpace(string(text))
	raw, err := hex.DecodeString(line)
	if err != nil {
		standard := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(line, "="))
		raw, err = base64.RawStdEncoding.DecodeString(standard)
	}
	if (err != nil || len(raw) != len(key)) && len(text) == len(key) && !typed(line) {
		raw, err = text, nil
	}
	if err != nil || len(raw) != len(key) || [32]byte(raw) == key {
		return key, errors.New("the key is not 32 random bytes in hexadecimal or base64: " +
			"make one with `openssl rand -hex 32`")
	}
	return [32]byte(raw), nil
}

// typed says whether a person may have typed that.
func typed(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}
