package bridge

import (
	"cmp"
	"context"
	"maps"
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

// AccountTable describes the account at a car's maker.
var AccountTable = car.Table{Fields: []car.Field{
	{Key: "auth", Name: "Sign-in", Is: car.Word, From: car.AccountAuth, Diagnostic: true, Icon: "mdi:account-key", Options: []string{"signed_in", "login_required", "not_set_up", "region_error"}},
	{Key: "auth_problem", Name: "Sign-in problem", Is: car.Problem, From: car.AccountProblem, Diagnostic: true},
	{Key: "cost_month", Name: "Cost this month", Is: car.Money, From: car.AccountCost, Diagnostic: true},
	{Key: "cost_forecast", Name: "Cost forecast", Is: car.Money, From: car.AccountForecast, Diagnostic: true},
	{Key: "credit_left", Name: "Free credit left", Is: car.Money, From: car.AccountCredit, Diagnostic: true},
	{Key: "over_budget", Name: "Over budget", Is: car.Problem, From: car.AccountOverBudget, Diagnostic: true},
	{Key: "calls_data", Name: "Data calls this month", Is: car.Counter, From: car.AccountData, Symbol: "calls", Diagnostic: true, Off: true},
	{Key: "calls_command", Name: "Commands this month", Is: car.Counter, From: car.AccountCommands, Symbol: "calls", Diagnostic: true, Off: true},
	{Key: "calls_wake", Name: "Wakes this month", Is: car.Counter, From: car.AccountWakes, Symbol: "calls", Diagnostic: true, Off: true},
}}

// own is a device that is no car: the program itself, or the account. Its values
// are handed to it.
type own struct {
	*live
	device car.Device
}

func (b *Bridge) own(d car.Device, t car.Table) *own {
	d.Fields = t.Fields
	return &own{newLive(d.ID, t, b.Topics, b.Calm, 1<<62), d}
}

// tell returns what is to be sent at now, given the newest values by path.
func (o *own) tell(values map[string]car.Value, now time.Time) []car.Message {
	o.Received, o.Fresh, o.Newest = now.UnixMilli(), now.UnixMilli(), now.UnixMilli()
	maps.Copy(o.computed, values)
	return append(o.publish(now), o.tick(now)...)
}

// publishProgram tells of the program itself, and sends what waits of the account.
func (b *Bridge) publishProgram(now time.Time) {
	b.Publish(b.program.tell(map[string]car.Value{
		car.ProgramVersion:  car.Text(b.Version),
		car.ProgramStarted:  car.Moment(b.started),
		car.ProgramRequests: car.Number(float64(b.requests.Load())),
		car.ProgramErrors:   car.Number(float64(b.failures.Load())),
	}, now)...)
	if b.account != nil {
		b.Publish(b.account.tell(nil, now)...)
	}
}

// Account publishes what is known of the account at the cars' maker, by the paths
// of package car, and announces it at the first time.
func (b *Bridge) Account(ctx context.Context, values map[string]car.Value) error {
	return b.Do(ctx, func() {
		if b.account == nil {
			b.account = b.own(car.Device{
				ID: car.AccountID, Name: "Tesla account", Manufacturer: "Tesla", Model: "Fleet API",
			}, AccountTable)
			b.Announce(b.account.device)
		}
		b.Publish(b.account.tell(values, b.Now())...)
	})
}

// profile is who a car is: what the configuration says, else what it says itself.
func (b *Bridge) profile(v *vehicle) Profile {
	p := b.Profiles[v.id]
	if says := b.Sources[v.Source].Profile; says != nil {
		own := says(v.view(b.Now()))
		p.Name, p.Manufacturer = cmp.Or(p.Name, own.Name), cmp.Or(p.Manufacturer, own.Manufacturer)
		p.Model, p.VIN = cmp.Or(p.Model, own.Model), cmp.Or(p.VIN, own.VIN)
	}
	p.Name = cmp.Or(p.Name, title(string(v.id)))
	return p
}

// device is what discovery is told of a car.
func (b *Bridge) device(v *vehicle) car.Device {
	p := b.profile(v)
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
