package bridge

import (
	"bytes"
	"context"
	"maps"
	"slices"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/store"
)

// writing is one transaction under way: the cars as they will be once it is
// durable. If it fails it is thrown away, and nothing has changed.
type writing struct {
	bridge   *Bridge
	cars     map[car.ID]*draft
	order    []car.ID // in which cars first appear, so that what follows is the same every time
	receipts []car.Receipt
	err      error
}

// draft is a car with the changes of a transaction.
type draft struct {
	*vehicle
	isNew  bool
	change changes
}

// changes are what a transaction did to a car's records.
type changes struct {
	car.Receipt
	rows    []car.Point      // driving points that are new or changed
	charges map[int64]Charge // summaries that are new or changed, by start
	totals  totals
	touched bool // totals were read
}

func (b *Bridge) write(ctx context.Context, jobs []job) *writing {
	w := &writing{bridge: b, cars: map[car.ID]*draft{}, receipts: make([]car.Receipt, len(jobs))}
	w.err = b.Store.Write(ctx, func(tx *store.Tx) error {
		for i, j := range jobs {
			receipt, err := w.batch(tx, j.batch)
			if err != nil {
				return err
			}
			w.receipts[i] = receipt
		}
		return w.finish(tx)
	})
	return w
}

// batch writes one batch's records and takes its report into the draft.
func (w *writing) batch(tx *store.Tx, b car.Batch) (car.Receipt, error) {
	d, err := w.draft(tx, b)
	if err != nil {
		return car.Receipt{}, err
	}
	if d.Source != b.Source {
		return car.Receipt{}, car.Refuse(car.NoSuch,
			"%s is a car that reports in another way: choose another name", b.Car)
	}
	receipt, err := d.put(tx, b)
	if err != nil {
		return receipt, err
	}
	d.change.Add(receipt)
	d.Facts.count(receipt)
	if b.Unknown != "" {
		if err := tx.PutUnknown(b.Car, b.Received, b.Unknown); err != nil {
			return receipt, err
		}
	}
	if b.Last {
		d.Facts.request(b)
		before := d.glance()
		if newest := d.apply(b); newest {
			d.raw = b.Raw
		}
		if d.posted {
			d.estimate(before)
		}
	}
	return receipt, nil
}

// draft is the car of a batch as this transaction leaves it. A new one is made.
func (w *writing) draft(tx *store.Tx, b car.Batch) (*draft, error) {
	if d, ok := w.cars[b.Car]; ok {
		return d, nil
	}
	d := &draft{change: changes{charges: map[int64]Charge{}}}
	if v, ok := w.bridge.cars[b.Car]; ok {
		copied := *v
		copied.live = v.live.clone()
		d.vehicle = &copied
	} else {
		if err := w.admit(b.Car); err != nil {
			return nil, err
		}
		if err := tx.MakeCar(b.Car, b.Received); err != nil {
			return nil, err
		}
		d.vehicle, d.isNew = w.bridge.vehicle(b.Car, b.Source), true
	}
	w.cars[b.Car] = d
	w.order = append(w.order, b.Car)
	return d, nil
}

// adopt takes in what the store already has of a car that was forgotten before.
func (d *draft) adopt(tx *store.Tx) error {
	rows, err := tx.Cars()
	if err != nil {
		return err
	}
	for _, row := range rows {
		if row.ID == d.id {
			return d.sums.load(tx.Reader, row)
		}
	}
	return nil
}

// admit refuses a car whose entities could not be told from another's.
func (w *writing) admit(id car.ID) error {
	others := append([]car.ID{car.BridgeID, car.AccountID}, w.order...)
	for other := range w.bridge.cars {
		others = append(others, other)
	}
	keys := append(AccountTable.Keys(), ProgramTable.Keys()...)
	for _, s := range w.bridge.Sources {
		keys = append(keys, s.Table.Keys()...)
	}
	if err := car.Clash(id, others, keys); err != nil {
		return car.Refuse(car.NoSuch, "%v", err)
	}
	return nil
}

// put stores the batch's records.
func (d *draft) put(tx *store.Tx, b car.Batch) (receipt car.Receipt, err error) {
	if len(b.Points) > 0 {
		c, err := tx.PutPoints(b.Car, b.Received, b.Points)
		if err != nil {
			return receipt, err
		}
		receipt.Add(c.Receipt)
		d.change.rows = append(d.change.rows, c.Points...)
	}
	starts := map[int64]bool{}
	if len(b.Sessions) > 0 {
		c, err := tx.PutSessions(b.Car, b.Received, b.Sessions)
		if err != nil {
			return receipt, err
		}
		receipt.Add(c.Receipt)
		if c.Last != 0 {
			err = d.touchSessions(tx, b.Sessions, starts)
		}
		if err != nil {
			return receipt, err
		}
	}
	if len(b.ChargePoints) > 0 {
		c, err := tx.PutChargePoints(b.Car, b.Received, b.ChargePoints)
		if err != nil {
			return receipt, err
		}
		receipt.Add(c.Receipt)
		if err := d.touchPoints(tx, c.First, c.Last, starts); err != nil {
			return receipt, err
		}
	}
	return receipt, d.sum(tx, starts)
}

// touchSessions marks the sessions of a batch, and the one before each: a new
// session ends the reach of the one before it.
func (d *draft) touchSessions(tx *store.Tx, sessions []car.Session, starts map[int64]bool) error {
	for _, s := range sessions {
		starts[s.Start] = true
		before, ok, err := tx.SessionAt(d.id, s.Start-sessionSlack.Milliseconds()-1)
		if err != nil {
			return err
		}
		if ok {
			starts[before] = true
		}
	}
	return nil
}

// touchPoints marks the sessions that charging points between first and last
// belong to.
func (d *draft) touchPoints(tx *store.Tx, first, last int64, starts map[int64]bool) error {
	if last == 0 {
		return nil
	}
	start, ok, err := tx.SessionAt(d.id, first)
	if err != nil {
		return err
	}
	if ok {
		starts[start] = true
	}
	for s, err := range tx.Sessions(d.id, first, last+sessionSlack.Milliseconds()) {
		if err != nil {
			return err
		}
		starts[s.Start] = true
	}
	return nil
}

// sum computes the summaries of the sessions that have changed.
func (d *draft) sum(tx *store.Tx, starts map[int64]bool) error {
	for _, start := range slices.Sorted(maps.Keys(starts)) {
		s, ok, err := tx.Session(d.id, start)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		points, err := tx.SessionPoints(d.id, start)
		if err != nil {
			return err
		}
		c := SumCharge(s, within(s, points))
		if err := tx.PutCharge(d.id, start, c.Summary()); err != nil {
			return err
		}
		d.note(c)
	}
	return nil
}

// note remembers a charge that is another than before the transaction.
func (d *draft) note(c Charge) {
	if before, known := d.sums.charges[c.Start]; known && bytes.Equal(before.Summary(), c.Summary()) {
		delete(d.change.charges, c.Start)
		return
	}
	d.change.charges[c.Start] = c
}

// within are the points that lie in the session's own time: others may belong
// to a session that has not come yet.
func within(s car.Session, points []car.ChargePoint) []car.ChargePoint {
	if s.End == 0 {
		return points
	}
	n := slices.IndexFunc(points, func(p car.ChargePoint) bool {
		return p.At > s.End+sessionSlack.Milliseconds()
	})
	if n < 0 {
		return points
	}
	return points[:n]
}

// finish writes what the batches made of each car.
func (w *writing) finish(tx *store.Tx) error {
	for _, id := range w.order {
		d := w.cars[id]
		if d.change.New+d.change.Changed > 0 || d.isNew {
			distance, energy, err := tx.Totals(id)
			if err != nil {
				return err
			}
			d.change.totals, d.change.touched = totals{distance, energy}, true
		}
		if d.isNew {
			if err := d.adopt(tx); err != nil {
				return err
			}
		}
		if err := tx.PutState(id, d.save()); err != nil {
			return err
		}
	}
	return nil
}
