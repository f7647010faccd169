package sql

import (
	"strconv"
	"strings"
)

// Dialect is what differs between the engines. Its methods return expressions; conditions are boolean
// expressions, "" for one that always holds; ordered means by event time, then position.
type Dialect interface {
	// Name is how people call it.
	Name() string
	// Quote quotes a column name.
	Quote(name string) string
	// Param is the named parameter.
	Param(name string) string
	// Text is the literal of a text.
	Text(s string) string
	// Float is the literal of a finite float64.
	Float(f float64) string
	// Div divides whole numbers, of which n is positive, towards 0.
	Div(x string, n int64) string
	// Millis is a timestamp in Unix ms.
	Millis(x string) string

	// CastInt, CastFloat, CastText convert numbers that fit.
	CastInt(x string) string
	CastFloat(x string) string
	CastText(x string) string
	// Decimal divides a whole number, or what Exact says, by 10^scale exactly.
	Decimal(x string, scale int, exact bool) string

	// JSONText, JSONNumber and JSONFlag read an entry of an object of JSON: a text, a number as a float64,
	// true and false as 1 and 0; NULL for what is of another type.
	JSONText(column, key string) string
	JSONNumber(column, key string) string
	JSONFlag(column, key string) string

	// Count counts the rows of the condition.
	Count(where string) string
	// Of applies an aggregate function (SUM, MIN, …) to the rows of the condition.
	Of(function, x, where string) string
	// Exact is the exact sum of whole numbers, in more than 64 bits.
	Exact(x, where string) string
	// Distinct counts the distinct values; Sketch is a mergeable sketch of them, if the engine has one.
	Distinct(x, where string) string
	Sketch(x, where string, precision int) string
	// Edge is the first or last value that is not NULL; Latest the last n, latest first. Whole says that x
	// is never NULL.
	Edge(x, where string, last, whole bool) string
	Latest(x, where string, n int, whole bool) string
	// List is an array of x in the given order ("": any), of at most n (0: all) rows of the condition.
	List(x, where, order string, n int) string
	// Struct is a struct of named expressions: value, name, value, name…
	Struct(pairs ...string) string

	// Arithmetic is x op y, of whole numbers or of floats, and NULL where there is no result: on a division
	// by zero, an overflow and what is not finite. / and % of whole numbers truncate.
	Arithmetic(op byte, x, y string, whole bool) string
	// TryInt is a number as an INT64, NULL where it does not fit.
	TryInt(x string) string
}

// when is x in rows of the condition, else NULL.
func when(where, x string) string {
	if where == "" {
		return x
	}
	return "IF(" + where + ", " + x + ", NULL)"
}

// and joins conditions, of which some may be "".
func and(conditions ...string) string {
	var out []string
	for _, c := range conditions {
		if c != "" {
			out = append(out, c)
		}
	}
	return strings.Join(out, " AND ")
}

func integer(n int64) string { return strconv.FormatInt(n, 10) }

// power returns 10^scale as a literal.
func power(scale int) string { return "1" + strings.Repeat("0", scale) }

// path is the JSONPath of an entry.
func path(key string) string { return `'$."` + key + `"'` }
