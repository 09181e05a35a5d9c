package carstats

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

const (
	maxBatch   = 250              // records committed at once while a body streams in: a tick waits for them
	maxRaw     = 64 << 10         // bytes of an unknown API's body that are kept
	staleAfter = 15 * time.Second // see decoder.stale
)

// aliases are the keys of forks (boessi, dandevaud) for values of the app.
var aliases = map[string]string{
	"realTimeSpeed":               "speed",
	"realTimePower":               "power",
	"realTimeGear":                "selectedGear",
	"realTimeIgnitionState":       "ignitionState",
	"realTimeChargePortConnected": "chargePortConnected",
	"realTimeBatteryLevel":        "batteryLevel",
	"realTimeStateOfCharge":       "stateOfCharge",
	"realTimeAmbientTemperature":  "ambientTemperature",
	"realTimeLat":                 "lat",
	"realTimeLon":                 "lon",
	"realTimeAlt":                 "alt",
}

// secret are keys whose values are dropped at the door: never kept, logged or
// published. The ABRP package holds the user's token.
var secret = map[string]bool{"abrpPackage": true}

// decoder turns one body into batches. It holds at most maxBatch records.
type decoder struct {
	*scanner
	car      car.ID
	received time.Time
	raw      bool                  // also write the report as JSON
	take     func(car.Batch) error // stores a batch that is not the last
	kinds    map[string]kind       // the paths a report may have
	batch    car.Batch             // being filled
	records  int                   // in batch
	values   map[string]scalar     // of the report
	newest   car.Point             // the latest point of the body
	seenAny  bool                  // any key this program knows
	body     []byte                // the members so far, while the API may be an unknown one
}

// newDecoder prepares to read one body for one car. buf is working memory.
func newDecoder(r io.Reader, buf []byte, id car.ID, received time.Time) *decoder {
	return &decoder{
		scanner:  newScanner(r, buf),
		car:      id,
		received: received,
		kinds:    paths,
		batch:    car.Batch{Car: id, Received: received},
		values:   make(map[string]scalar, 16),
	}
}

// paths are the top-level keys that a report may have, by the table's rows and
// the keys its calculations look at.
var paths = reportPaths(Table)

// decode reads the body to its end and returns the last batch, with the report.
// Batches before it went to take. After an error the batch holds the good items
// that came before it, and no report.
func (d *decoder) decode() (car.Batch, error) {
	err := d.document()
	d.batch.Request.Bytes = d.at()
	if err != nil {
		return d.batch, err
	}
	d.report()
	d.batch.Last = true
	return d.batch, nil
}

func (d *decoder) document() error {
	c, err := d.token()
	if err != nil {
		return err
	}
	if c != '{' {
		if err := d.skip(); err != nil {
			return err
		}
		return d.finish()
	}
	if err := d.object(d.member); err != nil {
		return err
	}
	return d.finish()
}

func (d *decoder) member(key []byte) error {
	name := string(key)
	if secret[name] {
		return d.skip()
	}
	if d.values["apiVersion"].text != "" && !d.unknownAPI() {
		return d.known(name)
	}
	d.startRecording()
	defer d.keepMember(name)
	return d.known(name)
}

// keepMember adds the member that was just read to the body that is kept if
// its API proves unknown. What does not fit is left out.
func (d *decoder) keepMember(name string) {
	value := d.recorded()
	if len(d.body)+len(name)+len(value) > maxRaw || len(value) == 0 {
		return
	}
	quoted, err := json.Marshal(name)
	if err != nil {
		return
	}
	d.body = append(append(append(append(d.body, ','), quoted...), ':'), value...)
}

// known reads the value of a key if it means anything here.
func (d *decoder) known(name string) error {
	switch name {
	case "drivingPoints":
		return d.items(name, d.point)
	case "chargingSessions":
		return d.items(name, d.session)
	}
	if plain, ok := aliases[name]; ok {
		name = plain
	}
	want, known := d.kinds[name]
	if !known {
		return d.skip()
	}
	d.seenAny = true
	v, err := d.value()
	if err != nil || v.kind == null {
		return err
	}
	if v.kind == number && want == text {
		v = scalar{kind: text, text: car.Format(v.num, 3)}
	}
	if v.kind != want {
		d.skipped(name, fmt.Sprintf("is no %s", want))
		return nil
	}
	d.values[name] = v
	return nil
}

// items reads an array of records; null and anything else that is no array is
// no reason to refuse the body.
func (d *decoder) items(name string, item func(where string) error) error {
	c, err := d.token()
	if err != nil {
		return err
	}
	d.seenAny = true
	if c != '[' || d.unknownAPI() {
		if c != 'n' && c != '[' {
			d.skipped(name, "is no array")
		}
		return d.skip()
	}
	i := -1
	return d.array(func() error {
		i++
		where := fmt.Sprintf("%s[%d]", name, i)
		c, err := d.token()
		if err != nil {
			return err
		}
		if c != '{' {
			d.skipped(where, "is no object")
			return d.skip()
		}
		return item(where)
	})
}

// field is where a record's number goes.
type field struct {
	key  string
	dest *float64
}

// fields reads one key of a record into its field. It reports what is wrong
// with it, "" for nothing.
func (d *decoder) fields(key string, table []field) (wrong string, err error) {
	v, err := d.value()
	if err != nil {
		return "", err
	}
	for _, f := range table {
		switch {
		case f.key != key:
		case v.kind == null:
			return "", nil
		case v.kind != number:
			return key + " is no number", nil
		default:
			*f.dest = v.num
			return "", nil
		}
	}
	return "", nil
}

// record reads an object of numbers. It returns the first thing wrong with it.
func (d *decoder) record(table []field) (wrong string, err error) {
	err = d.object(func(key []byte) error {
		why, err := d.fields(string(key), table)
		if wrong == "" {
			wrong = why
		}
		return err
	})
	return wrong, err
}

func (d *decoder) point(where string) error {
	at, marker := car.Missing(), 0.0
	p := car.Point{
		Distance: car.Missing(), Energy: car.Missing(), SoC: car.Missing(),
		Lat: car.Missing(), Lon: car.Missing(), Alt: car.Missing(),
	}
	wrong, err := d.record([]field{
		{"driving_point_epoch_time", &at}, {"distance_delta", &p.Distance},
		{"energy_delta", &p.Energy}, {"state_of_charge", &p.SoC}, {"point_marker_type", &marker},
		{"lat", &p.Lat}, {"lon", &p.Lon}, {"alt", &p.Alt},
	})
	if err != nil {
		return err
	}
	if wrong == "" {
		wrong = checkTime("driving_point_epoch_time", at)
	}
	if wrong != "" {
		d.skipped(where, wrong)
		return nil
	}
	p.At, p.Marker = int64(at), mark(marker)
	if p.At > d.newest.At {
		d.newest = p
	}
	d.batch.Points = append(d.batch.Points, p)
	d.batch.Request.Points++
	return d.full()
}

// session reads a charging session. Its points come before its start time and
// may be thousands, so they are stored as they come: they belong to the session
// that had begun last at their time.
func (d *decoder) session(where string) error {
	start, end, id, duration := car.Missing(), 0.0, 0.0, 0.0
	s := car.Session{
		Energy: car.Missing(), SoC: car.Missing(), Outside: car.Missing(),
		Lat: car.Missing(), Lon: car.Missing(),
	}
	table := []field{
		{"start_epoch_time", &start}, {"end_epoch_time", &end}, {"charging_session_id", &id},
		{"chargeTime", &duration}, {"charged_energy", &s.Energy}, {"charged_soc", &s.SoC},
		{"outside_temp", &s.Outside}, {"lat", &s.Lat}, {"lon", &s.Lon},
	}
	var wrong string
	err := d.object(func(key []byte) error {
		if string(key) == "chargingPoints" {
			before := d.batch.Request.Skipped
			n, err := d.chargePoints(where)
			s.Points = n - (d.batch.Request.Skipped - before)
			return err
		}
		why, err := d.fields(string(key), table)
		if wrong == "" {
			wrong = why
		}
		return err
	})
	if err != nil {
		return err
	}
	if wrong == "" {
		wrong = checkTime("start_epoch_time", start)
	}
	if wrong == "" && end != 0 {
		wrong = checkTime("end_epoch_time", end)
	}
	if wrong != "" {
		d.skipped(where, wrong)
		return nil
	}
	s.Start, s.End = int64(start), int64(end)
	s.ID, s.Duration = whole(id), whole(duration)
	d.batch.Sessions = append(d.batch.Sessions, s)
	d.batch.Request.Sessions++
	return d.full()
}

// chargePoints reads a session's points and returns how many there were.
func (d *decoder) chargePoints(where string) (n int, err error) {
	err = d.items(where+".chargingPoints", func(where string) error {
		n++
		return d.chargePoint(where)
	})
	return n, err
}

func (d *decoder) chargePoint(where string) error {
	at, marker := car.Missing(), 0.0
	p := car.ChargePoint{Energy: car.Missing(), Power: car.Missing(), SoC: car.Missing()}
	wrong, err := d.record([]field{
		{"charging_point_epoch_time", &at}, {"energy_delta", &p.Energy}, {"power", &p.Power},
		{"state_of_charge", &p.SoC}, {"point_marker_type", &marker},
	})
	if err != nil {
		return err
	}
	if wrong == "" {
		wrong = checkTime("charging_point_epoch_time", at)
	}
	if wrong != "" {
		d.skipped(where, wrong)
		return nil
	}
	p.At, p.Power, p.Marker = int64(at), p.Power/1000, mark(marker)
	d.batch.ChargePoints = append(d.batch.ChargePoints, p)
	return d.full()
}

// full hands the batch over when it is as large as one commit should be.
func (d *decoder) full() error {
	if d.records++; d.records < maxBatch {
		return nil
	}
	b := d.batch
	b.Request = car.Request{}
	if err := d.take(b); err != nil {
		return err
	}
	d.records = 0
	d.batch.Points, d.batch.ChargePoints, d.batch.Sessions = nil, nil, nil
	return nil
}

// skipped notes a wrong item. Only the first of a body is told, by its place
// and the name of what is wrong: values may be positions.
func (d *decoder) skipped(where, why string) {
	r := &d.batch.Request
	if r.Skipped++; r.SkippedWhy == "" {
		r.SkippedWhy = where + " " + why
	}
}

// report makes the report of what the top level said.
func (d *decoder) report() {
	r := &d.batch.Request
	r.APIVersion, r.AppVersion = d.values["apiVersion"].text, d.values["appVersion"].text
	r.LegacyAPI = r.APIVersion == "" && d.seenAny
	r.UnknownAPI = d.unknownAPI()
	if r.UnknownAPI && len(d.body) > 0 {
		d.batch.Unknown = "{" + string(d.body[1:]) + "}"
	}
	if r.LegacyAPI || r.UnknownAPI || !d.seenAny {
		return
	}
	d.position()
	report := car.Report{At: d.received, Values: make(map[string]car.Value, len(d.values))}
	if ts, ok := d.values["timestamp"]; ok {
		report.At, report.Age = d.when(ts.num)
	}
	for path, v := range d.values {
		if path != "timestamp" {
			report.Values[path] = v.asValue()
		}
	}
	d.batch.Report, r.HasReport = &report, len(report.Values) > 0
	if d.raw {
		d.batch.Raw = d.rawJSON()
	}
}

// when is the time that the report's values held, and how old they were when
// the app sent them.
func (d *decoder) when(ms float64) (time.Time, time.Duration) {
	if checkTime("timestamp", ms) != "" || car.ClockWrong(time.UnixMilli(int64(ms)), d.received) {
		d.batch.Request.ClockWrong = true
		return d.received, 0
	}
	at := time.UnixMilli(int64(ms))
	if point := time.UnixMilli(d.newest.At); d.stale(at.Sub(point)) {
		d.batch.Request.Stale = true
		return point, at.Sub(point)
	}
	return at, 0
}

// stale recognises a request that waited behind time-outs: the app takes the
// timestamp when it sends, but the car's state when it queued. Such a state
// equals that of the newest point in the request, and counts as of its time.
func (d *decoder) stale(age time.Duration) bool {
	p := d.newest
	return p.At != 0 && age > staleAfter && !car.ClockWrong(time.UnixMilli(p.At), d.received) &&
		d.equals("stateOfCharge", p.SoC) && d.equals("lat", p.Lat) &&
		d.equals("lon", p.Lon) && d.equals("alt", p.Alt)
}

func (d *decoder) equals(path string, x float64) bool {
	v, ok := d.values[path]
	return ok && v.num == x || !ok && !car.Given(x)
}

// position drops coordinates that are none: the app sends all three or none,
// and exactly 0/0 is a receiver without a fix.
func (d *decoder) position() {
	lat, okLat := d.values["lat"]
	lon, okLon := d.values["lon"]
	good := okLat && okLon && math.Abs(lat.num) <= 90 && math.Abs(lon.num) <= 180
	if good && (lat.num != 0 || lon.num != 0) {
		return
	}
	delete(d.values, "lat")
	delete(d.values, "lon")
	delete(d.values, "alt")
}

// unknownAPI says whether the body's API version is beyond what this program
// knows: a new major version may give old keys new meanings.
func (d *decoder) unknownAPI() bool {
	major, _, _ := strings.Cut(d.values["apiVersion"].text, ".")
	return len(major) > 1 || major > "2"
}

// rawJSON writes what the app said at the top level, without arrays and
// secrets, in the app's own units.
func (d *decoder) rawJSON() string {
	out := make(map[string]any, len(d.values))
	for path, v := range d.values {
		out[path] = v.asValue()
	}
	raw, err := json.Marshal(out)
	if err != nil {
		return ""
	}
	return string(raw)
}

// asValue is the scalar in the language of cars.
func (v scalar) asValue() car.Value {
	switch v.kind {
	case number:
		return car.Number(v.num)
	case boolean:
		return car.Bool(v.num == 1)
	case text:
		return car.Text(v.text)
	}
	return car.Value{}
}

func (k kind) String() string {
	return [...]string{"null", "number", "truth value", "text", "usable value", "plain value"}[k]
}

// checkTime says what is wrong with a time in epoch milliseconds, "" if
// nothing. Wrong clocks pass: they are the store's to keep apart.
func checkTime(key string, ms float64) string {
	switch {
	case !car.Given(ms):
		return key + " is missing"
	case math.Abs(ms) > 1<<53 || ms == 0:
		return key + " is no time"
	}
	return ""
}

// whole is a number as an integer, 0 where it cannot be one.
func whole(x float64) int64 {
	if !car.Given(x) || math.Abs(x) > 1<<53 {
		return 0
	}
	return int64(x)
}

// mark is a point's marker; the app may invent others, which mean nothing here.
func mark(x float64) car.Marker {
	if x == 1 || x == 2 || x == 3 {
		return car.Marker(x)
	}
	return car.NoMarker
}
