package sim

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// as answers with a fixture as it is.
func as(name string) func(*Tesla, *call) reply {
	return func(*Tesla, *call) reply { return good(response(name)) }
}

// about answers with a fixture about the car that the query names.
func about(name string) func(*Tesla, *call) reply {
	return func(t *Tesla, c *call) reply {
		car := t.asked(c)
		if car == nil {
			return failure("404_not_found")
		}
		answer := shape(name)
		if _, ok := answer["vin"]; ok {
			answer["vin"] = car.spec.VIN
		}
		return good(answer)
	}
}

func backupKey(*Tesla, *call) reply { return good(object{"backup_key": nil}) }

func accepted(*Tesla, *call) reply { return good(object{}) }

// nameKey takes what people call a key; the documentation shows no answer.
func nameKey(t *Tesla, c *call) reply {
	if key, _ := c.body["public_key"].(string); key == "" {
		return failure("400_invalid_field").explain("public_key is missing")
	}
	return good(object{"result": true, "reason": ""})
}

// baseURL is Tesla's name of a region's API.
func baseURL(region string) string {
	top := "com"
	if region == "cn" {
		top = "cn"
	}
	return "https://fleet-api.prd." + region + ".vn.cloud.tesla." + top
}

// whereabouts is the region of the account; every region tells it.
func (t *Tesla) whereabouts(*call) reply {
	return good(object{"region": t.options.Region, "fleet_api_base_url": baseURL(t.options.Region)})
}

// bought are the orders, one for each car that the account owns.
func (t *Tesla) bought(*call) reply {
	all := []object{}
	for i, car := range t.cars {
		if car.spec.Driver {
			continue
		}
		order := response("user_orders").([]any)[0].(object)
		order["vehicleMapId"], order["vin"] = 1000001+i, car.spec.VIN
		order["referenceNumber"] = "RN" + strconv.Itoa(1000000001 + i)[1:]
		if car.spec.Model == ModelY {
			order["modelCode"] = "my"
		}
		all = append(all, order)
	}
	return plain(http.StatusOK, object{"response": all, "count": len(all)})
}

// entry is the car as the lists have it.
func (c *Car) entry() object {
	o := shape("vehicle")
	id := strconv.FormatInt(c.id, 10)
	o["id"], o["id_s"], o["vehicle_id"] = c.id, id, 2200000000+c.id%1000
	o["vin"], o["display_name"], o["state"] = c.spec.VIN, c.spec.Name, c.state()
	o["in_service"], o["ble_autopair_enrolled"] = c.settings.InService, c.spec.Model == ModelY
	if c.spec.Driver {
		o["access_type"] = "DRIVER"
	}
	if c.spec.Model.old() {
		o["api_version"], o["tokens"] = 36, nil
	}
	return o
}

// entries are all cars as the lists have them.
func (t *Tesla) entries(now time.Time) (all []object) {
	for _, car := range t.cars {
		car.advance(now)
		all = append(all, car.entry())
	}
	return all
}

func (t *Tesla) vehicles(c *call) reply { return list(c, t.entries(c.now)) }

func vehicle(_ *Tesla, c *call) reply { return good(c.car.entry()) }

// products are the cars and the house, each with the scope for it.
func (t *Tesla) products(c *call) reply {
	all := []object{}
	if c.token.has("vehicle_device_data") {
		for i, o := range t.entries(c.now) {
			signing := "required"
			if t.cars[i].spec.Model.old() {
				signing = "off"
			}
			maps.Copy(o, object{
				"user_id": userID, "cached_data": nil, "mobile_access_disabled": t.cars[i].settings.NoMobileAccess,
				"device_type": "vehicle", "command_signing": signing, "release_notes_supported": true,
			})
			all = append(all, o)
		}
	}
	if c.token.has("energy_device_data") {
		sites := response("products").([]any)
		all = append(all, sites[len(sites)-1].(object))
	}
	return plain(http.StatusOK, object{"response": all, "count": len(all)})
}

const userID = 800001

// fleetStatus says which cars have the key, and which need signed orders.
func (t *Tesla) fleetStatus(c *call) reply {
	vins := c.vins()
	if len(vins) == 0 {
		return failure("400_invalid_field").explain("vins is missing")
	}
	paired, unpaired, info := []string{}, []string{}, object{}
	for _, vin := range vins {
		car := t.Car(vin)
		if car == nil {
			return failure("404_not_found")
		}
		if car.settings.Paired {
			paired = append(paired, vin)
		} else {
			unpaired = append(unpaired, vin)
		}
		one := object{
			"firmware_version": "2026.2.9", "vehicle_command_protocol_required": true,
			"fleet_telemetry_version": "1.2.0", "total_number_of_keys": 3 + len(paired),
			"safety_screen_streaming_toggle_enabled": nil,
		}
		if car.spec.Model.old() {
			maps.Copy(one, object{
				"firmware_version": "2022.8.10.16", "vehicle_command_protocol_required": false,
				"fleet_telemetry_version": "unknown", "total_number_of_keys": nil,
			})
		}
		if len(vins) == 1 {
			one["discounted_device_data"] = car.spec.Model.old()
		}
		info[vin] = one
	}
	return good(object{"key_paired_vins": paired, "unpaired_vins": unpaired, "vehicle_info": info})
}

// wakeUp tells the state at this moment: a car that was asleep still is.
func wakeUp(_ *Tesla, c *call) reply {
	c.car.wakeUp()
	answer := c.car.entry()
	answer["user_id"] = userID
	return good(answer)
}

func mobileEnabled(_ *Tesla, c *call) reply {
	if c.car.settings.NoMobileAccess {
		return good(object{"reason": "mobile_access_disabled", "result": false})
	}
	return good(object{"reason": "", "result": true})
}

// nearby are chargers, told as far from the car as they are.
func nearby(_ *Tesla, c *call) reply {
	answer := shape("nearby_charging_sites")
	lat, lon := place(c.car.away, c.car.bearing)
	count := c.int("count", 10)
	for _, kind := range []string{"destination_charging", "superchargers"} {
		sites, _ := answer[kind].([]any)
		for _, site := range sites {
			miles := number(site.(object)["distance_miles"])
			site.(object)["location"] = object{"lat": round(lat+miles*1609/degree, 6), "long": round(lon, 6)}
		}
		answer[kind] = slices.Clip(sites)[:min(count, len(sites))]
	}
	answer["congestion_sync_time_utc_secs"] = c.now.Add(-time.Minute).Unix()
	answer["timestamp"] = c.now.UnixMilli()
	return good(answer)
}

func recentAlerts(_ *Tesla, c *call) reply {
	all := []object{}
	for _, name := range c.car.settings.Alerts {
		all = append(all, object{
			"name": name, "time": stamp(c.car.calm), "audience": []string{"service-fix", "customer"},
			"user_text": "Invented alert " + name,
		})
	}
	return good(object{"recent_alerts": all})
}

// releaseNotes are those of the firmware, or with "staged" of the update that
// waits.
func releaseNotes(_ *Tesla, c *call) reply {
	answer := shape("release_notes")
	if c.query.Get("staged") == "true" {
		if c.car.settings.Update == "" {
			return good(object{"release_notes": []object{}})
		}
		answer["release_notes"].([]any)[0].(object)["customer_version"] = c.car.settings.Update
	}
	return good(answer)
}

// serviceData is empty for a car that is not in service.
func serviceData(_ *Tesla, c *call) reply {
	if !c.car.settings.InService {
		return good(object{})
	}
	answer := shape("service_data")
	answer["service_etc"] = c.now.Add(48 * time.Hour).UTC().Format(time.RFC3339)
	return good(answer)
}

// carSpecs has no documented shape.
func carSpecs(_ *Tesla, c *call) reply {
	return good(object{"vin": c.car.spec.VIN, "car_type": c.car.spec.Model})
}

// subscribed are the cars that an app of old wanted to be told of.
func (t *Tesla) subscribed(*call) reply { return good(append([]int64{}, t.subscriptions...)) }

func (t *Tesla) subscribe(c *call) reply {
	t.subscriptions = nil
	ids, _ := c.body["vehicle_ids"].([]any)
	for _, id := range ids {
		if n, ok := id.(float64); ok {
			t.subscriptions = append(t.subscriptions, int64(n))
		}
	}
	return t.subscribed(c)
}

// liveStatus is the house, with a wall connector that knows what the first car
// charges.
func (t *Tesla) liveStatus(c *call) reply {
	answer := shape("energy_live_status")
	answer["timestamp"] = c.now.Format(time.RFC3339)
	box := answer["wall_connectors"].([]any)[0].(object)
	box["wall_connector_power"], box["vin"] = 0., nil
	for _, car := range t.cars {
		car.advance(c.now)
		if car.doing.Do == Charging {
			volts, amps, phases := car.current()
			box["wall_connector_power"], box["vin"] = volts*amps*float64(phases), car.spec.VIN
		}
	}
	return good(answer)
}
