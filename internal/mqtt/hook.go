package mqtt

import (
	"context"
	"slices"
	"strings"
	"sync"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
	"github.com/rs/zerolog"
)

// hook is where mochi asks us: who may do what, what becomes of retained
// messages, and the mending of what options cannot mend.
type hook struct {
	mochi.HookBase
	o      BrokerOptions
	access *access
	keep   *keeping
	server *mochi.Server
	log    zerolog.Logger

	newest sync.Map // client id -> *mochi.Client that has it
}

// ID names the hook in mochi's log.
func (h *hook) ID() string { return "wheelhouse" }

// Provides says which questions mochi should ask.
func (h *hook) Provides(b byte) bool {
	switch b {
	case mochi.OnConnect, mochi.OnConnectAuthenticate, mochi.OnACLCheck, mochi.OnSessionEstablish,
		mochi.OnDisconnect, mochi.OnClientExpired, mochi.OnSubscribe, mochi.OnPacketEncode, mochi.OnWill,
		mochi.OnPublish, mochi.OnPacketRead, mochi.OnRetainMessage, mochi.OnRetainedExpired:
		return true
	}
	return false
}

// own says whether a client is the program's own.
func own(cl *mochi.Client) bool { return cl.Net.Listener == memory }

// user is who a client has shown to be.
func (h *hook) user(cl *mochi.Client) User { return h.access.users[string(cl.Properties.Username)] }

// OnConnect gives each user client ids of its own: nobody takes over the session
// of another, least of all the program's. (A name has no slash.)
func (h *hook) OnConnect(cl *mochi.Client, pk packets.Packet) error {
	name := string(pk.Connect.Username)
	if own(cl) {
		name = ""
	}
	cl.ID = name + "/" + cl.ID
	return nil
}

// OnConnectAuthenticate says whether a client is who it says.
func (h *hook) OnConnectAuthenticate(cl *mochi.Client, pk packets.Packet) bool {
	if own(cl) || h.access.knows(string(pk.Connect.Username), string(pk.Connect.Password)) {
		return true
	}
	h.log.Warn().Str("client", cl.Net.Remote).Bytes("user", pk.Connect.Username).
		Msg("MQTT user or password is wrong: see broker.users")
	return false
}

// OnACLCheck says whether a client may subscribe to a filter, be sent a message
// of a topic, or write it. mochi asks the first two in one voice.
func (h *hook) OnACLCheck(cl *mochi.Client, topic string, write bool) bool {
	switch {
	case own(cl):
		return topic != ""
	case write:
		return h.access.mayWrite(h.user(cl), topic)
	}
	return topic != "" && h.access.maySubscribe(h.user(cl), topic)
}

// OnSessionEstablish looks at a client that has just been let in.
func (h *hook) OnSessionEstablish(cl *mochi.Client, _ packets.Packet) {
	h.newest.Store(cl.ID, cl)
	// An alias is made before its message is dropped in a full queue; the next
	// message would have no topic.
	cl.Properties.Props.TopicAliasMaximum = 0
	// mochi publishes wills without asking.
	w := cl.Properties.Will
	if w.Flag != 0 && !own(cl) && !h.access.mayWrite(h.user(cl), w.TopicName) {
		h.log.Warn().Str("topic", w.TopicName).Bytes("user", cl.Properties.Username).
			Msg("an MQTT client's last will is to a topic it may not write: ignored")
		cl.Properties.Will = mochi.Will{}
	}
}

// OnDisconnect forgets a client.
func (h *hook) OnDisconnect(cl *mochi.Client, _ error, _ bool) {
	h.newest.CompareAndDelete(cl.ID, cl)
}

// OnPacketRead limits the session that a DISCONNECT asks for. mochi limits only
// what CONNECT asks for.
func (h *hook) OnPacketRead(_ *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	if pk.FixedHeader.Type == packets.Disconnect {
		pk.Properties.SessionExpiryInterval = min(pk.Properties.SessionExpiryInterval, maxSession)
	}
	return pk, nil
}

// OnClientExpired removes a client's subscriptions, which mochi leaves behind.
func (h *hook) OnClientExpired(cl *mochi.Client) { h.server.UnsubscribeClient(cl) }

// OnSubscribe grants QoS 0: mochi keeps identifiers of both directions in one
// map, so that a client which sends and receives at QoS 1 loses messages, and its
// backlog can lock the whole broker.
func (h *hook) OnSubscribe(_ *mochi.Client, pk packets.Packet) packets.Packet {
	for i := range pk.Filters {
		pk.Filters[i].Qos = 0
	}
	return pk
}

// OnPacketEncode tells clients the largest packet, which mochi enforces but does
// not say.
func (h *hook) OnPacketEncode(_ *mochi.Client, pk packets.Packet) packets.Packet {
	if pk.FixedHeader.Type == packets.Connack {
		pk.Properties.MaximumPacketSize = uint32(h.o.MaxPacket)
	}
	return pk
}

// OnPublish deals with an order before its sender hears that it has arrived:
// mochi does not wait for subscribers.
func (h *hook) OnPublish(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	fits := func(filter string) bool { return matches(filter, pk.TopicName) }
	if own(cl) || !slices.ContainsFunc(h.o.Orders, fits) {
		return pk, nil
	}
	err := h.o.OnOrder(context.Background(), Inbound{
		Topic: pk.TopicName, Payload: pk.Payload, Retained: pk.FixedHeader.Retain,
	})
	switch {
	case err == nil:
		return pk, packets.CodeSuccessIgnore
	case cl.Properties.ProtocolVersion == 5 && pk.FixedHeader.Qos == 1:
		return pk, packets.ErrUnspecifiedError
	}
	return pk, packets.ErrRejectPacket // no acknowledgement can say that it failed
}

// OnWill drops the will of a connection whose client has connected again: mochi
// may take it up late, and a client that is there would be told offline. The
// delay goes too, or the late will would replace the new connection's.
func (h *hook) OnWill(cl *mochi.Client, w mochi.Will) (mochi.Will, error) {
	if newest, ok := h.newest.Load(cl.ID); ok && newest != cl {
		cl.Properties.Will.WillDelayInterval = 0
		return mochi.Will{}, nil // to no topic: reaches nobody
	}
	return w, nil
}

// OnRetainMessage keeps a retained message, before its sender is told that it
// has arrived.
func (h *hook) OnRetainMessage(cl *mochi.Client, pk packets.Packet, _ int64) {
	if err := h.keep.retained(pk.TopicName, h.computed(cl, pk.TopicName)); err != nil {
		h.log.Error().Err(err).Str("topic", pk.TopicName).Msg("a retained message could not be stored")
		cl.Stop(err) // no acknowledgement for what would not survive
	}
}

// computed says whether a message is the program's own and made anew at each start.
// What Home Assistant was told is not: only who knows it can take back what is
// announced no more.
func (h *hook) computed(cl *mochi.Client, topic string) bool {
	return own(cl) && !strings.HasPrefix(topic, h.o.Discovery+"/")
}

// OnRetainedExpired forgets a retained message.
func (h *hook) OnRetainedExpired(topic string) {
	if err := h.keep.forget(topic); err != nil {
		h.log.Error().Err(err).Str("topic", topic).Msg("an expired retained message could not be removed")
	}
}
