package tesla

import "slices"

// The groups of endpoints, as Tesla's documentation has them.
const (
	ofUser      = "user"
	ofCharging  = "charging"
	ofVehicle   = "vehicle"
	ofTelemetry = "telemetry"
	ofPartner   = "partner"
)

// Specs is a car's specifications, which a partner may buy.
const Specs Category = "specs"

// The scopes that the endpoints ask for (developer.tesla.com, "authentication").
const (
	userData     = "user_data"
	deviceData   = "vehicle_device_data"
	commands     = "vehicle_cmds"
	chargingCmds = "vehicle_charging_cmds"
	specsData    = "vehicle_specs"
)

// endpoints is every call that Wheelhouse makes. What a car is asked for in person
// counts as data; lists and what Tesla keeps itself are State, because Tesla does
// not publish what they are billed as. Nobody writes to it.
var endpoints = []Endpoint{
	{Name: "me", Group: ofUser, Method: "GET", Path: "/api/1/users/me", Scope: userData, Category: Free},
	{Name: "region", Group: ofUser, Method: "GET", Path: "/api/1/users/region", Category: Free},
	{Name: "orders", Group: ofUser, Method: "GET", Path: "/api/1/users/orders", Scope: userData, Category: Free},
	{Name: "feature_config", Group: ofUser, Method: "GET", Path: "/api/1/users/feature_config",
		Scope: userData, Category: Free},
	{Name: "backup_key", Group: ofUser, Method: "GET", Path: "/api/1/users/backup_key",
		Scope: userData, Category: Free},
	{Name: "name_key", Group: ofUser, Method: "POST", Path: "/api/1/users/keys", Scope: commands, Category: Free,
		Params: []string{"public_key", "kind", "model", "name", "tag"}, Unsafe: true},

	{Name: "charging_history", Group: ofCharging, Method: "GET", Path: "/api/1/dx/charging/history",
		Scope: chargingCmds, Category: Free,
		Params: []string{"vin", "startTime", "endTime", "pageNo", "pageSize", "sortBy", "sortOrder"}},
	{Name: "charging_invoice", Group: ofCharging, Method: "GET", Path: "/api/1/dx/charging/invoice/{contentId}",
		Scope: chargingCmds, Category: Free},
	{Name: "charging_sessions", Group: ofCharging, Method: "GET", Path: "/api/1/dx/charging/sessions",
		Scope: chargingCmds, Category: Free,
		Params: []string{"vin", "date_from", "date_to", "limit", "offset"}},

	{Name: "vehicles", Group: ofVehicle, Method: "GET", Path: "/api/1/vehicles",
		Scope: deviceData, Category: State, Params: []string{"page", "per_page"}},
	{Name: "products", Group: ofVehicle, Method: "GET", Path: "/api/1/products",
		Scope: deviceData, Category: State},
	{Name: "vehicle", Group: ofVehicle, Method: "GET", Path: "/api/1/vehicles/{vehicle_tag}",
		Scope: deviceData, Category: State},
	{Name: "fleet_status", Group: ofVehicle, Method: "POST", Path: "/api/1/vehicles/fleet_status",
		Scope: deviceData, Category: State, Params: []string{"vins"}},
	{Name: "vehicle_data", Group: ofVehicle, Method: "GET", Path: "/api/1/vehicles/{vehicle_tag}/vehicle_data",
		Scope: deviceData, Category: Data, Params: []string{"endpoints"}},
	{Name: "nearby_charging_sites", Group: ofVehicle, Method: "GET",
		Path: "/api/1/vehicles/{vehicle_tag}/nearby_charging_sites", Scope: deviceData, Category: Data,
		Params: []string{"count", "radius", "detail"}},
	{Name: "mobile_enabled", Group: ofVehicle, Method: "GET",
		Path: "/api/1/vehicles/{vehicle_tag}/mobile_enabled", Scope: deviceData, Category: Data},
	{Name: "recent_alerts", Group: ofVehicle, Method: "GET",
		Path: "/api/1/vehicles/{vehicle_tag}/recent_alerts", Scope: deviceData, Category: Data},
	{Name: "release_notes", Group: ofVehicle, Method: "GET",
		Path: "/api/1/vehicles/{vehicle_tag}/release_notes", Scope: deviceData, Category: Data,
		Params: []string{"staged", "language"}},
	{Name: "service_data", Group: ofVehicle, Method: "GET",
		Path: "/api/1/vehicles/{vehicle_tag}/service_data", Scope: deviceData, Category: Data},
	{Name: "wake_up", Group: ofVehicle, Method: "POST", Path: "/api/1/vehicles/{vehicle_tag}/wake_up",
		Scope: deviceData, Category: Wake, Unsafe: true},
	{Name: "drivers", Group: ofVehicle, Method: "GET", Path: "/api/1/vehicles/{vehicle_tag}/drivers",
		Scope: deviceData, Category: State},
	{Name: "remove_driver", Group: ofVehicle, Method: "DELETE", Path: "/api/1/vehicles/{vehicle_tag}/drivers",
		Scope: commands, Category: State, Params: []string{"share_user_id"}, Unsafe: true},
	{Name: "invitations", Group: ofVehicle, Method: "GET", Path: "/api/1/vehicles/{vehicle_tag}/invitations",
		Scope: deviceData, Category: State, Params: []string{"page", "per_page"}},
	{Name: "create_invitation", Group: ofVehicle, Method: "POST",
		Path: "/api/1/vehicles/{vehicle_tag}/invitations", Scope: commands, Category: State, Unsafe: true},
	{Name: "revoke_invitation", Group: ofVehicle, Method: "POST",
		Path:  "/api/1/vehicles/{vehicle_tag}/invitations/{id}/revoke",
		Scope: commands, Category: State, Unsafe: true},
	{Name: "redeem_invitation", Group: ofVehicle, Method: "POST", Path: "/api/1/invitations/redeem",
		Scope: deviceData, Category: State, Params: []string{"code"}, Unsafe: true},
	{Name: "subscriptions_eligibility", Group: ofVehicle, Method: "GET",
		Path: "/api/1/dx/vehicles/subscriptions/eligibility", Scope: deviceData, Category: State,
		Params: []string{"vin"}},
	{Name: "upgrades_eligibility", Group: ofVehicle, Method: "GET",
		Path: "/api/1/dx/vehicles/upgrades/eligibility", Scope: deviceData, Category: State,
		Params: []string{"vin"}},
	{Name: "options", Group: ofVehicle, Method: "GET", Path: "/api/1/dx/vehicles/options",
		Scope: deviceData, Category: State, Params: []string{"vin"}},
	{Name: "warranty_details", Group: ofVehicle, Method: "GET", Path: "/api/1/dx/warranty/details",
		Scope: deviceData, Category: State, Params: []string{"vin"}},
	{Name: "specs", Group: ofVehicle, Method: "GET", Path: "/api/1/vehicles/{vin}/specs",
		Scope: specsData, As: Partner, Category: Specs},

	{Name: "create_fleet_telemetry_config", Group: ofTelemetry, Method: "POST",
		Path: "/api/1/vehicles/fleet_telemetry_config", Scope: deviceData, Category: State,
		Params: []string{"vins", "config"}, Unsafe: true},
	{Name: "send_fleet_telemetry_config", Group: ofTelemetry, Method: "POST",
		Path: "/api/1/vehicles/fleet_telemetry_config_jws", Scope: deviceData, Category: State,
		Params: []string{"vins", "token"}, Unsafe: true},
	{Name: "fleet_telemetry_config", Group: ofTelemetry, Method: "GET",
		Path: "/api/1/vehicles/{vin}/fleet_telemetry_config", Scope: deviceData, Category: State},
	{Name: "delete_fleet_telemetry_config", Group: ofTelemetry, Method: "DELETE",
		Path: "/api/1/vehicles/{vin}/fleet_telemetry_config", Scope: deviceData, Category: State, Unsafe: true},
	{Name: "fleet_telemetry_errors", Group: ofTelemetry, Method: "GET",
		Path: "/api/1/vehicles/{vin}/fleet_telemetry_errors", Scope: deviceData, Category: State},

	{Name: "register_partner", Group: ofPartner, Method: "POST", Path: "/api/1/partner_accounts",
		As: Partner, Category: Free, Params: []string{"domain"}, Unsafe: true},
	{Name: "partner_public_key", Group: ofPartner, Method: "GET", Path: "/api/1/partner_accounts/public_key",
		As: Partner, Category: Free, Params: []string{"domain"}},
	{Name: "partner_telemetry_error_vins", Group: ofPartner, Method: "GET",
		Path: "/api/1/partner_accounts/fleet_telemetry_error_vins", As: Partner, Category: Free},
	{Name: "partner_telemetry_errors", Group: ofPartner, Method: "GET",
		Path: "/api/1/partner_accounts/fleet_telemetry_errors", As: Partner, Category: Free},
}

// Endpoints are all calls there are, group by group.
func Endpoints() []Endpoint { return slices.Clone(endpoints) }

// EndpointOf finds an endpoint by its name.
func EndpointOf(name string) (Endpoint, bool) {
	i := slices.IndexFunc(endpoints, func(e Endpoint) bool { return e.Name == name })
	if i < 0 {
		return Endpoint{}, false
	}
	return endpoints[i], true
}

// Order says whether a call is somebody's wish rather than a reading, and may
// therefore use the part of the budget that is kept for orders.
func (e Endpoint) Order() bool { return e.Unsafe || e.Category == Command || e.Category == Wake }
