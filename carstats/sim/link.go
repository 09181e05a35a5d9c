package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"time"
)

// The app's network: how often it ticks and how long it waits for an answer
// are one number, which time-outs raise and successes lower again.
const (
	interval    = 5 * time.Second
	maxInterval = 30 * time.Second
	calmAfter   = 5 // successes
)

var errTimeout = errors.New("no answer in time")

// link posts as the app does: one attempt, no redirects, credentials sent
// unasked.
type link struct {
	client    *http.Client
	own       bool
	url       string
	header    http.Header
	patience  time.Duration // interval and time-out
	successes int
}

func newLink(o Options, r Release) *link {
	l := &link{patience: interval, header: http.Header{
		"Content-Type":    {"application/json;charset=UTF-8"},
		"Accept":          {"application/json"},
		"User-Agent":      {r.userAgent()},
		"Accept-Encoding": {"gzip"},
		"Connection":      {"Keep-Alive"},
	}}
	if u, err := url.Parse(o.URL); err == nil {
		u.User = nil
		l.url = u.String()
	}
	if o.User != "" || o.Password != "" {
		req := http.Request{Header: l.header}
		req.SetBasicAuth(o.User, o.Password)
	}
	if o.Client != nil {
		client := *o.Client
		l.client = &client
	} else {
		l.client, l.own = &http.Client{Transport: androidTransport()}, true
	}
	l.client.CheckRedirect = func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}
	return l
}

// androidTransport speaks HTTP/1.1 only, like Android's HttpURLConnection.
func androidTransport() *http.Transport {
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, IdleConnTimeout: 5 * time.Minute}
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	return t
}

func (l *link) close() {
	if l.own {
		l.client.CloseIdleConnections()
	}
}

// post sends a body of size bytes and returns status and text of the answer.
func (l *link) post(ctx context.Context, body io.Reader, size int64) (int, string, error) {
	ctx, done := l.limit(ctx)
	defer done()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.url, body)
	if err != nil {
		return 0, "", fmt.Errorf("url: %w", err)
	}
	req.Header = l.header.Clone()
	req.ContentLength = size
	resp, err := l.client.Do(req)
	if err != nil {
		return 0, "", l.failed(ctx, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 512))
	if err != nil {
		return 0, "", l.failed(ctx, err)
	}
	io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20)) // so that the connection is kept
	l.answered(resp.StatusCode)
	return resp.StatusCode, string(text), nil
}

// limit ends the context when the app's socket would time out: while
// connecting, and after the last byte of the body. Sending may take longer.
func (l *link) limit(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(l.patience, func() { cancel(errTimeout) })
	trace := &httptrace.ClientTrace{
		GotConn:      func(httptrace.GotConnInfo) { timer.Stop() },
		WroteRequest: func(httptrace.WroteRequestInfo) { timer.Reset(l.patience) },
	}
	return httptrace.WithClientTrace(ctx, trace), func() {
		timer.Stop()
		cancel(nil)
	}
}

// failed is the error of a request without an answer. After a time-out the app
// becomes more patient.
func (l *link) failed(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errTimeout) {
		l.patience = min(l.patience+5*time.Second, maxInterval)
		l.successes = 0
		return errTimeout
	}
	var outer *url.Error // would repeat the URL, which may hold a token
	if errors.As(err, &outer) {
		err = outer.Err
	}
	return err
}

func (l *link) answered(status int) {
	if status != http.StatusOK {
		return
	}
	l.successes++
	if l.successes >= calmAfter && l.patience > interval {
		l.patience -= 5 * time.Second
		l.successes = 0
	}
}
