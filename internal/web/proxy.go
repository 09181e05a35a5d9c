package web

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// The headers in which proxies say who and what they stand for.
const (
	forwardedFor   = "X-Forwarded-For"
	forwardedProto = "X-Forwarded-Proto"
	forwardedHost  = "X-Forwarded-Host"
)

// Proxies believes the X-Forwarded headers of the trusted proxies and of nobody
// else: next sees the client's address in RemoteAddr, the scheme and host that
// it used in URL.Scheme and Host, and none of the headers.
func Proxies(trusted []netip.Prefix, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, forwarded(trusted, r))
	})
}

// forwarded returns the request as the client made it.
func forwarded(trusted []netip.Prefix, r *http.Request) *http.Request {
	told := *r
	url := *r.URL
	told.URL, url.Scheme = &url, scheme(r)
	if !slices.ContainsFunc([]string{forwardedFor, forwardedProto, forwardedHost},
		func(h string) bool { return r.Header.Values(h) != nil }) {
		return &told
	}
	told.Header = r.Header.Clone()
	for _, h := range []string{forwardedFor, forwardedProto, forwardedHost} {
		told.Header.Del(h)
	}
	peer, ok := address(r.RemoteAddr)
	if !ok || !trusts(trusted, peer) {
		return &told
	}
	if client := clientOf(trusted, peer, r.Header.Values(forwardedFor)); client != peer {
		told.RemoteAddr = net.JoinHostPort(client.String(), "0") // the port is not told
	}
	switch proto := strings.ToLower(last(r.Header.Values(forwardedProto))); proto {
	case "http", "https":
		url.Scheme = proto
	}
	host := last(r.Header.Values(forwardedHost))
	if host != "" && !strings.ContainsAny(host, " /\\@?#") {
		told.Host = host
	}
	return &told
}

func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// clientOf walks the chain from the nearest proxy outwards. Each proxy adds on
// the right the address that it saw; the first one that is not trusted is the
// client, and whatever stands left of it the client may have invented.
func clientOf(trusted []netip.Prefix, peer netip.Addr, headers []string) netip.Addr {
	client := peer
	for _, hop := range slices.Backward(split(headers)) {
		addr, ok := address(hop)
		if !ok {
			return client
		}
		if client = addr; !trusts(trusted, addr) {
			return client
		}
	}
	return client
}

// split joins repeated headers and returns their comma-separated items.
func split(headers []string) []string {
	items := strings.Split(strings.Join(headers, ","), ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}

// last is the item the nearest proxy wrote.
func last(headers []string) string {
	items := split(headers)
	return items[len(items)-1]
}

// address reads an address with or without a port.
func address(s string) (netip.Addr, bool) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return a.Unmap().WithZone(""), err == nil
}

func trusts(trusted []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(a) })
}
