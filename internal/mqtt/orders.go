package mqtt

import (
	"context"
	"strings"

	"github.com/eclipse/paho.golang/packets"
)

// order is a message that is acknowledged only once OnOrder has dealt with it.
type order struct {
	*packets.Publish
	epoch int // the connection that brought it
}

// orders are the orders that wait for the one goroutine that carries them out.
// A broker that sends more than fit, as mosquitto 2.0 does although it was told
// receiveMaximum, has to wait: what it has sent once it would not send again on
// this connection.
type orders struct {
	filters []string
	queue   chan order
	over    chan struct{} // closed when nobody carries out orders any more
}

func newOrders(filters []string) *orders {
	return &orders{filters: filters, queue: make(chan order, receiveMaximum), over: make(chan struct{})}
}

// take keeps a message if it is an order. While there is no room nothing is read
// from the connection.
func (o *orders) take(m *packets.Publish, epoch int) bool {
	for _, filter := range o.filters {
		if !matches(filter, m.Topic) {
			continue
		}
		select {
		case o.queue <- order{m, epoch}:
		case <-o.over:
		}
		return true
	}
	return false
}

// carryOut hands orders to OnOrder, one after the other, until ctx ends, and
// acknowledges those that need not come again.
func (c *Client) carryOut(ctx context.Context) {
	defer close(c.ids.orders.over)
	for {
		select {
		case o := <-c.ids.orders.queue:
			if o.QoS > 0 && !c.ids.current(o.epoch) {
				continue // its connection is gone: the broker sends it again
			}
			err := c.o.OnOrder(ctx, Inbound{Topic: o.Topic, Payload: o.Payload, Retained: o.Retain})
			if err != nil {
				c.o.Log.Warn().Err(err).Str("topic", o.Topic).
					Msg("a message could not be dealt with: it will come again")
				continue
			}
			if err := c.ids.ackOf(o); err != nil {
				c.o.Log.Debug().Err(err).Msg("an acknowledgement was not sent")
			}
		case <-ctx.Done():
			return
		}
	}
}

// matches says whether a topic fits a filter (MQTT 5, 4.7).
func matches(filter, topic string) bool {
	levels := strings.Split(topic, "/")
	for i, want := range strings.Split(filter, "/") {
		switch {
		case want == "#":
			return true
		case i >= len(levels) || want != "+" && want != levels[i]:
			return false
		}
	}
	return strings.Count(filter, "/") == strings.Count(topic, "/")
}
