package main

import (
	"context"
	"net"
)

func dialBroker(ctx context.Context, address string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "tcp", address)
}
