package mqtt

import "net"

// QuickAck is quickAck.
func QuickAck(c net.Conn) net.Conn { return quickAck(c) }

// DialDoor connects with a door of the broker's network side, without a network:
// under fake time there is none.
func DialDoor(b *Broker) (net.Conn, error) {
	d := newDoor("test", nil, Endpoint{}, newSlots(1), b.server.EstablishConnection, b.o.Log)
	near, far := net.Pipe()
	d.welcome(far)
	return near, nil
}
