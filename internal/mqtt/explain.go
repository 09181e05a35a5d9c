package mqtt

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
)

// failed notes a connection that did not come about.
func (c *Client) failed(err error) {
	no := denied(err)
	err = explain(err)
	if no && c.o.Server != nil {
		// The next answer may be another password: no reason to wait long.
		no, err = false, errStale
	}
	c.line.failed(no)
	c.complain("no connection with the MQTT broker", err)
}

// lost notes why a connection ended.
func (c *Client) lost(err error) { c.note(fmt.Errorf("connection lost: %w", err)) }

// dismissed notes that, and why, the broker ended the connection.
func (c *Client) dismissed(d *paho.Disconnect) {
	if d.ReasonCode == packets.DisconnectSessionTakenOver {
		c.note(errors.New("another program connected with the same mqtt.client_id"))
		return
	}
	reason := ""
	if d.Properties != nil {
		reason = d.Properties.ReasonString
	}
	c.note(fmt.Errorf("the broker ended the connection (code %#x) %s", d.ReasonCode, reason))
}

// note keeps an error for Stats and says it.
func (c *Client) note(err error) {
	c.mu.Lock()
	c.stats.LastError = err.Error()
	c.mu.Unlock()
	c.o.Log.Warn().Err(err).Msg("MQTT")
}

// complain notes an error; one that repeats itself is said once.
func (c *Client) complain(what string, err error) {
	c.mu.Lock()
	c.stats.LastError = err.Error()
	known := c.last == err.Error()
	c.last = err.Error()
	log := c.o.Log.With().Err(err).Logger()
	if c.url.Host != "" {
		log = log.With().Str("broker", c.url.Redacted()).Logger()
	}
	c.mu.Unlock()
	if !known {
		log.Warn().Msg(what)
	}
}

// denied says whether the broker refused, so that trying again soon is useless.
func denied(err error) bool {
	var ack *autopaho.ConnackError
	return errors.As(err, &ack) && badCredentials(ack)
}

func badCredentials(ack *autopaho.ConnackError) bool {
	return ack.ReasonCode == packets.ConnackBadUsernameOrPassword ||
		ack.ReasonCode == packets.ConnackNotAuthorized
}

// explain says what a failed attempt means and what to do about it.
func explain(err error) error {
	var ack *autopaho.ConnackError
	if errors.As(err, &ack) {
		return explainConnack(ack)
	}
	// TLS 1.3 says the first after the handshake, TLS 1.2 the second within.
	for _, s := range []string{"tls: certificate required", "tls: bad certificate"} {
		if strings.Contains(err.Error(), s) {
			return fmt.Errorf("mqtt.cert_file, mqtt.key_file: "+
				"the broker wants a client certificate: %w", err)
		}
	}
	var dial *dialError
	if errors.As(err, &dial) {
		return explainDial(dial.error)
	}
	var unknown *unknownError
	if errors.As(err, &unknown) {
		return unknown.error
	}
	if hungUp(err) {
		return errMQTT3
	}
	return err
}

// hungUp says whether the other side ended the connection.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET)
}

var errMQTT3 = errors.New("the broker hung up instead of answering an MQTT 5 greeting: " +
	"if it speaks MQTT 3 only, use another (mosquitto 1.6 or newer speaks 5); " +
	"otherwise check that mqtt.url names an MQTT port, with mqtts:// where it wants TLS")

var errStale = errors.New("the broker refuses user and password: if mqtt.user is set, check both; " +
	"otherwise they are asked for again, and if this lasts, restart the broker")

func explainConnack(ack *autopaho.ConnackError) error {
	if badCredentials(ack) {
		return fmt.Errorf("mqtt.user, mqtt.password: the broker refuses them (code %#x)", ack.ReasonCode)
	}
	switch ack.ReasonCode {
	case packets.ConnackUnsupportedProtocolVersion:
		return errMQTT3
	case packets.ConnackInvalidClientID:
		return errors.New("mqtt.client_id: the broker refuses it")
	}
	return fmt.Errorf("the broker refuses the connection (code %#x) %s", ack.ReasonCode, ack.Reason)
}

func explainDial(err error) error {
	var authority x509.UnknownAuthorityError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &authority):
		return fmt.Errorf("mqtt.ca_file: "+
			"the broker's certificate is signed by nobody known here: %w", err)
	case errors.As(err, &record):
		return fmt.Errorf("mqtt.url: the broker speaks no TLS at this port: %w", err)
	case hungUp(err):
		return fmt.Errorf("mqtt.url: "+
			"the broker hung up when greeted: are scheme and port right? (%w)", err)
	}
	return err
}

// dialError marks an error from before the first byte of MQTT.
type dialError struct{ error }

// Unwrap returns what happened.
func (e *dialError) Unwrap() error { return e.error }
