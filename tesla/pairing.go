package tesla

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"rsc.io/qr"
)

// PairURL is the link that asks an owner to let a domain's key onto a car; without
// a VIN the owner chooses the car. It is opened on the phone that has the Tesla
// app, after the sign-in.
func PairURL(hosts Hosts, domain, vin string) string {
	link := hosts.Pair + url.PathEscape(domain)
	if vin != "" {
		link += "?vin=" + url.QueryEscape(vin)
	}
	return link
}

// Pairing is how far one car is.
type Pairing struct {
	VIN      string
	Paired   bool // it knows the application's key
	Required bool // it obeys signed commands only; others need no key
}

// AwaitPairing looks every interval until all cars that need the key know it, or
// ctx ends. look asks Tesla, tell hears of every answer. A failure that only a
// person can end is returned at once.
func AwaitPairing(ctx context.Context, interval time.Duration,
	look func(context.Context) ([]Pairing, error), tell func([]Pairing, error)) error {
	for {
		cars, err := look(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		tell(cars, err)
		if IsLoginRequired(err) || err == nil && paired(cars) {
			return err
		}
		timer := time.NewTimer(interval)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

func paired(cars []Pairing) bool {
	lacking := slices.ContainsFunc(cars, func(c Pairing) bool { return c.Required && !c.Paired })
	return len(cars) > 0 && !lacking
}

// QR draws a text as a QR code in half-block characters, two modules in each, with
// the margin that cameras want. With colour it is black on white on any terminal;
// without, it is right where the background is dark, and most phones read both.
func QR(text string, colour bool) (string, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return "", err
	}
	const margin = 4
	var b strings.Builder
	for y := -margin; y < code.Size+margin; y += 2 {
		if colour {
			b.WriteString("\x1b[38;5;231;48;5;16m")
		}
		for x := -margin; x < code.Size+margin; x++ {
			switch upper, lower := code.Black(x, y), code.Black(x, y+1); {
			case !upper && !lower:
				b.WriteRune('█')
			case !upper:
				b.WriteRune('▀')
			case !lower:
				b.WriteRune('▄')
			default:
				b.WriteRune(' ')
			}
		}
		if colour {
			b.WriteString("\x1b[0m")
		}
		b.WriteByte('\n')
	}
	return b.String(), nil
}
