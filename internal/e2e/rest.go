//go:build homeassistant

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// rest speaks Home Assistant's HTTP interface.
type rest struct {
	base  string // http://ADDRESS
	token string // access token, "" before there is one
}

var restClient = http.Client{Timeout: 30 * time.Second}

// get and post decode the answer into result, if that is not nil.
func (r rest) get(path string, result any) error {
	return r.do(http.MethodGet, path, "", nil, result)
}

func (r rest) post(path string, body, result any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return r.do(http.MethodPost, path, "application/json", bytes.NewReader(data), result)
}

func (r rest) form(path string, form url.Values, result any) error {
	return r.do(http.MethodPost, path, "application/x-www-form-urlencoded",
		strings.NewReader(form.Encode()), result)
}

func (r rest) do(method, path, kind string, body io.Reader, result any) error {
	q, err := http.NewRequest(method, r.base+path, body)
	if err != nil {
		return err
	}
	if kind != "" {
		q.Header.Set("Content-Type", kind)
	}
	if r.token != "" {
		q.Header.Set("Authorization", "Bearer "+r.token)
	}
	a, err := restClient.Do(q)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	switch {
	case err != nil:
		return err
	case a.StatusCode >= 300:
		return fmt.Errorf("%s %s: %s: %.300s", method, path, a.Status, text)
	case result == nil:
		return nil
	}
	return json.Unmarshal(text, result)
}

// state is what Home Assistant shows of an entity.
type state struct {
	Entity     string         `json:"entity_id"`
	State      string         `json:"state"`
	Attributes map[string]any `json:"attributes"`
	Changed    time.Time      `json:"last_changed"`
	Updated    time.Time      `json:"last_updated"`
}

// attribute is an attribute as text, "" if there is none.
func (s state) attribute(name string) string {
	if v, ok := s.Attributes[name]; ok {
		return fmt.Sprint(v)
	}
	return ""
}
