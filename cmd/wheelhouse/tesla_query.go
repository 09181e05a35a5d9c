package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/mqtt"
	"github.com/wheelhouse-mqtt/wheelhouse/tesla"
)

const (
	maxQueries  = 16       // that wait
	maxQuestion = 16 << 10 // bytes
	queryWithin = time.Minute
)

// queries answers questions to Tesla that come by MQTT, one after the other.
type queries struct {
	fleet   *fleetAPI
	publish func(...car.Message)
	waiting chan query
}

// query is a question.
type query struct {
	car      car.ID
	endpoint string
	payload  []byte // a JSON object of parameters, or nothing
	topic    string // of the answer
	mark     string // that the answer carries
}

// queryAnswer is an answer: what Tesla says, or why not.
type queryAnswer struct {
	Query    string          `json:"query"`
	Car      car.ID          `json:"car"`
	Code     car.Code        `json:"code,omitempty"`
	Text     string          `json:"text,omitempty"`
	Response json.RawMessage `json:"response,omitempty"`
}

func newQueries(f *fleetAPI, publish func(...car.Message)) *queries {
	return &queries{fleet: f, publish: publish, waiting: make(chan query, maxQueries)}
}

// ask takes a question in. It does not wait for the answer.
func (q *queries) ask(in car.Inbound, m mqtt.Inbound) {
	one := query{in.Car, in.Key, m.Payload, q.answerTo(in.Car, m.Answer), string(m.Correlation)}
	select {
	case q.waiting <- one:
	default:
		q.answer(one, nil, car.Refuse(car.Limited, "%d questions wait already", maxQueries))
	}
}

// answerTo is where an answer goes: where its sender wants it, but to none of the
// topics that only the program may write; else to the car's results.
func (q *queries) answerTo(id car.ID, wanted string) string {
	topics := car.Topics{Prefix: q.fleet.cfg.MQTT.Prefix}
	mine := func(prefix string) bool { return wanted == prefix || strings.HasPrefix(wanted, prefix+"/") }
	if wanted == "" || strings.ContainsAny(wanted, "+#") || wanted[0] == '$' ||
		mine(topics.Prefix) || mine(q.fleet.cfg.Discovery.Prefix) {
		return topics.Result(id)
	}
	return wanted
}

// Run answers until ctx ends.
func (q *queries) Run(ctx context.Context) error {
	for {
		select {
		case one := <-q.waiting:
			response, err := q.read(ctx, one)
			q.answer(one, response, err)
		case <-ctx.Done():
			return nil
		}
	}
}

// read makes the call, if it only reads.
func (q *queries) read(ctx context.Context, one query) (json.RawMessage, error) {
	set, err := parameters(one.payload)
	if err != nil {
		return nil, err
	}
	call, err := q.fleet.call(one.endpoint, string(one.car), set)
	if err != nil {
		return nil, err
	}
	e, _ := tesla.EndpointOf(call.Endpoint)
	if e.Unsafe || e.Method != http.MethodGet || e.As != tesla.Owner {
		return nil, car.Refuse(car.Forbidden, "%s is not answered here: only what reads is", e.Name)
	}
	ctx, cancel := context.WithTimeout(ctx, queryWithin)
	defer cancel()
	return q.fleet.client.Do(ctx, call)
}

// parameters are those of a payload as NAME=VALUE.
func parameters(payload []byte) (set []string, err error) {
	if len(payload) == 0 {
		return nil, nil
	}
	var object map[string]any
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber() // as they were written
	if len(payload) > maxQuestion || d.Decode(&object) != nil {
		return nil, car.Refuse(car.Invalid, "the payload is neither empty nor a JSON object of parameters")
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		set = append(set, fmt.Sprintf("%s=%v", name, object[name]))
	}
	return set, nil
}

// answer publishes what came of a question.
func (q *queries) answer(one query, response json.RawMessage, err error) {
	a := queryAnswer{Query: one.endpoint, Car: one.car, Response: response}
	if err != nil {
		err = tesla.RefusalOf(err)
		a.Code, a.Text = car.CodeOf(err), err.Error()
	}
	payload, err := json.Marshal(a)
	if err != nil { // Tesla's own text, which is JSON
		return
	}
	q.publish(car.Message{Topic: one.topic, Payload: string(payload), Correlation: one.mark})
}
