package sim

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
)

const audienceOfStreams = "com.tesla.fleet.TelemetryClient"

// stream takes a configuration as a proxy would, which signs it.
func (t *Tesla) stream(c *call) reply {
	config, _ := c.body["config"].(object)
	return t.configure(c, config)
}

// streamSigned takes a configuration that somebody signed. Who, is not checked.
func (t *Tesla) streamSigned(c *call) reply {
	signed, _ := c.body["token"].(string)
	parts := strings.Split(signed, ".")
	if len(parts) != 3 {
		return failure("400_invalid_field").explain("token is no JWS")
	}
	var header struct{ Alg string }
	var config object
	for i, into := range []any{&header, &config} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(raw, into) != nil {
			return failure("400_invalid_field").explain("token is no JWS")
		}
	}
	if header.Alg != "Tesla.SS256" || config["aud"] != audienceOfStreams || config["iss"] == nil {
		return failure("400_invalid_field").explain("token is not meant for streaming")
	}
	delete(config, "aud")
	delete(config, "iss")
	return t.configure(c, config)
}

// configure gives the configuration to the cars that may have it.
func (t *Tesla) configure(c *call, config object) reply {
	fields, _ := config["fields"].(object)
	host, _ := config["hostname"].(string)
	port, _ := config["port"].(float64)
	_, located := fields["Location"]
	switch {
	case len(c.vins()) == 0 || len(fields) == 0 || host == "" || port < 1 || port > 65535:
		return failure("400_invalid_field").explain("vins, hostname, port and fields are needed")
	case located && !c.token.has("vehicle_location"):
		return failure("403_missing_scopes")
	}
	skipped := map[string][]string{
		"missing_key": {}, "unsupported_hardware": {}, "unsupported_firmware": {}, "max_configs": {},
	}
	updated := 0
	for _, vin := range c.vins() {
		switch car := t.Car(vin); {
		case car == nil:
			return failure("404_not_found")
		case car.spec.Model.old():
			skipped["unsupported_hardware"] = append(skipped["unsupported_hardware"], vin)
		case !car.settings.Paired:
			skipped["missing_key"] = append(skipped["missing_key"], vin)
		default:
			car.advance(c.now)
			car.config, car.synced = config, car.state() == Online
			updated++
		}
	}
	return good(object{"updated_vehicles": updated, "skipped_vehicles": skipped})
}

// streamed is the configuration; a car has it once it was online.
func streamed(_ *Tesla, c *call) reply {
	c.car.synced = c.car.synced || c.car.state() == Online || c.car.config == nil
	answer := object{
		"synced": c.car.synced, "config": nil, "limit_reached": false, "key_paired": c.car.settings.Paired,
	}
	if c.car.config != nil {
		answer["config"] = c.car.config
	}
	return good(answer)
}

func unstream(_ *Tesla, c *call) reply {
	updated := 0
	if c.car.config != nil {
		c.car.config, updated = nil, 1
	}
	return good(object{"updated_vehicles": updated})
}

// streamErrors are the troubles that cars have with their receiver: of one car,
// or for a partner of all.
func (t *Tesla) streamErrors(c *call) reply {
	all := []object{}
	for _, car := range t.cars {
		if car.settings.StreamError != "" && (c.car == nil || c.car == car) {
			all = append(all, object{
				"name": t.options.ClientID, "error": car.settings.StreamError, "vin": car.spec.VIN,
			})
		}
	}
	return good(object{"fleet_telemetry_errors": all})
}

func (t *Tesla) streamErrorVINs(*call) reply {
	vins := []string{}
	for _, car := range t.cars {
		if car.settings.StreamError != "" {
			vins = append(vins, car.spec.VIN)
		}
	}
	slices.Sort(vins)
	return good(object{"vins": vins})
}
