package mqtt

import (
	"context"
	"net/url"

	"github.com/eclipse/paho.golang/paho"
)

// Server is a broker, and how to get in.
type Server struct {
	URL            string // as ClientOptions.URL
	User, Password string // empty for none
}

// fixedURL is the broker's URL as far as the options know it.
func fixedURL(o ClientOptions) (*url.URL, error) {
	switch {
	case o.Dial != nil:
		return &url.URL{Scheme: "embedded", Host: "broker"}, nil
	case o.Server != nil:
		return &url.URL{}, nil
	}
	return parseURL(o.URL)
}

// Broker is the broker's URL, "" while Server has named none.
func (c *Client) Broker() string { return c.broker().Redacted() }

// broker is the URL of the broker that was chosen last.
func (c *Client) broker() *url.URL {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.url
}

// choose asks which broker the next attempt is for, and says in its CONNECT
// packet who we are there.
func (c *Client) choose(ctx context.Context, p *paho.Connect) error {
	if c.o.Server == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, dialWithin)
	defer cancel()
	s, err := c.o.Server(ctx)
	if err != nil {
		c.move(&url.URL{})
		return &unknownError{err}
	}
	u, err := parseURL(s.URL)
	if err != nil {
		return &unknownError{err}
	}
	c.move(u)
	p.Username, p.UsernameFlag = s.User, s.User != ""
	p.Password, p.PasswordFlag = []byte(s.Password), s.Password != ""
	return nil
}

func (c *Client) move(to *url.URL) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.url = to
}

// unknownError is why it is not known which broker to connect to.
type unknownError struct{ error }

// Unwrap returns what happened.
func (e *unknownError) Unwrap() error { return e.error }
