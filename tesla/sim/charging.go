package sim

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
)

// session is a charge at a Supercharger.
type session struct {
	id      int64
	vin     string
	site    string
	country string
	start   time.Time
	stop    time.Time
	unlatch time.Time // zero: the cable is still in
	kwh     float64
	rate    float64 // EUR/kWh
}

// A session appears an hour after its end, and is paid five hours later.
const (
	appearsAfter = time.Hour
	paidAfter    = 6 * time.Hour
)

// session is the charge that ends now.
func (c *Car) session() session {
	return session{
		id: c.id%1000*1_000_000 + 500_000_000 + int64(len(c.sessions)+1), vin: c.spec.VIN,
		site: "Invented Harbour, NL - Quay Street", country: "NL",
		start: c.since, stop: c.now, kwh: c.added / 1e3, rate: 0.41,
	}
}

// pastSessions are two charges of before the beginning; a car that somebody else
// owns has none.
func pastSessions(spec Spec, n int, now time.Time) (all []session) {
	if spec.Driver {
		return nil
	}
	for i, days := range []int{21, 6} {
		stop := now.Add(-time.Duration(days) * 24 * time.Hour).Truncate(time.Second)
		all = append(all, session{
			id: int64(n)*1_000_000 + 500_000_000 + int64(i+1), vin: spec.VIN,
			site: "Madeup Junction, DE", country: "DE",
			start: stop.Add(-25 * time.Minute), stop: stop, unlatch: stop.Add(4 * time.Minute),
			kwh: float64(31 + 7*i), rate: 0.52,
		})
	}
	return all
}

// body is the session as the history has it now.
func (s session) body(now time.Time) object {
	paid := now.Sub(s.stop) >= paidAfter
	cost := cents(math.Round(s.kwh) * s.rate)
	unlatch := s.unlatch
	if unlatch.IsZero() {
		unlatch = s.stop
	}
	o := object{
		"sessionId": s.id, "vin": s.vin, "siteLocationName": s.site, "countryCode": s.country,
		"chargeStartDateTime": local(s.start), "chargeStopDateTime": local(s.stop),
		"unlatchDateTime": local(unlatch),
		"fees": []object{
			fee(s.id*2+1, "CHARGING", "PAYMENT", "kwh", s.rate, math.Round(s.kwh), cost, paid),
			fee(s.id*2+2, "PARKING", "NO_CHARGE", "min", 0, 0, 0, true),
		},
		"billingType": "IMMEDIATE", "invoices": []object{}, "vehicleMakeType": "TSLA",
	}
	if paid {
		o["invoices"] = []object{{
			"fileName":  fmt.Sprintf("INVENTED-%d-%s.pdf", s.id, s.country),
			"contentId": s.content(), "invoiceType": "IMMEDIATE",
		}}
	}
	return o
}

// content is what the session's invoice is called.
func (s session) content() string { return fmt.Sprintf("11111111-2222-4333-8444-%012d", s.id) }

func fee(id int64, kind, pricing, unit string, rate, usage, total float64, paid bool) object {
	status := "PAID"
	if !paid {
		status = "PENDING"
	}
	return object{
		"sessionFeeId": id, "feeType": kind, "currencyCode": "EUR", "pricingType": pricing, "uom": unit,
		"rateBase": rate, "rateTier1": 0, "rateTier2": 0, "rateTier3": nil, "rateTier4": nil,
		"usageBase": usage, "usageTier1": 0, "usageTier2": 0, "usageTier3": nil, "usageTier4": nil,
		"totalBase": total, "totalTier1": 0, "totalTier2": 0, "totalTier3": 0, "totalTier4": 0,
		"totalDue": total, "netDue": total, "isPaid": paid, "status": status,
	}
}

func cents(x float64) float64 { return math.Round(x*100) / 100 }

// local is a time as the site's clock shows it.
func local(at time.Time) string {
	return at.In(time.FixedZone("", 3600)).Format(time.RFC3339)
}

// appeared are the sessions that the history knows by now, of one car or of all,
// the oldest first.
func (t *Tesla) appeared(now time.Time, vin string) (all []session) {
	for _, car := range t.cars {
		car.advance(now)
		for _, s := range car.sessions {
			if (vin == "" || vin == s.vin) && now.Sub(s.stop) >= appearsAfter {
				all = append(all, s)
			}
		}
	}
	slices.SortFunc(all, func(a, b session) int { return a.start.Compare(b.start) })
	return all
}

// history is the list of sessions, the newest first unless asked otherwise; in no
// envelope, as in Tesla's example.
func (t *Tesla) history(c *call) reply {
	var since, until time.Time
	for name, at := range map[string]*time.Time{"startTime": &since, "endTime": &until} {
		if s := c.query.Get(name); s != "" {
			var err error
			if *at, err = time.Parse(time.RFC3339, s); err != nil {
				return failure("400_invalid_field").explain("%s is no time", name)
			}
		}
	}
	all := slices.DeleteFunc(t.appeared(c.now, c.query.Get("vin")), func(s session) bool {
		return s.start.Before(since) || !until.IsZero() && s.start.After(until)
	})
	if !strings.EqualFold(c.query.Get("sortOrder"), "ASC") {
		slices.Reverse(all)
	}
	size := c.int("pageSize", 50)
	from := min((c.int("pageNo", 1)-1)*size, len(all))
	data := []object{}
	for _, s := range all[from:min(from+size, len(all))] {
		data = append(data, s.body(c.now))
	}
	if t.options.Wrapped {
		return good(object{"data": data, "totalResults": len(all), "hasMoreData": from+len(data) < len(all)})
	}
	return plain(http.StatusOK, object{"data": data})
}

// invoice is a PDF of nothing but what it is.
func (t *Tesla) invoice(c *call) reply {
	for _, s := range t.appeared(c.now, "") {
		if s.content() == c.r.PathValue("contentId") && c.now.Sub(s.stop) >= paidAfter {
			body := fmt.Sprintf("%%PDF-1.4\n%% invented invoice of session %d\n%%%%EOF\n", s.id)
			return reply{http.StatusOK, http.Header{"Content-Type": {"application/pdf"}}, []byte(body)}
		}
	}
	return failure("404_not_found")
}

// sessions are for businesses that own a fleet.
func (t *Tesla) sessions(c *call) reply {
	if !t.options.Business {
		return failure("403_missing_scopes")
	}
	data := []object{}
	for _, s := range t.appeared(c.now, c.query.Get("vin")) {
		cost := cents(s.kwh * s.rate)
		data = append(data, object{
			"id": s.content(), "vin": s.vin, "model": "m3", "total_energy": cents(s.kwh),
			"start_date_time": s.start.UTC().Format(time.RFC3339),
			"stop_date_time":  s.stop.UTC().Format(time.RFC3339),
			"total_time":      round(s.stop.Sub(s.start).Hours(), 3),
			"location":        object{"country": s.country, "name": s.site},
			"total_cost":      object{"excl_vat": cents(cost / 1.21), "incl_vat": cost, "vat": 21},
			"charging_periods": []object{{
				"dimensions":      []object{{"type": "ENERGY", "volume": cents(s.kwh)}},
				"start_date_time": s.start.UTC().Format(time.RFC3339),
			}},
			"tariffs": object{"currency": "EUR", "elements": []object{{
				"price_components": []object{{"price": s.rate, "step_size": 1, "type": "ENERGY"}},
				"restrictions":     object{},
			}}},
		})
	}
	from := min(max(c.int("offset", 0), 0), len(data))
	data = data[from:min(from+c.int("limit", 50), len(data))]
	return plain(http.StatusOK, object{
		"data": data, "status_code": 1000, "status_message": "Success",
		"timestamp": c.now.UTC().Format(time.RFC3339),
	})
}
