package sql

import (
	"fmt"
	"strconv"
	"strings"
)

// GoogleSQL is the dialect of BigQuery.
func GoogleSQL() Dialect { return google{} }

type google struct{}

func (google) Name() string             { return "GoogleSQL" }
func (google) Quote(name string) string { return "`" + name + "`" }
func (google) Param(name string) string { return "@" + name }

// Text escapes as Go does, except that GoogleSQL knows \x as a code point only.
func (google) Text(s string) string {
	q := strconv.Quote(s)
	q = strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
	q = strings.ReplaceAll(q, `\x`, `\u00`)
	return "'" + strings.ReplaceAll(q, "'", `\'`) + "'"
}

func (google) Float(f float64) string {
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s
}

func (google) Div(x string, n int64) string { return fmt.Sprintf("DIV(%s, %d)", x, n) }

func (google) Millis(x string) string    { return "UNIX_MILLIS(" + x + ")" }
func (google) CastInt(x string) string   { return "CAST(" + x + " AS INT64)" }
func (google) CastFloat(x string) string { return "CAST(" + x + " AS FLOAT64)" }
func (google) CastText(x string) string  { return "CAST(" + x + " AS STRING)" }

func (google) Decimal(x string, scale int, exact bool) string {
	if exact {
		return x + " / " + power(scale)
	}
	return "CAST(" + x + " AS NUMERIC) / " + power(scale)
}

func (g google) JSONText(column, key string) string {
	return g.json(column, key, "NULLIF(%s, '')", "NULL")
}

func (g google) JSONNumber(column, key string) string {
	return g.json(column, key, "NULL", "SAFE_CAST(%s AS FLOAT64)")
}

func (g google) JSONFlag(column, key string) string {
	return g.json(column, key, "NULL", "CASE %s WHEN 'true' THEN 1 WHEN 'false' THEN 0 END")
}

// json reads an entry's value by whether it is a text: JSON_QUERY keeps the quotes.
func (google) json(column, key, text, other string) string {
	of := fmt.Sprintf("(%s, %s)", column, path(key))
	value := func(form string) string { return strings.ReplaceAll(form, "%s", "JSON_VALUE"+of) }
	return "IF(JSON_QUERY" + of + " LIKE '\"%', " + value(text) + ", " + value(other) + ")"
}

func (google) Count(where string) string {
	if where == "" {
		return "COUNT(*)"
	}
	return "COUNTIF(" + where + ")"
}

func (google) Of(function, x, where string) string { return function + "(" + when(where, x) + ")" }

func (google) Exact(x, where string) string {
	return "SUM(" + when(where, "CAST("+x+" AS NUMERIC)") + ")"
}

func (google) Distinct(x, where string) string { return "COUNT(DISTINCT " + when(where, x) + ")" }

// Sketch: precisions start at 10 here.
func (google) Sketch(x, where string, precision int) string {
	return fmt.Sprintf("HLL_COUNT.INIT(%s, %d)", when(where, x), max(10, precision))
}

func (google) Edge(x, where string, last, _ bool) string {
	order := "event_time, seq"
	if last {
		order = "event_time DESC, seq DESC"
	}
	return fmt.Sprintf("ARRAY_AGG(%s IGNORE NULLS ORDER BY %s LIMIT 1)[SAFE_OFFSET(0)]", when(where, x), order)
}

func (g google) Latest(x, where string, n int, _ bool) string {
	return g.List(x, where, "event_time DESC, seq DESC", n)
}

func (google) List(x, where, order string, n int) string {
	if order != "" {
		order = " ORDER BY " + order
	}
	if n > 0 {
		order += fmt.Sprintf(" LIMIT %d", n)
	}
	return fmt.Sprintf("ARRAY_AGG(%s IGNORE NULLS%s)", when(where, x), order)
}

func (google) Struct(pairs ...string) string {
	var out []string
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i] == pairs[i+1] {
			out = append(out, pairs[i])
			continue
		}
		out = append(out, pairs[i]+" AS "+pairs[i+1])
	}
	return "STRUCT(" + strings.Join(out, ", ") + ")"
}

func (google) Arithmetic(op byte, x, y string, whole bool) string {
	switch op {
	case '+':
		return "SAFE_ADD(" + x + ", " + y + ")"
	case '-':
		return "SAFE_SUBTRACT(" + x + ", " + y + ")"
	case '*':
		return "SAFE_MULTIPLY(" + x + ", " + y + ")"
	case '%':
		return "MOD(" + x + ", NULLIF(" + y + ", 0))"
	}
	if whole {
		return "SAFE.DIV(" + x + ", NULLIF(" + y + ", 0))"
	}
	return "SAFE_DIVIDE(" + x + ", " + y + ")"
}

func (google) TryInt(x string) string { return "SAFE_CAST(" + x + " AS INT64)" }
