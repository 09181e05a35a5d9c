package tesla

import (
	"slices"
	"strings"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// Expose makes a diagnostic entity of each value that somebody names by its path in
// vehicle_data, like "climate_state.is_front_defroster_on", for those that [Table] has
// no row for. Numbers are published in the house's units. Names are the paths': they
// are for people who know what they ask for. A path that no car is known to have is a
// car.Refusal (no_such) that names some that are like it.
func Expose(paths []string) ([]car.Field, error) {
	var fields []car.Field
	for _, path := range paths {
		f, ok := facts()[path]
		if !ok {
			return nil, noSuch(path)
		}
		row := f.field()
		same := func(other car.Field) bool { return other.Key == row.Key }
		if !slices.ContainsFunc(fields, same) {
			fields = append(fields, row)
		}
	}
	return fields, nil
}

func (f fact) field() car.Field {
	words := strings.NewReplacer("_", " ", ".", " ").Replace(f.path)
	row := car.Field{
		Key:  strings.ReplaceAll(f.path, ".", "_"),
		Name: strings.ToUpper(words[:1]) + words[1:],
		Is:   car.FreeText, From: f.path, Diagnostic: true,
	}
	switch f.kind {
	case kindYes:
		row.Is = car.Flag
	case kindTime:
		row.Is = car.Instant
	case kindNumber:
		row.Is, row.Symbol = car.Amount, f.unit
		if u, ok := units[f.unit]; ok {
			row.Is, row.In, row.Symbol = u.is, u.in, ""
		}
	}
	return row
}

// noSuch names up to five paths whose last part is like the one that was asked for.
func noSuch(path string) error {
	word := path[strings.LastIndex(path, ".")+1:]
	var like []string
	for known := range facts() {
		if word != "" && strings.Contains(known, word) {
			like = append(like, known)
		}
	}
	slices.Sort(like)
	if len(like) == 0 {
		return car.Refuse(car.NoSuch, "tesla.expose: no car has a value %q", path)
	}
	return car.Refuse(car.NoSuch, "tesla.expose: no car has a value %q: is it one of %s?",
		path, strings.Join(like[:min(5, len(like))], ", "))
}
