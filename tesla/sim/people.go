package sim

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// drivers are the people who may drive the car.
func drivers(_ *Tesla, c *call) reply {
	all := response("drivers").([]any)
	return plain(http.StatusOK, object{"response": all, "count": len(all)})
}

func removeDriver(_ *Tesla, c *call) reply {
	if c.query.Get("share_user_id") == "" && c.body["share_user_id"] == nil {
		return failure("400_invalid_field").explain("share_user_id is missing")
	}
	return good("ok")
}

// invitation is a link with which somebody becomes a driver: once, within a day.
type invitation struct {
	id      int64
	vin     string
	code    string
	made    time.Time
	revoked time.Time
	used    bool
}

const (
	invitationLives = 24 * time.Hour
	maxDrivers      = 5
)

func (i *invitation) open(now time.Time) bool {
	return i.revoked.IsZero() && !i.used && now.Sub(i.made) < invitationLives
}

func (i *invitation) body() object {
	o := shape("invitation_created")
	o["id"], o["id_s"] = i.id, strconv.FormatInt(i.id, 10)
	o["product_id"], o["vin"], o["code"] = i.vin, i.vin, i.code
	o["share_link"] = "https://www.tesla.com/_rs/1/" + i.code
	o["expires_at"] = stamp(i.made.Add(invitationLives))
	if !i.revoked.IsZero() {
		o["revoked_at"], o["state"] = stamp(i.revoked), "revoked"
	}
	if i.used {
		o["state"] = "active"
	}
	return o
}

// invited are the invitations to the car that are open.
func (t *Tesla) invited(c *call) reply {
	var all []object
	for _, i := range t.invitations {
		if i.vin == c.car.spec.VIN && i.open(c.now) {
			all = append(all, i.body())
		}
	}
	return list(c, all)
}

func (t *Tesla) invite(c *call) reply {
	var open int
	for _, i := range t.invitations {
		if i.vin == c.car.spec.VIN && (i.used || i.open(c.now)) {
			open++
		}
	}
	if open >= maxDrivers {
		return failure("400_invalid_request").explain("at most %d drivers", maxDrivers)
	}
	n := int64(len(t.invitations) + 1)
	i := &invitation{id: 429500000000 + n, vin: c.car.spec.VIN, made: c.now,
		code: fmt.Sprintf("inventedInvitationCode%022d", n)}
	t.invitations = append(t.invitations, i)
	return good(i.body())
}

func (t *Tesla) uninvite(c *call) reply {
	for _, i := range t.invitations {
		if strconv.FormatInt(i.id, 10) == c.r.PathValue("id") && i.vin == c.car.spec.VIN && i.open(c.now) {
			i.revoked = c.now
			return good(true)
		}
	}
	return failure("404_not_found")
}

func (t *Tesla) redeem(c *call) reply {
	code, _ := c.body["code"].(string)
	for _, i := range t.invitations {
		if i.code == code && i.open(c.now) {
			i.used = true
			return good(object{"vehicle_id_s": strconv.FormatInt(t.Car(i.vin).id, 10), "vin": i.vin})
		}
	}
	return failure("404_not_found")
}
