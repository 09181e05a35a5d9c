package carstats

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// Path is where the webhook listens; a car's own URL has its id behind it.
const Path = "/csv"

const (
	idleBody  = 30 * time.Second  // without a byte: 408
	slowAfter = 120 * time.Second // of waiting for bytes, from when on slowRate counts
	slowRate  = 1 << 10           // bytes a second
)

// statuses are the HTTP statuses of the codes people see.
var statuses = map[car.Code]int{
	car.Invalid:  http.StatusBadRequest,
	car.NoSuch:   http.StatusNotFound,
	car.Limited:  http.StatusRequestEntityTooLarge,
	car.Timeout:  http.StatusRequestTimeout,
	car.Internal: http.StatusServiceUnavailable,
}

// ServeHTTP is the webhook. It answers 200 only when everything in the body is
// durable, for the app takes nothing else as delivered, and it never redirects,
// for the app would repeat the request without its body and take that answer
// for success. The short text of an answer is what the driver sees in the
// app's log.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	id, status, reason := r.handle(w, q)
	if status != http.StatusOK && r.warned.first(warning{id, http.StatusText(status)}, r.Now()) {
		r.Log.Warn().Str("car", string(id)).Int("status", status).Str("reason", reason).
			Msg("webhook request refused; this status is told once a day and car")
	}
	r.Answered(id, status, reason)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, answer(status, reason))
}

func answer(status int, reason string) string {
	if status == http.StatusOK {
		return reason + "\n"
	}
	return fmt.Sprintf("%d %s\n", status, reason)
}

func (r *Receiver) handle(w http.ResponseWriter, q *http.Request) (id car.ID, status int, reason string) {
	if q.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return "", http.StatusMethodNotAllowed, "this is a webhook for Car Stats Viewer: it takes POST only"
	}
	user, password, _ := q.BasicAuth()
	id, ok := which(q.URL.Path, user)
	if !ok || id.Reserved() {
		return "", http.StatusNotFound, "no such car: the address ends in " + Path + " or " + Path + "/NAME"
	}
	if !r.knows(id, password) {
		w.Header().Set("WWW-Authenticate", `Basic realm="wheelhouse"`)
		return id, http.StatusUnauthorized, "wrong password for " + string(id)
	}
	if err := r.admit(id); err != nil {
		return id, statuses[car.CodeOf(err)], err.Error()
	}
	if status, reason := r.acceptable(q); status != 0 {
		w.Header().Set("Connection", "close")
		return id, status, reason
	}
	body := &pacedBody{body: q.Body, control: http.NewResponseController(w), left: r.MaxBody, now: time.Now}
	receipt, err := r.receive(q.Context(), id, body, "http")
	if err != nil {
		w.Header().Set("Connection", "close")
		status, reason := r.failed(err)
		return id, status, reason
	}
	body.done()
	return id, http.StatusOK, thanks(receipt)
}

// thanks is the text of a 200.
func thanks(r car.Receipt) string {
	if n := r.New + r.Changed + r.Known + r.Apart; n > 0 {
		return fmt.Sprintf("ok, records: %d, new: %d", n, r.New)
	}
	return "ok"
}

// acceptable looks at what the headers say of the body.
func (r *Receiver) acceptable(q *http.Request) (status int, reason string) {
	if q.ContentLength > r.MaxBody {
		return http.StatusRequestEntityTooLarge, r.tooLong()
	}
	if e := q.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return http.StatusUnsupportedMediaType, "the body is compressed: send it as it is"
	}
	return 0, ""
}

func (r *Receiver) tooLong() string {
	return fmt.Sprintf("the body is longer than the %d bytes of carstats.max_body", r.MaxBody)
}

// failed turns an error of receive into an answer. The text of an error that is
// not the sender's stays in the log.
func (r *Receiver) failed(err error) (status int, reason string) {
	var syntax *syntaxError
	var refusal *car.Refusal
	switch {
	case errors.As(err, &syntax):
		return http.StatusBadRequest, syntax.Error()
	case errors.Is(err, errTooLong):
		return http.StatusRequestEntityTooLarge, r.tooLong()
	case errors.Is(err, errSlow):
		return http.StatusRequestTimeout, "the body came too slowly"
	case errors.As(err, &refusal):
		return statuses[refusal.Code], refusal.Text
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, context.Canceled):
		return http.StatusBadRequest, "the connection broke in the middle of the body"
	}
	r.Log.Error().Err(err).Msg("webhook request not stored: the car will send it again")
	return http.StatusServiceUnavailable, "not stored, please send it again"
}

// which says what car a request is about: the path's, else the user's, else the
// only one there is in a house without names.
func which(path, user string) (car.ID, bool) {
	rest, ok := strings.CutPrefix(path, Path)
	if !ok || rest != "" && rest[0] != '/' {
		return "", false
	}
	if rest = strings.Trim(rest, "/"); rest != "" {
		id := car.MakeID(rest)
		return id, id != "" && !strings.Contains(rest, "/")
	}
	if id := car.MakeID(user); id != "" {
		return id, true
	}
	return "car", true
}

// knows compares the password in constant time: the car's own, or where it has
// none the house's.
func (r *Receiver) knows(id car.ID, password string) bool {
	want := r.Cars[id].Password
	if want == "" {
		want = r.Password
	}
	a, b := sha256.Sum256([]byte(password)), sha256.Sum256([]byte(want))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && want != ""
}

var (
	errTooLong = errors.New("body too long")
	errSlow    = errors.New("body too slow")
)

// pacedBody reads a body under the webhook's limits: its length, and its pace.
// A slow phone link with 65 MB must get through, one byte a second must not.
// Only the time spent waiting for the sender counts.
type pacedBody struct {
	body    io.Reader
	control *http.ResponseController
	now     func() time.Time
	left    int64
	read    int64
	waited  time.Duration
}

func (b *pacedBody) Read(p []byte) (int, error) {
	start := b.now()
	_ = b.control.SetReadDeadline(start.Add(idleBody)) // an httptest recorder has none
	n, err := b.body.Read(p)
	b.waited += b.now().Sub(start)
	b.read += int64(n)
	switch b.left -= int64(n); {
	case b.left < 0:
		return 0, errTooLong
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, errSlow
	case b.waited > slowAfter && b.read < slowRate*int64(b.waited/time.Second):
		return n, errSlow
	}
	return n, err
}

// done takes the deadline off again: the connection is kept.
func (b *pacedBody) done() { _ = b.control.SetReadDeadline(time.Time{}) }
