// Package check type-checks GoogleSQL, the SQL of BigQuery, against given tables, with
// github.com/goccy/go-googlesql: Google's own analyzer, translated to Go. It knows the names, types
// and signatures of everything, and runs nothing; the bigquery module runs queries.
//
// # Use
//
// The command `googlesql check` reads one [Request] a line and writes one [Answer] a line, in order:
//
//	{"id": "q", "sql": "SELECT SUM(t) AS s FROM e WHERE t < @as_of", "params": {"as_of": "INT64"},
//	 "tables": [{"name": "e", "columns": [{"name": "t", "type": "INT64"}]}]}
//
// answers
//
//	{"id": "q", "ok": true, "columns": [{"name": "s", "type": "INT64"}], "ms": 0.9}
//
// The language is BigQuery's: what its dialect lacks of GoogleSQL is refused as far as we know it,
// see features.go. User-defined functions, models and connections are not declared. A table of
// another name than in the request is an error, so are undeclared parameters.
//
// Build it with `CGO_ENABLED=0 go build -p 2 .` in this module; package oracle of the root module
// does that once and keeps the binary. Measured on two shared cores: 167 s and 6.5 GB without a
// build cache; the stripped binary has 72 MB. A statement takes about 1.2 ms, a change of tables
// 10 ms more; 3,000 statements in one process peaked at 157 MB. Test with `CGO_ENABLED=0 go test ./...`.
package check
