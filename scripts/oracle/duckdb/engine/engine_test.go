package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestServe writes two Parquet files, reads them as one table, and looks at values and costs.
func TestServe(t *testing.T) {
	dir := t.TempDir()
	e := open(t)
	var in bytes.Buffer
	for i := range 2 {
		fmt.Fprintf(&in, `{"sql":"COPY (SELECT range AS id, 'u' || (range %% 7) AS user, range / 4 AS value FROM range(%d, %d)) TO '%s/%d.parquet' (FORMAT parquet)"}`+"\n",
			i*100_000, (i+1)*100_000, dir, i)
	}
	pattern, err := json.Marshal(filepath.Join(dir, "*.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&in, `{"id":"a","threads":1,"tables":[{"name":"events","glob":[%s]}],"sql":"SELECT user, COUNT(*) AS n, SUM(value) AS s FROM events GROUP BY user ORDER BY user LIMIT 1"}`+"\n", pattern)
	fmt.Fprintln(&in, `{"id":"b","sql":"SELECT id FROM events","discard":true}`)
	fmt.Fprintln(&in, `{"id":"c","sql":"CREATE TEMP TABLE x AS SELECT 1 AS a; SELECT current_setting('threads') AS n, a FROM x"}`)
	fmt.Fprintln(&in, `{"id":"d","sql":"SELECT nope FROM events"}`)
	fmt.Fprintln(&in, `{"id":"e","tables":[{"name":"none","glob":["/nonexistent/*.parquet"]}]}`)
	var out bytes.Buffer
	if err := e.Serve(t.Context(), &in, &out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var answers []Answer
	for _, line := range lines {
		var a Answer
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatal(err)
		}
		answers = append(answers, a)
	}
	if got := fmt.Sprint(answers[2].Rows); got != "[[u0 28572 7.142892855e+08]]" {
		t.Errorf("grouped: %s", lines[2])
	}
	if a := answers[2]; a.CPU <= 0 || a.Wall <= 0 || a.PeakBytes < 1<<20 || a.PeakBytes < a.StartBytes {
		t.Errorf("costs: %+v", a)
	}
	if a := answers[3]; a.Count != 200_000 || a.Rows != nil {
		t.Errorf("discarded: %s", lines[3])
	}
	if got := fmt.Sprint(answers[4].Rows); got != "[[1 1]]" {
		t.Errorf("script: %s, want one thread, as set two requests before", lines[4])
	}
	for i, want := range []string{"nope", "table none"} {
		if a := answers[5+i]; a.OK || !strings.Contains(a.Error, want) {
			t.Errorf("answer %s, want an error with %q", lines[5+i], want)
		}
	}
}

// TestValues reads a value of every type that the oracles compare.
func TestValues(t *testing.T) {
	cases := []struct{ sql, want string }{
		{`SELECT 9223372036854775807::BIGINT, 170141183460469231731687303715884105727::HUGEINT, sum(1)`, `[9223372036854775807,"170141183460469231731687303715884105727",1]`},
		{`SELECT 0.1::DOUBLE, 'nan'::DOUBLE, 1e308::DOUBLE * 10, 1.25::DECIMAL(10,2)`, `[0.1,"NaN","Infinity","1.25"]`},
		{`SELECT true, NULL, 'é"', '\xFF'::BLOB`, `[true,null,"é\"","/w=="]`},
		{`SELECT make_timestamp(1500000), DATE '2024-02-28', make_timestamptz(1500000)`, `["1970-01-01T00:00:01.5Z","2024-02-28T00:00:00Z","1970-01-01T00:00:01.5Z"]`},
		{`SELECT [1, 2]::BIGINT[], {'a': 1, 'b': [0.5::DOUBLE]}, []`, `[[1,2],{"a":1,"b":[0.5]},[]]`},
	}
	e := open(t)
	for _, c := range cases {
		_, rows, _, err := e.Run(t.Context(), c.sql, false)
		if err != nil {
			t.Errorf("%s: %v", c.sql, err)
			continue
		}
		got, err := json.Marshal(rows[0])
		if err != nil || string(got) != c.want {
			t.Errorf("%s\n got %s (%v)\nwant %s", c.sql, got, err, c.want)
		}
	}
}

func open(t *testing.T) *Engine {
	t.Helper()
	e, err := Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}
