package store

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"iter"
	"math"
	"strings"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// Apart is a record that counts nowhere, because its time or its numbers are
// impossible.
type Apart struct {
	Kind     string // "point", "charge_point" or "session"
	At       int64  // epoch ms as the car said; of a session the start
	Received int64  // epoch ms by our clock, when it first came
	JSON     []byte // the record, without what is missing
}

func (tx *Tx) setApart(
	id car.ID, kind string, at int64, received time.Time, columns string, row []any,
) error {
	_, err := tx.exec(`INSERT INTO apart (car, kind, at, body, received)
		VALUES ($1, $2, $3, $4, $5) ON CONFLICT (car, kind, at, body) DO NOTHING`,
		id, kind, at, string(asJSON(columns, row)), received.UnixMilli())
	return err
}

// ApartRecords yields the records of a car that were set apart, by kind and
// time.
func (r Reader) ApartRecords(id car.ID) iter.Seq2[Apart, error] {
	return pages(func(last *Apart, limit int) ([]Apart, error) {
		if last == nil {
			last = &Apart{}
		}
		return query(r, readApart, `SELECT kind, at, received, body FROM apart
			WHERE car = $1 AND (kind, at, body) > ($2, $3, $4)
			ORDER BY kind, at, body LIMIT $5`, id, last.Kind, last.At, string(last.JSON), limit)
	})
}

func readApart(columns scan) (a Apart, err error) {
	return a, columns(&a.Kind, &a.At, &a.Received, &a.JSON)
}

// asJSON writes a row as an object of the columns it has values for.
func asJSON(columns string, row []any) []byte {
	object := make(map[string]any, len(row))
	for i, column := range strings.Split(columns, ", ") {
		x, isNumber := row[i].(number)
		if !isNumber || car.Given(float64(x)) && !math.IsInf(float64(x), 0) {
			object[column] = row[i]
		}
	}
	text, _ := json.Marshal(object) // of finite numbers only: it cannot fail
	return text
}

// digest tells two texts apart.
func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// keptUnknown is how many bodies of an unknown API are kept of each car.
const keptUnknown = 100

// PutUnknown keeps a body that the program does not understand, for a later
// version that does: the newest 100 of each car.
func (tx *Tx) PutUnknown(id car.ID, received time.Time, body string) error {
	if _, err := tx.known(id); err != nil {
		return err
	}
	n, _, err := queryOne(tx.Reader, value[int64],
		`SELECT COALESCE(MAX(n), 0) + 1 FROM unknown_bodies WHERE car = $1`, id)
	if err != nil {
		return err
	}
	if _, err := tx.exec(`INSERT INTO unknown_bodies (car, n, received, body)
		VALUES ($1, $2, $3, $4)`, id, n, received.UnixMilli(), body); err != nil {
		return err
	}
	_, err = tx.exec(`DELETE FROM unknown_bodies WHERE car = $1 AND n <= $2`, id, n-keptUnknown)
	return err
}

// Unknown returns the kept bodies of a car that the program did not understand,
// the oldest first.
func (r Reader) Unknown(id car.ID) ([]string, error) {
	return query(r, value[string], `SELECT body FROM unknown_bodies WHERE car = $1 ORDER BY n`, id)
}
