//go:build homeassistant

package e2e

import "strings"

// entity is an entry of Home Assistant's entity registry, device one of its device
// registry, as far as scenarios look at them.
type entity struct {
	ID       string `json:"entity_id"`
	Unique   string `json:"unique_id"`
	Platform string `json:"platform"`
	Device   string `json:"device_id"`
	Disabled string `json:"disabled_by"`
	Category string `json:"entity_category"`
	Name     string `json:"name"`          // the user's
	Original string `json:"original_name"` // ours
	Icon     string `json:"icon"`
	Area     string `json:"area_id"`
	Registry string `json:"id"` // of the entry; another one is another entry
}

type device struct {
	ID           string     `json:"id"`
	Name         string     `json:"name"`
	NameByUser   string     `json:"name_by_user"`
	Manufacturer string     `json:"manufacturer"`
	Model        string     `json:"model"`
	Serial       string     `json:"serial_number"`
	Version      string     `json:"sw_version"`
	Via          string     `json:"via_device_id"`
	Area         string     `json:"area_id"`
	Identifiers  [][]string `json:"identifiers"`
}

// entities are the MQTT entities by their unique id.
func (s *socket) entities() (map[string]entity, error) {
	var list []entity
	if err := s.call(&list, "config/entity_registry/list", nil); err != nil {
		return nil, err
	}
	byUnique := map[string]entity{}
	for _, e := range list {
		if e.Platform == "mqtt" {
			byUnique[e.Unique] = e
		}
	}
	return byUnique, nil
}

// devices are the MQTT devices by their identifier.
func (s *socket) devices() (map[string]device, error) {
	var list []device
	if err := s.call(&list, "config/device_registry/list", nil); err != nil {
		return nil, err
	}
	byIdentifier := map[string]device{}
	for _, d := range list {
		for _, pair := range d.Identifiers {
			if len(pair) == 2 && pair[0] == "mqtt" {
				byIdentifier[pair[1]] = d
			}
		}
	}
	return byIdentifier, nil
}

// states are all states by their entity id.
func (r rest) states() (map[string]state, error) {
	var list []state
	if err := r.get("/api/states", &list); err != nil {
		return nil, err
	}
	byEntity := map[string]state{}
	for _, s := range list {
		byEntity[s.Entity] = s
	}
	return byEntity, nil
}

// deleteDevice deletes a device as a person does on its page. Releases before
// 2026.9 know only the removal of its entry.
func (ha *instance) deleteDevice(id, entry string) error {
	err := ha.socket.call(nil, "config/device_registry/remove", map[string]any{"device_id": id})
	if err == nil || !strings.Contains(err.Error(), "unknown_command") {
		return err
	}
	return ha.socket.call(nil, "config/device_registry/remove_config_entry",
		map[string]any{"device_id": id, "config_entry_id": entry})
}
