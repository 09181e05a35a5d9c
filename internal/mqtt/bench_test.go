package mqtt_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/mqtt"
)

// BenchmarkEmbedded measures retained QoS 1 messages from the outbox through the
// embedded broker to a subscriber by TCP.
func BenchmarkEmbedded(b *testing.B) {
	broker := startBroker(b, mqtt.BrokerOptions{Endpoints: loopback(mqtt.Endpoint{})})
	count := countAll(b, tcp(broker.Addr(0)))
	client, _ := startClient(b, mqtt.ClientOptions{Dial: broker.Dial, Status: status})
	b.Run("outbox", func(b *testing.B) { benchOutbox(b, client, count) })
	b.Run("bare paho", func(b *testing.B) { benchPaho(b, tcp(broker.Addr(0)), count) })
}

// countAll subscribes to everything below wheelhouse and counts.
func countAll(b *testing.B, dial func() (net.Conn, error)) *atomic.Int64 {
	count := new(atomic.Int64)
	sub := newPeer(b, peerOptions{
		dial: dial, id: "subscriber", take: func(*paho.Publish) { count.Add(1) }})
	sub.subscribe(b, "wheelhouse/#")
	return count
}

// benchTopics is how many topics the benchmarks use: 64 cars with 14 each.
const benchTopics = 64 * 14

// benchOutbox publishes b.N messages as fast as the outbox takes them without
// coalescing any.
func benchOutbox(b *testing.B, c *mqtt.Client, count *atomic.Int64) {
	drained(b, c)
	start, published := count.Load(), c.Stats().Published
	var topic [benchTopics]string
	for i := range topic {
		topic[i] = fmt.Sprintf("wheelhouse/car%d/key%d", i/14, i%14)
	}
	b.ResetTimer()
	for sent := 0; sent < b.N; {
		for i := 0; i < benchTopics && sent < b.N; i++ {
			c.Publish(car.Message{Topic: topic[i], Payload: fmt.Sprint(b.N, sent), Retain: true})
			sent++
		}
		drained(b, c)
	}
	if n := c.Stats().Published - published; n != uint64(b.N) {
		b.Fatalf("%d messages published of %d: some were coalesced", n, b.N)
	}
	await(b, "all received", func() bool { return count.Load() >= start+int64(b.N) })
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
}

// benchPaho publishes b.N messages of the same kind without us: paho, with as
// many in flight.
func benchPaho(b *testing.B, dial func() (net.Conn, error), count *atomic.Int64) {
	conn, err := dial()
	if err != nil {
		b.Fatal(err)
	}
	p := paho.NewClient(paho.ClientConfig{Conn: packets.NewThreadSafeConn(conn)})
	if _, err := p.Connect(context.Background(), &paho.Connect{
		ClientID: "bare", KeepAlive: 60, CleanStart: true,
		Username: home.Name, UsernameFlag: true, Password: []byte(home.Password), PasswordFlag: true,
	}); err != nil {
		b.Fatal(err)
	}
	defer p.Disconnect(&paho.Disconnect{})
	start := count.Load()
	var next atomic.Int64
	var workers sync.WaitGroup
	b.ResetTimer()
	for range 20 {
		workers.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				t := i % benchTopics
				_, err := p.Publish(context.Background(), &paho.Publish{
					Topic:   fmt.Sprintf("wheelhouse/car%d/command/key%d", t/14, t%14),
					Payload: []byte(fmt.Sprint(i)), QoS: 1, Retain: true,
				})
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	workers.Wait()
	await(b, "all received", func() bool { return count.Load() >= start+int64(b.N) })
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
}
