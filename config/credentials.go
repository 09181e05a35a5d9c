package config

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// credentialPrefix begins the names of the credentials that are settings. A unit
// may hand over others as well, such as a certificate's key.
const credentialPrefix = "wheelhouse."

// credentials reads the secrets that a service manager hands over as files of
// one directory (systemd.exec, CREDENTIALS), and returns them by their keys:
// wheelhouse.mqtt.password is mqtt.password.
func (r *reader) credentials(dir string) map[string]any {
	if dir == "" {
		return nil
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		r.wrong(dir, "", mistake{what: "cannot be read: " + reason(err)})
	}
	read := map[string]any{}
	for _, f := range files {
		key, ours := strings.CutPrefix(f.Name(), credentialPrefix)
		if !ours {
			continue
		}
		if v := r.credential(key, filepath.Join(dir, f.Name())); v != nil {
			read[key] = v
			r.from(key, filepath.Join(dir, f.Name()))
		}
	}
	return read
}

// credential reads one; nil is not set.
func (r *reader) credential(key, file string) any {
	s := root().at(key)
	if s.of != reflect.TypeFor[Secret]() || slices.ContainsFunc(strings.Split(key, "."), isNoName) {
		r.wrong(file, key, mistake{"is no password", suggestSecret(key)})
		return nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		r.wrong(file, key, mistake{what: "cannot be read: " + reason(err)})
		return nil
	}
	text, ok := oneLine(data)
	if !ok {
		r.wrong(file, key, mistake{what: "does not hold one line"})
		return nil
	}
	return r.value(s, node{at: file, kind: typed, text: text}, key)
}

// suggestSecret finds the password that was meant.
func suggestSecret(key string) string {
	secrets := slices.DeleteFunc(root().paths(""), func(path string) bool {
		return root().at(path).of != reflect.TypeFor[Secret]()
	})
	if near := nearest(key, secrets); near != "" {
		return near
	}
	return "one of " + strings.Join(secrets, ", ")
}

func isNoName(part string) bool { return !namePattern.MatchString(part) }

// oneLine is the text of a secret's file. One trailing line break is not part of
// it: editors and echo write one.
func oneLine(data []byte) (string, bool) {
	text := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	return text, text != "" && !strings.ContainsAny(text, "\r\n\x00")
}
