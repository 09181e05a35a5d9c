package mqtt_test

import (
	"context"
	"net"
	"strings"
	"sync"

	"github.com/eclipse/paho.golang/packets"
)

// fakeBroker answers packets as a test likes.
type fakeBroker struct {
	// answer gets each packet of a connection (counted from 1); what it returns
	// is sent; false hangs up.
	answer func(conn int, p *packets.ControlPacket) (answer []packets.Packet, stay bool)

	mu    sync.Mutex
	conns int
	lines []net.Conn
}

// Dial makes a connection.
func (f *fakeBroker) Dial(context.Context) (net.Conn, error) {
	near, far := net.Pipe()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conns++
	f.lines = append(f.lines, far)
	go f.serve(f.conns, far)
	return near, nil
}

func (f *fakeBroker) connections() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.conns
}

// cut closes every connection.
func (f *fakeBroker) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.lines {
		_ = c.Close()
	}
}

func (f *fakeBroker) serve(n int, c net.Conn) {
	defer c.Close()
	for {
		p, err := packets.ReadPacket(c)
		if err != nil {
			return
		}
		answers, stay := f.answer(n, p)
		for _, a := range answers {
			if _, err := a.WriteTo(c); err != nil {
				return
			}
		}
		if !stay {
			return
		}
	}
}

// obey is what a broker would answer.
func obey(p *packets.ControlPacket) []packets.Packet {
	switch c := p.Content.(type) {
	case *packets.Connect:
		return []packets.Packet{connack(0, &packets.Properties{})}
	case *packets.Publish:
		if c.QoS > 0 {
			return []packets.Packet{puback(c, 0)}
		}
	case *packets.Subscribe:
		return []packets.Packet{&packets.Suback{
			PacketID: c.PacketID, Properties: &packets.Properties{},
			Reasons: make([]byte, len(c.Subscriptions)),
		}}
	case *packets.Pingreq:
		return []packets.Packet{&packets.Pingresp{}}
	}
	return nil
}

func connack(code byte, p *packets.Properties) packets.Packet {
	return &packets.Connack{ReasonCode: code, Properties: p}
}

func puback(p *packets.Publish, code byte) packets.Packet {
	return &packets.Puback{PacketID: p.PacketID, ReasonCode: code, Properties: &packets.Properties{}}
}

// lines collects a log.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, string(p))
	return len(p), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.all, "")
}

func (l *lines) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.all)
}
