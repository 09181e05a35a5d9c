package sim

import "net/http"

// endpoint is one row of the API.
type endpoint struct {
	name     string
	method   string
	path     string
	scopes   string // one of which the token must have; "": any token will do
	needs    need
	category Category
	answer   func(*Tesla, *call) reply
}

// need is what a call needs besides its scope.
type need uint8

const (
	owner   need = iota // a token of the account
	inCar               // and the car itself, online; the call disturbs it
	partner             // a token of the application
)

// The words of the table.
const (
	get, post, del = http.MethodGet, http.MethodPost, http.MethodDelete

	api      = "/api/1"
	cars     = api + "/vehicles"
	one      = cars + "/{vehicle_tag}"
	byVIN    = cars + "/{vin}"
	partners = api + "/partner_accounts"
	site     = api + "/energy_sites/{energy_site_id}"

	user     = "user_data"
	charges  = "vehicle_charging_cmds"
	data     = "vehicle_device_data"
	commands = "vehicle_cmds"
	orders   = commands + " " + charges
	wakes    = data + " " + commands
	energy   = "energy_device_data"
	goods    = data + " " + energy
	specs    = "vehicle_specs"
	fleet    = "enterprise_management"
)

// endpoints is everything that the API offers; the names are those of Wheelhouse.
func endpoints() []endpoint {
	return []endpoint{
		{"me", get, api + "/users/me", user, owner, Free, as("user_me")},
		{"region", get, api + "/users/region", "", owner, Free, (*Tesla).whereabouts},
		{"orders", get, api + "/users/orders", user, owner, Free, (*Tesla).bought},
		{"feature_config", get, api + "/users/feature_config", user, owner, Free, as("user_feature_config")},
		{"backup_key", get, api + "/users/backup_key", user, owner, Free, backupKey},
		{"name_key", post, api + "/users/keys", commands, owner, Free, nameKey},

		{"charging_history", get, api + "/dx/charging/history", charges, owner, Free, (*Tesla).history},
		{"charging_invoice", get, api + "/dx/charging/invoice/{contentId}", charges, owner, Free,
			(*Tesla).invoice},
		{"charging_sessions", get, api + "/dx/charging/sessions", charges, owner, Free, (*Tesla).sessions},

		{"vehicles", get, cars, data, owner, State, (*Tesla).vehicles},
		{"products", get, api + "/products", goods, owner, State, (*Tesla).products},
		{"vehicle", get, one, data, owner, State, vehicle},
		{"fleet_status", post, cars + "/fleet_status", data, owner, State, (*Tesla).fleetStatus},
		{"vehicle_data", get, one + "/vehicle_data", data, inCar, Data, (*Tesla).vehicleData},
		{"nearby_charging_sites", get, one + "/nearby_charging_sites", data, inCar, Data, nearby},
		{"mobile_enabled", get, one + "/mobile_enabled", data, owner, Data, mobileEnabled},
		{"recent_alerts", get, one + "/recent_alerts", data, owner, Data, recentAlerts},
		{"release_notes", get, one + "/release_notes", data, owner, Data, releaseNotes},
		{"service_data", get, one + "/service_data", data, owner, Data, serviceData},
		{"wake_up", post, one + "/wake_up", wakes, owner, Wake, wakeUp},
		{"drivers", get, one + "/drivers", data, owner, State, drivers},
		{"remove_driver", del, one + "/drivers", commands, owner, State, removeDriver},
		{"invitations", get, one + "/invitations", data, owner, State, (*Tesla).invited},
		{"create_invitation", post, one + "/invitations", commands, owner, State, (*Tesla).invite},
		{"revoke_invitation", post, one + "/invitations/{id}/revoke", commands, owner, State, (*Tesla).uninvite},
		{"redeem_invitation", post, api + "/invitations/redeem", data, owner, State, (*Tesla).redeem},
		{"subscriptions_eligibility", get, api + "/dx/vehicles/subscriptions/eligibility", data, owner, State,
			about("subscriptions_eligibility_uncertain")},
		{"upgrades_eligibility", get, api + "/dx/vehicles/upgrades/eligibility", data, owner, State,
			about("upgrades_eligibility_uncertain")},
		{"options", get, api + "/dx/vehicles/options", data, owner, State, about("options_uncertain")},
		{"warranty_details", get, api + "/dx/warranty/details", data, owner, State, about("warranty_details")},
		{"subscriptions", get, api + "/subscriptions", user, owner, Free, (*Tesla).subscribed},
		{"set_subscriptions", post, api + "/subscriptions", user, owner, Free, (*Tesla).subscribe},
		{"vehicle_subscriptions", get, api + "/vehicle_subscriptions", user, owner, Free, (*Tesla).subscribed},
		{"set_vehicle_subscriptions", post, api + "/vehicle_subscriptions", user, owner, Free, (*Tesla).subscribe},
		{"specs", get, byVIN + "/specs", specs, partner, Specs, carSpecs},
		{"payer", post, api + "/dx/enterprise/v1/{vin}/payer", fleet, owner, Free, accepted},
		{"roles", get, api + "/dx/enterprise/v1/{vin}/roles", fleet, owner, Free, accepted},

		{"signed_command", post, one + "/signed_command", orders, inCar, Command, (*Tesla).signed},
		{"command", post, one + "/command/{name}", orders, inCar, Command, (*Tesla).command},

		{"create_fleet_telemetry_config", post, cars + "/fleet_telemetry_config", data, owner, State,
			(*Tesla).stream},
		{"send_fleet_telemetry_config", post, cars + "/fleet_telemetry_config_jws", data, owner, State,
			(*Tesla).streamSigned},
		{"fleet_telemetry_config", get, byVIN + "/fleet_telemetry_config", data, owner, State, streamed},
		{"delete_fleet_telemetry_config", del, byVIN + "/fleet_telemetry_config", data, owner, State, unstream},
		{"fleet_telemetry_errors", get, byVIN + "/fleet_telemetry_errors", data, owner, State,
			(*Tesla).streamErrors},

		{"register_partner", post, partners, "", partner, Free, (*Tesla).register},
		{"partner_public_key", get, partners + "/public_key", "", partner, Free, (*Tesla).publicKey},
		{"partner_telemetry_error_vins", get, partners + "/fleet_telemetry_error_vins", "", partner, Free,
			(*Tesla).streamErrorVINs},
		{"partner_telemetry_errors", get, partners + "/fleet_telemetry_errors", "", partner, Free,
			(*Tesla).streamErrors},

		{"live_status", get, site + "/live_status", energy, owner, Free, (*Tesla).liveStatus},
	}
}
