package store

import "context"

// Spent is how many calls of one kind were made to a car's maker in a month.
type Spent struct {
	Month    string // like 2026-11, UTC
	Category string // as which they are billed
	Endpoint string
	VIN      string // "" for no car
	Status   int    // of HTTP
	Calls    int64
}

// Spend adds calls to those of their kind.
func (s *Store) Spend(ctx context.Context, more Spent) error {
	return s.Write(ctx, func(tx *Tx) error {
		_, err := tx.exec(`INSERT INTO spending (month, category, endpoint, vin, status, calls)
			VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (month, category, endpoint, vin, status)
			DO UPDATE SET calls = spending.calls + excluded.calls`,
			more.Month, more.Category, more.Endpoint, more.VIN, more.Status, more.Calls)
		return err
	})
}

// Spending returns the calls of a month, in order.
func (s *Store) Spending(ctx context.Context, month string) ([]Spent, error) {
	return query(s.Read(ctx), func(columns scan) (x Spent, err error) {
		return x, columns(&x.Month, &x.Category, &x.Endpoint, &x.VIN, &x.Status, &x.Calls)
	}, `SELECT month, category, endpoint, vin, status, calls FROM spending
		WHERE month = $1 ORDER BY category, endpoint, vin, status`, month)
}
