package tesla

import (
	"context"
	"encoding/json"
	"strings"
	"time"
)

// Stamp is a time as Tesla writes it; the zero time where it wrote none, or
// nonsense.
type Stamp struct{ time.Time }

// UnmarshalJSON reads RFC 3339; anything else is no time, and no error: one odd
// member must not cost the others.
func (s *Stamp) UnmarshalJSON(data []byte) error {
	var text string
	_ = json.Unmarshal(data, &text)
	s.Time, _ = time.Parse(time.RFC3339, text)
	return nil
}

// User is who signed in.
type User struct {
	Email string `json:"email"`
	Name  string `json:"full_name"`
	Image string `json:"profile_image_url"`
	Vault string `json:"vault_uuid"` // Tesla's number of the person
}

// Me returns who signed in.
//
// GET /api/1/users/me, scope user_data.
func (c *Client) Me(ctx context.Context) (User, error) {
	return fetch[User](ctx, c, Call{Endpoint: "me"})
}

// Home is where an account lives.
type Home struct {
	Region Region `json:"region"`
	Base   string `json:"fleet_api_base_url"`
}

// UserRegion returns where the account lives; every region answers this.
//
// GET /api/1/users/region, any scope.
func (c *Client) UserRegion(ctx context.Context) (Home, error) {
	home, err := fetch[Home](ctx, c, Call{Endpoint: "region"})
	home.Region = Region(strings.ToLower(string(home.Region)))
	return home, err
}

// VehicleOrder is a car that somebody has ordered from Tesla.
type VehicleOrder struct {
	Map       int64  `json:"vehicleMapId"`
	Reference string `json:"referenceNumber"`
	VIN       string `json:"vin"` // "" until there is one
	Status    string `json:"orderStatus"`
	Substatus string `json:"orderSubstatus"`
	Model     string `json:"modelCode"` // "m3", "my" …
	Country   string `json:"countryCode"`
	Locale    string `json:"locale"`
	Options   string `json:"mktOptions"` // codes, with commas between
	Business  bool   `json:"isB2b"`
}

// Orders returns the cars that the account has ordered.
//
// GET /api/1/users/orders, scope user_data.
func (c *Client) Orders(ctx context.Context) ([]VehicleOrder, error) {
	return fetch[[]VehicleOrder](ctx, c, Call{Endpoint: "orders"})
}

// FeatureConfig returns what Tesla's own app is told about the account: flags of
// its live connection.
//
// GET /api/1/users/feature_config, scope user_data.
func (c *Client) FeatureConfig(ctx context.Context) (json.RawMessage, error) {
	return c.Do(ctx, Call{Endpoint: "feature_config"})
}

// BackupKey returns the account's backup key. It is old and may be gone.
//
// GET /api/1/users/backup_key, scope user_data (documentation of 2023).
func (c *Client) BackupKey(ctx context.Context) (json.RawMessage, error) {
	return c.Do(ctx, Call{Endpoint: "backup_key"})
}

// KeyName is what a car's screen shows of a key in its list of keys.
type KeyName struct {
	PublicKey string `json:"public_key"` // 65 bytes, in hexadecimal
	Kind      string `json:"kind"`       // "mobile_device"
	Model     string `json:"model"`      // "3rd Party Application"
	Name      string `json:"name"`
	Tag       string `json:"tag"` // the program and its version
}

// NameKey tells Tesla what the cars shall show of a key. Only the account that did
// it first may do it again.
//
// POST /api/1/users/keys, scope vehicle_cmds (teslamotors/vehicle-command,
// pkg/account).
func (c *Client) NameKey(ctx context.Context, name KeyName) error {
	_, err := c.Do(ctx, Call{Endpoint: "name_key", Body: name})
	return err
}
