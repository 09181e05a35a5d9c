package main

import "net"

// address is a listener's address, for people.
type address struct{ net.Addr }

func (a address) String() string {
	if a.Addr == nil {
		return "none"
	}
	return a.Addr.String()
}

// brokerAddress is where the embedded broker's first listener is.
func (h *house) brokerAddress() string {
	if h.broker == nil || h.broker.Addr(0) == nil {
		return ""
	}
	return h.broker.Addr(0).String()
}

// brokerPort is the port to type into Home Assistant, "" without an embedded
// broker.
func (h *house) brokerPort() string {
	_, port, err := net.SplitHostPort(h.brokerAddress())
	if err != nil {
		return ""
	}
	return port
}
