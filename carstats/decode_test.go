package carstats

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

var now = time.UnixMilli(1748763400000)

// decodeAll decodes a body with a buffer of a size and joins its batches.
func decodeAll(body io.Reader, buffer int) (car.Batch, error) {
	var all car.Batch
	join := func(b car.Batch) {
		all.Points = append(all.Points, b.Points...)
		all.ChargePoints = append(all.ChargePoints, b.ChargePoints...)
		all.Sessions = append(all.Sessions, b.Sessions...)
	}
	d := newDecoder(body, make([]byte, buffer), "polestar", now)
	d.raw = true
	d.take = func(b car.Batch) error { join(b); return nil }
	last, err := d.decode()
	join(last)
	last.Points, last.ChargePoints, last.Sessions = all.Points, all.ChargePoints, all.Sessions
	return last, err
}

func decodeFixture(t *testing.T, name string) car.Batch {
	t.Helper()
	f, err := os.Open("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := decodeAll(f, 512)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What the table makes of real bodies, each value in the unit people read.
func TestFixturesAsPeopleReadThem(t *testing.T) {
	for name, want := range map[string]map[string]string{
		"live-2.1": {"battery": "81", "battery_energy": "63.18", "battery_capacity": "78", "power": "24.19",
			"speed": "112", "consumption_now": "21.6", "outside_temperature": "14.5", "gear": "D",
			"ignition": "Started", "plugged_in": "OFF", "charging": "OFF", "charging_power": "0", "driving": "ON",
			"altitude": "89", "app_version": "0.28.1.0019", "api_version": "2.1",
			"location": `{"latitude":56.102844,"longitude":3.244389,"gps_accuracy":10,"altitude":89}`},
		"live-2.1-regen":             {"power": "-85", "charging_power": "0", "charging": "OFF", "speed": "81"},
		"live-2.0":                   {"power": "13.13", "speed": "59", "battery": "81", "api_version": "2"},
		"live-apiversion-number":     {"power": "0", "api_version": "2", "driving": "OFF"},
		"live-apiversion-string-2.0": {"api_version": "2.0"},
		"live-nolocation":            {"location": "None", "altitude": "None", "driving": "ON"},
		"live-nopower":               {"power": "None", "charging_power": "None", "charging": "None", "consumption_now": "None", "outside_temperature": "None", "driving": "ON"},
		"live-charging":              {"charging": "ON", "charging_power": "10.5", "power": "-10.5", "plugged_in": "ON", "driving": "OFF", "ignition": "Accessory"},
		"live-states":                {"gear": "None", "ignition": "None", "power": "0", "speed": "0", "driving": "None"},
		"live-abrp":                  {"gear": "P", "battery": "81"},
		"live-abrp-empty":            {"gear": "P", "battery": "81"},
		"drivepoints":                {"battery": "61"},
		"charging-session":           {"battery": "36"},
		"charging-session-open":      {"battery": "50"},
	} {
		t.Run(name, func(t *testing.T) {
			report := decodeFixture(t, name).Report
			view := car.View{Get: func(path string) car.Value { return report.Values[path] }}
			for key, payload := range want {
				f, ok := Table.Field(key)
				if !ok {
					t.Fatalf("no field %s", key)
				}
				if got := f.Payload(f.Evaluate(view)); got != payload {
					t.Errorf("%s is %s, want %s", key, got, payload)
				}
			}
		})
	}
}

func TestFixtureRecords(t *testing.T) {
	for _, c := range []struct {
		name                           string
		points, chargePoints, sessions int
		distance, energy               float64
	}{
		{"drivepoints", 121, 0, 0, 12_000.0, 2_502.97},
		{"drivepoints-missing-end", 23, 0, 0, 2_105.39, 255.07},
		{"drivepoints-nolocation", 11, 0, 0, 1_000.0, 6.94},
		{"charging-session", 0, 60, 1, 0, 0},
		{"charging-session-merged", 0, 102, 1, 0, 0},
		{"charging-session-open", 0, 0, 1, 0, 0},
		{"live-2.1-drivepoint", 1, 0, 0, 100.41, 27.73},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := decodeFixture(t, c.name)
			var distance, energy float64
			for _, p := range b.Points {
				distance, energy = distance+p.Distance, energy+p.Energy
			}
			if len(b.Points) != c.points || len(b.ChargePoints) != c.chargePoints || len(b.Sessions) != c.sessions ||
				math.Abs(distance-c.distance) > 0.05 || math.Abs(energy-c.energy) > 0.05 {
				t.Errorf("%d points, %d charge points, %d sessions, %.2f m, %.2f Wh; want %+v",
					len(b.Points), len(b.ChargePoints), len(b.Sessions), distance, energy, c)
			}
			if b.Request.Skipped != 0 {
				t.Errorf("skipped %s", b.Request.SkippedWhy)
			}
		})
	}
}

func TestOldAPIHasNoReport(t *testing.T) {
	b := decodeFixture(t, "legacy-1.0")
	if b.Report != nil || !b.Request.LegacyAPI {
		t.Errorf("%+v", b)
	}
}

// A long body comes in batches that one commit can hold, and memory does not
// grow with it.
func TestLongBodiesComeInBatches(t *testing.T) {
	const n = 25_500
	point := `{"distance_delta":100.5,"driving_point_epoch_time":1748763000000},`
	body := io.MultiReader(strings.NewReader(`{"apiVersion":"2.1","drivingPoints":[`),
		&repeat{unit: []byte(point), n: n}, strings.NewReader(`{"driving_point_epoch_time":1748763000001}]}`))
	largest, total := 0, 0
	d := newDecoder(body, make([]byte, 4096), "polestar", now)
	count := func(b car.Batch) error {
		largest, total = max(largest, b.Records()), total+b.Records()
		return nil
	}
	d.take = count
	last, err := d.decode()
	if err != nil {
		t.Fatal(err)
	}
	_ = count(last)
	if total != n+1 || largest > maxBatch || last.Request.Points != n+1 || !last.Last {
		t.Errorf("%d records, at most %d a batch, request %+v", total, largest, last.Request)
	}
}

func TestStoreErrorStopsTheBody(t *testing.T) {
	full := errors.New("disk full")
	d := newDecoder(io.MultiReader(strings.NewReader(`{"drivingPoints":[`),
		&repeat{unit: []byte(`{"driving_point_epoch_time":1748763000000},`), n: 5000}), make([]byte, 4096), "polestar", now)
	calls := 0
	d.take = func(car.Batch) error { calls++; return full }
	if _, err := d.decode(); !errors.Is(err, full) || calls != 1 {
		t.Errorf("error %v after %d calls", err, calls)
	}
}

// repeat reads as n units.
type repeat struct {
	unit []byte
	n    int
	rest []byte
}

func (r *repeat) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		if r.n == 0 {
			return 0, io.EOF
		}
		r.n--
		r.rest = r.unit
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func FuzzScannerAcceptsExactlyJSON(f *testing.F) {
	for _, s := range []string{
		`{}`, `[1,2,{"a":"b\n\u12ab\ud83d\ude00"}]`, `-0.1e+5`, `01`, `"\ud800x"`, `[[[]]]`, `1 2`, ``, `[1,]`, `{"a"}`,
		` {"a":{"b":[]},"c":null} `, `"` + "\x01" + `"`, `"\ud800\ud800\n"`, `-`, `1.`, `tru`, `{"a":1,}`, `"\`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if bytes.Count(data, []byte("["))+bytes.Count(data, []byte("{")) > 9000 {
			return // encoding/json gives up at 10 000
		}
		for _, size := range []int{1, 7, 4096} {
			s := newScanner(bytes.NewReader(data), make([]byte, size))
			err := s.skip()
			if err == nil {
				err = s.finish()
			}
			if (err == nil) != json.Valid(data) {
				t.Fatalf("buffer %d: the scanner says %v, encoding/json %v of %q", size, err, json.Valid(data), data)
			}
		}
	})
}

func FuzzScannerReadsStringsAsOthersDo(f *testing.F) {
	for _, s := range []string{`plain`, `\u00e9\ud83d\ude00`, `\ud800`, `\ud800\ud83d\ude00`, `\ud800\n`, "é\xff", `\/\"\\`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, inside string) {
		body := `"` + inside + `"`
		var want string
		if !utf8.ValidString(inside) || json.Unmarshal([]byte(body), &want) != nil || len(want) > maxString/4 {
			return
		}
		s := newScanner(strings.NewReader(body), make([]byte, 3))
		v, err := s.value()
		if got := v.asValue().Word(); err != nil || got != want {
			t.Fatalf("%q, %v; want %q", got, err, want)
		}
	})
}

func FuzzDecoder(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		body, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body[:min(len(body), 1500)])
		f.Add(body)
	}
	f.Add([]byte(`{"apiVersion":"3","x":[1,{"y":2}],"drivingPoints":[{"driving_point_epoch_time":1e400}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		a, errA := decodeAll(bytes.NewReader(body), 1)
		b, errB := decodeAll(bytes.NewReader(body), 4096)
		if (errA == nil) != (errB == nil) {
			t.Fatalf("errors differ with the buffer: %v, %v", errA, errB)
		}
		if x, y := inWords(a), inWords(b); x != y {
			t.Fatalf("the result differs with the buffer:\n%s\n%s", x, y)
		}
		if strings.Contains(a.Raw+a.Unknown, "abrpPackage") {
			t.Fatal("a secret is kept")
		}
		for _, p := range a.Points {
			if math.IsInf(p.Distance, 0) || math.IsInf(p.Energy, 0) {
				t.Fatalf("a number that is none: %+v", p)
			}
		}
	})
}

func inWords(b car.Batch) string {
	report := ""
	if b.Report != nil {
		report = fmt.Sprintf("%+v", *b.Report)
	}
	b.Report = nil
	return fmt.Sprintf("%+v %s", b, report)
}

func BenchmarkDecodeTick(b *testing.B) { benchmarkDecode(b, "live-2.1-drivepoint") }

func BenchmarkDecodePoints(b *testing.B) { benchmarkDecode(b, "drivepoints") }

func benchmarkDecode(b *testing.B, name string) {
	body, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 16<<10)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		d := newDecoder(bytes.NewReader(body), buf, "polestar", now)
		d.take = func(car.Batch) error { return nil }
		if _, err := d.decode(); err != nil {
			b.Fatal(err)
		}
	}
}
