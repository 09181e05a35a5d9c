// Package supervisor asks the Home Assistant Supervisor what it tells its apps.
package supervisor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// URL is where every app finds the Supervisor.
	URL = "http://supervisor"

	answerWithin = 10 * time.Second
	maxAnswer    = 64 << 10 // bytes; real ones have some hundred
)

// ErrNoBroker is what an app hears while no app offers a broker.
var ErrNoBroker = errors.New("no MQTT broker: install the Mosquitto broker app and start it, " +
	"or name a broker in mqtt.url, or set broker.enabled for Wheelhouse's own")

// Client asks the Supervisor. A proxy that the environment names (http_proxy) is
// used, as every program does.
type Client struct {
	URL   string // see [URL]
	Token string // the environment's SUPERVISOR_TOKEN
}

// Broker is the MQTT broker that another app offers.
type Broker struct {
	Host           string
	Port           uint16
	TLS            bool
	User, Password string // may be empty
}

// Address is the broker's URL.
func (b Broker) Address() string {
	u := url.URL{Scheme: "mqtt", Host: net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))}
	if b.TLS {
		u.Scheme = "mqtts"
	}
	return u.String()
}

// service is the Supervisor's own word for a broker. Its protocol is left out:
// it says 3.1.1 of a broker that speaks 5.
type service struct {
	Host     string `json:"host"`
	Port     port   `json:"port"`
	TLS      bool   `json:"ssl"`
	User     string `json:"username"`
	Password string `json:"password"`
}

// port is a number, or a text that holds one.
type port uint16

// UnmarshalJSON reads both.
func (p *port) UnmarshalJSON(data []byte) error {
	n, err := strconv.ParseUint(string(bytes.Trim(data, `"`)), 10, 16)
	*p = port(n)
	return err
}

// Broker asks for the MQTT broker; [ErrNoBroker] where there is none. The answer
// may be another one the next time: people install brokers and change passwords.
func (c Client) Broker(ctx context.Context) (Broker, error) {
	data, err := c.get(ctx, "/services/mqtt")
	if err != nil {
		return Broker{}, err
	}
	var s service
	if err := json.Unmarshal(data, &s); err != nil || s.Host == "" || s.Port == 0 {
		// Not repeated, and neither is the error: it may hold the password.
		return Broker{}, errors.New("what the Home Assistant Supervisor tells of the MQTT broker " +
			"is not understood: update both, or name the broker in mqtt.url")
	}
	return Broker{
		Host: s.Host, Port: uint16(s.Port), TLS: s.TLS, User: s.User, Password: s.Password,
	}, nil
}

// get asks for a path and returns the data of the answer.
func (c Client) get(ctx context.Context, path string) (json.RawMessage, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL+path, nil)
	if err != nil {
		return nil, err
	}
	q.Header.Set("Authorization", "Bearer "+c.Token)
	client := http.Client{Timeout: answerWithin}
	a, err := client.Do(q)
	if err != nil {
		return nil, silent(err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(io.LimitReader(a.Body, maxAnswer))
	if err != nil {
		return nil, silent(err)
	}
	var answer struct {
		Result  string          `json:"result"`
		Message string          `json:"message"`
		Data    json.RawMessage `json:"data"`
	}
	err = json.Unmarshal(body, &answer)
	if a.StatusCode == http.StatusOK && err == nil && answer.Result == "ok" {
		return answer.Data, nil
	}
	return nil, refusal(a.StatusCode, answer.Message)
}

func silent(err error) error {
	return fmt.Errorf("the Home Assistant Supervisor does not answer: %w", err)
}

// refusal says what an answer means that is none.
func refusal(status int, message string) error {
	if strings.Contains(message, "not enabled") {
		return ErrNoBroker
	}
	said := strings.TrimSpace(fmt.Sprintf("HTTP %d %s", status, message))
	if status == http.StatusUnauthorized || status == http.StatusForbidden {
		return fmt.Errorf("the Home Assistant Supervisor refuses this app (%s): "+
			"restart the app, and if that does not help, install it again", said)
	}
	return fmt.Errorf("the Home Assistant Supervisor answers %s: its own log may say why", said)
}
