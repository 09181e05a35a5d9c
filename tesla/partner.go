package tesla

import (
	"context"
	"encoding/json"
	"net/url"
)

// PartnerAccount is the application as a region knows it.
type PartnerAccount struct {
	ClientID  string `json:"client_id"`
	Name      string `json:"name"`
	Domain    string `json:"domain"`
	Created   Stamp  `json:"created_at"`
	Updated   Stamp  `json:"updated_at"`
	Tier      string `json:"enterprise_tier"`
	PublicKey string `json:"public_key"` // 65 bytes, in hexadecimal
}

// RegisterPartner registers the application's domain in the client's region; Tesla
// fetches the public key from it meanwhile. Doing it again is an error IsTaken, or
// none.
//
// POST /api/1/partner_accounts, with a partner token.
func (c *Client) RegisterPartner(ctx context.Context, domain string) (PartnerAccount, error) {
	return fetch[PartnerAccount](ctx, c,
		Call{Endpoint: "register_partner", Body: map[string]string{"domain": domain}})
}

// PartnerPublicKey returns the public key that the client's region knows of a domain,
// 65 bytes in hexadecimal.
//
// GET /api/1/partner_accounts/public_key, with a partner token.
func (c *Client) PartnerPublicKey(ctx context.Context, domain string) (string, error) {
	answer, err := fetch[struct {
		Key string `json:"public_key"`
	}](ctx, c, Call{Endpoint: "partner_public_key", Query: url.Values{"domain": {domain}}})
	return answer.Key, err
}

// PartnerTelemetryErrorVINs returns, as Tesla writes it, which cars have said
// something about their streaming.
//
// GET /api/1/partner_accounts/fleet_telemetry_error_vins, with a partner token.
func (c *Client) PartnerTelemetryErrorVINs(ctx context.Context) (json.RawMessage, error) {
	return c.Do(ctx, Call{Endpoint: "partner_telemetry_error_vins"})
}

// PartnerTelemetryErrors returns what all cars have said about their streaming.
//
// GET /api/1/partner_accounts/fleet_telemetry_errors, with a partner token.
func (c *Client) PartnerTelemetryErrors(ctx context.Context) ([]TelemetryError, error) {
	answer, err := fetch[telemetryErrors](ctx, c, Call{Endpoint: "partner_telemetry_errors"})
	return answer.Errors, err
}
