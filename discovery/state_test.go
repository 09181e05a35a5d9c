package discovery_test

import (
	"strings"
	"testing"

	"github.com/wheelhouse-mqtt/wheelhouse/discovery"
)

func TestLintState(t *testing.T) {
	const (
		gear   = `{"platform":"sensor","device_class":"enum","options":["P","D"]}`
		moment = `{"platform":"sensor","device_class":"timestamp"}`
		day    = `{"platform":"sensor","device_class":"date"}`
		word   = `{"platform":"sensor"}`
		count  = `{"platform":"sensor","unit_of_measurement":"requests"}`
		status = `{"platform":"binary_sensor","payload_on":"online","payload_off":"offline"}`
		power  = `{"platform":"switch","payload_on":"1","payload_off":"0","state_off":"no"}`
		plain  = `{"platform":"climate"}`
	)
	for _, test := range []struct {
		component string
		good      []string
		bad       []string
	}{
		{
			good["battery"],
			[]string{"0", "80", "80.5", "-3", "-0.5", "0.25", "None"},
			[]string{
				"", "80%", "1e3", "-0", "-0.0", "+1", "NaN", "inf", "1,5", "null", ".5", "5.", "01",
				"none", " 1", `"80"`,
			},
		},
		{count, []string{"7"}, []string{"many"}},
		{gear, []string{"P", "None"}, []string{"", "R", "p", "Unknown"}},
		{
			moment, []string{"2026-11-24T08:00:00Z", "2026-11-24T08:00:00.123+01:00", "None"},
			[]string{"2026-11-24T08:00:00", "2026-11-24", "1763971200", "soon"},
		},
		{day, []string{"2026-11-24"}, []string{"2026-11-24T08:00:00Z", "24.11.2026"}},
		{
			word, []string{"0.28.0", strings.Repeat("ä", 255)}, []string{"", strings.Repeat("ä", 256)},
		},
		{good["door"], []string{"open", "shut", "None"}, []string{"ON", "OFF", "", "true"}},
		{status, []string{"online", "offline"}, []string{"ON"}},
		{
			good["location"],
			[]string{
				`{"latitude":57.7,"longitude":11.9,"gps_accuracy":10}`, `{}`, `{"heading":3}`,
				`{"latitude":0,"longitude":0}`,
			},
			[]string{
				`{"latitude":57.7}`, `{"longitude":11.9}`, `{"latitude":null,"longitude":null}`,
				`{"latitude":"57.7","longitude":11.9}`, `{"latitude":91,"longitude":0}`,
				`{"latitude":0,"longitude":-181}`, `[]`, "home", "None",
			},
		},
		{
			good["activity"],
			[]string{`{"event_type":"left","at":"now"}`},
			[]string{`{"event_type":"stayed"}`, `{"event_type":"None"}`, `{}`, `left`, `{"event_type":1}`},
		},
		{good["doors"], []string{"LOCKED", "UNLOCKING", "None"}, []string{"locked", "ON"}},
		{power, []string{"1", "no", "None"}, []string{"0", "ON"}},
		{
			good["charge_limit"],
			[]string{"50", "100", "85.5", "None"}, []string{"49", "101", "85 %", "1e2"},
		},
		{good["seat"], []string{"off", "None"}, []string{"high", "Off"}},
		{good["frunk"], []string{"open", "closing", "None"}, []string{"OPEN", "shut"}},
		{good["climate"], []string{"off", "heat_cool", "None"}, []string{"cool", "dog"}},
		{plain, []string{"cool"}, []string{"heat_cool"}},
		{
			good["software"],
			[]string{"2026.44", `{"installed_version":"1","latest_version":"2","update_percentage":null}`},
			[]string{
				`{"installed_version":null}`, `{"installed_version":"1","version":"1"}`,
				`{"release_url":""}`, `{"in_progress":"yes"}`, `{`,
			},
		},
		{good["note"], []string{"hello"}, []string{"None", strings.Repeat("x", 256)}},
		{good["wake"], nil, []string{"PRESS"}},
		{`[]`, nil, []string{"1"}},
	} {
		t.Run(test.component, func(t *testing.T) {
			for _, payload := range test.good {
				if err := discovery.LintState([]byte(test.component), payload); err != nil {
					t.Errorf("%q: %v", payload, err)
				}
			}
			for _, payload := range test.bad {
				if discovery.LintState([]byte(test.component), payload) == nil {
					t.Errorf("%q was taken", payload)
				}
			}
		})
	}
}
