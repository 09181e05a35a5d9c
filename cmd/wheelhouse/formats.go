package main

import (
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/bridge"
	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/store"
)

// lookUp finds a car in the store, and returns what capacity the car takes its
// battery for, in Wh.
func lookUp(r store.Reader, id car.ID) (capacity float64, err error) {
	rows, err := r.Cars()
	if err != nil {
		return 0, err
	}
	var ids []car.ID
	for _, row := range rows {
		if row.ID == id {
			return bridge.SeenCapacity(row.State), nil
		}
		ids = append(ids, row.ID)
	}
	return 0, noCar(id, ids)
}

// noCar refuses a car that is none of those there are.
func noCar(id car.ID, ids []car.ID) error {
	if len(ids) == 0 {
		return car.Refuse(car.NoSuch, "no car %q; there is none yet", id)
	}
	names := make([]string, len(ids))
	for i, id := range slices.Sorted(slices.Values(ids)) {
		names[i] = string(id)
	}
	return car.Refuse(car.NoSuch, "no car %q; there is: %s", id, strings.Join(names, ", "))
}

func (x *export) points() iter.Seq2[car.Point, error] { return x.Points(x.car, x.from, x.to) }

var pointColumns = []string{
	"time", "latitude", "longitude", "altitude_m", "distance_m", "energy_wh", "battery", "marker",
}

// pointRow is a point in the order of pointColumns, "" for what is missing.
func pointRow(p car.Point) []string {
	number := func(x float64, digits int) string {
		if !car.Given(x) {
			return ""
		}
		return car.Format(x, digits)
	}
	return []string{
		isoTime(p.At), number(p.Lat, 6), number(p.Lon, 6), number(p.Alt, 1), number(p.Distance, 2),
		number(p.Energy, 3), number(p.SoC*100, 1), [...]string{"", "start", "end", "single"}[p.Marker],
	}
}

func isoTime(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

func (x *export) pointsCSV() error {
	w := csv.NewWriter(x.out)
	if err := w.Write(pointColumns); err != nil {
		return err
	}
	for p, err := range x.points() {
		if err != nil {
			return err
		}
		if err := w.Write(pointRow(p)); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

func (x *export) pointsJSON() error {
	return x.jsonArray(func(yield func(string, error) bool) {
		for p, err := range x.points() {
			members := make([]string, 0, len(pointColumns))
			for i, value := range pointRow(p) {
				switch {
				case value == "":
					value = "null"
				case i == 0 || pointColumns[i] == "marker":
					value = `"` + value + `"`
				}
				members = append(members, `"`+pointColumns[i]+`":`+value)
			}
			if !yield("{"+strings.Join(members, ",")+"}", err) {
				return
			}
		}
	})
}

// pointsGPX writes one track per trip.
func (x *export) pointsGPX() error { return x.gpx() }

func (x *export) tripsGPX() error { return x.gpx() }

func (x *export) gpx() error {
	fmt.Fprint(x.out, xml.Header, `<gpx version="1.1" creator="Wheelhouse" xmlns="http://www.topografix.com/GPX/1/1">`, "\n")
	var trip bridge.Trip
	for p, err := range x.points() {
		if err != nil {
			return err
		}
		if trip.Begins(p) {
			if trip.Points > 0 {
				fmt.Fprint(x.out, "</trkseg></trk>\n")
			}
			fmt.Fprintf(x.out, "<trk><name>%s</name><trkseg>\n", isoTime(p.At))
			trip = bridge.Trip{}
		}
		trip = trip.Add(p)
		if !car.Given(p.Lat) || !car.Given(p.Lon) {
			continue
		}
		altitude := ""
		if car.Given(p.Alt) {
			altitude = "<ele>" + car.Format(p.Alt, 1) + "</ele>"
		}
		fmt.Fprintf(x.out, "<trkpt lat=\"%s\" lon=\"%s\">%s<time>%s</time></trkpt>\n",
			car.Format(p.Lat, 6), car.Format(p.Lon, 6), altitude, isoTime(p.At))
	}
	if trip.Points > 0 {
		fmt.Fprint(x.out, "</trkseg></trk>\n")
	}
	_, err := io.WriteString(x.out, "</gpx>\n")
	return err
}

// trips are the trips as the program publishes the last one. One that lies
// across the beginning is cut there.
func (x *export) trips() iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for t, err := range bridge.Trips(x.points()) {
			if err != nil {
				yield("", err)
				return
			}
			if !yield(t.JSON(), nil) {
				return
			}
		}
	}
}

func (x *export) sessions() iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for kept, err := range x.Charges(x.car) {
			if err == nil && (kept.Start < x.from || kept.Start >= x.to) {
				continue
			}
			var c bridge.Charge
			if err == nil {
				c, err = bridge.ReadCharge(kept.Summary)
			}
			if !yield(c.JSON(x.capacity), err) || err != nil {
				return
			}
		}
	}
}

func (x *export) apart() iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for a, err := range x.ApartRecords(x.car) {
			line, _ := json.Marshal(map[string]any{"kind": a.Kind, "at": a.At, "record": json.RawMessage(a.JSON)})
			if !yield(string(line), err) || err != nil {
				return
			}
		}
	}
}

func (x *export) tripsCSV() error     { return x.csvTable(x.trips()) }
func (x *export) tripsJSON() error    { return x.jsonArray(x.trips()) }
func (x *export) sessionsCSV() error  { return x.csvTable(x.sessions()) }
func (x *export) sessionsJSON() error { return x.jsonArray(x.sessions()) }
func (x *export) apartJSON() error    { return x.jsonArray(x.apart()) }

// jsonArray writes documents as one array, a line each.
func (x *export) jsonArray(documents iter.Seq2[string, error]) error {
	before := "[\n"
	for document, err := range documents {
		if err != nil {
			return err
		}
		fmt.Fprint(x.out, before, document)
		before = ",\n"
	}
	if before == "[\n" {
		before += "]\n"
	} else {
		before = "\n]\n"
	}
	_, err := io.WriteString(x.out, before)
	return err
}

// csvTable writes flat JSON documents of equal keys as a table.
func (x *export) csvTable(documents iter.Seq2[string, error]) error {
	w := csv.NewWriter(x.out)
	header := false
	for document, err := range documents {
		if err != nil {
			return err
		}
		keys, values, err := flatten(document)
		if err != nil {
			return err
		}
		if !header {
			if err := w.Write(keys); err != nil {
				return err
			}
			header = true
		}
		if err := w.Write(values); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// flatten reads the keys and values of a flat JSON object, in their order.
func flatten(document string) (keys, values []string, err error) {
	d := json.NewDecoder(strings.NewReader(document))
	d.UseNumber()
	if _, err := d.Token(); err != nil {
		return nil, nil, err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, nil, err
		}
		value, err := d.Token()
		if err != nil {
			return nil, nil, err
		}
		text := ""
		if value != nil {
			text = fmt.Sprint(value)
		}
		keys, values = append(keys, fmt.Sprint(key)), append(values, text)
	}
	return keys, values, nil
}
