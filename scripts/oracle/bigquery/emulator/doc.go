// Package emulator runs GoogleSQL on github.com/goccy/bigquery-emulator, in this process: it makes
// tables of given rows, runs queries with named parameters over them, and returns typed rows. It is
// the judge of the SQL that the feature definitions compile to, for tables of up to some thousand
// rows.
//
// # Use
//
// The command `bigquery run` reads one [Request] a line and writes one [Answer] a line, in order:
//
//	{"table": {"name": "e", "columns": [{"name": "t", "type": "INT64"}], "rows": [[1], [2]]}}
//	{"id": "q", "sql": "SELECT SUM(t) FROM e WHERE t < @as_of", "params": {"as_of": {"type": "INT64", "value": 2}}}
//
// answers
//
//	{"ok": true, "count": 2, "ms": 1.2}
//	{"id": "q", "ok": true, "columns": [{"name": "", "type": "INT64"}], "rows": [[1]], "count": 1, "ms": 9.1}
//
// Build it with `CGO_ENABLED=0 go build -p 2 .` in this module; package oracle of the root module
// does that once and keeps the binary. Measured on two shared cores: 4.5 minutes and 6.5 GB without
// a build cache (2.8 minutes of it are the SQL analyzer, which the googlesql module shares), 3 s
// with one; the stripped binary has 208 MB. Test with `CGO_ENABLED=0 go test ./...`.
//
// # Speed
//
// Loading costs 27 µs a row and some 15 ms a table, a grouping query over 200 rows 17 ms, over 5,000
// rows 110 ms, the first query of a process 200 ms. Joins of tables are nested loops of 2.5 µs and
// more a pair, equality included: 0.3 s for a self join of 300 rows, 10 s for 2,000. Six hundred
// queries need 600 MB at most.
//
// # What it gets wrong
//
// The tests in dialect_*_test.go hold every statement that was tried, with what BigQuery documents
// beside what the emulator does. In short, do not let generated SQL use:
//
//   - numeric RANGE frames, COUNT(DISTINCT) OVER, LAST_VALUE(IGNORE NULLS): error or wrong; ROWS
//     frames, QUALIFY, LAG, FIRST_VALUE and ARRAY_AGG OVER are right
//   - HAVING MAX/MIN in another aggregate than ANY_VALUE: ignored
//   - unary minus on anything but a literal: error; write 0 - x
//   - CAST(float AS INT64): halves of columns round to even; write CAST(ROUND(x) AS INT64)
//   - errors as semantics: overflow wraps or is Infinity, LN(0) and EXP(1000) are infinite, and SAFE.
//     does not see them; AVG of INT64 wraps when the sum does
//   - LOG(x, b), IEEE_DIVIDE(0, 0), CAST('nan' AS FLOAT64), >> of negatives, ROUND(NUMERIC, n)
//   - GROUP BY ALL, array[0], LEFT JOIN UNNEST without ON TRUE, implicit casts of array elements
//   - HLL_COUNT.EXTRACT(NULL) is NULL, not 0; sketches are not ZetaSketch's bytes, so compare
//     estimates only. (GoogleSQL itself refuses precisions below 10.)
//   - JSON functions on text that is no JSON, or through a scalar: the whole query fails
//   - JSON_VALUE reformats numbers: 1.0 is "1", 2^53+1 is "9.007199254740992e+15"; compare them as
//     FLOAT64
//   - JSON_QUERY of a STRING is no STRING: only LIKE and REGEXP_CONTAINS take it
//   - JSON_TYPE(NULL), SAFE.INT64 and SAFE.FLOAT64 of JSON of another type: error
//   - parameters of ARRAY<INT64> (they arrive as text) and NUMERIC: error
//   - DECLARE: the variable replaces columns of that name in every later query
//   - sums of FLOAT64 are compensated, BigQuery's are in no fixed order: compare with a tolerance
package emulator
