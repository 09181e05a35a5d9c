package mqtt

import (
	"net"
	"syscall"
)

// quickAck wraps a TCP connection so that each arriving segment is acknowledged
// at once. Mosquitto leaves Nagle's algorithm on: with the kernel's delayed
// acknowledgement every QoS 1 round trip would take 42 ms instead of 0.3.
// The kernel forgets the option, so it is set again before each read.
func quickAck(c net.Conn) net.Conn {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return c
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return c
	}
	return &quickConn{TCPConn: tcp, raw: raw}
}

type quickConn struct {
	*net.TCPConn
	raw syscall.RawConn
}

func (c *quickConn) Read(p []byte) (int, error) {
	_ = c.raw.Control(setQuickAck) // a slow acknowledgement is no reason to fail
	return c.TCPConn.Read(p)
}

func setQuickAck(fd uintptr) {
	_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
}
