package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/gorilla/websocket"
)

// transport is how a scheme of mqtt.url is spoken.
type transport struct {
	port string
	tls  bool
	web  bool
}

var transports = map[string]transport{
	"mqtt": {"1883", false, false}, "tcp": {"1883", false, false},
	"mqtts": {"8883", true, false}, "ssl": {"8883", true, false}, "tls": {"8883", true, false},
	"ws": {"80", false, true}, "wss": {"443", true, true},
}

// parseURL reads mqtt.url. It does not repeat it in an error: people put
// passwords in.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("mqtt.url: no URL: write mqtt://host:1883")
	}
	t, ok := transports[u.Scheme]
	switch {
	case !ok:
		return nil, fmt.Errorf("mqtt.url: unknown scheme %q: use mqtt, mqtts, ws or wss", u.Scheme)
	case u.User != nil:
		return nil, errors.New("mqtt.url: put the credentials into mqtt.user and mqtt.password")
	case u.Hostname() == "":
		return nil, errors.New("mqtt.url: no host: write mqtt://host:1883")
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), t.port)
	}
	return u, nil
}

// dial opens the line to the broker. autopaho's own dialling neither gathers
// writes nor acknowledges quickly.
func (c *Client) dial(ctx context.Context, _ autopaho.ClientConfig, _ *url.URL) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialWithin) // autopaho's has no end here
	defer cancel()
	conn, err := c.connect(ctx, c.broker())
	if err != nil {
		return nil, &dialError{err}
	}
	// Without a limit: what is unacknowledged is bounded, and an acknowledgement
	// that waited for room would stop the reading which makes it.
	return newBufferedConn(conn, 0), nil
}

func (c *Client) connect(ctx context.Context, u *url.URL) (net.Conn, error) {
	if c.o.Dial != nil {
		return c.o.Dial(ctx)
	}
	switch t := transports[u.Scheme]; {
	case t.web:
		return c.connectWeb(ctx, u)
	case t.tls:
		return c.connectTLS(ctx, u)
	}
	return dialTCP(ctx, "tcp", u.Host)
}

func dialTCP(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return quickAck(conn), nil
}

func (c *Client) connectTLS(ctx context.Context, u *url.URL) (net.Conn, error) {
	raw, err := dialTCP(ctx, "tcp", u.Host)
	if err != nil {
		return nil, err
	}
	cfg := c.o.TLS.Clone()
	if cfg == nil {
		cfg = &tls.Config{}
	}
	if cfg.ServerName == "" {
		cfg.ServerName = u.Hostname()
	}
	conn := tls.Client(raw, cfg)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return conn, nil
}

func (c *Client) connectWeb(ctx context.Context, u *url.URL) (net.Conn, error) {
	d := websocket.Dialer{
		NetDialContext:  dialTCP,
		TLSClientConfig: c.o.TLS,
		Subprotocols:    []string{"mqtt"},
		Proxy:           http.ProxyFromEnvironment,
	}
	ws, answer, err := d.DialContext(ctx, u.String(), nil)
	if errors.Is(err, websocket.ErrBadHandshake) && answer != nil {
		return nil, fmt.Errorf("mqtt.url: no WebSocket at this address (HTTP %s)", answer.Status)
	}
	if err != nil {
		return nil, err
	}
	return &webConn{Conn: ws}, nil
}
