package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
)

// subscriber counts what a broker sends. It reads the packets by itself, for a
// library would cost more than the broker.
type subscriber struct {
	net.Conn
	in *bufio.Reader

	mu     sync.Mutex
	topics map[string]*heard
	last   time.Time // a message came, or listening began
}

// heard is what is known of one topic.
type heard struct {
	count   int
	payload string
	hash    uint64      // of all payloads in order, see chain
	times   []time.Time // of arrival
}

// chain adds a payload to the hash of those before it.
func chain(before uint64, payload []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(binary.BigEndian.AppendUint64(nil, before))
	_, _ = h.Write(payload)
	return h.Sum64()
}

// subscribe subscribes to a filter as the user home and listens until the test
// ends.
func subscribe(tb testing.TB, address, filter string) *subscriber {
	tb.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		tb.Fatal(err)
	}
	s := &subscriber{
		Conn: conn, in: bufio.NewReaderSize(conn, 256<<10), topics: map[string]*heard{}, last: time.Now(),
	}
	hello := &packets.Connect{
		ProtocolName: "MQTT", ProtocolVersion: 5, CleanStart: true,
		ClientID:     fmt.Sprint("subscriber", time.Now().UnixNano()),
		UsernameFlag: true, Username: homeUser, PasswordFlag: true, Password: []byte(secret),
		Properties: &packets.Properties{},
	}
	_, err = hello.WriteTo(conn)
	if err == nil {
		_, err = packets.ReadPacket(s.in)
	}
	if err == nil {
		_, err = (&packets.Subscribe{
			PacketID: 1, Properties: &packets.Properties{}, Subscriptions: []packets.SubOptions{{Topic: filter}},
		}).WriteTo(conn)
	}
	if err == nil {
		_, err = packets.ReadPacket(s.in)
	}
	if err != nil {
		tb.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for s.packet() == nil {
		}
	}()
	tb.Cleanup(func() {
		_ = conn.Close()
		<-ended
	})
	return s
}

// packet reads one packet; all but PUBLISH at QoS 0 is skipped.
func (s *subscriber) packet() error {
	kind, err := s.in.ReadByte()
	if err != nil {
		return err
	}
	length, err := binary.ReadUvarint(s.in)
	if err != nil {
		return err
	}
	if kind>>4 != packets.PUBLISH {
		_, err = s.in.Discard(int(length))
		return err
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(s.in, body); err != nil {
		return err
	}
	topic, rest := body[2:2+binary.BigEndian.Uint16(body)], body[2+binary.BigEndian.Uint16(body):]
	properties, size := binary.Uvarint(rest)
	s.hear(topic, rest[size+int(properties):])
	return nil
}

func (s *subscriber) hear(topic, payload []byte) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.topics[string(topic)]
	if t == nil {
		t = &heard{}
		s.topics[string(topic)] = t
	}
	t.count++
	t.payload = string(payload)
	t.hash = chain(t.hash, payload)
	t.times = append(t.times, now)
	if !clocked(string(topic)) {
		s.last = now
	}
}

// clocked says whether a topic changes with the time, not only with what cars
// report.
func clocked(topic string) bool {
	return strings.HasSuffix(topic, "/last_seen") || strings.HasSuffix(topic, "/diagnostics") ||
		strings.HasPrefix(topic, "wheelhouse/bridge/")
}

// holds waits until every topic that the fleet has changed shows the last tick.
func (s *subscriber) holds(tb testing.TB, f *fleet) {
	tb.Helper()
	until(tb, 10*time.Second, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		for c, id := range f.cars {
			for k, want := range tickValues(f.sent[c] - 1) {
				topic := "wheelhouse/" + string(id) + "/" + tickKeys[k]
				if t := s.topics[topic]; t == nil || t.payload != want {
					return fmt.Errorf("%s: %v, want %s", topic, t, want)
				}
			}
		}
		return nil
	})
}

// quiet waits until nothing has come for a while, and returns when the last
// message came.
func (s *subscriber) quiet(tb testing.TB) time.Time {
	tb.Helper()
	var last time.Time
	until(tb, 20*time.Second, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if last = s.last; time.Since(last) < 300*time.Millisecond {
			return fmt.Errorf("messages still come")
		}
		return nil
	})
	return last
}

// retainedNow is what a new subscriber hears, but for what the clock changes.
func retainedNow(tb testing.TB, address string) map[string]string {
	tb.Helper()
	s := subscribe(tb, address, "wheelhouse/#")
	s.quiet(tb)
	return s.state()
}

// state is the latest payload of each topic, but for what the clock changes and
// events.
func (s *subscriber) state() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]string, len(s.topics))
	for topic, t := range s.topics {
		if !clocked(topic) && !strings.HasSuffix(topic, "/event") {
			all[topic] = t.payload
		}
	}
	return all
}

// messages counts what came, and how much of it on the topics of every tick.
func (s *subscriber) messages() (all, ticks int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for topic, t := range s.topics {
		all += t.count
		if slices.Contains(tickKeys, topic[strings.LastIndexByte(topic, '/')+1:]) {
			ticks += t.count
		}
	}
	return all, ticks
}

// mark forgets the history of all topics, not their values.
func (s *subscriber) mark() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for t := range maps.Values(s.topics) {
		t.count, t.hash, t.times = 0, 0, nil
	}
}

// lacking says which topics lack a value of the ticks from first on, or have not
// the right ones in order.
func (s *subscriber) lacking(f *fleet, first int) (wrong []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c, id := range f.cars {
		want := make([]uint64, len(tickKeys))
		for i := first; i < f.sent[c]; i++ {
			for k, payload := range tickValues(i) {
				want[k] = chain(want[k], []byte(payload))
			}
		}
		for k, key := range tickKeys {
			t := s.topics["wheelhouse/"+string(id)+"/"+key]
			if t.count != f.sent[c]-first || t.hash != want[k] {
				wrong = append(wrong, fmt.Sprintf("%s/%s: %d values came of %d", id, key, t.count, f.sent[c]-first))
			}
		}
	}
	return wrong
}

// fewErrors fails the test with the first of what is wrong.
func fewErrors(tb testing.TB, wrong []string) {
	tb.Helper()
	if len(wrong) > 0 {
		tb.Errorf("%d topics are wrong, first %s", len(wrong), strings.Join(wrong[:min(3, len(wrong))], "; "))
	}
}

// until asks until there is no error, every few milliseconds.
func until(tb testing.TB, within time.Duration, try func() error) {
	tb.Helper()
	deadline := time.Now().Add(within)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatal(err)
		}
		<-tick.C
	}
}
