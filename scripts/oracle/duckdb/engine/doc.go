// Package engine runs SQL scripts over Parquet files on DuckDB and measures them: an oracle of its
// own for what the columnar engine computes, and the yardstick of its speed.
//
// # Use
//
// The command `duckdb run` reads one [Request] a line and writes one [Answer] a line, in order:
//
//	{"threads": 2, "tables": [{"name": "events", "glob": ["/data/*.parquet"]}]}
//	{"id": "g", "sql": "CREATE OR REPLACE TEMP TABLE r AS SELECT item_id, COUNT(*) AS n FROM events GROUP BY item_id"}
//
// answers
//
//	{"ok": true, "count": 0, "wall_seconds": 0, …}
//	{"id": "g", "ok": true, "count": 1, "wall_seconds": 2.6, "cpu_seconds": 4.9, "peak_bytes": 573000000, …}
//
// The costs are of the whole process, so a benchmark gives each measured script a process of its own
// where peaks matter: the peak never falls. Rows cost more to hand over than to make: a benchmark
// writes a large result into a TEMP TABLE, as above, or counts it.
//
// Build it with `CGO_ENABLED=1 go build .` in this module, with a C and a C++ compiler installed;
// package oracle of the root module does that once and keeps the binary. DuckDB comes as a static
// library for Linux and macOS, so a build takes seconds; the stripped binary has 60 MB. Test with
// `CGO_ENABLED=1 go test ./...`.
//
// Grouping by `date_trunc` of a TIMESTAMPTZ is three times slower than by an integer day: compare
// like with like.
package engine
