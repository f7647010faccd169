package emulator

import (
	"bytes"
	"cmp"
	"encoding/json"
	"strings"
	"testing"
)

// dialect is one thing that generated SQL may want to use. want is what BigQuery documents; got is
// what the emulator does where that differs: rows, or "error: " and a part of its message. A test
// that fails here says that a new version of the emulator behaves otherwise: correct got, and the
// package comment.
type dialect struct {
	name   string
	sql    string
	want   string // compact JSON of the rows, or "error: …"
	got    string // empty: the emulator does what BigQuery does
	params map[string]Param
}

// events is the table that most queries read.
func events() Table {
	columns := []Column{
		{"pos", "INT64"},
		{"user", "STRING"},
		{"item", "STRING"},
		{"type", "STRING"},
		{"t", "INT64"},
		{"value", "FLOAT64"},
		{"category", "STRING"},
		{"props", "STRING"},
	}
	lines := []string{
		`[1, "u1", "a", "view", 1000, 1.5, "books", "{\"device\":\"ios\",\"seconds\":12}"]`,
		`[2, "u1", "b", "view", 2000, 2.5, null, "{\"device\":\"android\",\"seconds\":3.5}"]`,
		`[3, "u1", "a", "purchase", 2000, -0.5, "books", null]`,
		`[4, "u2", "a", "view", 1500, null, "toys", "{\"device\":\"ios\",\"seconds\":\"7\"}"]`,
		`[5, "u2", "c", "view", 9000, 10, "toys", "not json"]`,
		`[6, "u1", "c", "view", 8000, 0.1, "", "{\"deep\":{\"x\":true},\"n\":null,\"a.b\":1,\"list\":[1,\"z\"]}"]`,
	}
	rows := make([][]json.RawMessage, len(lines))
	for i, line := range lines {
		if err := json.Unmarshal([]byte(line), &rows[i]); err != nil {
			panic(err) // a constant of this file
		}
	}
	return Table{Name: "e", Columns: columns, Rows: rows}
}

// TestDialect measures the emulator against what BigQuery documents.
func TestDialect(t *testing.T) {
	groups := []struct {
		name  string
		cases []dialect
	}{
		{"window", windowCases()},
		{"aggregate", aggregateCases()},
		{"math", mathCases()},
		{"numeric", numericCases()},
		{"json", jsonCases()},
		{"array", arrayCases()},
		{"relation", relationCases()},
		{"text", textCases()},
		{"parameter", parameterCases()},
		{"statement", statementCases()}, // last: a script's variables leak into all later queries
	}
	e := open(t)
	if _, err := e.Load(t.Context(), events()); err != nil {
		t.Fatal(err)
	}
	for _, group := range groups {
		for _, c := range group.cases {
			t.Run(group.name+"/"+c.name, func(t *testing.T) {
				c.check(t, answer(e.Do(t.Context(), Request{SQL: c.sql, Params: c.params})))
			})
		}
	}
}

// check compares what the emulator answered with what the case says it does.
func (c dialect) check(t *testing.T, got string) {
	t.Helper()
	if c.got == c.want {
		t.Error("got repeats want: leave it empty")
	}
	want := cmp.Or(c.got, c.want)
	message, isError := strings.CutPrefix(want, "error: ")
	if isError && strings.HasPrefix(got, "error: ") && strings.Contains(got, message) {
		return
	}
	if got != want {
		t.Errorf("%s\n got %s\nwant %s\n(BigQuery: %s)", c.sql, got, want, c.want)
	}
}

// answer is an answer as the cases write it.
func answer(a Answer) string {
	if !a.OK {
		return "error: " + a.Error
	}
	if a.Rows == nil {
		return "[]"
	}
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(a.Rows); err != nil {
		return "error: " + err.Error()
	}
	return strings.TrimSpace(buffer.String())
}

func open(t *testing.T) *Emulator {
	t.Helper()
	e, err := Open()
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
