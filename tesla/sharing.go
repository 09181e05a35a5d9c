package tesla

import (
	"context"
	"net/url"
	"strconv"
)

// Driver is somebody who may drive a car beside its owner.
type Driver struct {
	ID        int64  `json:"user_id"`
	Unique    int64  `json:"my_tesla_unique_id"`
	FirstName string `json:"driver_first_name"`
	LastName  string `json:"driver_last_name"`
	Vault     string `json:"vault_uuid"`
	PublicKey string `json:"public_key"`
}

// Drivers returns who may drive a car. Only its owner is told.
//
// GET /api/1/vehicles/{vin}/drivers, scope vehicle_device_data.
func (c *Client) Drivers(ctx context.Context, vin string) ([]Driver, error) {
	return fetch[[]Driver](ctx, c, Call{Endpoint: "drivers", VIN: vin})
}

// RemoveDriver takes a car away from a driver, Driver.ID. Owners may remove anybody,
// drivers themselves.
//
// DELETE /api/1/vehicles/{vin}/drivers, scope vehicle_cmds.
func (c *Client) RemoveDriver(ctx context.Context, vin string, driver int64) error {
	_, err := c.Do(ctx, Call{Endpoint: "remove_driver", VIN: vin,
		Query: url.Values{"share_user_id": {strconv.FormatInt(driver, 10)}}})
	return err
}

// Invitation is a link that makes whoever opens it a driver: once, within a day. A
// car has at most five drivers.
type Invitation struct {
	ID      int64  `json:"id"`
	Owner   int64  `json:"owner_id"`
	VIN     string `json:"vin"`
	State   string `json:"state"` // "pending"
	Code    string `json:"code"`  // as good as a key
	Link    string `json:"share_link"`
	Kind    string `json:"share_type"` // "customer"
	Expires Stamp  `json:"expires_at"`
	Revoked Stamp  `json:"revoked_at"`
}

// Invitations returns a car's open invitations.
//
// GET /api/1/vehicles/{vin}/invitations, scope vehicle_device_data.
func (c *Client) Invitations(ctx context.Context, vin string) ([]Invitation, error) {
	return pages[Invitation](ctx, c, Call{Endpoint: "invitations", VIN: vin})
}

// CreateInvitation makes an invitation to drive a car.
//
// POST /api/1/vehicles/{vin}/invitations, scope vehicle_cmds.
func (c *Client) CreateInvitation(ctx context.Context, vin string) (Invitation, error) {
	return fetch[Invitation](ctx, c, Call{Endpoint: "create_invitation", VIN: vin})
}

// RevokeInvitation makes an invitation worthless.
//
// POST /api/1/vehicles/{vin}/invitations/{id}/revoke, scope vehicle_cmds.
func (c *Client) RevokeInvitation(ctx context.Context, vin string, invitation int64) error {
	_, err := c.Do(ctx, Call{Endpoint: "revoke_invitation", VIN: vin,
		Path: map[string]string{"id": strconv.FormatInt(invitation, 10)}})
	return err
}

// RedeemInvitation accepts an invitation and returns the VIN of the car.
//
// POST /api/1/invitations/redeem, scope vehicle_device_data.
func (c *Client) RedeemInvitation(ctx context.Context, code string) (string, error) {
	car, err := fetch[struct {
		VIN string `json:"vin"`
	}](ctx, c, Call{Endpoint: "redeem_invitation", Body: map[string]string{"code": code}})
	return car.VIN, err
}
