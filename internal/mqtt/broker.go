package mqtt

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
	"github.com/rs/zerolog"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// The defaults of BrokerOptions.
const (
	DefaultMaxPacket  = 8 << 20
	DefaultMaxClients = 100
)

const (
	// Messages that may wait for a slow subscriber, each a pointer's size. A new
	// subscriber's retained messages must fit at once.
	maxPending = 32 << 10

	maxSession  = 24 * 60 * 60 // seconds a client's absence is remembered
	sysInterval = 60           // seconds; each refresh stops the world
	closeWithin = time.Second  // for clients to hear that the broker goes

	memory = "memory" // the listener of the program's own client
)

// Endpoint is an address the broker listens at.
type Endpoint struct {
	Address   string
	TLS       *tls.Config // nil: plain
	WebSocket bool
}

// key is the configuration's name of the endpoint.
func (e Endpoint) key() string {
	switch {
	case e.WebSocket:
		return "broker.websocket.listen"
	case e.TLS != nil:
		return "broker.tls.listen"
	}
	return "broker.listen"
}

// Keeper keeps retained messages over restarts.
type Keeper interface {
	// Load returns what was kept, by topic.
	Load() (map[string][]byte, error)
	// Keep stores the data of a topic, or removes it if data is nil, and returns
	// when that is durable.
	Keep(topic string, data []byte) error
}

// BrokerOptions say where the broker listens and who may do what.
type BrokerOptions struct {
	Endpoints  []Endpoint
	Users      []User
	Topics     car.Topics
	Discovery  string // prefix of discovery topics, "homeassistant"
	Keeper     Keeper // nil: retained messages do not survive a restart
	MaxPacket  int64  // bytes; 0: DefaultMaxPacket
	MaxClients int    // connected at once; 0: DefaultMaxClients

	// Orders are filters of messages that go to OnOrder and to no subscriber. The
	// sender hears of its message when OnOrder has returned, and that it failed if
	// that was an error.
	Orders  []string
	OnOrder func(context.Context, Inbound) error

	Log zerolog.Logger
}

// BrokerStats is a look at a broker.
type BrokerStats struct {
	Clients       int    // connected, the program's own too
	Subscriptions int    //
	Retained      int    // messages kept for new subscribers, the broker's own $SYS too
	Received      uint64 // messages
	Sent          uint64 // messages
	Dropped       uint64 // messages a subscriber was too slow for
}

// Broker is the embedded MQTT broker.
//
// Subscribers are granted QoS 0: its library confuses the identifiers of
// messages to and from one client, and a slow client's backlog can stop it
// altogether. What is published to the broker is acknowledged as usual.
type Broker struct {
	o      BrokerOptions
	server *mochi.Server
	doors  []*door
	inside *door // for Dial
	keep   *keeping

	serving chan struct{} // closed when Run has begun
	done    chan struct{} // closed when it has ended
}

// NewBroker loads the kept messages and binds the ports; Run must follow, or
// Close.
func NewBroker(o BrokerOptions) (*Broker, error) {
	o.MaxPacket = min(cmp.Or(o.MaxPacket, DefaultMaxPacket), math.MaxInt32)
	o.MaxClients = cmp.Or(o.MaxClients, DefaultMaxClients)
	rules := &access{users: make(map[string]User), topics: o.Topics, discovery: o.Discovery}
	for _, u := range o.Users {
		if u.Name == "" || strings.Contains(u.Name, "/") || u.Password == "" {
			return nil, fmt.Errorf("broker.users: %q: "+
				"a user needs a name without a slash, and a password", u.Name)
		}
		rules.users[u.Name] = u
	}
	b := &Broker{
		o: o, server: mochi.New(serverOptions(o)),
		serving: make(chan struct{}), done: make(chan struct{}),
	}
	b.keep = newKeeping(o.Keeper, b.server.Topics, o.Log)
	if err := b.keep.load(time.Now()); err != nil {
		return nil, err
	}
	h := &hook{o: o, access: rules, keep: b.keep, server: b.server, log: quiet(o.Log)}
	if err := b.server.AddHook(h, nil); err != nil {
		return nil, err
	}
	if err := b.open(); err != nil {
		b.shut()
		return nil, err
	}
	return b, nil
}

// serverOptions are mochi's options with its defaults' defects mended.
func serverOptions(o BrokerOptions) *mochi.Options {
	can := mochi.NewDefaultServerCapabilities()
	can.MaximumMessageExpiryInterval = 0 // or every retained message is gone after a day
	can.MaximumClientWritesPending = maxPending
	can.MaximumSessionExpiryInterval = maxSession
	can.MaximumPacketSize = uint32(o.MaxPacket)
	can.MaximumClients = int64(o.MaxClients) + 1 // the program's own
	can.TopicAliasMaximum = 0                    // it announces none anyway
	can.Compatibilities.NoInheritedPropertiesOnAck = true
	return &mochi.Options{
		Capabilities:             can,
		ClientNetReadBufferSize:  8 << 10,
		ClientNetWriteBufferSize: 8 << 10,
		SysTopicResendInterval:   sysInterval,
		Logger:                   mochiLog(o.Log),
	}
}

// open binds the ports.
func (b *Broker) open() error {
	slots := newSlots(b.o.MaxClients)
	b.inside = newDoor(memory, nil, Endpoint{}, slots, b.server.EstablishConnection, b.o.Log)
	if err := b.server.AddListener(b.inside); err != nil {
		return err
	}
	for i, e := range b.o.Endpoints {
		l, err := net.Listen("tcp", e.Address)
		if err != nil {
			return fmt.Errorf("%s: %w: is another broker running here? "+
				"Name it in mqtt.url to use it, or give broker.listen another port", e.key(), err)
		}
		d := newDoor(fmt.Sprintf("%s#%d", e.key(), i), l, e, slots, b.server.EstablishConnection, b.o.Log)
		b.doors = append(b.doors, d)
		if err := b.server.AddListener(d); err != nil {
			return err
		}
	}
	return nil
}

// Addr is the address that the endpoint i really has.
func (b *Broker) Addr(i int) net.Addr { return b.doors[i].listener.Addr() }

// Close frees the ports of a broker that was never run.
func (b *Broker) Close() error {
	b.shut()
	return nil
}

func (b *Broker) shut() {
	for _, d := range b.doors {
		d.shut()
	}
}

// Run serves until ctx ends, then tells the clients and closes, within about a
// second.
func (b *Broker) Run(ctx context.Context) error {
	defer close(b.done)
	if err := b.server.Serve(); err != nil {
		b.shut()
		return fmt.Errorf("embedded broker: %w", err)
	}
	close(b.serving)
	<-ctx.Done()
	doors := slices.Concat(b.doors, []*door{b.inside})
	for _, d := range doors {
		d.shut()
	}
	// mochi waits for clients that do not listen, and for ever for sockets that
	// never spoke.
	hurry := time.AfterFunc(closeWithin, func() {
		for _, d := range doors {
			d.hangUp()
		}
	})
	defer hurry.Stop()
	for _, cl := range b.server.Clients.GetAll() {
		_ = b.server.DisconnectClient(cl, packets.ErrServerShuttingDown)
	}
	for _, d := range doors {
		d.hangUp()
		d.wait()
	}
	return b.server.Close()
}

// errNotServing is Dial's, when the broker has ended.
var errNotServing = errors.New("the embedded broker is not running")

// Dial connects the program's own client, in memory, with all rights.
func (b *Broker) Dial(ctx context.Context) (net.Conn, error) {
	select {
	case <-b.serving:
	case <-b.done:
		return nil, errNotServing
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	near, far := net.Pipe()
	if !b.inside.admit(far, b.inside.hostOwn) {
		return nil, errNotServing
	}
	return near, nil
}

// Stats looks at the broker.
func (b *Broker) Stats() BrokerStats {
	i := b.server.Info
	return BrokerStats{
		Clients:       int(atomic.LoadInt64(&i.ClientsConnected)),
		Subscriptions: int(atomic.LoadInt64(&i.Subscriptions)),
		Retained:      b.server.Topics.Retained.Len(),
		Received:      uint64(atomic.LoadInt64(&i.MessagesReceived)),
		Sent:          uint64(atomic.LoadInt64(&i.MessagesSent)),
		Dropped:       uint64(atomic.LoadInt64(&i.MessagesDropped)),
	}
}
