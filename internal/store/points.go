package store

import (
	"iter"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// Change says what became of records: it holds once Store.Write has returned.
type Change struct {
	car.Receipt
	// First and Last are the times (epoch ms) of the earliest and the latest
	// record that is new or changed, 0 if none is.
	First, Last int64
	// Points are the driving points that are new or changed, as they are now, in
	// order of time. Only PutPoints sets them.
	Points []car.Point
}

func (c *Change) extend(at int64) {
	if c.First == 0 || at < c.First {
		c.First = at
	}
	c.Last = max(c.Last, at)
}

// The numbers beyond which a record is nonsense and would spoil every sum: a
// point is about 100 m long.
const (
	maxDistance = 1e6 // m
	maxEnergy   = 1e6 // Wh
)

// merging is what the two kinds of points have in common.
type merging[T any] interface {
	Merge(T) T
	Same(T) bool
}

// kind is what differs between the two kinds of points.
type kind[T merging[T]] struct {
	name    string // in apart records
	columns string // as row writes and read reads them
	newest  string // query: the newest one's time
	find    string // query: those at `lookups` times
	save    string
	at      func(T) int64
	read    func(scan) (T, error)
	row     func(T) []any
	tidy    func(T) T
	absurd  func(T) bool
	weigh   func(T) (mm, mwh int64) // what the totals count
}

const pointColumns = "at, distance, energy, soc, lat, lon, alt, marker"

var points = kind[car.Point]{
	name:    "point",
	columns: pointColumns,
	newest:  `SELECT COALESCE(MAX(at), 0) FROM points WHERE car = $1`,
	find:    `SELECT ` + pointColumns + ` FROM points WHERE car = $1 AND at IN (` + manyTimes + `)`,
	save: `INSERT INTO points (car, ` + pointColumns + `)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (car, at) DO UPDATE SET distance = excluded.distance,
		energy = excluded.energy, soc = excluded.soc, lat = excluded.lat, lon = excluded.lon,
		alt = excluded.alt, marker = excluded.marker`,
	at:   func(p car.Point) int64 { return p.At },
	read: readPoint,
	row: func(p car.Point) []any {
		return []any{p.At, number(p.Distance), number(p.Energy), number(p.SoC),
			number(p.Lat), number(p.Lon), number(p.Alt), int64(p.Marker)}
	},
	tidy: func(p car.Point) car.Point {
		p.Lat, p.Lon = onEarth(p.Lat, p.Lon)
		p.SoC, p.Alt = finite(p.SoC), finite(p.Alt)
		return p
	},
	absurd: func(p car.Point) bool {
		return math.Abs(p.Distance) > maxDistance || math.Abs(p.Energy) > maxEnergy
	},
	weigh: func(p car.Point) (mm, mwh int64) { return thousandths(p.Distance), thousandths(p.Energy) },
}

const chargePointColumns = "at, energy, power, soc, marker"

var chargePoints = kind[car.ChargePoint]{
	name:    "charge_point",
	columns: chargePointColumns,
	newest:  `SELECT COALESCE(MAX(at), 0) FROM charge_points WHERE car = $1`,
	find: `SELECT ` + chargePointColumns + ` FROM charge_points
		WHERE car = $1 AND at IN (` + manyTimes + `)`,
	save: `INSERT INTO charge_points (car, ` + chargePointColumns + `)
		VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (car, at) DO UPDATE SET energy = excluded.energy, power = excluded.power,
		soc = excluded.soc, marker = excluded.marker`,
	at:   func(p car.ChargePoint) int64 { return p.At },
	read: readChargePoint,
	row: func(p car.ChargePoint) []any {
		return []any{p.At, number(p.Energy), number(p.Power), number(p.SoC), int64(p.Marker)}
	},
	tidy: func(p car.ChargePoint) car.ChargePoint {
		p.Power, p.SoC = finite(p.Power), finite(p.SoC)
		return p
	},
	absurd: func(p car.ChargePoint) bool { return math.Abs(p.Energy) > maxEnergy },
	weigh:  func(car.ChargePoint) (mm, mwh int64) { return 0, 0 },
}

// PutPoints stores driving points, received at that time by our clock, and
// counts them in the totals. Only rows that change are written.
func (tx *Tx) PutPoints(id car.ID, received time.Time, records []car.Point) (Change, error) {
	change, rows, err := put(tx, points, id, received, records)
	change.Points = rows
	return change, err
}

// PutChargePoints stores charging points by the rules of PutPoints; no total
// counts them.
func (tx *Tx) PutChargePoints(
	id car.ID, received time.Time, records []car.ChargePoint,
) (Change, error) {
	change, _, err := put(tx, chargePoints, id, received, records)
	return change, err
}

func put[T merging[T]](
	tx *Tx, k kind[T], id car.ID, received time.Time, records []T,
) (change Change, rows []T, err error) {
	if len(records) == 0 {
		return change, nil, nil
	}
	c, err := tx.known(id)
	if err != nil {
		return change, nil, err
	}
	good := make([]T, 0, len(records))
	for _, record := range records {
		record = k.tidy(record)
		switch at := k.at(record); {
		case car.ClockWrong(time.UnixMilli(at), received) || k.absurd(record):
			change.Apart++
			if err := tx.setApart(id, k.name, at, received, k.columns, k.row(record)); err != nil {
				return change, nil, err
			}
		case at < c.horizon: // pruned, so known
			change.Known++
		default:
			good = append(good, record)
		}
	}
	rows, err = merge(tx, k, id, c, good, &change)
	return change, rows, err
}

// merge joins records with what is stored, writes those that changed, and
// returns them in order of time.
func merge[T merging[T]](
	tx *Tx, k kind[T], id car.ID, c *known, records []T, change *Change,
) ([]T, error) {
	stored, err := find(tx, k, id, c, records)
	if err != nil {
		return nil, err
	}
	joined := make(map[int64]T, len(records))
	for _, record := range records {
		at := k.at(record)
		before, known := joined[at]
		if !known {
			before, known = stored[at]
		}
		switch {
		case !known:
			change.New++
		case before.Merge(record).Same(before):
			change.Known++
			continue
		default:
			change.Changed++
			record = before.Merge(record)
		}
		joined[at] = record
		change.extend(at)
	}
	return save(tx, k, id, c, stored, joined)
}

// save writes the joined records in order of time and moves the totals by what
// they add to the stored ones.
func save[T merging[T]](
	tx *Tx, k kind[T], id car.ID, c *known, stored, joined map[int64]T,
) ([]T, error) {
	var mm, mwh int64
	rows := make([]T, 0, len(joined))
	for _, at := range slices.Sorted(maps.Keys(joined)) {
		record := joined[at]
		rows = append(rows, record)
		if _, err := tx.exec(k.save, append([]any{id}, k.row(record)...)...); err != nil {
			return nil, err
		}
		c.newest[k.name] = max(c.newest[k.name], at)
		if at < c.since {
			continue
		}
		newMM, newMWh := k.weigh(record)
		mm, mwh = mm+newMM, mwh+newMWh
		if old, ok := stored[at]; ok {
			oldMM, oldMWh := k.weigh(old)
			mm, mwh = mm-oldMM, mwh-oldMWh
		}
	}
	return rows, tx.addTotals(id, mm, mwh)
}

// lookups is how many records one query looks up.
const lookups = 50

// manyTimes are the placeholders of that many times, after $1.
var manyTimes = placeholders(2, lookups)

func placeholders(first, n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = "$" + strconv.Itoa(first+i)
	}
	return strings.Join(list, ", ")
}

// find returns the stored versions of records, by time. Of a car that is
// driving it reads nothing: nothing can be stored after the newest.
func find[T merging[T]](tx *Tx, k kind[T], id car.ID, c *known, records []T) (map[int64]T, error) {
	newest, ok := c.newest[k.name]
	if !ok {
		var err error
		if newest, _, err = queryOne(tx.Reader, value[int64], k.newest, id); err != nil {
			return nil, err
		}
		c.newest[k.name] = newest
	}
	var times []any
	for _, record := range records {
		if at := k.at(record); at <= newest {
			times = append(times, at)
		}
	}
	stored := make(map[int64]T, len(times))
	for chunk := range slices.Chunk(times, lookups) {
		args := append([]any{id}, chunk...)
		for len(args) <= lookups {
			args = append(args, chunk[0]) // the statement wants all of them
		}
		found, err := query(tx.Reader, k.read, k.find, args...)
		if err != nil {
			return nil, err
		}
		for _, record := range found {
			stored[k.at(record)] = record
		}
	}
	return stored, nil
}

// Points yields a car's driving points with from <= At < to (epoch ms), in
// order of time.
func (r Reader) Points(id car.ID, from, to int64) iter.Seq2[car.Point, error] {
	return pages(func(last *car.Point, limit int) ([]car.Point, error) {
		start := from
		if last != nil {
			start = last.At + 1
		}
		return query(r, readPoint, `SELECT `+pointColumns+` FROM points
			WHERE car = $1 AND at >= $2 AND at < $3 ORDER BY at LIMIT $4`, id, start, to, limit)
	})
}

// PointsBackwards yields a car's driving points with At < before (epoch ms),
// the newest first.
func (r Reader) PointsBackwards(id car.ID, before int64) iter.Seq2[car.Point, error] {
	return pages(func(last *car.Point, limit int) ([]car.Point, error) {
		end := before
		if last != nil {
			end = last.At
		}
		return query(r, readPoint, `SELECT `+pointColumns+` FROM points
			WHERE car = $1 AND at < $2 ORDER BY at DESC LIMIT $3`, id, end, limit)
	})
}

func readPoint(columns scan) (p car.Point, err error) {
	return p, columns(&p.At, (*number)(&p.Distance), (*number)(&p.Energy), (*number)(&p.SoC),
		(*number)(&p.Lat), (*number)(&p.Lon), (*number)(&p.Alt), &p.Marker)
}

func readChargePoint(columns scan) (p car.ChargePoint, err error) {
	return p, columns(&p.At, (*number)(&p.Energy), (*number)(&p.Power), (*number)(&p.SoC), &p.Marker)
}
