package engine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	_ "github.com/duckdb/duckdb-go/v2" // the driver "duckdb"
)

// threads is what DuckDB may use unless a request says otherwise: the benchmarks compare two.
const threads = 2

// Engine is an in-memory DuckDB, on one connection. It is for one goroutine.
type Engine struct {
	db   *sql.DB
	conn *sql.Conn
}

// Open starts an empty DuckDB. Timestamps are taken to be UTC.
func Open(ctx context.Context) (*Engine, error) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return nil, fmt.Errorf("open DuckDB: %w", err)
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connect to DuckDB: %w", err), db.Close())
	}
	e := &Engine{db: db, conn: conn}
	if err := e.exec(ctx, fmt.Sprintf("SET threads = %d", threads)); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// Close ends DuckDB.
func (e *Engine) Close() error {
	return errors.Join(e.conn.Close(), e.db.Close())
}

// Prepare sets what a request says before its script: tables, threads, memory.
func (e *Engine) Prepare(ctx context.Context, r Request) error {
	for _, t := range r.Tables {
		if t.Name == "" || len(t.Glob) == 0 {
			return fmt.Errorf("table %q with %d files: want a name and a file at least", t.Name, len(t.Glob))
		}
		files := make([]string, len(t.Glob))
		for i, g := range t.Glob {
			files[i] = literal(g)
		}
		view := fmt.Sprintf(`CREATE OR REPLACE VIEW "%s" AS SELECT * FROM read_parquet([%s])`,
			strings.ReplaceAll(t.Name, `"`, `""`), strings.Join(files, ", "))
		if err := e.exec(ctx, view); err != nil {
			return fmt.Errorf("table %s: %w", t.Name, err)
		}
	}
	if r.Threads < 0 {
		return fmt.Errorf("threads %d: want 1 or more", r.Threads)
	}
	if r.Threads > 0 {
		if err := e.exec(ctx, fmt.Sprintf("SET threads = %d", r.Threads)); err != nil {
			return err
		}
	}
	if r.Memory != "" {
		return e.exec(ctx, "SET memory_limit = "+literal(r.Memory))
	}
	return nil
}

// Run runs a script and returns the columns and the rows of its last statement, and how many rows
// there are; with discard it only counts them.
func (e *Engine) Run(ctx context.Context, script string, discard bool) ([]Column, [][]any, int64, error) {
	rows, err := e.conn.QueryContext(ctx, script)
	if err != nil {
		return nil, nil, 0, err
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, nil, 0, fmt.Errorf("read the columns: %w", err)
	}
	columns := make([]Column, len(types))
	for i, t := range types {
		columns[i] = Column{Name: t.Name(), Type: t.DatabaseTypeName()}
	}
	var out [][]any
	count := int64(0)
	for ; rows.Next(); count++ {
		if discard {
			continue
		}
		row := make([]any, len(columns))
		pointers := make([]any, len(columns))
		for i := range row {
			pointers[i] = &row[i]
		}
		if err := rows.Scan(pointers...); err != nil {
			return nil, nil, 0, fmt.Errorf("row %d: %w", count, err)
		}
		for i := range row {
			row[i] = plain(row[i])
		}
		out = append(out, row)
	}
	if err := rows.Err(); err != nil {
		return nil, nil, 0, fmt.Errorf("after row %d: %w", count, err)
	}
	return columns, out, count, nil
}

func (e *Engine) exec(ctx context.Context, statement string) error {
	if _, err := e.conn.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("run %s: %w", statement, err)
	}
	return nil
}

// literal is a text as an SQL literal.
func literal(text string) string {
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}
