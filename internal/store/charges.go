package store

import (
	"context"
	"iter"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// Charge is what was computed for a charging session.
type Charge struct {
	Start   int64 // epoch ms: the session's
	Summary []byte
}

// PutCharge keeps what was computed for the session that started then.
// Nothing is written if it is the same as before.
func (tx *Tx) PutCharge(id car.ID, start int64, summary []byte) error {
	if _, err := tx.known(id); err != nil {
		return err
	}
	_, err := tx.exec(`INSERT INTO charges (car, start, summary) VALUES ($1, $2, $3)
		ON CONFLICT (car, start) DO UPDATE SET summary = excluded.summary
		WHERE charges.summary <> excluded.summary`, id, start, string(summary))
	return err
}

// Charges yields what was computed for a car's charging sessions, in order of
// time.
func (r Reader) Charges(id car.ID) iter.Seq2[Charge, error] {
	return pages(func(last *Charge, limit int) ([]Charge, error) {
		var after int64
		if last != nil {
			after = last.Start
		}
		return query(r, readCharge, `SELECT start, summary FROM charges
			WHERE car = $1 AND start > $2 ORDER BY start LIMIT $3`, id, after, limit)
	})
}

func readCharge(columns scan) (c Charge, err error) { return c, columns(&c.Start, &c.Summary) }

// pruneCharges moves the energy of old charges to where it is kept.
func (s *Store) pruneCharges(
	ctx context.Context, id car.ID, before int64, chargedWh func([]byte) float64,
) error {
	return s.Write(ctx, func(tx *Tx) error {
		c, err := tx.known(id)
		if err != nil {
			return err
		}
		kept := 0.0
		for charge, err := range tx.Charges(id) {
			if err != nil {
				return err
			}
			if charge.Start >= before {
				break
			}
			if charge.Start >= c.since {
				kept += chargedWh(charge.Summary)
			}
		}
		if kept != 0 {
			if _, err := tx.exec(`UPDATE cars SET kept_charged_wh = kept_charged_wh + $2
				WHERE id = $1`, id, kept); err != nil {
				return err
			}
		}
		_, err = tx.exec(sweepCharges, id, before, int64(forEver))
		return err
	})
}
