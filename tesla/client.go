package tesla

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// ClientOptions is what a Client needs. Only HTTP, Renew, Region, Moved, Agent and
// Observe may be missing.
type ClientOptions struct {
	Hosts  Hosts
	HTTP   *http.Client                                           // nil: one of its own, 30 s
	Token  func(ctx context.Context, as Identity) (string, error) // a valid access token
	Renew  func(ctx context.Context, refused string) error        // after a 401 of that token
	Region func() Region                                          // where the account lives
	Moved  func(ctx context.Context, to Region) error             // a 421 said so
	Meter  *Meter
	Agent  string // the User-Agent
	Log    zerolog.Logger

	// Observe hears of every answer, with status 0 where none came: for metrics.
	Observe func(endpoint string, category Category, status int, took time.Duration)
}

// Client calls the Fleet API. It may be used from several goroutines. Its methods
// are named after the endpoints; each says where the call goes, which scope it
// needs and what comes back. All of them fail with an [Error], with a car.Refusal
// (over_budget, limited, invalid) before anything is sent, or with what the
// account says when there is no token.
//
// Distances are miles, speeds mph, temperatures °C, pressures bar, powers kW,
// energies kWh, whatever the car shows (developer.tesla.com, "vehicle_data").
type Client struct {
	ClientOptions
	limiter limiter
}

// NewClient makes a client. It does nothing until it is asked.
func NewClient(o ClientOptions) *Client {
	if o.HTTP == nil {
		o.HTTP = &http.Client{Timeout: 30 * time.Second}
	}
	// A redirect would carry the token to a place that nobody named.
	stay := *o.HTTP
	stay.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	o.HTTP = &stay
	return &Client{ClientOptions: o}
}

// Call is one call of an endpoint.
type Call struct {
	Endpoint string            // its name
	VIN      string            // of the car it is about, "" for none
	Path     map[string]string // what else stands in the path: {id}, {contentId}
	Query    url.Values
	Body     any // becomes a JSON object; nil for none
}

// Do makes a call and returns what the envelope holds: the member "response", or
// the whole body where there is none.
func (c *Client) Do(ctx context.Context, call Call) (json.RawMessage, error) {
	body, err := c.DoRaw(ctx, call)
	if err != nil {
		return nil, err
	}
	return unwrap(body)
}

// unwrap takes an answer out of its envelope. Some endpoints have none.
func unwrap(body []byte) (json.RawMessage, error) {
	if !json.Valid(body) {
		return nil, &Error{Status: http.StatusOK, Code: codeServer, refused: car.Internal,
			advice: "the answer is not Tesla's: does something stand between this house and Tesla?"}
	}
	var envelope map[string]json.RawMessage
	if json.Unmarshal(body, &envelope) != nil {
		return body, nil // an array or a word
	}
	response, ok := envelope["response"]
	if !ok {
		return body, nil
	}
	if string(response) == "null" && readComplaint(body).Error != "" {
		return nil, newError(http.StatusOK, nil, body)
	}
	return response, nil
}

// DoRaw makes a call and returns the body as it is, of at most 8 MiB.
func (c *Client) DoRaw(ctx context.Context, call Call) ([]byte, error) {
	r, err := prepare(call)
	if err != nil {
		return nil, err
	}
	return c.patiently(ctx, r)
}

// fetch makes a call and reads its answer.
func fetch[T any](ctx context.Context, c *Client, call Call) (T, error) {
	var out T
	answer, err := c.Do(ctx, call)
	if err == nil {
		err = decode(call.Endpoint, answer, &out)
	}
	return out, err
}

// decode reads an answer. Unknown members are ignored: they come with firmware.
func decode(endpoint string, answer json.RawMessage, out any) error {
	if err := json.Unmarshal(answer, out); err != nil {
		return &Error{Status: http.StatusOK, Code: codeOdd, refused: car.Internal,
			advice: endpoint + ": the answer has a shape that is not known: please report it"}
	}
	return nil
}

// request is a call that was found to be right.
type request struct {
	Endpoint
	vin    string
	target string // path and query
	body   []byte
}

// prepare checks a call, which may come from people.
func prepare(call Call) (request, error) {
	e, ok := EndpointOf(call.Endpoint)
	if !ok {
		return request{}, car.Refuse(car.NoSuch, "there is no endpoint %q", call.Endpoint)
	}
	r := request{Endpoint: e, vin: call.VIN}
	path, err := fill(e.Path, call)
	if err != nil {
		return request{}, err
	}
	query, err := e.query(call)
	if err != nil {
		return request{}, err
	}
	r.target = path
	if len(query) > 0 {
		r.target += "?" + query.Encode()
	}
	if call.Body != nil {
		if r.body, err = json.Marshal(call.Body); err != nil {
			return request{}, car.Refuse(car.Invalid, "%s: the body is no JSON", e.Name)
		}
		r.body = bytes.TrimSpace(r.body)
	}
	return r, nil
}

// fill puts a call's values into a path.
func fill(path string, call Call) (string, error) {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		name, ok := strings.CutPrefix(part, "{")
		if !ok {
			continue
		}
		name = strings.TrimSuffix(name, "}")
		value := call.Path[name]
		if name == "vin" || name == "vehicle_tag" {
			value = call.VIN
		}
		// "." and ".." would lead to another endpoint.
		if strings.Trim(value, ".") == "" {
			return "", car.Refuse(car.Invalid, "%s needs a %s", call.Endpoint, name)
		}
		parts[i] = url.PathEscape(value)
	}
	return strings.Join(parts, "/"), nil
}

// query is a call's query: what the endpoint knows, and its car where it asks for
// one.
func (e Endpoint) query(call Call) (url.Values, error) {
	query := url.Values{}
	for name, values := range call.Query {
		if !slices.Contains(e.Params, name) {
			return nil, car.Refuse(car.Invalid, "%s has no parameter %q, only: %s",
				e.Name, name, strings.Join(e.Params, " "))
		}
		query[name] = values
	}
	if call.VIN != "" && e.Method == http.MethodGet && slices.Contains(e.Params, "vin") {
		query.Set("vin", call.VIN)
	}
	return query, nil
}
