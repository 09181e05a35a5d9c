package sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// call is one request while it is answered, with Tesla's lock held.
type call struct {
	r      *http.Request
	now    time.Time
	region string
	query  url.Values
	form   url.Values // of the token endpoint
	body   object     // of JSON; nil for none
	token  token
	car    *Car // that the path names; nil for none
}

const maxBody = 1 << 20

// page answers calls that are no part of the API.
func (t *Tesla) page(name string, answer func(*call) reply) http.HandlerFunc {
	return t.exchange("", endpoint{name: name, category: Free}, func(c *call, raw []byte) reply {
		c.form, _ = url.ParseQuery(string(raw))
		return answer(c)
	})
}

// endpoint answers calls of the API of a region.
func (t *Tesla) endpoint(region string, e endpoint) http.HandlerFunc {
	return t.exchange(region, e, func(c *call, raw []byte) reply { return t.answer(c, e, raw) })
}

// exchange gives an answer, or what a fault makes of it, and puts it on the bill.
// It holds the lock while it finds the answer.
func (t *Tesla) exchange(region string, e endpoint, answer func(*call, []byte) reply) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
		fault := t.fault(e.name)
		if err != nil || !fault.wait(r.Context()) {
			return
		}
		t.mu.Lock()
		c := &call{r: r, now: t.options.Now(), region: region, query: r.URL.Query()}
		c.car = t.named(r, c.now)
		a := fault.spoil(func() reply { return answer(c, raw) })
		t.txid++
		id := fmt.Sprintf("00000000-0000-4000-8000-%012x", t.txid)
		if a.status != 0 {
			t.bill[Spent{e.category, e.name, c.car.vin(), a.status}]++
		}
		t.mu.Unlock()
		if fault.Cut || a.status == 0 {
			sever(w)
			return
		}
		w.Header().Set("X-Txid", id)
		a.send(w)
	}
}

// answer refuses what Tesla would refuse, in the order in which it would, and
// answers the rest.
func (t *Tesla) answer(c *call, e endpoint, raw []byte) reply {
	for _, check := range []func(*call, endpoint) (reply, bool){
		t.checkToken, t.checkLimit, t.checkRegion, t.checkScope, checkType, t.checkCar, t.checkRate, checkAwake,
	} {
		if a, ok := check(c, e); !ok {
			return a
		}
	}
	if len(raw) > 0 && json.Unmarshal(raw, &c.body) != nil {
		return failure("400_invalid_request").explain("the body is no JSON object")
	}
	return e.answer(t, c)
}

// unless refuses with a file of testdata/errors what is not fine.
func unless(fine bool, file string) (reply, bool) {
	if fine {
		return reply{}, true
	}
	return failure(file), false
}

func (t *Tesla) checkToken(c *call, e endpoint) (reply, bool) {
	access, ok := strings.CutPrefix(c.r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return failure("401_empty"), false
	}
	k, known := t.tokens[access]
	switch {
	case !known || k.revoked(), k.partner != (e.needs == partner):
		return failure("401_invalid_bearer_token"), false
	case !c.now.Before(k.expires):
		return failure("401_token_expired"), false
	}
	c.token = k
	return reply{}, true
}

func (t *Tesla) checkLimit(*call, endpoint) (reply, bool) {
	return unless(!t.over, "403_exceeded_limit")
}

func (t *Tesla) checkRegion(c *call, e endpoint) (reply, bool) {
	switch _, registered := t.apps[c.region]; {
	case e.needs == partner:
		return reply{}, true
	case e.name != "region" && c.region != t.options.Region:
		a := failure("421_wrong_region")
		a.body = bytes.ReplaceAll(a.body, []byte(baseURL("eu")), []byte(baseURL(t.options.Region)))
		a.header.Set("Alt-Svc", "h2="+baseURL(t.options.Region))
		return a, false
	case !registered:
		return failure("412_not_registered"), false
	}
	return reply{}, true
}

func (t *Tesla) checkScope(c *call, e endpoint) (reply, bool) {
	ok := e.scopes == "" || slices.ContainsFunc(strings.Fields(e.scopes), c.token.has)
	return unless(ok, "403_missing_scopes")
}

// checkType insists on JSON for everything that is posted.
func checkType(c *call, _ endpoint) (reply, bool) {
	kind, _, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	return unless(c.r.Method != http.MethodPost || kind == "application/json", "406_not_acceptable")
}

func (t *Tesla) checkCar(c *call, e endpoint) (reply, bool) {
	ok := c.car != nil || !strings.Contains(e.path, "{vehicle_tag}") && !strings.Contains(e.path, "{vin}")
	return unless(ok, "404_not_found")
}

func (t *Tesla) checkRate(c *call, e endpoint) (reply, bool) {
	wait := t.take(bucket{e.category, c.car.vin()}, c.now)
	if wait == 0 {
		return reply{}, true
	}
	seconds := strconv.Itoa(int(math.Ceil(wait.Seconds())))
	a := failure("429_rate_limited").explain("Retry in %s seconds", seconds)
	a.header.Set("Retry-After", seconds)
	a.header.Set("RateLimit-Reset", seconds)
	a.header.Set("RateLimit-Limit", strconv.Itoa(t.options.Limits[e.category]))
	return a, false
}

// checkAwake refuses calls that need the car itself while it cannot be had.
func checkAwake(c *call, e endpoint) (reply, bool) {
	if c.car == nil || e.needs != inCar && e.category != Wake {
		return reply{}, true
	}
	switch s := c.car.settings; {
	case s.InService:
		return failure("405_in_service"), false
	case s.NoMobileAccess:
		return failure("401_mobile_access_disabled"), false
	case e.needs == inCar && c.car.state() != Online:
		return failure("408_vehicle_unavailable_txid"), false
	}
	if e.needs == inCar {
		c.car.disturb(c.now)
	}
	return reply{}, true
}

// named is the car that a path names, by its VIN or by its number.
func (t *Tesla) named(r *http.Request, now time.Time) *Car {
	tag := r.PathValue("vehicle_tag") + r.PathValue("vin")
	for _, c := range t.cars {
		if tag != "" && (tag == c.spec.VIN || tag == strconv.FormatInt(c.id, 10)) {
			c.advance(now)
			return c
		}
	}
	return nil
}

// asked is the car that the query names by "vin".
func (t *Tesla) asked(c *call) *Car { return t.Car(c.query.Get("vin")) }

// int is a whole number of the query, or what it is without one.
func (c *call) int(name string, without int) int {
	if n, err := strconv.Atoi(c.query.Get(name)); err == nil && n > 0 {
		return n
	}
	return without
}

// vins are the cars that the body names.
func (c *call) vins() (all []string) {
	vins, _ := c.body["vins"].([]any)
	for _, v := range vins {
		if s, ok := v.(string); ok {
			all = append(all, s)
		}
	}
	return all
}
