// Package mqtt connects the program with an MQTT 5 broker: any, or its own.
//
// [Client] keeps a connection and an outbox: what Publish was given reaches the
// broker, the latest payload of each retained topic at least, over every outage.
// [Broker] is the embedded broker, hardened where its library is known to fail.
package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"
	"github.com/rs/zerolog"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// What the status topic holds.
const (
	Online  = "online"
	Offline = "offline"
)

const (
	maxInFlight    = 20 // messages unacknowledged at once
	receiveMaximum = 20 // orders the broker may send ahead; paho reserves a place for each
	keepAlive      = 15 // seconds; a dead line is noticed after at most two
	willDelay      = 10 // seconds: a short outage is none
	sessionExpiry  = 60 // seconds; must exceed willDelay, or the end of the session sends the will

	answerWithin = 5 * time.Second // a broker that does not answer is asked again
	dialWithin   = 10 * time.Second
	drainWithin  = 3 * time.Second // at the end, for what is still in the outbox
	leaveWithin  = 2 * time.Second // at the end, for each of "offline" and the disconnection
)

// Inbound is a message that arrived.
type Inbound struct {
	Topic   string
	Payload []byte
	// Retained says that the broker had kept the message, and, for a filter with
	// NoRetained, also that its sender asked for that.
	Retained bool
	// Answer is the topic that the sender waits for an answer on, "" for none, and
	// Correlation what the answer must carry.
	Answer      string
	Correlation []byte
}

// Filter is a subscription, at QoS 1.
type Filter struct {
	Topic string
	// NoRetained asks for no message from before the subscription, and for the
	// retain flag as the sender set it: for topics that are orders.
	NoRetained bool
}

// ClientOptions say which broker, and what to do with it.
type ClientOptions struct {
	URL  string                                  // mqtt tcp mqtts ssl tls ws wss; or empty, and
	Dial func(context.Context) (net.Conn, error) // Broker.Dial, or
	// Server, which says which broker before each attempt to connect: one that
	// comes late, moves or has a new password needs no restart. An error counts as
	// a failed attempt.
	Server func(context.Context) (Server, error)

	User, Password, ClientID string
	TLS                      *tls.Config // for mqtts and wss; nil: the system's certificates

	Status  string   // topic of Online and Offline, retained; "" for none
	Filters []Filter // what to subscribe to at each connection

	// OnMessage gets what arrives, in order. OnUp is called at each connection,
	// before the filters are subscribed to, OnDown when it is lost. None may
	// block; each may be nil.
	OnMessage    func(Inbound)
	OnUp, OnDown func()

	// Orders are filters too, but what they bring goes to OnOrder, one message at
	// a time, and is acknowledged when that returns nil: until then the broker
	// has it, and sends it again on the next connection after an error or a loss.
	// OnOrder may take its time.
	Orders  []string
	OnOrder func(context.Context, Inbound) error

	// Observe gets the time each message took from the wire to its
	// acknowledgement. It must be quick; it may be nil.
	Observe func(time.Duration)

	Log zerolog.Logger
}

// Stats is a look at a client.
type Stats struct {
	Connected  bool
	Topics     int    // retained topics in the outbox
	Dirty      int    // messages the broker has not acknowledged yet
	InFlight   int    // of these, on their way
	Published  uint64 // messages acknowledged
	Dropped    uint64 // events thrown away because too many waited
	Refused    uint64 // messages the broker would not have
	Reconnects uint64 // connections after the first
	LastError  string // why there was no connection last, or what was refused; for people
}

// Client is a connection with a broker that comes back by itself, and an outbox
// for what the broker is to be told. Its methods may be called at any time from
// anywhere, before Run too.
type Client struct {
	o   ClientOptions
	ids *ledger

	links chan *link // connections that came up; the latest only
	line  backoff    // used by autopaho's goroutine only

	mu      sync.Mutex
	url     *url.URL  // of the broker; what Server said last
	work    sync.Cond // the sender may have something to do
	outbox  *outbox
	drained []chan struct{} // who waits for an empty outbox
	current *link           // nil while disconnected
	leaving bool
	last    string // the last complaint, so that it is not said again
	stats   Stats  // what cannot be counted afresh
}

// NewClient checks the options; an error names the configuration's key.
func NewClient(o ClientOptions) (*Client, error) {
	u, err := fixedURL(o)
	if err != nil {
		return nil, err
	}
	// A broker that is away for a night is worth a few lines, not a thousand.
	o.Log = o.Log.Sample(&zerolog.BurstSampler{Burst: 20, Period: 10 * time.Minute})
	c := &Client{
		o: o, url: u, ids: &ledger{orders: newOrders(o.Orders)},
		links: make(chan *link, 1), outbox: newOutbox(),
	}
	c.work.L = &c.mu
	c.outbox.backlog = maxBacklog
	if o.Status != "" {
		c.outbox.put(car.Message{Topic: o.Status, Payload: Online, Retain: true})
	}
	return c, nil
}

// Publish puts messages into the outbox; it never blocks. Of a retained topic
// the latest payload is sent, once, and those before it too as long as not too
// many messages wait; an empty one clears the topic at the broker and in the
// outbox. Other messages are sent in order, once; while the broker is
// away a thousand of them wait, then the oldest is dropped.
//
// An unretained message whose acknowledgement was lost is sent twice.
func (c *Client) Publish(messages ...car.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range messages {
		c.outbox.put(m)
	}
	c.work.Signal()
}

// Forget clears a retained topic at the broker and in the outbox.
func (c *Client) Forget(topic string) { c.Publish(car.Message{Topic: topic, Retain: true}) }

// Resend sends every retained topic again, the status first.
func (c *Client) Resend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outbox.resend()
	c.work.Signal()
}

// Drained waits until the broker has acknowledged everything.
func (c *Client) Drained(ctx context.Context) error {
	c.mu.Lock()
	if c.outbox.dirty() == 0 {
		c.mu.Unlock()
		return nil
	}
	done := make(chan struct{})
	c.drained = append(c.drained, done)
	c.mu.Unlock()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Stats looks at the client.
func (c *Client) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Connected = c.current != nil
	s.Topics = len(c.outbox.states)
	s.Dirty = c.outbox.dirty()
	s.InFlight = c.outbox.flying
	s.Dropped = c.outbox.dropped
	return s
}

// Run connects, and connects again, until ctx ends. Then it lets the outbox
// drain for three seconds, publishes Offline and disconnects. A broker that is
// away or refuses is no error: it is logged, shown by Stats and tried again.
func (c *Client) Run(ctx context.Context) error {
	// The connection outlives ctx: there are goodbyes to say.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	manager, err := autopaho.NewConnection(life, c.config(ctx))
	if err != nil {
		return err
	}
	var worker sync.WaitGroup
	worker.Go(func() { c.carryOut(ctx) })
	defer worker.Wait()
	for ctx.Err() == nil {
		select {
		case l := <-c.links:
			c.serve(ctx, l)
		case <-ctx.Done():
		}
	}
	select {
	case l := <-c.links: // it came up just now: it may hold an old status
		c.serve(ctx, l)
	default:
	}
	quick, cancel := context.WithTimeout(life, leaveWithin)
	defer cancel()
	if err := manager.Disconnect(quick); err != nil {
		return errors.New("mqtt: the connection did not end in time")
	}
	return nil
}

// config is autopaho's view of the options. When ctx ends, no broker is asked
// for any more.
func (c *Client) config(ctx context.Context) autopaho.ClientConfig {
	cfg := autopaho.ClientConfig{
		ServerUrls:        []*url.URL{c.url}, // Server may know better
		KeepAlive:         keepAlive,
		ReconnectBackoff:  c.line.wait,
		ConnectTimeout:    dialWithin,
		AttemptConnection: c.dial,
		// What others send while the line is down for a moment is not lost, and
		// the broker holds the will back: both need a session that goes on.
		CleanStartOnInitialConnection: false,
		SessionExpiryInterval:         sessionExpiry,
		ConnectUsername:               c.o.User,
		ConnectPassword:               []byte(c.o.Password),
		ConnectPacketBuilder:          c.prepareConnect(ctx),
		OnConnectionUp:                c.up,
		OnConnectionDown:              c.down,
		OnConnectError:                c.failed,
		ClientConfig: paho.ClientConfig{
			ClientID:           c.o.ClientID,
			Session:            c.ids,
			PacketTimeout:      answerWithin,
			OnPublishReceived:  []func(paho.PublishReceived) (bool, error){c.receive},
			OnClientError:      c.lost,
			OnServerDisconnect: c.dismissed,
		},
	}
	if c.o.Status != "" {
		cfg.WillMessage = &paho.WillMessage{
			Topic: c.o.Status, Payload: []byte(Offline), QoS: 1, Retain: true,
		}
		cfg.WillProperties = &paho.WillProperties{WillDelayInterval: new(uint32(willDelay))}
	}
	return cfg
}

// prepareConnect completes the CONNECT packet.
func (c *Client) prepareConnect(
	ctx context.Context,
) func(*paho.Connect, *url.URL) (*paho.Connect, error) {
	return func(p *paho.Connect, _ *url.URL) (*paho.Connect, error) {
		p.Properties.ReceiveMaximum = new(uint16(receiveMaximum))
		// Without it a broker may leave user properties out of what it delivers.
		p.Properties.RequestProblemInfo = true
		return p, c.choose(ctx, p)
	}
}
