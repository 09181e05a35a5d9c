package store

import (
	"database/sql/driver"
	"fmt"
	"math"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// number is a float64 whose car.Missing is NULL in the database.
type number float64

// Value implements driver.Valuer.
func (n number) Value() (driver.Value, error) {
	if !car.Given(float64(n)) {
		return nil, nil
	}
	return float64(n), nil
}

// Scan implements sql.Scanner.
func (n *number) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*n = number(car.Missing())
	case float64:
		*n = number(v)
	case int64:
		*n = number(v)
	default:
		return fmt.Errorf("store: a number is stored as %T", v)
	}
	return nil
}

// finite is x, or Missing if x is infinite.
func finite(x float64) float64 {
	if math.IsInf(x, 0) {
		return car.Missing()
	}
	return x
}

// onEarth returns a position, or none if either part is no place on earth.
func onEarth(lat, lon float64) (float64, float64) {
	if !(math.Abs(lat) <= 90 && math.Abs(lon) <= 180) {
		return car.Missing(), car.Missing()
	}
	return lat, lon
}

// thousandths is x in thousandths, whole: the totals add whole numbers, because
// only those give the same sum in any order.
func thousandths(x float64) int64 {
	if !car.Given(x) {
		return 0
	}
	return int64(math.Round(x * 1000))
}
