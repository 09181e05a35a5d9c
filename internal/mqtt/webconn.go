package mqtt

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
)

// webConn is MQTT's stream of bytes over a WebSocket's binary messages, whose
// borders mean nothing (MQTT 5, section 6). One goroutine may read, one write.
type webConn struct {
	*websocket.Conn
	message io.Reader // the rest of the message being read, or nil
}

// Read reads from the current message, or waits for the next.
func (c *webConn) Read(p []byte) (int, error) {
	for {
		if c.message == nil {
			kind, r, err := c.NextReader()
			if err != nil {
				return 0, streamError(err)
			}
			if kind != websocket.BinaryMessage {
				return 0, errors.New("websocket: MQTT comes in binary messages")
			}
			c.message = r
		}
		n, err := c.message.Read(p)
		if errors.Is(err, io.EOF) {
			c.message, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, streamError(err)
		}
	}
}

// streamError makes the WebSocket's goodbye the end of a stream.
func streamError(err error) error {
	if websocket.IsCloseError(err, websocket.CloseNormalClosure, websocket.CloseGoingAway) {
		return io.EOF
	}
	return err
}

// Write sends p as one message.
func (c *webConn) Write(p []byte) (int, error) {
	if err := c.WriteMessage(websocket.BinaryMessage, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// SetDeadline sets both deadlines, the one for writing until the next message
// only: the WebSocket's own is no business of another goroutine than the writer's.
func (c *webConn) SetDeadline(t time.Time) error { return c.NetConn().SetDeadline(t) }

// acceptWeb answers a WebSocket's greeting. Which page it comes from does not
// matter: who may do what is decided by the CONNECT packet, not by a browser's
// cookies.
func acceptWeb(c net.Conn) (*webConn, error) {
	in := bufio.NewReader(io.LimitReader(c, maxHello))
	r, err := http.ReadRequest(in)
	if err != nil {
		return nil, err
	}
	u := websocket.Upgrader{
		Subprotocols: []string{"mqtt"},
		CheckOrigin:  func(*http.Request) bool { return true },
	}
	// No server of net/http: it would keep connections that the broker counts.
	ws, err := u.Upgrade(&webAnswer{conn: c, header: http.Header{}}, r, nil)
	if err != nil {
		return nil, err
	}
	return &webConn{Conn: ws}, nil
}

// webAnswer is the http.ResponseWriter of a connection without a server.
type webAnswer struct {
	conn   net.Conn
	header http.Header
}

// Header returns what WriteHeader does not send: the refusals need none.
func (a *webAnswer) Header() http.Header { return a.header }

// WriteHeader answers a greeting that is refused.
func (a *webAnswer) WriteHeader(code int) {
	_, _ = fmt.Fprintf(a.conn, "HTTP/1.1 %d %s\r\nConnection: close\r\n\r\n",
		code, http.StatusText(code))
}

// Write writes the refusal's text.
func (a *webAnswer) Write(p []byte) (int, error) { return a.conn.Write(p) }

// Hijack gives the connection to the WebSocket.
func (a *webAnswer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return a.conn, bufio.NewReadWriter(bufio.NewReader(a.conn), bufio.NewWriter(a.conn)), nil
}
