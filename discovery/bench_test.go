package discovery_test

import (
	"testing"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/discovery"
)

// BenchmarkMessages writes and lints the messages of a car with 110 fields.
func BenchmarkMessages(b *testing.B) {
	d := polestar()
	for i := range 10 {
		for _, f := range table.Fields {
			if i > 0 {
				f.Key += "_" + string(rune('a'+i))
			}
			d.Fields = append(d.Fields, f)
		}
	}
	d.Fields = d.Fields[len(table.Fields):]
	bytes := 0
	for b.Loop() {
		messages, errs := discovery.Messages(sample(), d)
		if len(errs) > 0 {
			b.Fatal(errs)
		}
		bytes = 0
		for _, m := range messages {
			bytes += len(m.Payload)
		}
	}
	b.ReportMetric(float64(bytes)/float64(len(d.Fields)), "B/component")
	b.ReportMetric(float64(len(d.Fields)), "components")
}

// BenchmarkHeard is what somebody else's discovery message costs.
func BenchmarkHeard(b *testing.B) {
	h := discovery.New(sample(), nil, func() float64 { return 0 })
	h.Announce(car.Device{ID: "x", Fields: table.Fields}, start)
	h.Up(start)
	payload := []byte(`{"device":{"identifiers":"zigbee2mqtt_0x1"},"origin":{"name":"Zigbee2MQTT"}}`)
	for b.Loop() {
		h.Heard("homeassistant/device/0x1/sensor/config", payload, true, start)
	}
}
