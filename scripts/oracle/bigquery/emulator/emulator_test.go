package emulator

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// TestServe speaks the protocol: a table, a query with a parameter, a failing query, the next one.
func TestServe(t *testing.T) {
	e := open(t)
	in := strings.NewReader(`
{"id":"1","table":{"name":"n","columns":[{"name":"x","type":"INT64"}],"rows":[[1],["9007199254740993"],[null]]}}
{"id":"2","sql":"SELECT x FROM n WHERE x > @low","params":{"low":{"type":"INT64","value":1}}}
{"id":"3","sql":"SELECT y FROM n"}
{"id":"4","drop":"n"}
{"id":"5","sql":"SELECT x FROM n"}
{"id":"6"}
{"id":"7","table":{"name":"m","columns":[{"name":"x","type":"INT"}]}}
`)
	var out bytes.Buffer
	if err := e.Serve(t.Context(), in, &out); err != nil {
		t.Fatal(err)
	}
	want := []struct {
		ok    bool
		rows  string
		error string
	}{
		{true, "null", ""},
		{true, "[[9007199254740993]]", ""},
		{false, "null", "Unrecognized name: y"},
		{true, "null", ""},
		{false, "null", "not found: n"},
		{false, "null", "want exactly one"},
		{false, "null", `type "INT": want one of INT64`},
	}
	for i, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		var answer struct {
			OK    bool            `json:"ok"`
			Error string          `json:"error"`
			Rows  json.RawMessage `json:"rows"`
		}
		if err := json.Unmarshal([]byte(line), &answer); err != nil {
			t.Fatal(err)
		}
		rows := "null"
		if answer.Rows != nil {
			rows = string(answer.Rows)
		}
		if answer.OK != want[i].ok || rows != want[i].rows || !strings.Contains(answer.Error, want[i].error) {
			t.Errorf("answer %d: %s, want ok %v, rows %s, error %q", i+1, line, want[i].ok, want[i].rows, want[i].error)
		}
	}
}

// TestTypes stores a value of every type and reads it back.
func TestTypes(t *testing.T) {
	cases := []struct{ kind, value, want string }{
		{"INT64", `-9223372036854775808`, `-9223372036854775808`},
		{"FLOAT64", `0.1`, `0.1`},
		{"FLOAT64", `1e-320`, `1e-320`},
		{"BOOL", `true`, `true`},
		{"STRING", `"é\"\n"`, `"é\"\n"`},
		{"STRING", `""`, `""`},
		{"BYTES", `"AP8="`, `"AP8="`},
		{"DATE", `"2024-02-28"`, `"2024-02-28"`},
		{"TIMESTAMP", `"1970-01-01T00:00:01.5Z"`, `"1.500000"`},
		{"ARRAY<INT64>", `[1, 9007199254740993]`, `[1,9007199254740993]`},
		{"ARRAY<STRING>", `[]`, `[]`},
	}
	e := open(t)
	for _, c := range cases {
		table := Table{Name: "v", Columns: []Column{{"x", c.kind}}, Rows: [][]json.RawMessage{{[]byte(c.value)}, {[]byte("null")}}}
		if _, err := e.Load(t.Context(), table); err != nil {
			t.Errorf("%s: %v", c.kind, err)
			continue
		}
		columns, rows, err := e.Query(t.Context(), `SELECT x FROM v`, nil)
		if err != nil {
			t.Errorf("%s: %v", c.kind, err)
			continue
		}
		got := answer(Answer{OK: true, Rows: rows[:1]})
		if got != "[["+c.want+"]]" || columns[0].Type != c.kind {
			t.Errorf("%s %s: got %s of type %s", c.kind, c.value, got, columns[0].Type)
		}
	}
}

// TestRefused names the column types that the emulator cannot load.
func TestRefused(t *testing.T) {
	e := open(t)
	for _, kind := range []string{"NUMERIC", "STRUCT<a INT64>", "ARRAY<STRUCT<a INT64>>", "INT", ""} {
		table := Table{Name: "v", Columns: []Column{{"x", kind}}, Rows: [][]json.RawMessage{{[]byte("1")}}}
		if _, err := e.Load(t.Context(), table); err == nil || !strings.Contains(err.Error(), "column x") {
			t.Errorf("%q: got %v, want an error that names column x", kind, err)
		}
	}
}

// TestFiles loads the same rows from JSON lines and from Parquet.
func TestFiles(t *testing.T) {
	type row struct {
		ID    string   `parquet:"id"`
		At    int64    `parquet:"made,timestamp(millisecond)"`
		N     int64    `parquet:"n"`
		Value *float64 `parquet:"value"`
		Other string   `parquet:"other"`
	}
	half := 0.5
	dir := t.TempDir()
	parquetFile := filepath.Join(dir, "x.parquet")
	if err := parquet.WriteFile(parquetFile, []row{{"a", 1500, 7, &half, "-"}, {"b", -1, 8, nil, "-"}}); err != nil {
		t.Fatal(err)
	}
	jsonFile := filepath.Join(dir, "x.jsonl")
	lines := `{"id":"a","made":"1970-01-01T00:00:01.5Z","n":7,"value":0.5,"more":1}` + "\n" + `["b","1969-12-31T23:59:59.999Z",8,null]`
	if err := os.WriteFile(jsonFile, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	e := open(t)
	for _, file := range []string{parquetFile, jsonFile} {
		table := Table{Name: "data.f", File: file, Columns: []Column{{"id", "STRING"}, {"made", "TIMESTAMP"}, {"n", "INT64"}, {"value", "FLOAT64"}}}
		if n, err := e.Load(t.Context(), table); err != nil || n != 2 {
			t.Fatalf("%s: %d rows, %v", file, n, err)
		}
		got := answer(e.Do(t.Context(), Request{SQL: `SELECT id, UNIX_MILLIS(made), n, value FROM data.f ORDER BY id`}))
		if want := `[["a",1500,7,0.5],["b",-1,8,null]]`; got != want {
			t.Errorf("%s: got %s, want %s", file, got, want)
		}
	}
}
