package emulator

import "encoding/json"

// Column is a column's name and its GoogleSQL type: "INT64", "FLOAT64", "NUMERIC", "BIGNUMERIC",
// "BOOL", "STRING", "BYTES", "DATE", "DATETIME", "TIME", "TIMESTAMP", "JSON", and of these
// "ARRAY<INT64>" and "STRUCT<a INT64, b ARRAY<STRING>>". A loaded table has neither STRUCT, NUMERIC
// nor BIGNUMERIC columns: the emulator does not load them rightly.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// Param is the value of a named query parameter: a JSON value for a scalar, a JSON array for
// "ARRAY<…>" of scalars. null is NULL of the type.
type Param struct {
	Type  string          `json:"type"`
	Value json.RawMessage `json:"value"`
}

// Request is one line of input; exactly one of Table, Drop and SQL is set.
type Request struct {
	ID     string           `json:"id,omitempty"`     // comes back in the answer
	Table  *Table           `json:"table,omitempty"`  // create it, replacing one of that name
	Drop   string           `json:"drop,omitempty"`   // drop this table
	SQL    string           `json:"sql,omitempty"`    // run this query
	Params map[string]Param `json:"params,omitempty"` // the named parameters of SQL
}

// Table is a table to create, with its rows. Rows lie in the request, or in a file of JSON lines or
// Parquet. A row is a JSON array in the columns' order; in a .jsonl file it may be an object by
// column name too. A column that a file's row lacks is NULL; one that is not in Columns is skipped.
type Table struct {
	Name    string              `json:"name"` // "name", or "dataset.name"
	Columns []Column            `json:"columns"`
	Rows    [][]json.RawMessage `json:"rows,omitempty"`
	File    string              `json:"file,omitempty"` // *.jsonl or *.parquet
}

// Answer is one line of output.
//
// A value of a row is, by the column's type: INT64 a JSON number (decode it with UseNumber: it may
// lie beyond 2^53), FLOAT64 a JSON number in the shortest form that parses back to the same float64,
// or "NaN", "Infinity", "-Infinity"; NUMERIC, BIGNUMERIC, STRING, DATE and so on a string; BYTES a
// base64 string; BOOL a boolean; TIMESTAMP the seconds since 1970 as a decimal string, as BigQuery's
// REST interface has it; an ARRAY an array; a STRUCT an array of its fields in order; NULL null.
type Answer struct {
	ID      string   `json:"id,omitempty"`
	OK      bool     `json:"ok"`
	Error   string   `json:"error,omitempty"`
	Columns []Column `json:"columns,omitempty"`
	Rows    [][]any  `json:"rows,omitempty"` // of a query; a table's answer has none
	Count   int      `json:"count"`          // rows returned or loaded
	Millis  float64  `json:"ms"`             // wall time of this request
}
