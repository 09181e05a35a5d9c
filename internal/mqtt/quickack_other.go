//go:build !linux

package mqtt

import "net"

// quickAck does nothing where the system has no such option.
func quickAck(c net.Conn) net.Conn { return c }
