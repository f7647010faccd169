package sql

import (
	"fmt"
	"strconv"
	"strings"
)

// DuckDB is the dialect of DuckDB 1.5, the reference for speed and a second opinion on answers.
func DuckDB() Dialect { return duck{} }

type duck struct{}

func (duck) Name() string             { return "DuckDB" }
func (duck) Quote(name string) string { return `"` + name + `"` }
func (duck) Param(name string) string { return "$" + name }
func (duck) Text(s string) string     { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// Float always has an exponent: without one, DuckDB reads a decimal.
func (duck) Float(f float64) string {
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsRune(s, 'e') {
		s += "e0"
	}
	return s
}

func (duck) Div(x string, n int64) string { return fmt.Sprintf("%s // %d", x, n) }

func (duck) Millis(x string) string    { return "epoch_ms(" + x + ")" }
func (duck) CastInt(x string) string   { return "CAST(" + x + " AS BIGINT)" }
func (duck) CastFloat(x string) string { return "CAST(" + x + " AS DOUBLE)" }
func (duck) CastText(x string) string  { return "CAST(" + x + " AS VARCHAR)" }

// Decimal multiplies, since a quotient of decimals is a float here. 30 digits hold any sum of 2^53s.
func (duck) Decimal(x string, scale int, _ bool) string {
	return "CAST(" + x + " AS DECIMAL(30, 0)) * 0." + strings.Repeat("0", scale-1) + "1"
}

func (duck) JSONText(column, key string) string {
	return fmt.Sprintf(`CASE WHEN json_type(%s, %s) = 'VARCHAR' THEN NULLIF(%[1]s ->> %[2]s, '') END`, column, path(key))
}

func (duck) JSONNumber(column, key string) string {
	return fmt.Sprintf(`CASE WHEN json_type(%s, %s) NOT IN ('VARCHAR', 'BOOLEAN') THEN TRY_CAST(%[1]s ->> %[2]s AS DOUBLE) END`, column, path(key))
}

func (duck) JSONFlag(column, key string) string {
	return fmt.Sprintf(`CASE WHEN json_type(%s, %s) = 'BOOLEAN' THEN CAST(%[1]s ->> %[2]s = 'true' AS BIGINT) END`, column, path(key))
}

// filter is the clause that restricts an aggregate.
func filter(where string) string {
	if where == "" {
		return ""
	}
	return " FILTER (WHERE " + where + ")"
}

func (duck) Count(where string) string { return "COUNT(*)" + filter(where) }

func (duck) Of(function, x, where string) string { return function + "(" + x + ")" + filter(where) }

// Exact: the sum of BIGINTs is a HUGEINT.
func (duck) Exact(x, where string) string { return "SUM(" + x + ")" + filter(where) }

func (duck) Distinct(x, where string) string { return "COUNT(DISTINCT " + x + ")" + filter(where) }

// Sketch: what can be merged is not to be had, so this is an estimate, as cheap.
func (duck) Sketch(x, where string, _ int) string {
	return "approx_count_distinct(" + x + ")" + filter(where)
}

func (duck) Edge(x, where string, last, whole bool) string {
	if !whole {
		where = and(where, x+" IS NOT NULL")
	}
	function := "arg_min"
	if last {
		function = "arg_max"
	}
	return fmt.Sprintf("%s(%s, ROW(event_time, seq))%s", function, x, filter(where))
}

func (duck) Latest(x, where string, n int, whole bool) string {
	if !whole {
		where = and(where, x+" IS NOT NULL")
	}
	return fmt.Sprintf("arg_max(%s, ROW(event_time, seq), %d)%s", x, n, filter(where))
}

func (duck) List(x, where, order string, n int) string {
	if order != "" {
		order = " ORDER BY " + order
	}
	list := fmt.Sprintf("list(%s%s)%s", x, order, filter(where))
	if n > 0 {
		list = fmt.Sprintf("(%s)[1:%d]", list, n)
	}
	return list
}

func (duck) Struct(pairs ...string) string {
	var out []string
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, pairs[i+1]+" := "+pairs[i])
	}
	return "struct_pack(" + strings.Join(out, ", ") + ")"
}

// Arithmetic: TRY is NULL on overflow of whole numbers; floats become infinite or NaN, which is NULL
// here.
func (duck) Arithmetic(op byte, x, y string, whole bool) string {
	if !whole {
		return fmt.Sprintf("NULLIF(NULLIF(NULLIF(%s %c %s, 'inf'::DOUBLE), '-inf'::DOUBLE), 'nan'::DOUBLE)", x, op, y)
	}
	switch op {
	case '/':
		return fmt.Sprintf("TRY(%s // NULLIF(%s, 0))", x, y)
	case '%':
		return fmt.Sprintf("TRY(%s %% NULLIF(%s, 0))", x, y)
	}
	return fmt.Sprintf("TRY(%s %c %s)", x, op, y)
}

func (duck) TryInt(x string) string { return "TRY_CAST(" + x + " AS BIGINT)" }
