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
// The broker sends no more than receiveMaximum before it hears of the first, so
// that there is room for all of them; of those sent at QoS 0, which it does not
// count, some may be lost.
type orders struct {
	filters []string
	queue   chan order
}

func newOrders(filters []string) *orders {
	return &orders{filters: filters, queue: make(chan order, receiveMaximum)}
}

// take keeps a message if it is an order.
func (o *orders) take(m *packets.Publish, epoch int) bool {
	for _, filter := range o.filters {
		if !matches(filter, m.Topic) {
			continue
		}
		select {
		case o.queue <- order{m, epoch}:
		default: // more than was agreed on: at QoS 1 it comes again
		}
		return true
	}
	return false
}

// carryOut hands orders to OnOrder, one after the other, until ctx ends, and
// acknowledges those that need not come again.
func (c *Client) carryOut(ctx context.Context) {
	for {
		select {
		case o := <-c.ids.orders.queue:
			if o.QoS > 0 && !c.ids.current(o.epoch) {
				continue // its connection is gone: the broker sends it again
			}
			err := c.o.OnOrder(ctx, Inbound{Topic: o.Topic, Payload: o.Payload, Retained: o.Retain})
			if err != nil {
				c.o.Log.Warn().Err(err).Str("topic", o.Topic).Msg("a message could not be dealt with: it will come again")
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
