package tesla

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ChargingSession is one stop at a place where Tesla sends the bill. It appears
// hours after its end and still changes then. Home charging is never among them.
type ChargingSession struct {
	ID        int64     `json:"sessionId"`
	VIN       string    `json:"vin"`
	Site      string    `json:"siteLocationName"`
	Start     Stamp     `json:"chargeStartDateTime"` // with the site's time zone
	Stop      Stamp     `json:"chargeStopDateTime"`
	Unlatched Stamp     `json:"unlatchDateTime"`
	Country   string    `json:"countryCode"` // ISO 3166 alpha-2
	Fees      []Fee     `json:"fees"`
	Billing   string    `json:"billingType"` // "IMMEDIATE" …
	Invoices  []Invoice `json:"invoices"`
	Make      string    `json:"vehicleMakeType"` // "TSLA"
}

// Fee is one line of a session's bill. Where Tesla writes null, there is 0.
type Fee struct {
	ID         int64   `json:"sessionFeeId"`
	Type       string  `json:"feeType"`      // CHARGING, PARKING, CONGESTION
	Currency   string  `json:"currencyCode"` // ISO 4217
	Pricing    string  `json:"pricingType"`  // PAYMENT, NO_CHARGE
	Unit       string  `json:"uom"`          // kwh, min
	RateBase   float64 `json:"rateBase"`     // price of a unit
	RateTier1  float64 `json:"rateTier1"`
	RateTier2  float64 `json:"rateTier2"`
	RateTier3  float64 `json:"rateTier3"`
	RateTier4  float64 `json:"rateTier4"`
	UsageBase  float64 `json:"usageBase"` // units
	UsageTier1 float64 `json:"usageTier1"`
	UsageTier2 float64 `json:"usageTier2"`
	UsageTier3 float64 `json:"usageTier3"`
	UsageTier4 float64 `json:"usageTier4"`
	TotalDue   float64 `json:"totalDue"`
	NetDue     float64 `json:"netDue"`
	Paid       bool    `json:"isPaid"`
	Status     string  `json:"status"` // PAID …
}

// Invoice names a bill that ChargingInvoice fetches.
type Invoice struct {
	File    string `json:"fileName"`
	Content string `json:"contentId"`
	Type    string `json:"invoiceType"`
}

// Energy is what went into the car, in kWh.
func (s ChargingSession) Energy() float64 {
	total := 0.
	for _, fee := range s.Fees {
		if fee.Type == "CHARGING" && strings.EqualFold(fee.Unit, "kwh") {
			total += fee.usage()
		}
	}
	return total
}

// usage sums what was paid for. Tesla's own example has a tier with a usage and no
// rate, which is part of the base.
func (f Fee) usage() float64 {
	total := f.UsageBase
	for _, tier := range [][2]float64{
		{f.RateTier1, f.UsageTier1}, {f.RateTier2, f.UsageTier2},
		{f.RateTier3, f.UsageTier3}, {f.RateTier4, f.UsageTier4},
	} {
		if tier[0] != 0 {
			total += tier[1]
		}
	}
	return total
}

// Cost is what is to be paid, parking and all, in each currency.
func (s ChargingSession) Cost() map[string]float64 {
	cost := make(map[string]float64)
	for _, fee := range s.Fees {
		cost[fee.Currency] += fee.NetDue
	}
	return cost
}

// HistoryQuery says which sessions are wanted. What is zero is not asked for.
type HistoryQuery struct {
	VIN      string
	From, To time.Time
}

const (
	historyPage = 50
	mostPages   = 40 // 2 000 sessions: a page that never ends must not cost a fortune
)

// ChargingHistory returns the sessions at Superchargers and other sites that Tesla
// bills, the newest first, each once.
//
// GET /api/1/dx/charging/history, scope vehicle_charging_cmds. Tesla documents the
// answer without its usual envelope, clients have seen it with one: both are read.
func (c *Client) ChargingHistory(ctx context.Context, q HistoryQuery) ([]ChargingSession, error) {
	var all []ChargingSession
	seen := make(map[int64]bool)
	for page := 1; page <= mostPages; page++ {
		answer, err := fetch[struct {
			Data []ChargingSession `json:"data"`
		}](ctx, c, Call{Endpoint: "charging_history", VIN: q.VIN, Query: q.page(page)})
		if err != nil {
			return all, err
		}
		fresh := 0
		for _, session := range answer.Data {
			if !seen[session.ID] {
				seen[session.ID] = true
				all = append(all, session)
				fresh++
			}
		}
		// A server that knows no pages gives the same one again and again.
		if len(answer.Data) < historyPage || fresh == 0 {
			break
		}
	}
	return all, nil
}

func (q HistoryQuery) page(n int) url.Values {
	query := url.Values{
		"pageNo": {strconv.Itoa(n)}, "pageSize": {strconv.Itoa(historyPage)},
		"sortBy": {"chargeStartDateTime"}, "sortOrder": {"DESC"},
	}
	if !q.From.IsZero() {
		query.Set("startTime", q.From.Format(time.RFC3339))
	}
	if !q.To.IsZero() {
		query.Set("endTime", q.To.Format(time.RFC3339))
	}
	return query
}

// ChargingInvoice returns a bill as a PDF; Invoice.Content names it.
//
// GET /api/1/dx/charging/invoice/{contentId}, scope vehicle_charging_cmds.
func (c *Client) ChargingInvoice(ctx context.Context, content string) ([]byte, error) {
	return c.DoRaw(ctx, Call{Endpoint: "charging_invoice", Path: map[string]string{"contentId": content}})
}

// ChargingSessions returns the sessions of a business that owns a fleet, as Tesla
// writes them (in the manner of OCPI); anybody else is refused. From and to may be
// zero.
//
// GET /api/1/dx/charging/sessions, scope vehicle_charging_cmds.
func (c *Client) ChargingSessions(
	ctx context.Context, vin string, from, to time.Time, limit, offset int,
) (json.RawMessage, error) {
	query := url.Values{"limit": {strconv.Itoa(limit)}, "offset": {strconv.Itoa(offset)}}
	if !from.IsZero() {
		query.Set("date_from", from.Format(time.RFC3339))
	}
	if !to.IsZero() {
		query.Set("date_to", to.Format(time.RFC3339))
	}
	return c.Do(ctx, Call{Endpoint: "charging_sessions", VIN: vin, Query: query})
}
