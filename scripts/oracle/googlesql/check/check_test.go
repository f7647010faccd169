package check

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

// tables are the tables of the tests.
func tables() []Table {
	return []Table{
		{Name: "e", Columns: []Column{
			{"pos", "INT64"}, {"user", "STRING"}, {"t", "INT64"}, {"value", "FLOAT64"}, {"props", "STRING"}, {"made", "TIMESTAMP"},
		}},
		{Name: "proj-1.data.events", Columns: []Column{{"l", "ARRAY<STRUCT<item STRING, n INT64>>"}, {"amount", "NUMERIC"}}},
	}
}

func TestCheck(t *testing.T) {
	c := checker(t)
	cases := []struct {
		sql    string
		params map[string]string
		want   string // the columns, or "error: …"
	}{
		{sql: `SELECT user, COUNT(*) AS n, SUM(value) FROM e GROUP BY user`, want: `user STRING, n INT64,  FLOAT64`},
		{sql: `SELECT HLL_COUNT.INIT(user, 11) AS s, HLL_COUNT.EXTRACT(HLL_COUNT.INIT(user)) AS n FROM e`, want: `s BYTES, n INT64`},
		{sql: `SELECT HLL_COUNT.INIT(user, 9) FROM e`, want: `error: must be between 10 and 24`},
		{sql: `SELECT pos FROM e QUALIFY ROW_NUMBER() OVER (PARTITION BY user ORDER BY t DESC, pos DESC) <= @n`, params: map[string]string{"n": "INT64"}, want: `pos INT64`},
		{sql: `WITH a AS (SELECT *, LAG(t) OVER (PARTITION BY user ORDER BY t) AS before FROM e) SELECT t - before AS d FROM a WHERE t < @as_of`, params: map[string]string{"as_of": "INT64"}, want: `d INT64`},
		{sql: `SELECT @ids AS a, @at2 AS b`, params: map[string]string{"ids": "ARRAY<STRING>", "at2": "TIMESTAMP"}, want: `a ARRAY<STRING>, b TIMESTAMP`},
		{sql: `SELECT x.item, SUM(x.n) AS n FROM data.events, UNNEST(l) AS x GROUP BY 1`, want: `error: Table not found: data.events`},
		{sql: "SELECT x.item, SUM(x.n) AS n, ANY_VALUE(amount) AS a FROM `proj-1.data.events`, UNNEST(l) AS x GROUP BY 1", want: `item STRING, n INT64, a NUMERIC`},
		{sql: "SELECT l FROM proj-1.data.events", want: `l ARRAY<STRUCT<item STRING, n INT64>>`},
		{sql: `SELECT user, ARRAY_AGG(STRUCT(pos, t) ORDER BY t DESC LIMIT 3) AS l, ANY_VALUE(pos HAVING MAX t) AS p FROM e GROUP BY ALL`, want: `user STRING, l ARRAY<STRUCT<pos INT64, t INT64>>, p INT64`},
		{sql: `SELECT APPROX_TOP_COUNT(user, 2) AS a, JSON_VALUE(props, '$.x') AS b, SAFE_DIVIDE(1, 2) AS c, DIV(-7, 2) AS d, COUNTIF(value > 1) AS f FROM e GROUP BY b`, want: `a ARRAY<STRUCT<value STRING, count INT64>>, b STRING, c FLOAT64, d INT64, f INT64`},
		{sql: `SELECT COUNT(*) AS n FROM e WHERE made >= TIMESTAMP '2026-01-01 00:00:00+00'`, want: `n INT64`},
		{sql: `MERGE e AS t USING (SELECT 1 AS pos) AS s ON t.pos = s.pos WHEN MATCHED THEN UPDATE SET value = 2 WHEN NOT MATCHED THEN INSERT (pos) VALUES (s.pos)`, want: ``},
		{sql: `CREATE TABLE data2 AS SELECT user FROM e`, want: ``},
		{sql: `SELECT nope FROM e`, want: `error: Unrecognized name: nope [at 1:8]`},
		{sql: `SELECT user + 1 FROM e`, want: `error: No matching signature for operator +`},
		{sql: `SELECT user, t FROM e GROUP BY user`, want: `error: neither grouped nor aggregated`},
		{sql: `SELECT @missing`, want: `error: Query parameter 'missing' not found`},
		{sql: `SELECT @n`, params: map[string]string{"n": "INTEGERS"}, want: `error: parameter @n: type "INTEGERS"`},
		{sql: `SELECT CAST(1 AS INT32)`, want: `error: Type not found: INT32`},
		{sql: `SELECT FROM`, want: `error: Syntax error`},
		{sql: ` `, want: `error: sql is empty`},
	}
	for _, test := range cases {
		columns, err := c.Check(Request{SQL: test.sql, Params: test.params, Tables: tables()})
		got := text(columns, err)
		if message, isError := strings.CutPrefix(test.want, "error: "); isError && strings.HasPrefix(got, "error: ") && strings.Contains(got, message) {
			continue
		}
		if got != test.want {
			t.Errorf("%s\n got %s\nwant %s", test.sql, got, test.want)
		}
	}
}

// TestServe speaks the protocol, with tables that change between requests.
func TestServe(t *testing.T) {
	in := strings.NewReader(`{"id":"1","sql":"SELECT x FROM a","tables":[{"name":"a","columns":[{"name":"x","type":"INT64"}]}]}
{"id":"2","sql":"SELECT x FROM a","tables":[{"name":"a","columns":[{"name":"x","type":"STRING"}]}]}
{"id":"3","sql":"SELECT x FROM a"}
{"id":"4","sql":"SELECT 1","tables":[{"name":"a","columns":[{"name":"x","type":"TEXT"}]}]}
`)
	var out bytes.Buffer
	if err := checker(t).Serve(in, &out); err != nil {
		t.Fatal(err)
	}
	want := []string{"x INT64", "x STRING", "error: Table not found: a", `error: table a: column x: type "TEXT"`}
	for i, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		var a Answer
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatal(err)
		}
		got := text(a.Columns, nil)
		if !a.OK {
			got = "error: " + a.Error
		}
		if !strings.HasPrefix(got, want[i]) || a.ID != fmt.Sprint(i+1) {
			t.Errorf("answer %d: got %s, want %s", i+1, line, want[i])
		}
	}
}

// TestMany checks that a process lives through thousands of statements.
func TestMany(t *testing.T) {
	c := checker(t)
	for i := range 3000 {
		sql := fmt.Sprintf(`WITH a AS (SELECT user, COUNTIF(t < %d) AS n FROM e GROUP BY user) SELECT user, n FROM a WHERE n > @n`, i)
		if _, err := c.Check(Request{SQL: sql, Params: map[string]string{"n": "INT64"}, Tables: tables()}); err != nil {
			t.Fatalf("statement %d: %v", i, err)
		}
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("no /proc to read the memory from")
	}
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "VmHWM") {
			t.Log(strings.TrimSpace(line))
		}
	}
}

func text(columns []Column, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	parts := make([]string, len(columns))
	for i, c := range columns {
		parts[i] = c.Name + " " + c.Type
	}
	return strings.Join(parts, ", ")
}

func checker(t *testing.T) *Checker {
	t.Helper()
	c, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return c
}
