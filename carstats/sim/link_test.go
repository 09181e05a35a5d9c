package sim_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/carstats/sim"
)

// pipes is a network without sockets, which fake time understands.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	conn, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (p pipes) Close() error   { close(p); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p pipes) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	p <- theirs
	return ours, nil
}

// slowly reads 4 KiB of a body a second and answers after the given time.
func slowly(answer time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, _, named := r.BasicAuth(); named {
			http.Error(w, "the URL's user info was used", http.StatusUnauthorized)
		}
		for {
			if _, err := io.CopyN(io.Discard, r.Body, 4<<10); err != nil {
				break
			}
			<-time.After(time.Second)
		}
		<-time.After(answer)
	})
}

// The app is patient while it sends, but not with the answer.
func TestOnlyTheAnswerMustBeQuick(t *testing.T) {
	tests := []struct {
		name   string
		answer time.Duration
		ok     bool
	}{{"slow link", 4 * time.Second, true}, {"slow answer", 6 * time.Second, false}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				wire := make(pipes)
				server := &http.Server{Handler: slowly(tt.answer)}
				served := make(chan error)
				go func() { served <- server.Serve(wire) }()
				transport := &http.Transport{DialContext: wire.dial}
				c, err := sim.New(sim.Options{URL: "http://a:b@house.example/csv", Version: "0.25.2",
					Client: &http.Client{Transport: transport}})
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				err = c.UploadDatabase(t.Context(), sim.History{Days: 1, Kilometres: 30})
				if (err == nil) != tt.ok {
					t.Errorf("error %v after %v", err, time.Since(began))
				}
				if took := time.Since(began); took < 12*time.Second {
					t.Errorf("%v is not slow", took)
				}
				if last := c.Snapshot().Last; !tt.ok && last.Err == nil {
					t.Errorf("%+v", last)
				}
				transport.CloseIdleConnections()
				if err := server.Shutdown(t.Context()); err != nil {
					t.Error(err)
				}
				if err := <-served; !errors.Is(err, http.ErrServerClosed) {
					t.Error(err)
				}
			})
		})
	}
}
