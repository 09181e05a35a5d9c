package tesla

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// Error is a call that did not succeed. Its sentence says what to do.
type Error struct {
	Status     int           // of HTTP; 0 where no answer came
	Code       string        // one of our own words: "asleep", "missing_scope", "token_expired" …
	Text       string        // Tesla's words, shortened, without numbers of cars; may be empty
	TxID       string        // Tesla's number of the call, for its support
	RetryAfter time.Duration // how long Tesla asked us to wait, 0 if it did not

	refused car.Code
	advice  string
	moved   Region // where a 421 says the account lives, if that is one of ours
}

// Error is a sentence for people: what is wrong, and what to do.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.advice)
	b.WriteString(" (tesla: ")
	if e.Status != 0 {
		b.WriteString(strconv.Itoa(e.Status) + " ")
	}
	b.WriteString(e.Code)
	if e.Text != "" {
		b.WriteString(": " + e.Text)
	}
	b.WriteString(")")
	return b.String()
}

// Refusal is the failure with a code that people know.
func (e *Error) Refusal() error { return car.Refuse(e.refused, "%s", e.Error()) }

// RefusalOf is err as a car.Refusal, if it is a Tesla error; otherwise err itself.
func RefusalOf(err error) error {
	var e *Error
	if errors.As(err, &e) {
		return e.Refusal()
	}
	return err
}

// IsAsleep says whether the car was not reachable: asleep or offline. It is not to
// be disturbed until its state says online.
func IsAsleep(err error) bool { return is(err, codeAsleep) }

// IsLoginRequired says whether only a person can go on, by signing in again.
func IsLoginRequired(err error) bool { return is(err, codeLogin) }

// IsScope says whether the account did not give the permission that the call needs.
func IsScope(err error) bool { return is(err, codeScope) }

// IsExceeded says whether Tesla has cut the application off until next month.
func IsExceeded(err error) bool { return is(err, codeExceeded) }

// IsLimited says whether Tesla asked for fewer calls.
func IsLimited(err error) bool { return is(err, codeLimited) }

// IsInService says whether the car is at a workshop, where it answers nobody.
func IsInService(err error) bool { return is(err, codeService) }

// IsSigningRequired says whether the car takes signed commands only.
func IsSigningRequired(err error) bool { return is(err, codeSigning) }

// IsUnanswered says whether the call was sent and nothing came back: it may have
// been carried out.
func IsUnanswered(err error) bool { return is(err, codeNoAnswer) }

// IsTaken says whether a domain was registered before, which is as good as done.
func IsTaken(err error) bool { return is(err, codeTaken) }

func is(err error, code string) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}

// newError reads an answer that is no success. A body may be empty, HTML, or JSON
// in one of three shapes.
func newError(status int, header http.Header, body []byte) *Error {
	said := readComplaint(body)
	text := strings.TrimSpace(said.Error + " " + said.Description + " " + said.messages())
	m := meaningOf(status, text)
	e := &Error{
		Status: status, Code: m.code, Text: harmless(text),
		TxID:    harmless(cmp.Or(header.Get("X-Txid"), said.TxID)),
		refused: m.refused, advice: m.advice,
	}
	if status == http.StatusTooManyRequests || header.Get("Retry-After") != "" {
		e.RetryAfter = retryAfter(header.Get("Retry-After"), text)
	}
	return e
}

type complaint struct {
	Error       string              `json:"error"`
	Description string              `json:"error_description"`
	TxID        string              `json:"txid"`
	Messages    map[string][]string `json:"messages"`
}

// readComplaint takes what it can: a member of another type leaves the rest.
func readComplaint(body []byte) complaint {
	var c complaint
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil {
		return c
	}
	_ = json.Unmarshal(members["error"], &c.Error)
	_ = json.Unmarshal(members["error_description"], &c.Description)
	_ = json.Unmarshal(members["txid"], &c.TxID)
	_ = json.Unmarshal(members["messages"], &c.Messages)
	return c
}

func (c complaint) messages() string {
	var all []string
	for _, field := range slices.Sorted(maps.Keys(c.Messages)) {
		all = append(all, field+" "+strings.Join(c.Messages[field], ", "))
	}
	return strings.Join(all, "; ")
}

var (
	aVIN    = regexp.MustCompile(`\b[A-HJ-NPR-Z0-9]{13}(\d{4})\b`)
	aToken  = regexp.MustCompile(`\b(?:ey|[EN]A_|EU_|CN_)[\w.=-]{20,}`)
	aPlace  = regexp.MustCompile(`-?\d{1,3}\.\d{4,}`)
	retryIn = regexp.MustCompile(`(?i)retry in (\d+) seconds`)
)

// harmless shortens Tesla's words and takes out what must not reach a log: cars'
// numbers, tokens and positions.
func harmless(text string) string {
	const longest = 200
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " ")
	text = aToken.ReplaceAllString(text, "[token]")
	text = aVIN.ReplaceAllString(text, "…$1")
	text = aPlace.ReplaceAllString(text, "[place]")
	if runes := []rune(text); len(runes) > longest {
		text = string(runes[:longest]) + "…"
	}
	return text
}

const (
	defaultPause = time.Minute // after a 429 that names no time
	longestPause = time.Hour   // nobody waits longer on one header's word
)

// retryAfter reads seconds, a date, or the sentence in the body.
func retryAfter(header, text string) time.Duration {
	wait := defaultPause
	if seconds, err := strconv.Atoi(strings.TrimSpace(header)); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		wait = time.Until(at)
	} else if found := retryIn.FindStringSubmatch(text); found != nil {
		seconds, _ := strconv.Atoi(found[1])
		wait = time.Duration(seconds) * time.Second
	}
	return min(max(wait, time.Second), longestPause)
}
