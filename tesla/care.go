package tesla

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
)

// NearbySites is where a car can charge around the place where it stands.
type NearbySites struct {
	Synced        int64  `json:"congestion_sync_time_utc_secs"` // Unix time, s
	Superchargers []Site `json:"superchargers"`
	Destinations  []Site `json:"destination_charging"`
	At            int64  `json:"timestamp"` // Unix time, ms
}

// Site is a place to charge.
type Site struct {
	Place struct {
		Lat float64 `json:"lat"`
		Lon float64 `json:"long"`
	} `json:"location"`
	Name      string  `json:"name"`
	Type      string  `json:"type"`           // supercharger, destination
	Distance  float64 `json:"distance_miles"` // mi
	Amenities string  `json:"amenities"`      // words, with commas between
	// Of Superchargers only:
	Available int    `json:"available_stalls"`
	Total     int    `json:"total_stalls"`
	Closed    bool   `json:"site_closed"`
	Billing   string `json:"billing_info"`
}

// SitesQuery says which sites are wanted. What is zero is left to Tesla.
type SitesQuery struct {
	Count  int // of each kind
	Radius int // mi
	Detail bool
}

// NearbyChargingSites asks a car where it can charge around it.
//
// GET /api/1/vehicles/{vin}/nearby_charging_sites, scope vehicle_device_data, and
// perhaps vehicle_location.
func (c *Client) NearbyChargingSites(ctx context.Context, vin string, q SitesQuery) (NearbySites, error) {
	query := url.Values{}
	if q.Count > 0 {
		query.Set("count", strconv.Itoa(q.Count))
	}
	if q.Radius > 0 {
		query.Set("radius", strconv.Itoa(q.Radius))
	}
	if q.Detail {
		query.Set("detail", "true")
	}
	return fetch[NearbySites](ctx, c, Call{Endpoint: "nearby_charging_sites", VIN: vin, Query: query})
}

// Alert is something that a car complained about.
type Alert struct {
	Name     string   `json:"name"`
	At       Stamp    `json:"time"`
	Audience []string `json:"audience"` // customer, service, service-fix
	Text     string   `json:"user_text"`
}

// RecentAlerts returns what a car complained about of late.
//
// GET /api/1/vehicles/{vin}/recent_alerts, scope vehicle_device_data.
func (c *Client) RecentAlerts(ctx context.Context, vin string) ([]Alert, error) {
	answer, err := fetch[struct {
		Alerts []Alert `json:"recent_alerts"`
	}](ctx, c, Call{Endpoint: "recent_alerts", VIN: vin})
	return answer.Alerts, err
}

// ReleaseNote is one news of a software version.
type ReleaseNote struct {
	Title      string `json:"title"`
	Subtitle   string `json:"subtitle"`
	Text       string `json:"description"`
	Version    string `json:"customer_version"`
	Icon       string `json:"icon"`
	Image      string `json:"image_url"`
	LightImage string `json:"light_image_url"`
}

// ReleaseNotes returns what is new in the software that a car has, or, if staged, in
// the one that waits to be installed. Language 0 leaves it to Tesla.
//
// GET /api/1/vehicles/{vin}/release_notes, scope vehicle_device_data. An answer in a
// second envelope has been seen, and is read too.
func (c *Client) ReleaseNotes(
	ctx context.Context, vin string, staged bool, language int,
) ([]ReleaseNote, error) {
	query := url.Values{"staged": {strconv.FormatBool(staged)}}
	if language != 0 {
		query.Set("language", strconv.Itoa(language))
	}
	type notes struct {
		Notes []ReleaseNote `json:"release_notes"`
	}
	answer, err := fetch[struct {
		notes
		Response notes `json:"response"`
	}](ctx, c, Call{Endpoint: "release_notes", VIN: vin, Query: query})
	return append(answer.Notes, answer.Response.Notes...), err
}

// Service is a visit to a workshop; all of it is empty when there is none.
type Service struct {
	Status   string `json:"service_status"` // "in_service"
	Until    Stamp  `json:"service_etc"`    // when the work should be done
	Visit    string `json:"service_visit_number"`
	StatusID int    `json:"status_id"`
}

// ServiceData returns whether a car is at a workshop.
//
// GET /api/1/vehicles/{vin}/service_data, scope vehicle_device_data.
func (c *Client) ServiceData(ctx context.Context, vin string) (Service, error) {
	return fetch[Service](ctx, c, Call{Endpoint: "service_data", VIN: vin})
}

// Warranties are a car's, by whether they hold.
type Warranties struct {
	Active   []Warranty `json:"activeWarranty"`
	Upcoming []Warranty `json:"upcomingWarranty"`
	Expired  []Warranty `json:"expiredWarranty"`
}

// Warranty ends at a date or an odometer reading, whichever comes first.
type Warranty struct {
	Type      string `json:"warrantyType"`
	Name      string `json:"warrantyDisplayName"`
	Until     Stamp  `json:"expirationDate"`
	Odometer  int    `json:"expirationOdometer"` // in Unit
	Unit      string `json:"odometerUnit"`       // MI, KM
	ExpiredOn Stamp  `json:"warrantyExpiredOn"`
	Years     int    `json:"coverageAgeInYears"`
}

// WarrantyDetails returns a car's warranties.
//
// GET /api/1/dx/warranty/details, scope vehicle_device_data.
func (c *Client) WarrantyDetails(ctx context.Context, vin string) (Warranties, error) {
	return fetch[Warranties](ctx, c, Call{Endpoint: "warranty_details", VIN: vin})
}

// Options returns what a car was built with, as Tesla writes it.
//
// GET /api/1/dx/vehicles/options, scope vehicle_device_data.
func (c *Client) Options(ctx context.Context, vin string) (json.RawMessage, error) {
	return c.Do(ctx, Call{Endpoint: "options", VIN: vin})
}

// SubscriptionsEligibility returns what can be subscribed to for a car, as Tesla
// writes it.
//
// GET /api/1/dx/vehicles/subscriptions/eligibility, scope vehicle_device_data.
func (c *Client) SubscriptionsEligibility(ctx context.Context, vin string) (json.RawMessage, error) {
	return c.Do(ctx, Call{Endpoint: "subscriptions_eligibility", VIN: vin})
}

// UpgradesEligibility returns what can be bought for a car, as Tesla writes it.
//
// GET /api/1/dx/vehicles/upgrades/eligibility, scope vehicle_device_data.
func (c *Client) UpgradesEligibility(ctx context.Context, vin string) (json.RawMessage, error) {
	return c.Do(ctx, Call{Endpoint: "upgrades_eligibility", VIN: vin})
}
