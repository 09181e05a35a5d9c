package sim

import (
	"context"
	"encoding/csv"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Fault is what happens to one call instead of what should.
type Fault struct {
	File   string        // an answer of testdata/errors by its name: "429_rate_limited", "504_gateway_timeout"
	Status int           // or one of one's own; 0 with no File: the right answer
	Header http.Header   // besides what the answer has
	Body   string        // of one's own answer
	Delay  time.Duration // before anything happens, by real time
	Cut    bool          // the connection is cut instead of an answer
	After  bool          // what was asked for is done all the same; only its answer is lost
}

// Fail lets the next calls of an endpoint fail, one fault each, in their order.
// The endpoint is named as in endpoints.go, or authorize, token, metadata, pair,
// status; "" is any. A file that does not exist answers 500.
func (t *Tesla) Fail(endpoint string, faults ...Fault) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.faults[endpoint] = append(t.faults[endpoint], faults...)
}

// Pending is how many faults still wait for a call.
func (t *Tesla) Pending() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	var n int
	for _, queue := range t.faults {
		n += len(queue)
	}
	return n
}

// fault is the next one of the endpoint, and none if there is none.
func (t *Tesla) fault(endpoint string) Fault {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, name := range []string{endpoint, ""} {
		if queue := t.faults[name]; len(queue) > 0 {
			t.faults[name] = queue[1:]
			return queue[0]
		}
	}
	return Fault{}
}

// wait lets the delay pass; it says no when the client has gone.
func (f Fault) wait(ctx context.Context) bool {
	if f.Delay <= 0 {
		return true
	}
	timer := time.NewTimer(f.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// spoil is the answer that the fault makes of the right one, which is asked for
// only if it is needed.
func (f Fault) spoil(right func() reply) reply {
	var a reply
	switch {
	case f.File != "":
		a = failure(f.File)
	case f.Status != 0:
		a = reply{status: f.Status, header: http.Header{}, body: []byte(f.Body)}
	case f.Cut && !f.After:
		return reply{}
	default:
		a = right()
		maps.Copy(a.header, f.Header)
		return a
	}
	if f.After {
		right()
	}
	maps.Copy(a.header, f.Header)
	return a
}

// failure is an answer of testdata/errors, with the status and the headers that
// index.csv has for it.
func failure(name string) reply {
	rows, _ := csv.NewReader(strings.NewReader(string(fixture("errors/index.csv")))).ReadAll()
	for _, row := range rows {
		file := strings.TrimPrefix(row[0], "errors/")
		base, ext, _ := strings.Cut(file, ".")
		if base != name && file != name {
			continue
		}
		status, _ := strconv.Atoi(row[1])
		a := reply{status: status, header: http.Header{}, body: fixture("errors/" + file)}
		for h := range strings.SplitSeq(row[2], ";") {
			if key, value, ok := strings.Cut(h, ":"); ok {
				a.header.Set(strings.TrimSpace(key), strings.TrimSuffix(strings.TrimSpace(value), " (some answers)"))
			}
		}
		if ext == "json" {
			a.header.Set("Content-Type", "application/json; charset=utf-8")
		}
		return a
	}
	return text(http.StatusInternalServerError, "no such fault: "+name)
}
