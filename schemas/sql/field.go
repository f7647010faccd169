package sql

import (
	"fmt"
	"strings"

	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
)

// limit is 2^53, from which on whole numbers are absent (feature.Type.Units).
const limit = "POW(2, 53)"

// catalogue is what is compiled of a catalogue for one entity.
type catalogue struct {
	Dialect
	plan    *tile.Plan
	columns map[string]string // of the fields of all entities, by field
}

func compile(d Dialect, c feature.Catalogue, e feature.Entity) (*catalogue, error) {
	out := &catalogue{Dialect: d, columns: map[string]string{}}
	taken := map[string]bool{}
	for _, entity := range entities {
		p, err := tile.Compile(c, entity)
		if err != nil {
			return nil, fmt.Errorf("write features of %s as SQL: %w", entity, err)
		}
		for _, f := range p.Fields {
			if out.columns[f.Name] == "" {
				out.columns[f.Name] = free(columnOf(f), taken)
			}
		}
		if entity == e {
			out.plan = p
		}
	}
	return out, nil
}

var entities = []feature.Entity{feature.User, feature.Item, feature.Global}

// free returns the name, with a number where it is taken: properties.a-b and properties.a_b meet.
func free(name string, taken map[string]bool) string {
	out := name
	for n := 2; taken[out]; n++ {
		out = fmt.Sprintf("%s_%d", name, n)
	}
	taken[out] = true
	return out
}

// columnOf is the name of a field with everything but letters, digits and _ replaced, and for numbers
// that are held as units, what these are.
func columnOf(f tile.Field) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '_'
	}, f.Name)
	switch {
	case f.Type.Kind == feature.Decimal:
		return name + "_e" + integer(int64(f.Type.Scale))
	case f.Type.Kind == feature.Integer && !strings.Contains(f.Name, "."):
		return name + "_int" // of value and price, which are columns themselves
	}
	return name
}

// base are the columns that every query carries.
var base = []string{"user_id", "item_id", "type", "event_time", "seq", "value"}

// isBase reports whether the typed field is one of the base columns as it is.
func isBase(column string) bool {
	for _, b := range base {
		if b == column {
			return true
		}
	}
	return false
}

// raw reads a field from a raw row: a text, a number as a float64, a flag as 0 or 1; NULL where it is
// absent. Numbers that are to be whole are NULL from 2^53 on, so that what is computed of them cannot
// overflow.
func raw(d Dialect, f tile.Field) string {
	x := f.Name
	if name, ok := strings.CutPrefix(f.Name, "context."); ok {
		return d.JSONText("context", name)
	}
	name, property := strings.CutPrefix(f.Name, "properties.")
	switch {
	case property && f.Type.Kind == feature.Text:
		return d.JSONText("properties", name)
	case property && f.Type.Kind == feature.Boolean:
		return d.JSONFlag("properties", name)
	case property:
		x = d.JSONNumber("properties", name)
	case f.Type.Kind == feature.Text:
		return "NULLIF(" + x + ", '')"
	}
	return x
}

// typed turns what raw read, which now is in the column, into the field's type.
func typed(d Dialect, t feature.Type, column string) string {
	switch t.Kind {
	case feature.Integer, feature.Time:
		return fmt.Sprintf("IF(%[1]s = TRUNC(%[1]s) AND ABS(%[1]s) < %[2]s, %[3]s, NULL)", column, limit, d.CastInt(column))
	case feature.Decimal:
		// Large numbers are taken out first: they are absent, and their products would overflow.
		units := fmt.Sprintf("ROUND(IF(ABS(%[1]s) < %[2]s, %[1]s, NULL) * %[3]s)", column, limit, power(t.Scale))
		return fmt.Sprintf("IF(ABS(%[1]s) < %[2]s, %[3]s, NULL)", units, limit, d.CastInt(units))
	}
	return column
}
