//go:build integration

package sqltest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/anabranch/anabranch/schemas/sql"
	"github.com/anabranch/anabranch/scripts/oracle"
)

// engine runs the SQL of a dialect.
type engine interface {
	// load creates a table of raw rows.
	load(t *testing.T, name string, rows [][]any)
	// query runs a statement with INT64 parameters; nil is NULL.
	query(t *testing.T, text string, params map[string]any) answer
}

// answer is what the oracles' binaries answer. Numbers are json.Number.
type answer struct {
	OK      bool     `json:"ok"`
	Error   string   `json:"error"`
	Columns []column `json:"columns"`
	Rows    [][]any  `json:"rows"`
}

type column struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// process is a running oracle: JSON lines in and out.
type process struct {
	in  io.WriteCloser
	out *bufio.Reader
}

// start runs an oracle until the test ends.
func start(t *testing.T, name, verb string) *process {
	t.Helper()
	cmd := exec.Command(oracle.Need(t, name), verb)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
	return &process{in, bufio.NewReaderSize(out, 1<<20)}
}

// do sends a request and reads its answer.
func (p *process) do(t *testing.T, request map[string]any) answer {
	t.Helper()
	b, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.in.Write(append(b, '\n')); err != nil {
		t.Fatalf("send a request: %v", err)
	}
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		t.Fatalf("read an answer: %v", err)
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	var a answer
	if err := d.Decode(&a); err != nil {
		t.Fatalf("decode an answer: %v", err)
	}
	return a
}

// emulator is the BigQuery emulator.
type emulator struct{ *process }

func (e emulator) load(t *testing.T, name string, rows [][]any) {
	t.Helper()
	table := map[string]any{"name": name, "columns": columns, "rows": rows}
	if a := e.do(t, map[string]any{"table": table}); !a.OK {
		t.Fatalf("load %d rows: %s", len(rows), a.Error)
	}
}

func (e emulator) query(t *testing.T, text string, params map[string]any) answer {
	t.Helper()
	used := map[string]any{} // the emulator minds others
	for name, v := range params {
		if strings.Contains(text, sql.GoogleSQL().Param(name)) {
			used[name] = map[string]any{"type": "INT64", "value": v}
		}
	}
	return e.do(t, map[string]any{"sql": text, "params": used})
}

// duckdb is DuckDB, whose oracle knows neither rows nor parameters: both go into the text.
type duckdb struct{ *process }

func (e duckdb) load(t *testing.T, name string, rows [][]any) {
	t.Helper()
	types := map[string]string{"STRING": "VARCHAR", "FLOAT64": "DOUBLE", "INT64": "BIGINT"}
	var list, values []string
	for _, c := range columns {
		list = append(list, c.Name+" "+types[c.Type])
	}
	for _, row := range rows {
		var cells []string
		for _, x := range row {
			cells = append(cells, cell(x))
		}
		values = append(values, "("+strings.Join(cells, ", ")+")")
	}
	text := "CREATE TABLE " + name + " (" + strings.Join(list, ", ") + ")"
	if len(values) > 0 {
		text += ";\nINSERT INTO " + name + " VALUES " + strings.Join(values, ", ")
	}
	if a := e.do(t, map[string]any{"sql": text}); !a.OK {
		t.Fatalf("load %d rows: %s", len(rows), a.Error)
	}
}

// cell is a value of a raw row as a literal.
func cell(x any) string {
	switch v := x.(type) {
	case string:
		return sql.DuckDB().Text(v)
	case *string:
		if v != nil {
			return sql.DuckDB().Text(*v)
		}
	case *float64:
		if v != nil {
			return sql.DuckDB().Float(*v)
		}
	case *int64:
		if v != nil {
			return fmt.Sprint(*v)
		}
	case int64:
		return fmt.Sprint(v)
	}
	return "NULL"
}

func (e duckdb) query(t *testing.T, text string, params map[string]any) answer {
	t.Helper()
	for name, v := range params {
		literal := "CAST(NULL AS BIGINT)"
		if v != nil {
			literal = fmt.Sprintf("CAST(%v AS BIGINT)", v)
		}
		text = strings.ReplaceAll(text, sql.DuckDB().Param(name), literal)
	}
	return e.do(t, map[string]any{"sql": text})
}
