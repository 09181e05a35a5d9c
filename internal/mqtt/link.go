package mqtt

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// link is one connection, from its CONNACK to its loss.
type link struct {
	context.Context
	end     context.CancelFunc
	manager *autopaho.ConnectionManager
	window  int    // messages the broker wants unacknowledged at most
	maximum uint32 // bytes a packet may have, 0 for any
}

// overhead is more than a PUBLISH packet has beside topic and payload.
const overhead = 16

func newLink(m *autopaho.ConnectionManager, ack *paho.Connack) *link {
	l := &link{manager: m, window: maxInFlight}
	l.Context, l.end = context.WithCancel(context.Background())
	if p := ack.Properties; p != nil {
		if p.ReceiveMaximum != nil {
			l.window = min(l.window, max(1, int(*p.ReceiveMaximum)))
		}
		if p.MaximumPacketSize != nil {
			l.maximum = *p.MaximumPacketSize
		}
	}
	return l
}

// up hands a new connection to Run. It must not block: autopaho would not see
// the connection's end.
func (c *Client) up(m *autopaho.ConnectionManager, ack *paho.Connack) {
	c.line.up()
	l := newLink(m, ack)
	c.mu.Lock()
	c.current = l
	c.mu.Unlock()
	select {
	case <-c.links: // one that came and went before Run looked
	default:
	}
	c.links <- l
}

// down ends the connection for everybody who works with it.
func (c *Client) down() bool {
	c.line.down()
	c.mu.Lock()
	l := c.current
	c.current = nil
	c.stats.Reconnects++
	c.mu.Unlock()
	l.end()
	return true
}

// serve works with a connection until it is lost, or until ctx ends; then it
// says goodbye.
func (c *Client) serve(ctx context.Context, l *link) {
	defer l.end()
	if l.Err() != nil {
		return // gone already
	}
	c.o.Log.Info().Str("broker", c.url.Redacted()).Msg("connected to the MQTT broker")
	if c.o.OnUp != nil {
		c.o.OnUp()
	}
	if c.o.OnDown != nil {
		defer c.o.OnDown()
	}
	c.subscribe(l)
	c.announce(l, Online)
	c.resume()
	var workers sync.WaitGroup
	for range l.window {
		workers.Go(func() { c.send(l) })
	}
	stop := context.AfterFunc(l, c.wakeAll)
	select {
	case <-l.Done():
	case <-ctx.Done():
		c.leave(l)
	}
	l.end()
	workers.Wait()
	stop()
}

// resume makes the whole outbox dirty: the broker may have lost everything. The
// status was told just now.
func (c *Client) resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outbox.resend()
	c.outbox.told(c.o.Status)
}

func (c *Client) wakeAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.work.Broadcast()
}

// leave lets the outbox drain and says goodbye. The will would do it too, but
// later.
func (c *Client) leave(l *link) {
	c.mu.Lock()
	c.leaving = true
	c.mu.Unlock()
	quick, cancel := context.WithTimeout(l, drainWithin)
	defer cancel()
	if c.Drained(quick) != nil && l.Err() == nil {
		c.o.Log.Warn().Int("messages", c.Stats().Dirty).Msg("the MQTT broker did not take everything in time")
	}
	c.announce(l, Offline)
}

// announce publishes the status past the outbox.
func (c *Client) announce(l *link, status string) {
	if c.o.Status == "" {
		return
	}
	ctx, cancel := context.WithTimeout(l, leaveWithin)
	defer cancel()
	m := car.Message{Topic: c.o.Status, Payload: status, Retain: true}
	if err := l.publish(ctx, m); err != nil && l.Err() == nil {
		c.refuse(m.Topic, err)
	}
}

// subscribe subscribes to the filters and to the status: a will that a broker
// delivers late must not stay.
func (c *Client) subscribe(l *link) {
	filters := c.o.Filters
	if c.o.Status != "" {
		filters = append([]Filter{{Topic: c.o.Status, NoRetained: true}}, filters...)
	}
	if len(filters) == 0 {
		return
	}
	s := &paho.Subscribe{}
	for _, f := range filters {
		o := paho.SubscribeOptions{Topic: f.Topic, QoS: 1}
		if f.NoRetained {
			o.RetainHandling, o.RetainAsPublished = 2, true
		}
		s.Subscriptions = append(s.Subscriptions, o)
	}
	ack, err := l.manager.Subscribe(l, s)
	if err == nil || l.Err() != nil {
		return
	}
	if ack == nil {
		c.refuse("the subscriptions", err)
		return
	}
	for i, code := range ack.Reasons {
		if code >= 0x80 && i < len(filters) {
			c.refuse(filters[i].Topic, fmt.Errorf("subscription refused (code %#x): may %q read it?", code, c.o.User))
		}
	}
}

// send publishes what is in the outbox until the connection ends.
func (c *Client) send(l *link) {
	for {
		p, ok := c.take(l)
		if !ok {
			return
		}
		start := time.Now()
		err := l.publish(l, p.Message)
		if err == nil && c.o.Observe != nil {
			c.o.Observe(time.Since(start))
		}
		c.finish(p, err)
	}
}

// take waits for the next message to send.
func (c *Client) take(l *link) (parcel, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for l.Err() == nil {
		if p, ok := c.outbox.next(); ok {
			return p, true
		}
		c.work.Wait()
	}
	return parcel{}, false
}

// finish tells the outbox what became of a message.
func (c *Client) finish(p parcel, err error) {
	f := fateOf(err)
	if f == refused {
		c.refuse(p.Topic, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outbox.done(p, f)
	if f == accepted {
		c.stats.Published++
	}
	if c.outbox.dirty() == 0 {
		for _, waits := range c.drained {
			close(waits)
		}
		c.drained = nil
	}
}

// refusal is a broker's answer that trying again would not change.
type refusal struct{ error }

func fateOf(err error) fate {
	var no refusal
	switch {
	case err == nil:
		return accepted
	case errors.As(err, &no), errors.Is(err, paho.ErrInvalidArguments):
		return refused
	}
	return failed
}

// publish sends one message and waits for its acknowledgement.
func (l *link) publish(ctx context.Context, m car.Message) error {
	if size := uint64(len(m.Topic) + len(m.Payload) + overhead); l.maximum > 0 && size > uint64(l.maximum) {
		// The broker would hang up, and again at each attempt.
		return refusal{fmt.Errorf("message of %d bytes: the broker takes %d", size, l.maximum)}
	}
	ack, err := l.manager.Publish(ctx, &paho.Publish{
		Topic: m.Topic, Payload: []byte(m.Payload), QoS: 1, Retain: m.Retain,
	})
	if err != nil && ack != nil && ack.ReasonCode >= packets.PubackUnspecifiedError {
		return refusal{fmt.Errorf("refused by the broker (code %#x): may mqtt.user write there?", ack.ReasonCode)}
	}
	return err
}

// refuse tells of something the broker would not have.
func (c *Client) refuse(what string, err error) {
	c.o.Log.Warn().Str("topic", what).Err(err).Msg("the MQTT broker does not take this")
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Refused++
	c.stats.LastError = what + ": " + err.Error()
}

// receive hands on what arrives. Our own status is for ourselves: a will of ours
// that comes late is set right.
func (c *Client) receive(r paho.PublishReceived) (bool, error) {
	p := r.Packet
	if p.Topic == c.o.Status {
		c.contradict(string(p.Payload))
		return true, nil
	}
	if c.o.OnMessage != nil {
		c.o.OnMessage(Inbound{Topic: p.Topic, Payload: p.Payload, Retained: p.Retain})
	}
	return true, nil
}

func (c *Client) contradict(status string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.outbox.states[c.o.Status]; status == Offline && !c.leaving && s != nil {
		s.known = false
		c.outbox.queue(s)
		c.work.Signal()
	}
}
