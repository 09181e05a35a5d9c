package tesla

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
)

// Vehicle is a car as the lists tell of it.
type Vehicle struct {
	ID         int64  `json:"id"` // another one for every account
	VehicleID  int64  `json:"vehicle_id"`
	VIN        string `json:"vin"`
	Name       string `json:"display_name"` // "" if it has none
	Access     string `json:"access_type"`  // OWNER, DRIVER
	State      string `json:"state"`        // online, asleep, offline; some cars say offline when asleep
	InService  bool   `json:"in_service"`   // at a workshop, where it answers nobody
	APIVersion int    `json:"api_version"`
	Privacy    struct {
		Hidden bool `json:"hide_private"`
	} `json:"granular_access"`

	// What only Products tells.
	Signing              string `json:"command_signing"` // required, off
	MobileAccessDisabled bool   `json:"mobile_access_disabled"`
}

// Online says whether the car answers.
func (v Vehicle) Online() bool { return v.State == "online" }

// Vehicles returns all cars of the account. It neither wakes them nor keeps them
// awake.
//
// GET /api/1/vehicles, scope vehicle_device_data.
func (c *Client) Vehicles(ctx context.Context) ([]Vehicle, error) {
	return pages[Vehicle](ctx, c, Call{Endpoint: "vehicles"})
}

// pages reads a list that comes in pages.
func pages[T any](ctx context.Context, c *Client, call Call) ([]T, error) {
	var all []T
	for page := 1; page <= mostPages; page++ {
		call.Query = url.Values{"page": {strconv.Itoa(page)}, "per_page": {"100"}}
		body, err := c.DoRaw(ctx, call)
		if err != nil {
			return all, err
		}
		var answer struct {
			Response   []T `json:"response"`
			Pagination struct {
				Pages int `json:"pages"`
			} `json:"pagination"`
		}
		if err := decode(call.Endpoint, body, &answer); err != nil {
			return all, err
		}
		all = append(all, answer.Response...)
		if page >= answer.Pagination.Pages {
			break
		}
	}
	return all, nil
}

// Products is everything that an account owns.
type Products struct {
	Vehicles []Vehicle
	Sites    []json.RawMessage // of Tesla's energy products
}

// Products returns the account's cars, and which of them take signed commands only,
// and its energy sites. It neither wakes a car nor keeps it awake.
//
// GET /api/1/products, scope vehicle_device_data.
func (c *Client) Products(ctx context.Context) (Products, error) {
	all, err := fetch[[]json.RawMessage](ctx, c, Call{Endpoint: "products"})
	if err != nil {
		return Products{}, err
	}
	var p Products
	for _, one := range all {
		var site struct {
			ID json.RawMessage `json:"energy_site_id"`
		}
		if json.Unmarshal(one, &site) == nil && site.ID != nil {
			p.Sites = append(p.Sites, one)
			continue
		}
		var v Vehicle
		if err := decode("products", one, &v); err != nil {
			return p, err
		}
		p.Vehicles = append(p.Vehicles, v)
	}
	return p, nil
}

// Vehicle returns one car, and whether it is awake. It neither wakes it nor keeps it
// awake.
//
// GET /api/1/vehicles/{vin}, scope vehicle_device_data.
func (c *Client) Vehicle(ctx context.Context, vin string) (Vehicle, error) {
	return fetch[Vehicle](ctx, c, Call{Endpoint: "vehicle", VIN: vin})
}

// WakeUp asks for a car to wake. The answer tells its state of that moment, mostly
// still asleep: ask Vehicle a few seconds later. A wake is dear, and is charged even
// if it does not work.
//
// POST /api/1/vehicles/{vin}/wake_up, scope vehicle_device_data or vehicle_cmds.
func (c *Client) WakeUp(ctx context.Context, vin string) (Vehicle, error) {
	return fetch[Vehicle](ctx, c, Call{Endpoint: "wake_up", VIN: vin})
}

// The parts of VehicleData. Location needs the scope vehicle_location; its values
// come in drive_state.
const (
	PartCharge       = "charge_state"
	PartClimate      = "climate_state"
	PartClosures     = "closures_state"
	PartDrive        = "drive_state"
	PartGUI          = "gui_settings"
	PartLocation     = "location_data"
	PartCharges      = "charge_schedule_data"
	PartPrecondition = "preconditioning_schedule_data"
	PartConfig       = "vehicle_config"
	PartVehicle      = "vehicle_state"
)

// VehicleData asks a car for its values: the parts that are named, or what Tesla
// gives without. It costs the same for one part and for all. A car that is not
// online is not woken and the error IsAsleep; asked often, it stays awake.
//
// GET /api/1/vehicles/{vin}/vehicle_data, scope vehicle_device_data, and
// vehicle_location for the position. Units: see Client.
func (c *Client) VehicleData(ctx context.Context, vin string, parts ...string) (json.RawMessage, error) {
	call := Call{Endpoint: "vehicle_data", VIN: vin}
	if len(parts) > 0 {
		call.Query = url.Values{"endpoints": {strings.Join(parts, ";")}}
	}
	return c.Do(ctx, call)
}

// MobileEnabled returns whether the car lets apps in, and if not, why.
//
// GET /api/1/vehicles/{vin}/mobile_enabled, scope vehicle_device_data. Older cars
// answered with a bare word, which is read too.
func (c *Client) MobileEnabled(ctx context.Context, vin string) (enabled bool, reason string, err error) {
	answer, err := c.Do(ctx, Call{Endpoint: "mobile_enabled", VIN: vin})
	if err != nil || json.Unmarshal(answer, &enabled) == nil {
		return enabled, "", err
	}
	var long struct {
		Result bool   `json:"result"`
		Reason string `json:"reason"`
	}
	err = decode("mobile_enabled", answer, &long)
	return long.Result, long.Reason, err
}

// FleetStatus is what Tesla's servers know of several cars.
type FleetStatus struct {
	Paired   []string             `json:"key_paired_vins"` // that know the application's key
	Unpaired []string             `json:"unpaired_vins"`
	Cars     map[string]CarStatus `json:"vehicle_info"` // by VIN
}

// CarStatus is what Tesla's servers know of a car.
type CarStatus struct {
	Firmware        string `json:"firmware_version"`
	SigningRequired bool   `json:"vehicle_command_protocol_required"`
	Telemetry       string `json:"fleet_telemetry_version"` // "unknown" where it cannot
	Keys            *int   `json:"total_number_of_keys"`
	StreamingToggle *bool  `json:"safety_screen_streaming_toggle_enabled"` // nil: the car needs none
	Discounted      bool   `json:"discounted_device_data"`                 // only if asked for one car
}

// FleetStatus returns which cars know our key, need signed commands and can stream.
// It asks no car.
//
// POST /api/1/vehicles/fleet_status, scope vehicle_device_data.
func (c *Client) FleetStatus(ctx context.Context, vins ...string) (FleetStatus, error) {
	return fetch[FleetStatus](ctx, c, Call{Endpoint: "fleet_status", Body: map[string]any{"vins": vins}})
}

// Specs returns a car's specifications as Tesla writes them. It needs a partner
// token with the scope vehicle_specs and costs 0.10 USD: nothing for a home.
//
// GET /api/1/vehicles/{vin}/specs.
func (c *Client) Specs(ctx context.Context, vin string) (json.RawMessage, error) {
	return c.Do(ctx, Call{Endpoint: "specs", VIN: vin})
}
