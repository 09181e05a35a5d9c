package bridge

import (
	"strings"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// ProgramTable describes the program's own values and buttons.
var ProgramTable = car.Table{Fields: []car.Field{
	{Key: "connected", Name: "Connected", Is: car.Connectivity, Diagnostic: true, IsStatus: true},
	{Key: "version", Name: "Version", Is: car.FreeText, From: car.ProgramVersion, Diagnostic: true, Off: true},
	{Key: "started", Name: "Started", Is: car.Instant, From: car.ProgramStarted, Diagnostic: true},
	{Key: "webhook_requests", Name: "Webhook requests", Is: car.Counter, From: car.ProgramRequests, Symbol: "requests", Diagnostic: true, Off: true},
	{Key: "webhook_errors", Name: "Webhook errors", Is: car.Counter, From: car.ProgramErrors, Symbol: "errors", Diagnostic: true, Off: true},
	{Key: "republish", Name: "Republish discovery", Is: car.Press, Diagnostic: true},
}}

// publishProgram tells of the program itself.
func (b *Bridge) publishProgram(now time.Time) {
	p := b.program
	p.Received, p.Fresh, p.Newest = now.UnixMilli(), now.UnixMilli(), now.UnixMilli()
	p.computed[car.ProgramVersion] = car.Text(b.Version)
	p.computed[car.ProgramStarted] = car.Moment(b.started)
	p.computed[car.ProgramRequests] = car.Number(float64(b.requests.Load()))
	p.computed[car.ProgramErrors] = car.Number(float64(b.failures.Load()))
	b.Publish(p.publish(now)...)
	b.Publish(p.tick(now)...)
}

func (b *Bridge) programDevice() car.Device {
	return car.Device{
		ID: car.BridgeID, Name: "Wheelhouse", Manufacturer: "Wheelhouse", Model: "Bridge",
		Fields: ProgramTable.Fields,
	}
}

// device is what discovery is told of a car.
func (b *Bridge) device(v *vehicle) car.Device {
	p := b.Profiles[v.id]
	if p.Name == "" {
		p.Name = title(string(v.id))
	}
	return car.Device{
		ID: v.id, Name: p.Name, Manufacturer: p.Manufacturer, Model: p.Model, Serial: p.VIN,
		Fields: v.fields(),
	}
}

// title makes a name of an id: "polestar_2" is "Polestar 2".
func title(id string) string {
	words := strings.Split(id, "_")
	for i, w := range words {
		if w != "" {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, " ")
}
