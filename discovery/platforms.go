package discovery

import (
	"slices"
	"strings"
)

// Closed objects: one key that is not listed, or one null, makes Home Assistant
// drop the whole message (mqtt/schemas.py). Left out on purpose: child_devices
// and message_expiry_interval at the root, which older releases refuse.
var (
	rootRules = map[string]rule{
		"device":                object,
		"origin":                object,
		"components":            object,
		"availability":          sources,
		"availability_topic":    topicRule,
		"availability_mode":     oneOf("all any latest"),
		"availability_template": words,
		"payload_available":     words,
		"payload_not_available": words,
		"state_topic":           topicRule,
		"command_topic":         topicRule,
		"qos":                   whole(0, 2),
		"encoding":              text,
	}
	deviceRules = map[string]rule{
		"identifiers":       identifiers,
		"connections":       connections,
		"name":              words,
		"manufacturer":      words,
		"model":             words,
		"model_id":          words,
		"serial_number":     words,
		"hw_version":        words,
		"sw_version":        words,
		"configuration_url": link("http https homeassistant"),
		"suggested_area":    words,
		"via_device":        words,
	}
	originRules = map[string]rule{
		"name":        words,
		"sw_version":  words,
		"support_url": link("http https"),
	}
)

// commonKeys may stand in a component of any entity platform (mqtt/schemas.py).
// device and origin belong to messages about a single entity.
const commonKeys = `platform name unique_id default_entity_id icon entity_picture
	entity_category enabled_by_default visible_by_default availability availability_topic
	availability_mode availability_template payload_available payload_not_available
	json_attributes_topic json_attributes_template qos retain encoding
	message_expiry_interval group`

// platform is what Home Assistant knows of an entity platform.
type platform struct {
	rules map[string]rule // every key that it knows
	need  []string        // keys that must be there
	check func(c map[string]any, add func(key, what string))
}

const (
	whyOptimistic = "Home Assistant would show, and send again, what no car has confirmed"
	whyRetain     = "a retained command would be carried out again at every start"
	whyExpire     = "the state is retained, so a restart would show an old value as new"
)

// valueRules are the rules of the keys whose name does not say what they hold.
var valueRules = map[string]rule{
	"platform":                    words,
	"name":                        orNull(words),
	"unique_id":                   words,
	"default_entity_id":           entityIDRule,
	"icon":                        icon,
	"entity_picture":              link("http https"),
	"entity_category":             oneOf("config diagnostic"),
	"enabled_by_default":          flag,
	"visible_by_default":          flag,
	"availability":                sources,
	"availability_mode":           oneOf("all any latest"),
	"qos":                         whole(0, 2),
	"retain":                      always(false, whyRetain),
	"encoding":                    text,
	"message_expiry_interval":     expiry,
	"group":                       list(words),
	"optimistic":                  always(false, whyOptimistic),
	"expire_after":                never("must not be used: " + whyExpire),
	"force_update":                flag,
	"options":                     list(option),
	"event_types":                 list(words),
	"suggested_display_precision": whole(0, 10),
	"display_precision":           whole(0, 10),
	"off_delay":                   whole(0, 1<<31),
	"unit_of_measurement":         words,
	"min":                         amount,
	"max":                         amount,
	"step":                        amount,
	"code_format":                 words,
	"position_open":               whole(-1<<31, 1<<31),
	"position_closed":             whole(-1<<31, 1<<31),
	"modes":                       list(oneOf("auto off cool heat dry fan_only heat_cool")),
	"preset_modes":                list(option),
	"fan_modes":                   list(words),
	"swing_modes":                 list(words),
	"swing_horizontal_modes":      list(words),
	"min_temp":                    amount,
	"max_temp":                    amount,
	"temp_step":                   amount,
	"initial":                     amount,
	"min_humidity":                amount,
	"max_humidity":                amount,
	"temperature_unit":            oneOf("C F"),
	"title":                       words,
	"pattern":                     words,
	"content_type":                words,
	"image_encoding":              oneOf("b64"),
	"source_type":                 oneOf("gps router bluetooth bluetooth_le"),
	"automation_type":             oneOf("trigger"),
	"topic":                       topicRule,
	"type":                        words,
	"subtype":                     words,
	"payload":                     words,
}

// ruleOf is the rule of a key on any platform.
func ruleOf(key string) rule {
	if r, ok := valueRules[key]; ok {
		return r
	}
	switch {
	case strings.HasSuffix(key, "_topic"):
		return topicRule
	case strings.HasSuffix(key, "_template"):
		return words
	}
	return words // payload_*, state_*: a word
}

// entityPlatform describes a platform: keys that must be there, further keys,
// and the rules that differ from ruleOf.
func entityPlatform(need, keys string, own map[string]rule,
	check func(map[string]any, func(key, what string))) platform {
	p := platform{map[string]rule{}, append(strings.Fields(need), "unique_id"), check}
	for _, key := range slices.Concat(strings.Fields(commonKeys), p.need, strings.Fields(keys)) {
		p.rules[key] = ruleOf(key)
	}
	for key, r := range own {
		p.rules[key] = r
	}
	return p
}

// platforms are the ones that every supported release knows and a car can need:
// the key lists of mqtt/<platform>.py. Needed are, beyond what Home Assistant
// asks for, a state topic and optimistic: false wherever commands are sent.
var platforms = map[string]platform{
	"sensor": entityPlatform("state_topic",
		`value_template device_class unit_of_measurement state_class
		suggested_display_precision options last_reset_value_template expire_after force_update`,
		map[string]rule{
			"device_class":    sensorClassRule,
			"state_class":     oneOf("measurement measurement_angle total total_increasing"),
			"entity_category": oneOf("diagnostic"),
		}, checkSensor),
	"binary_sensor": entityPlatform("state_topic",
		"payload_on payload_off value_template device_class off_delay expire_after force_update",
		map[string]rule{
			"device_class":    oneOf(binaryClasses),
			"entity_category": oneOf("diagnostic"),
		}, checkBinarySensor),
	"device_tracker": entityPlatform("json_attributes_topic",
		"state_topic source_type payload_home payload_not_home payload_reset value_template",
		map[string]rule{
			"state_topic": never("must not be used: its value beats the coordinates"),
		}, nil),
	"event": entityPlatform("state_topic event_types", "device_class value_template",
		map[string]rule{"device_class": oneOf("button doorbell motion")}, nil),
	"button": entityPlatform("command_topic", "payload_press device_class command_template",
		map[string]rule{"device_class": oneOf("identify restart update")}, nil),
	"lock": entityPlatform("command_topic state_topic optimistic",
		`payload_lock payload_unlock payload_open payload_reset state_locked state_unlocked
		state_locking state_unlocking state_jammed state_open state_opening code_format
		value_template command_template`, nil, nil),
	"switch": entityPlatform("command_topic state_topic optimistic",
		`payload_on payload_off state_on state_off device_class value_template command_template`,
		map[string]rule{"device_class": oneOf("switch outlet")}, nil),
	"number": entityPlatform("command_topic state_topic optimistic",
		`min max step mode unit_of_measurement device_class payload_reset value_template
		command_template`,
		map[string]rule{
			"mode":         oneOf("auto box slider"),
			"device_class": sensorClassRule,
		}, checkNumber),
	"select": entityPlatform("command_topic options state_topic optimistic",
		"value_template command_template", nil, nil),
	"cover": entityPlatform("optimistic",
		`command_topic payload_open payload_close payload_stop payload_stop_tilt state_topic
		state_open state_opening state_closed state_closing state_stopped position_topic
		position_template set_position_topic set_position_template position_open
		position_closed device_class value_template tilt_command_topic tilt_command_template
		tilt_status_topic tilt_status_template tilt_min tilt_max tilt_opened_value
		tilt_closed_value tilt_optimistic`,
		map[string]rule{
			"payload_open":      orNull(words),
			"payload_close":     orNull(words),
			"payload_stop":      orNull(words),
			"tilt_min":          amount,
			"tilt_max":          amount,
			"tilt_opened_value": amount,
			"tilt_closed_value": amount,
			"tilt_optimistic":   always(false, whyOptimistic),
			"device_class": oneOf("awning blind curtain damper door garage gate shade " +
				"shutter window"),
		}, checkCover),
	"climate": entityPlatform("temperature_unit optimistic",
		`mode_command_topic mode_command_template mode_state_topic mode_state_template modes
		temperature_command_topic temperature_command_template temperature_state_topic
		temperature_state_template temperature_high_command_topic
		temperature_high_command_template temperature_high_state_topic
		temperature_high_state_template temperature_low_command_topic
		temperature_low_command_template temperature_low_state_topic
		temperature_low_state_template current_temperature_topic current_temperature_template
		current_humidity_topic current_humidity_template target_humidity_command_topic
		target_humidity_command_template target_humidity_state_topic
		target_humidity_state_template min_humidity max_humidity min_temp max_temp temp_step
		precision initial preset_modes preset_mode_command_topic preset_mode_command_template
		preset_mode_state_topic preset_mode_value_template fan_modes fan_mode_command_topic
		fan_mode_command_template fan_mode_state_topic fan_mode_state_template swing_modes
		swing_mode_command_topic swing_mode_command_template swing_mode_state_topic
		swing_mode_state_template swing_horizontal_modes swing_horizontal_mode_command_topic
		swing_horizontal_mode_command_template swing_horizontal_mode_state_topic
		swing_horizontal_mode_state_template action_topic action_template power_command_topic
		power_command_template payload_on payload_off value_template`,
		map[string]rule{"precision": precision}, checkClimate),
	"update": entityPlatform("state_topic",
		`value_template latest_version_topic latest_version_template command_topic
		payload_install device_class title display_precision release_summary release_url`,
		map[string]rule{
			"device_class": oneOf("firmware"),
			"release_url":  link("http https"),
		}, checkUpdate),
	"text": entityPlatform("command_topic state_topic",
		"min max pattern mode value_template command_template",
		map[string]rule{
			"min":  whole(0, 255),
			"max":  whole(0, 255),
			"mode": oneOf("text password"),
		}, checkRange),
	"notify": entityPlatform("command_topic", "command_template", nil, nil),
	"image": entityPlatform("",
		"image_topic image_encoding content_type url_topic url_template", nil, checkImage),
	"device_automation": triggerPlatform(),
}

// triggerPlatform is the one platform without entities.
func triggerPlatform() platform {
	need := strings.Fields("automation_type topic type subtype")
	p := platform{rules: map[string]rule{}, need: need}
	more := strings.Fields("platform payload value_template qos encoding")
	for _, key := range slices.Concat(need, more) {
		p.rules[key] = ruleOf(key)
	}
	return p
}
