package mqtt

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	retains bool   // the broker keeps retained messages
}

// overhead is more than a PUBLISH packet has beside topic and payload.
const overhead = 16

func newLink(m *autopaho.ConnectionManager, ack *paho.Connack) *link {
	l := &link{manager: m, window: maxInFlight, retains: true}
	l.Context, l.end = context.WithCancel(context.Background())
	if p := ack.Properties; p != nil {
		if p.ReceiveMaximum != nil {
			l.window = min(l.window, max(1, int(*p.ReceiveMaximum)))
		}
		if p.MaximumPacketSize != nil {
			l.maximum = *p.MaximumPacketSize
		}
		l.retains = p.RetainAvailable
	}
	return l
}

// up hands a new connection to Run. It must not block: autopaho would not see
// the connection's end.
func (c *Client) up(m *autopaho.ConnectionManager, ack *paho.Connack) {
	c.line.up()
	l := newLink(m, ack)
	c.mu.Lock()
	c.current, c.last = l, ""
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
	c.o.Log.Info().Str("broker", c.Broker()).Msg("connected to the MQTT broker")
	if c.o.OnUp != nil {
		c.o.OnUp()
	}
	if c.o.OnDown != nil {
		defer c.o.OnDown()
	}
	c.subscribe(l)
	c.announce(l, Online)
	c.resume()
	var sender sync.WaitGroup
	sender.Go(func() { c.send(l) })
	defer sender.Wait()
	defer context.AfterFunc(l, c.wakeSender)()
	defer l.end()
	c.watch(ctx, l)
	if l.Err() == nil {
		c.leave(l)
	}
}

// watch waits for the end of the connection or of ctx. Meanwhile a message that
// is not acknowledged in time is given up, and so sent again.
func (c *Client) watch(ctx context.Context, l *link) {
	tick := time.NewTicker(answerWithin / 5)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			c.ids.expire(now.Add(-answerWithin))
		case <-l.Done():
			return
		case <-ctx.Done():
			return
		}
	}
}

// resume makes the whole outbox dirty: the broker may have lost everything. The
// status was told just now.
func (c *Client) resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outbox.resend()
	c.outbox.told(c.o.Status)
}

func (c *Client) wakeSender() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.work.Signal()
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
		c.o.Log.Warn().Int("messages", c.Stats().Dirty).
			Msg("the MQTT broker did not take everything in time")
	}
	c.announce(l, Offline)
}

// announce publishes the status past the outbox and waits until it is there.
func (c *Client) announce(l *link, status string) {
	if c.o.Status == "" {
		return
	}
	answer := make(chan error, 1)
	m := car.Message{Topic: c.o.Status, Payload: status, Retain: true}
	c.publish(l, m, func(err error) { answer <- err })
	select {
	case err := <-answer:
		if fateOf(err) == refused {
			c.refuse(m.Topic, err)
		}
	case <-time.After(leaveWithin):
	}
}

// subscribe subscribes to the filters and to the status: a will that a broker
// delivers late must not stay.
func (c *Client) subscribe(l *link) {
	filters := slices.Clone(c.o.Filters)
	for _, topic := range c.o.Orders {
		filters = append(filters, Filter{Topic: topic})
	}
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
			c.refuse(filters[i].Topic,
				fmt.Errorf("subscription refused (code %#x): may mqtt.user read it?", code))
		}
	}
}

// send publishes what is in the outbox, in its order, until the connection ends.
func (c *Client) send(l *link) {
	for {
		p, ok := c.take(l)
		if !ok {
			return
		}
		start := time.Now()
		c.publish(l, p.Message, func(err error) {
			if err == nil && c.o.Observe != nil {
				c.o.Observe(time.Since(start))
			}
			c.finish(p, err)
		})
	}
}

// take waits for the next message to send and for its place in flight.
func (c *Client) take(l *link) (parcel, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for l.Err() == nil {
		if c.outbox.flying < l.window {
			if p, ok := c.outbox.next(); ok {
				return p, true
			}
		}
		c.tellDrained()
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
	c.tellDrained()
	c.work.Signal() // there is a place in flight
}

func (c *Client) tellDrained() {
	if c.outbox.dirty() > 0 {
		return
	}
	for _, waits := range c.drained {
		close(waits)
	}
	c.drained = nil
}

// refusal is why the broker does not take a message, nor would the next time.
type refusal struct{ error }

var errUnanswered = errors.New("not acknowledged")

func fateOf(err error) fate {
	var no refusal
	switch {
	case err == nil:
		return accepted
	case errors.As(err, &no):
		return refused
	}
	return failed
}

// publish sends a message and tells done, exactly once, what came of it.
func (c *Client) publish(l *link, m car.Message, done func(error)) {
	if err := l.check(m); err != nil {
		done(err)
		return
	}
	err := c.ids.publish(m, func(answer packets.ControlPacket) {
		ack, ok := answer.Content.(*packets.Puback)
		switch {
		case !ok:
			done(errUnanswered)
		case ack.ReasonCode >= packets.PubackUnspecifiedError:
			done(refusal{fmt.Errorf("refused (code %#x): may mqtt.user write there?", ack.ReasonCode)})
		default:
			done(nil)
		}
	})
	if err != nil {
		done(err)
	}
}

// check says what the broker has announced not to take. It would hang up, and
// again at each attempt.
func (l *link) check(m car.Message) error {
	size := uint64(len(m.Topic) + len(m.Payload) + len(m.Correlation) + overhead)
	switch {
	case l.maximum > 0 && size > uint64(l.maximum):
		return refusal{fmt.Errorf("message of %d bytes: the broker takes %d", size, l.maximum)}
	case m.Retain && !l.retains:
		return refusal{errors.New("the broker keeps no retained messages; Home Assistant needs them")}
	}
	return nil
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
		m := Inbound{Topic: p.Topic, Payload: p.Payload, Retained: p.Retain}
		if p.Properties != nil {
			m.Answer, m.Correlation = p.Properties.ResponseTopic, p.Properties.CorrelationData
		}
		c.o.OnMessage(m)
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
