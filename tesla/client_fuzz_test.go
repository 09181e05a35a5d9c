package tesla_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/tesla"
)

// FuzzAnswer feeds every method any answer: it is read or refused, always with a
// code that people know, and without a car's number in the words.
func FuzzAnswer(f *testing.F) {
	for _, pattern := range []string{"*.json", "errors/*"} {
		files, err := filepath.Glob(filepath.Join("testdata", pattern))
		if err != nil || len(files) == 0 {
			f.Fatal(pattern, err)
		}
		for _, file := range files {
			body, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(200, "", body)
			f.Add(403, "7", body)
		}
	}
	f.Fuzz(func(t *testing.T, status int, after string, body []byte) {
		if status < 200 || status > 599 {
			return
		}
		w := wire(func(*http.Request) (*http.Response, error) {
			r := reply(status, "", "Retry-After", after)
			r.Body = io.NopCloser(bytes.NewReader(body))
			return r, nil
		})
		synctest.Test(t, func(t *testing.T) { // nobody waits for the next try
			for _, name := range methods {
				err := invoke(t.Context(), reflect.ValueOf(over(t, w)).MethodByName(name))
				var e *tesla.Error
				if errors.As(err, &e) && (e.Code == "" || car.CodeOf(e.Refusal()) == "") {
					t.Fatalf("%s: %#v", name, e)
				}
				if err != nil && (len(err.Error()) > 1000 || strings.Contains(err.Error(), nightjar)) {
					t.Fatalf("%s: %v", name, err)
				}
			}
		})
	})
}
