package tesla

import "context"

// TelemetryConfig tells a car what to stream, and where to.
type TelemetryConfig struct {
	Hostname string                    `json:"hostname"`
	Port     int                       `json:"port"`
	CA       string                    `json:"ca"`     // PEM, the whole chain of the server's certificate
	Fields   map[string]TelemetryField `json:"fields"` // by the name of a signal
	Alerts   []string                  `json:"alert_types,omitempty"`
	Typed    bool                      `json:"prefer_typed,omitempty"`
	Delivery string                    `json:"delivery_policy,omitempty"` // latest, no_retry
	Expires  int64                     `json:"exp,omitempty"`             // Unix time, s
}

// TelemetryField says how often a signal may be sent.
type TelemetryField struct {
	Interval int     `json:"interval_seconds"`                  // s, at least
	Delta    float64 `json:"minimum_delta,omitempty"`           // in the signal's unit
	Resend   int     `json:"resend_interval_seconds,omitempty"` // s, even if unchanged
}

// TelemetryState is what a car has made of its configuration.
type TelemetryState struct {
	Synced  bool             `json:"synced"` // the car has fetched it
	Config  *TelemetryConfig `json:"config"` // nil for none; synced without one: the car refused
	Limited bool             `json:"limit_reached"`
	Paired  bool             `json:"key_paired"`
}

// TelemetryResult says which cars took a configuration.
type TelemetryResult struct {
	Updated int `json:"updated_vehicles"`
	Skipped struct {
		MissingKey          []string `json:"missing_key"` // VINs
		UnsupportedHardware []string `json:"unsupported_hardware"`
		UnsupportedFirmware []string `json:"unsupported_firmware"`
		MaxConfigs          []string `json:"max_configs"` // others stream already
	} `json:"skipped_vehicles"`
}

// CreateFleetTelemetryConfig gives cars a configuration through Tesla's proxy, which
// signs it: the host of the account's region has to be one.
//
// POST /api/1/vehicles/fleet_telemetry_config, scope vehicle_device_data, and
// vehicle_location for the signal Location.
func (c *Client) CreateFleetTelemetryConfig(
	ctx context.Context, config TelemetryConfig, vins ...string,
) (TelemetryResult, error) {
	return fetch[TelemetryResult](ctx, c, Call{Endpoint: "create_fleet_telemetry_config",
		Body: map[string]any{"vins": vins, "config": config}})
}

// SendFleetTelemetryConfig gives cars a configuration that is signed already, a JWT
// with the algorithm Tesla.SS256.
//
// POST /api/1/vehicles/fleet_telemetry_config_jws, scopes as above.
func (c *Client) SendFleetTelemetryConfig(
	ctx context.Context, token string, vins ...string,
) (TelemetryResult, error) {
	return fetch[TelemetryResult](ctx, c, Call{Endpoint: "send_fleet_telemetry_config",
		Body: map[string]any{"vins": vins, "token": token}})
}

// FleetTelemetryConfig returns a car's configuration.
//
// GET /api/1/vehicles/{vin}/fleet_telemetry_config, scope vehicle_device_data.
func (c *Client) FleetTelemetryConfig(ctx context.Context, vin string) (TelemetryState, error) {
	return fetch[TelemetryState](ctx, c, Call{Endpoint: "fleet_telemetry_config", VIN: vin})
}

// DeleteFleetTelemetryConfig ends a car's streaming.
//
// DELETE /api/1/vehicles/{vin}/fleet_telemetry_config, scope vehicle_device_data.
func (c *Client) DeleteFleetTelemetryConfig(ctx context.Context, vin string) (TelemetryResult, error) {
	return fetch[TelemetryResult](ctx, c, Call{Endpoint: "delete_fleet_telemetry_config", VIN: vin})
}

// TelemetryError is what a car said about a server that it could not stream to.
type TelemetryError struct {
	Name string `json:"name"` // of the application
	Text string `json:"error"`
	VIN  string `json:"vin"`
}

type telemetryErrors struct {
	Errors []TelemetryError `json:"fleet_telemetry_errors"`
}

// FleetTelemetryErrors returns what a car said about its streaming.
//
// GET /api/1/vehicles/{vin}/fleet_telemetry_errors, scope vehicle_device_data.
func (c *Client) FleetTelemetryErrors(ctx context.Context, vin string) ([]TelemetryError, error) {
	answer, err := fetch[telemetryErrors](ctx, c, Call{Endpoint: "fleet_telemetry_errors", VIN: vin})
	return answer.Errors, err
}
