package tesla_test

import (
	"context"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wheelhouse-mqtt/wheelhouse/tesla"
)

// methods is the method of each endpoint.
var methods = map[string]string{
	"me": "Me", "region": "UserRegion", "orders": "Orders", "feature_config": "FeatureConfig",
	"backup_key": "BackupKey", "name_key": "NameKey",

	"charging_history": "ChargingHistory", "charging_invoice": "ChargingInvoice",
	"charging_sessions": "ChargingSessions",

	"vehicles": "Vehicles", "products": "Products", "vehicle": "Vehicle", "fleet_status": "FleetStatus",
	"vehicle_data": "VehicleData", "nearby_charging_sites": "NearbyChargingSites",
	"mobile_enabled": "MobileEnabled", "recent_alerts": "RecentAlerts", "release_notes": "ReleaseNotes",
	"service_data": "ServiceData", "wake_up": "WakeUp", "drivers": "Drivers", "remove_driver": "RemoveDriver",
	"invitations": "Invitations", "create_invitation": "CreateInvitation",
	"revoke_invitation": "RevokeInvitation", "redeem_invitation": "RedeemInvitation",
	"subscriptions_eligibility": "SubscriptionsEligibility", "upgrades_eligibility": "UpgradesEligibility",
	"options": "Options", "warranty_details": "WarrantyDetails", "specs": "Specs",

	"create_fleet_telemetry_config": "CreateFleetTelemetryConfig",
	"send_fleet_telemetry_config":   "SendFleetTelemetryConfig",
	"fleet_telemetry_config":        "FleetTelemetryConfig",
	"delete_fleet_telemetry_config": "DeleteFleetTelemetryConfig",
	"fleet_telemetry_errors":        "FleetTelemetryErrors",

	"register_partner": "RegisterPartner", "partner_public_key": "PartnerPublicKey",
	"partner_telemetry_error_vins": "PartnerTelemetryErrorVINs",
	"partner_telemetry_errors":     "PartnerTelemetryErrors",
}

// invoke calls a method with a context, a VIN for every text, and otherwise nothing.
func invoke(ctx context.Context, method reflect.Value) error {
	var in []reflect.Value
	of := method.Type()
	for i := range of.NumIn() {
		switch arg := of.In(i); {
		case i == 0:
			in = append(in, reflect.ValueOf(ctx))
		case of.IsVariadic() && i == of.NumIn()-1:
		case arg.Kind() == reflect.String:
			in = append(in, reflect.ValueOf(nightjar))
		default:
			in = append(in, reflect.Zero(arg))
		}
	}
	out := method.Call(in)
	err, _ := out[len(out)-1].Interface().(error)
	return err
}

// skipped are the calls that are not made, and why not. A key is a category, or a
// method and a path.
var skipped = map[string]string{
	"auth":   "the account speaks to these hosts itself, in forms and in a browser",
	"energy": "about a house, not a car",
	"status": "whether Tesla's server is up is seen by asking it something",

	"POST /api/1/vehicles/{vehicle_tag}/signed_command": "orders have a table and a protocol of their own",
	"POST /api/1/vehicles/{vehicle_tag}/command/{name}": "orders have a table and a protocol of their own",
	"GET /api/1/subscriptions":                          "pushes to a phone app, with a device's token",
	"POST /api/1/subscriptions":                         "pushes to a phone app, with a device's token",
	"GET /api/1/vehicle_subscriptions":                  "pushes to a phone app, with a device's token",
	"POST /api/1/vehicle_subscriptions":                 "pushes to a phone app, with a device's token",
	"POST /api/1/dx/enterprise/v1/{vin}/payer":          "who pays in a business",
	"GET /api/1/dx/enterprise/v1/{vin}/roles":           "who pays in a business",
}

// TestEveryEndpoint holds the table, the methods and Tesla's list together: no row
// without a method or a reason, and no call that is not in the list.
func TestEveryEndpoint(t *testing.T) {
	open := make(map[string]string)
	for _, e := range tesla.Endpoints() {
		open[e.Method+" "+e.Path] = e.Name
	}
	for _, row := range rows(t, "endpoints.csv") {
		call := row["method"] + " " + row["path"]
		if name, ok := open[call]; ok {
			delete(open, call)
			t.Run(name, func(t *testing.T) { reaches(t, name, row) })
			continue
		}
		if skipped[call] == "" && skipped[row["category"]] == "" {
			t.Errorf("%s has neither a method nor a reason to be left out", call)
		}
	}
	for call, name := range open {
		t.Errorf("%s (%s) is not in Tesla's list", call, name)
	}
}

var placeholder = regexp.MustCompile(`\\\{\w+\\\}`)

// reaches calls a method and looks at what went out.
func reaches(t *testing.T, name string, row map[string]string) {
	e, _ := tesla.EndpointOf(name)
	var sent []*http.Request
	c := over(t, func(r *http.Request) (*http.Response, error) {
		sent = append(sent, r)
		return reply(200, `{"response":null}`), nil
	})
	method := reflect.ValueOf(c).MethodByName(methods[name])
	if !method.IsValid() {
		t.Fatal("no method")
	}
	_ = invoke(t.Context(), method) // the answer is none
	if len(sent) != 1 {
		t.Fatalf("%d calls went out", len(sent))
	}
	r := sent[0]
	pattern := placeholder.ReplaceAllString(regexp.QuoteMeta(row["path"]), `[^/{}]+`)
	path := regexp.MustCompile("^" + pattern + "$")
	if r.Method != row["method"] || !path.MatchString(r.URL.Path) {
		t.Errorf("sent %s %s", r.Method, r.URL.Path)
	}
	if e.Group != row["category"] {
		t.Errorf("is of the group %q", row["category"])
	}
	if e.Scope != "" && !strings.Contains(row["scope"], e.Scope) {
		t.Errorf("needs the scope %q", row["scope"])
	}
	if partner := strings.Contains(row["scope"], "partner token"); partner != (e.As == tesla.Partner) {
		t.Errorf("as the partner: %v", partner)
	}
	if r.Header.Get("Authorization") != "Bearer invented" || r.Header.Get("User-Agent") != "wheelhouse/test" {
		t.Errorf("sent the headers %v", r.Header)
	}
	if r.Method != http.MethodGet && r.Header.Get("Content-Type") != "application/json" {
		t.Error("is not sent as JSON")
	}
}

// TestOnlyReadingsAreSafe holds that whatever is not a GET is marked, except for the
// one reading that Tesla made a POST.
func TestOnlyReadingsAreSafe(t *testing.T) {
	for _, e := range tesla.Endpoints() {
		if changes := e.Method != http.MethodGet && e.Name != "fleet_status"; changes != e.Unsafe {
			t.Errorf("%s: unsafe is %v", e.Name, e.Unsafe)
		}
		if _, ok := tesla.DefaultPrices()[e.Category]; !ok {
			t.Errorf("%s: the category %q has no price", e.Name, e.Category)
		}
	}
}

// TestEveryMethodHasARow finds methods that are no endpoint's.
func TestEveryMethodHasARow(t *testing.T) {
	known := append(slices.Collect(maps.Values(methods)), "Do", "DoRaw")
	for method := range reflect.TypeFor[*tesla.Client]().Methods() {
		if !slices.Contains(known, method.Name) {
			t.Errorf("%s is no endpoint's", method.Name)
		}
	}
}
