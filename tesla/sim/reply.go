package sim

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

//go:embed testdata
var fixtures embed.FS

// fixture is a file of testdata; nil if there is none.
func fixture(name string) []byte {
	data, _ := fixtures.ReadFile("testdata/" + name)
	return data
}

// object is a JSON object.
type object = map[string]any

// shape is what the "response" of a fixture holds: the shape that an answer is
// made in.
func shape(name string) object {
	o, _ := response(name).(object)
	return o
}

// response is the "response" of a fixture, its numbers as they are written.
func response(name string) any {
	var all struct{ Response any }
	d := json.NewDecoder(bytes.NewReader(fixture(name + ".json")))
	d.UseNumber()
	d.Decode(&all)
	return all.Response
}

// reply is an answer before it is sent.
type reply struct {
	status int // 0: none at all
	header http.Header
	body   []byte
}

func text(status int, body string) reply {
	return reply{status, http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, []byte(body)}
}

func page(status int, body string) reply {
	return reply{status, http.Header{"Content-Type": {"text/html; charset=utf-8"}}, []byte(body)}
}

// plain answers with a value that is in no envelope.
func plain(status int, value any) reply {
	body, err := json.Marshal(value)
	if err != nil {
		return text(http.StatusInternalServerError, err.Error())
	}
	return reply{status, http.Header{"Content-Type": {"application/json; charset=utf-8"}}, body}
}

// good answers with a value in the envelope.
func good(value any) reply { return plain(http.StatusOK, object{"response": value}) }

// list answers with a part of a list, page by page, as far as the call asks.
func list[T any](c *call, all []T) reply {
	number, size := c.int("page", 1), c.int("per_page", 100)
	pages := max((len(all)+size-1)/size, 1)
	from := min((number-1)*size, len(all))
	paging := object{
		"previous": nil, "next": nil, "current": number, "per_page": size,
		"count": len(all), "pages": pages,
	}
	if number > 1 {
		paging["previous"] = number - 1
	}
	if number < pages {
		paging["next"] = number + 1
	}
	part := append([]T{}, all[from:min(from+size, len(all))]...)
	return plain(http.StatusOK, object{"response": part, "pagination": paging, "count": len(part)})
}

// explain fills in what a refusal says about it.
func (a reply) explain(format string, args ...any) reply {
	var body object
	if json.Unmarshal(a.body, &body) == nil {
		body["error_description"] = fmt.Sprintf(format, args...)
		a.body, _ = json.Marshal(body)
	}
	return a
}

func (a reply) send(w http.ResponseWriter) {
	for key, values := range a.header {
		w.Header()[key] = values
	}
	w.WriteHeader(a.status)
	w.Write(a.body)
}

var errCut = errors.New("sim: connection cut")

// RoundTrip answers a request without any network, so that a client can live in
// a test whose time is not ours.
func (t *Tesla) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r = r.Clone(r.Context())
		r.Body = http.NoBody
	}
	defer r.Body.Close()
	w := &wire{header: http.Header{}}
	t.ServeHTTP(w, r)
	switch {
	case r.Context().Err() != nil:
		return nil, r.Context().Err()
	case w.cut, w.status == 0:
		return nil, errCut
	}
	return &http.Response{
		Status: strconv.Itoa(w.status) + " " + http.StatusText(w.status), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: w.header, Request: r,
		Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()),
	}, nil
}

// wire takes an answer that no network carries.
type wire struct {
	header http.Header
	status int
	body   bytes.Buffer
	cut    bool
}

func (w *wire) Header() http.Header         { return w.header }
func (w *wire) WriteHeader(status int)      { w.status = status }
func (w *wire) Write(b []byte) (int, error) { return w.body.Write(b) }

// sever cuts the connection of an answer.
func sever(w http.ResponseWriter) {
	if w, ok := w.(*wire); ok {
		w.cut = true
		return
	}
	panic(http.ErrAbortHandler) // net/http's way to close a connection without an answer
}
