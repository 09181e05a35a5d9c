//go:build homeassistant

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// login is how the owner of a home comes in.
type login struct{ client, refresh string }

const owner, ownerPassword = "owner", "owner-password"

// own makes the owner of a new home.
func (r rest) own(l login) (login, error) {
	var code struct {
		Code string `json:"auth_code"`
	}
	err := r.post("/api/onboarding/users", map[string]string{
		"client_id": l.client, "name": "Owner", "username": owner, "password": ownerPassword, "language": "en",
	}, &code)
	if err != nil {
		return l, err
	}
	var tokens struct {
		Refresh string `json:"refresh_token"`
	}
	err = r.form("/auth/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {code.Code}, "client_id": {l.client},
	}, &tokens)
	l.refresh = tokens.Refresh
	return l, err
}

// finishOnboarding takes the rest of the steps, which only the pages need. It makes
// Home Assistant set up integrations that are not installed.
func (r rest) finishOnboarding(client string) error {
	return errors.Join(
		r.post("/api/onboarding/core_config", struct{}{}, nil),
		r.post("/api/onboarding/analytics", struct{}{}, nil),
		r.post("/api/onboarding/integration", map[string]string{"client_id": client, "redirect_uri": client}, nil))
}

// access is a token for half an hour.
func (r rest) access(l login) (string, error) {
	var tokens struct {
		Access string `json:"access_token"`
	}
	err := r.form("/auth/token", url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {l.refresh}, "client_id": {l.client},
	}, &tokens)
	return tokens.Access, err
}

// account is how Home Assistant gets into a broker.
type account struct {
	port           int
	user, password string
	protocol       string // "5", "3.1.1"; "" leaves it to Home Assistant
}

// flow is one step of a configuration dialogue.
type flow struct {
	ID     string            `json:"flow_id"`
	Type   string            `json:"type"`
	Step   string            `json:"step_id"`
	Schema []field           `json:"data_schema"`
	Errors map[string]string `json:"errors"`
	Result struct {
		Entry string `json:"entry_id"`
		State string `json:"state"`
	} `json:"result"`
}

// field is a question of a step; one with a schema is a section of questions.
type field struct {
	Name   string  `json:"name"`
	Schema []field `json:"schema"`
}

const flows = "/api/config/config_entries/flow"

// errRefused is the dialogue's answer to a broker that cannot be entered.
var errRefused = errors.New("cannot_connect")

// addMQTT adds the MQTT integration as a person does and returns its entry's id.
func (r rest) addMQTT(a account) (string, error) {
	var f flow
	if err := r.post(flows, map[string]any{"handler": "mqtt"}, &f); err != nil {
		return "", err
	}
	answers := map[string]any{
		"broker": "127.0.0.1", "port": a.port, "username": a.user, "password": a.password,
		"set_ca_cert": "off", "set_client_cert": false,
	}
	if a.protocol != "" {
		answers["protocol"] = a.protocol
	}
	if err := r.post(flows+"/"+f.ID, fill(f.Schema, answers), &f); err != nil {
		return "", err
	}
	if f.Type != "create_entry" {
		if f.Errors["base"] == errRefused.Error() {
			return "", errRefused
		}
		return "", fmt.Errorf("the MQTT dialogue answers %s %s %v", f.Type, f.Step, f.Errors)
	}
	return f.Result.Entry, nil
}

// fill answers a step's questions, those in sections too: their names and places
// differ from release to release.
func fill(schema []field, answers map[string]any) map[string]any {
	filled := map[string]any{}
	for _, q := range schema {
		if q.Schema != nil {
			filled[q.Name] = fill(q.Schema, answers)
		} else if a, ok := answers[q.Name]; ok {
			filled[q.Name] = a
		}
	}
	return filled
}

// configureMQTT answers the options dialogue of the integration; what is not in
// answers is as it was.
func (r rest) configureMQTT(entry string, answers map[string]any) error {
	const options = "/api/config/config_entries/options/flow"
	var f struct {
		flow
		Schema []struct {
			Name    string          `json:"name"`
			Default json.RawMessage `json:"default"`
			About   struct {
				Suggested json.RawMessage `json:"suggested_value"`
			} `json:"description"`
		} `json:"data_schema"`
	}
	if err := r.post(options, map[string]any{"handler": entry}, &f); err != nil {
		return err
	}
	all := map[string]any{}
	for _, q := range f.Schema {
		switch v, given := answers[q.Name]; {
		case given:
			all[q.Name] = v
		case q.Default != nil:
			all[q.Name] = q.Default
		case q.About.Suggested != nil:
			all[q.Name] = q.About.Suggested
		}
	}
	if err := r.post(options+"/"+f.ID, all, &f); err != nil {
		return err
	}
	if f.Type != "create_entry" {
		return fmt.Errorf("the MQTT options answer %s %v", f.Type, f.Errors)
	}
	return nil
}

// reload reads a configuration entry anew.
func (r rest) reload(entry string) error {
	return r.post("/api/config/config_entries/entry/"+entry+"/reload", nil, nil)
}

// remove removes a configuration entry, as a person does.
func (r rest) remove(entry string) error {
	return r.do(http.MethodDelete, "/api/config/config_entries/entry/"+entry, "", nil, nil)
}
