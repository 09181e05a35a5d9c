package tesla

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// maxBody is the longest answer that is read.
const maxBody = 8 << 20

// backOff is how long to wait before a reading is tried once more.
var backOff = []time.Duration{5 * time.Second, 10 * time.Second}

// patiently tries a reading up to three times when Tesla's servers or the way
// there fail. Anything else is tried once: nobody knows what became of it.
func (c *Client) patiently(ctx context.Context, r request) ([]byte, error) {
	for _, wait := range backOff {
		body, err := c.settled(ctx, r)
		if r.Method != http.MethodGet || !passing(err) || sleep(ctx, jitter(wait)) != nil {
			return body, err
		}
	}
	return c.settled(ctx, r)
}

// passing says whether a failure may be over in seconds.
func passing(err error) bool {
	var e *Error
	if !errors.As(err, &e) || e.RetryAfter > patience {
		return false
	}
	return e.Code == codeServer || e.Code == codeNoAnswer || e.Code == codeNoWay
}

// jitter is a wait of up to a fifth more or less, so that many houses do not all
// come back at once.
func jitter(wait time.Duration) time.Duration {
	return time.Duration(float64(wait) * (0.8 + 0.4*rand.Float64()))
}

func sleep(ctx context.Context, wait time.Duration) error {
	if wait <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// settled makes a call with a token that is taken and in the region where the
// account lives: it renews the one and follows the other once. Neither a 401 nor a
// 421 was carried out, so that even an order may be sent again.
func (c *Client) settled(ctx context.Context, r request) ([]byte, error) {
	renewed, moved := c.Renew == nil || r.As == Nobody, c.Moved == nil
	for {
		token, err := c.token(ctx, r.As)
		if err != nil {
			return nil, err
		}
		body, err := c.send(ctx, r, token)
		switch {
		case !renewed && is(err, codeToken):
			renewed, err = true, c.Renew(ctx, token)
		case !moved && is(err, codeRegion):
			moved, err = true, c.follow(ctx, err)
		default:
			return body, err
		}
		if err != nil {
			return nil, err
		}
	}
}

func (c *Client) token(ctx context.Context, as Identity) (string, error) {
	if as == Nobody {
		return "", nil
	}
	return c.Token(ctx, as)
}

// follow goes to the region that a 421 named, if it is one of ours.
func (c *Client) follow(ctx context.Context, misdirected error) error {
	var e *Error
	if errors.As(misdirected, &e) && e.moved != "" {
		return c.Moved(ctx, e.moved)
	}
	return misdirected
}

// elsewhere finds the base URL that a 421 names, in its body or its Alt-Svc.
var elsewhere = regexp.MustCompile(`(?:use base URL: |h2="?)(https?://[^\s,";]+)`)

// regionIn is the region whose base URL a 421 names: ours, or Tesla's own where ours
// stands for it. The call goes to ours: no other host ever gets a token.
func (h Hosts) regionIn(header http.Header, body []byte) Region {
	for _, text := range []string{string(body), header.Get("Alt-Svc")} {
		for _, found := range elsewhere.FindAllStringSubmatch(text, -1) {
			named := strings.TrimRight(found[1], "/.")
			for _, region := range slices.Sorted(maps.Keys(h.API)) {
				if strings.EqualFold(named, h.API[region]) || named == DefaultHosts().API[region] {
					return region
				}
			}
		}
	}
	return ""
}

// send makes one call: within the limits and the budget, in its time, counted.
func (c *Client) send(ctx context.Context, r request, token string) ([]byte, error) {
	if err := c.Meter.Allow(r.Category, r.Order()); err != nil {
		return nil, err
	}
	wait, err := c.limiter.take(time.Now(), r.Category, r.vin)
	if err != nil {
		return nil, err
	}
	if err := sleep(ctx, wait); err != nil {
		return nil, fmt.Errorf("%s: %w", r.Name, err)
	}
	begin := time.Now()
	answer, err := c.exchange(ctx, r, token)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%s: %w", r.Name, ctx.Err())
	} else if err == nil && (answer.status < 200 || answer.status > 299) {
		err = c.complain(r, answer)
	}
	c.record(ctx, r, answer, time.Since(begin), err)
	return answer.body, err
}

// reply is what came back.
type reply struct {
	sent   bool // the request left the house
	status int  // 0 where nothing came back
	header http.Header
	body   []byte
}

// exchange sends a request and reads its answer.
func (c *Client) exchange(ctx context.Context, r request, token string) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout())
	defer cancel()
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(w httptrace.WroteRequestInfo) { sent.Store(w.Err == nil) },
	})
	req, err := http.NewRequestWithContext(ctx, r.Method, c.base()+r.target, bytes.NewReader(r.body))
	if err != nil {
		return reply{}, car.Refuse(car.Internal, "%s: the region has no usable base URL", r.Name)
	}
	c.dress(req, token)
	response, err := c.HTTP.Do(req)
	if err != nil {
		return reply{sent: sent.Load()}, unreachable(sent.Load(), err)
	}
	defer response.Body.Close()
	got := reply{sent: true, status: response.StatusCode, header: response.Header}
	got.body, err = io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	if err != nil {
		return got, unreachable(true, err)
	}
	if len(got.body) > maxBody {
		return got, &Error{Status: got.status, Code: codeOdd, refused: car.Internal,
			advice: "the answer is longer than 8 MiB: please report it"}
	}
	return got, nil
}

// timeout is how long an answer may take: Tesla itself gives a car about 10 s.
func (r request) timeout() time.Duration {
	if r.Category == State && !r.Unsafe {
		return 10 * time.Second
	}
	return 30 * time.Second
}

func (c *Client) base() string {
	if c.Region != nil {
		if base, ok := c.Hosts.API[c.Region()]; ok {
			return base
		}
	}
	return c.Hosts.API[NorthAmerica] // any will do: a wrong one names the right one
}

func (c *Client) dress(req *http.Request, token string) {
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if c.Agent != "" {
		req.Header.Set("User-Agent", c.Agent)
	}
	if req.Method != http.MethodGet {
		req.Header.Set("Content-Type", "application/json")
	}
}

// unreachable is a call without an answer. The URL in Go's error holds the car's
// number, so that it is left out.
func unreachable(sent bool, err error) error {
	e := &Error{Code: codeNoWay, refused: car.Timeout,
		advice: "Tesla cannot be reached: check the internet connection"}
	if sent {
		e.Code = codeNoAnswer
		e.advice = "Tesla did not answer in time: try again, after a look at what the car does"
	}
	var of *url.Error
	if errors.As(err, &of) {
		err = of.Err
	}
	e.Text = harmless(err.Error())
	return e
}

// complain makes an error of an answer, and notes what it means for later calls.
func (c *Client) complain(r request, a reply) error {
	e := newError(a.status, a.header, a.body)
	switch e.Code {
	case codeRegion:
		e.moved = c.Hosts.regionIn(a.header, a.body)
	case codeExceeded:
		c.Meter.Exceeded()
	case codeLimited:
		c.limiter.pause(r.Category, r.vin, time.Now().Add(e.RetryAfter))
	case codeScope:
		e.advice = "the account did not give a permission (" + r.scopes() +
			"): run `wheelhouse tesla login` and tick it"
	}
	return e
}

// scopes are the scopes that a call needs, for people.
func (r request) scopes() string {
	if strings.Contains(r.target, "location_data") {
		return r.Scope + " or vehicle_location"
	}
	return r.Scope
}

// record counts a call that left the house, and tells the log and the metrics.
func (c *Client) record(ctx context.Context, r request, a reply, took time.Duration, err error) {
	if c.Observe != nil {
		c.Observe(r.Name, r.Category, a.status, took)
	}
	line := c.Log.Debug().Str("endpoint", r.Name).Int("status", a.status).Dur("took", took)
	if r.vin != "" {
		line = line.Str("vin", tail(r.vin))
	}
	var e *Error
	if errors.As(err, &e) && e.TxID != "" {
		line = line.Str("txid", e.TxID)
	}
	line.AnErr("error", err).Msg("tesla call")
	if !a.sent {
		return
	}
	// Whoever asked may be gone; the bill stays.
	if err := c.Meter.Count(context.WithoutCancel(ctx), r.Endpoint, r.vin, a.status); err != nil {
		c.Log.Error().Err(err).Msg("the bill could not be stored: it is stored with the next call")
	}
}

// tail is as much of a VIN as may be seen.
func tail(vin string) string { return "…" + vin[max(0, len(vin)-4):] }
