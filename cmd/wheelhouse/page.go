package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	_ "embed"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/bridge"
	"github.com/wheelhouse-mqtt/wheelhouse/carstats"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/web"
)

//go:embed page.html
var pageHTML string

// reachingURL explains how to get a public address.
const reachingURL = projectURL + "#reaching-the-house-from-the-car"

// page is what somebody sees who opens Wheelhouse in Home Assistant.
type page struct {
	Nonce, Version, Now string

	Missing []string // what keeps it from working

	Address      string // to type into the car
	Public       bool   // and it is known
	CarPassword  string
	OwnPasswords bool // some cars have another one
	Reaching     string

	Cars []pageCar

	Broker    string // which one it is
	Connected bool
	Home      *pageLogin // what to type into Home Assistant; nil for nothing
}

// pageCar is a car on the page.
type pageCar struct {
	Name, ID, Last, Trouble string
	Requests                int64
}

// pageLogin is how Home Assistant gets into the embedded broker.
type pageLogin struct{ Host, Port, User, Password string }

// buildPage binds the page's port, if there is to be one.
func (h *house) buildPage() (err error) {
	if h.cfg.HTTP.Ingress == "" {
		return nil
	}
	h.page, err = web.New(web.Options{
		Listen: h.cfg.HTTP.Ingress, Setting: "http.ingress", Log: h.log,
		Handler: indoors(showPage(h.look)),
	})
	if err == nil {
		h.acquired = append(h.acquired, h.page)
	}
	return err
}

// look sees how the house is just now.
func (h *house) look(ctx context.Context) page {
	now := time.Now()
	public := h.cfg.HTTP.PublicURL
	p := page{
		Version: version(), Now: now.Format("15:04:05"), Reaching: reachingURL,
		Address: cmp.Or(public, someURL) + carstats.Path + "/NAME", Public: public != "",
		CarPassword: h.secrets.CarPassword, Broker: h.brokerName(),
	}
	if !p.Public {
		p.Missing = append(p.Missing, "A public https address: the car accepts nothing else. "+
			"When you have one, name it in "+h.settingName("http.public_url")+".")
	}
	p.Missing = append(p.Missing, web.Failing(ctx, h.health())...)
	s := h.client.Stats()
	if p.Connected = s.Connected; !s.Connected {
		p.Missing = append(p.Missing, "MQTT: "+cmp.Or(s.LastError, "not connected yet"))
	}
	for _, c := range h.cfg.Cars {
		p.OwnPasswords = p.OwnPasswords || c.Password != ""
	}
	cars, err := h.bridge.Glances(ctx)
	if err != nil {
		p.Missing = append(p.Missing, "cars: "+err.Error())
	}
	for _, c := range cars {
		p.Cars = append(p.Cars, glance(c, now))
	}
	if port := h.brokerPort(); port != "" {
		p.Home = &pageLogin{Host: h.host(), Port: port, User: homeUser, Password: h.secrets.HomePassword}
	}
	return p
}

// glance is a car for the page. What went wrong a day ago is history.
func glance(c bridge.Glance, now time.Time) pageCar {
	out := pageCar{Name: c.Name, ID: string(c.ID), Last: ago(now.Sub(c.Last)), Requests: c.Requests}
	if since := now.Sub(c.Since); c.Trouble != "" && since < 24*time.Hour {
		out.Trouble = ago(since) + ": " + c.Trouble
	}
	return out
}

// ago is a length of time as people say it.
func ago(d time.Duration) string {
	for _, unit := range []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		switch n := int(d / unit.of); {
		case n == 1:
			return "1 " + unit.name + " ago"
		case n > 1:
			return fmt.Sprintf("%d %ss ago", n, unit.name)
		}
	}
	return "just now"
}

// showPage answers with the page, and with nothing else. It holds passwords, so
// nobody may keep it, and only Home Assistant may show it inside a page of its
// own. It has no script, and no link to anything of its own but itself: its
// address is another one below every Home Assistant.
func showPage(look func(context.Context) page) http.Handler {
	t := template.Must(template.New("page").Parse(pageHTML))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "405 there is only something to see here", http.StatusMethodNotAllowed)
			return
		}
		p := look(r.Context())
		p.Nonce = rand.Text()
		var b bytes.Buffer
		if err := t.Execute(&b, p); err != nil {
			http.Error(w, "500 "+err.Error(), http.StatusInternalServerError)
			return
		}
		header := w.Header()
		header.Set("Content-Type", "text/html; charset=utf-8")
		header.Set("Cache-Control", "no-store")
		header.Set("Content-Security-Policy", "default-src 'none'; style-src 'nonce-"+p.Nonce+
			"'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(b.Bytes())
	})
}

// ingress is the Supervisor, which shows an app's page to those who are logged in
// at Home Assistant.
var ingress = netip.AddrFrom4([4]byte{172, 30, 32, 2})

// indoors lets in the Supervisor and this machine. The machine's own browser must
// have asked for the machine: else any website could point its name here and read
// along.
func indoors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, _ := netip.ParseAddrPort(r.RemoteAddr)
		switch from := peer.Addr().Unmap(); {
		case from == ingress, from.IsLoopback() && namesLoopback(r.Host):
			next.ServeHTTP(w, r)
		default:
			http.Error(w, "403 this page is shown in Home Assistant only", http.StatusForbidden)
		}
	})
}

func namesLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
