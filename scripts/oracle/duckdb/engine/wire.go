package engine

// Table names Parquet files that a statement may read as a table.
type Table struct {
	Name string   `json:"name"`
	Glob []string `json:"glob"` // file names or patterns, as DuckDB's read_parquet has them
}

// Request is one line of input: tables to add, a number of threads to set, a script to run, in that
// order. What is absent stays as it was.
type Request struct {
	ID      string  `json:"id,omitempty"`
	Tables  []Table `json:"tables,omitempty"`
	Threads int     `json:"threads,omitempty"` // SET threads = N; DuckDB starts with 2 here
	Memory  string  `json:"memory,omitempty"`  // SET memory_limit, such as "1GB"
	SQL     string  `json:"sql,omitempty"`     // statements parted by semicolons; the last one's rows come back
	Discard bool    `json:"discard,omitempty"` // count the rows, do not return them
}

// Column is a column's name and DuckDB type.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// Answer is one line of output. The costs are those of SQL alone, reading the rows included.
//
// A value is a JSON number, boolean or string; an integer beyond 64 bits, a DECIMAL, a NaN or an
// infinity is a string; a BLOB is base64; TIMESTAMP and DATE are RFC 3339 strings in UTC; a LIST is
// an array, a STRUCT an object.
type Answer struct {
	ID         string   `json:"id,omitempty"`
	OK         bool     `json:"ok"`
	Error      string   `json:"error,omitempty"`
	Columns    []Column `json:"columns,omitempty"`
	Rows       [][]any  `json:"rows,omitempty"`
	Count      int64    `json:"count"`        // rows returned or discarded
	Wall       float64  `json:"wall_seconds"` // wall time
	CPU        float64  `json:"cpu_seconds"`  // user and system time of the whole process
	User       float64  `json:"user_seconds"`
	System     float64  `json:"system_seconds"`
	PeakBytes  int64    `json:"peak_bytes"`  // most resident memory of the process since it started
	StartBytes int64    `json:"start_bytes"` // the same before SQL ran
}
