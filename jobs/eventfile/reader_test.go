package eventfile

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/event"
)

func ptr(v float64) *float64 { return &v }

func millis(t testing.TB, s string) event.Millis {
	t.Helper()
	m, err := event.ParseMillis(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// readAll returns the good rows and the messages of the bad ones; fatal ends the test.
func readAll[T any](t testing.TB, r *Reader[T], err error) (rows []Row[T], bad []string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	for row, err := range r.All() {
		var re *RowError
		switch {
		case errors.As(err, &re):
			if re.Line != row.Line {
				t.Errorf("row of line %d has an error of line %d", row.Line, re.Line)
			}
			bad = append(bad, err.Error())
		case err != nil:
			t.Fatal(err)
		default:
			rows = append(rows, row)
		}
	}
	return rows, bad
}

func read(t testing.TB, name, content string) ([]Row[event.Event], []string) {
	t.Helper()
	r, err := ReadEvents(name, strings.NewReader(content))
	return readAll(t, r, err)
}

const header = "event_id,user_id,item_id,type,value,event_time,session_id,context.page,properties.rank,properties.note\n"

func TestFormatsAgree(t *testing.T) {
	full := event.Event{
		ID: "e1", UserID: "u1", ItemID: "i,1", Type: "purchase", Value: ptr(19.5), Time: millis(t, "2026-01-31T10:00:00Z"), SessionID: "s1",
		Context: map[string]string{"page": "a \"b\"\nc"}, Properties: map[string]any{"rank": 3.0, "note": "007"},
	}
	bare := event.Event{UserID: "u2", ItemID: "i2", Type: "view", Time: millis(t, "2026-01-31T10:00:01.5Z")}
	csvText := header +
		"e1,u1,\"i,1\",purchase,19.5,2026-01-31T10:00:00Z,s1,\"a \"\"b\"\"\nc\",3,007\n" +
		"\n" +
		",u2,i2,view,,1769853601500,,,,"
	jsonText := `{"event_id":"e1","user_id":"u1","item_id":"i,1","type":"purchase","value":19.5,"event_time":"2026-01-31T10:00:00Z","session_id":"s1","context":{"page":"a \"b\"\nc"},"properties":{"rank":3,"note":"007"}}` +
		"\n \n" + `{"user_id":"u2","item_id":"i2","type":"view","event_time":1769853601500}`
	crlf := func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write([]byte(jsonText)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, file, content string
		format              Format
		lines               [2]int
	}{
		{"CSV", "a.csv", csvText, CSV, [2]int{2, 5}},
		{"CSV by content", "a", csvText, CSV, [2]int{2, 5}},
		{"CSV with a byte order mark", "a.csv", "\ufeff" + csvText, CSV, [2]int{2, 5}},
		{"CSV with CRLF", "a.csv", crlf(csvText), CSV, [2]int{2, 5}},
		{"JSON lines", "a.jsonl", jsonText, JSONLines, [2]int{1, 3}},
		{"JSON lines by content", "a.txt", jsonText, JSONLines, [2]int{1, 3}},
		{"JSON lines with CRLF and a mark", "a.json", "\ufeff" + crlf(jsonText), JSONLines, [2]int{1, 3}},
		{"gzip", "a.ndjson.gz", zipped.String(), JSONLines, [2]int{1, 3}},
		{"gzip that does not say so", "a", zipped.String(), JSONLines, [2]int{1, 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := ReadEvents(c.file, iotest.HalfReader(strings.NewReader(c.content)))
			rows, bad := readAll(t, r, err)
			want := []Row[event.Event]{{c.lines[0], full}, {c.lines[1], bare}}
			if d := cmp.Diff(want, rows); d != "" || len(bad) > 0 {
				t.Errorf("%v %s", bad, d)
			}
			if r.Format() != c.format {
				t.Errorf("format %s, want %s", r.Format(), c.format)
			}
			if r.BytesRead() != int64(len(c.content)) {
				t.Errorf("%d of %d bytes read", r.BytesRead(), len(c.content))
			}
		})
	}
}

func TestBadRows(t *testing.T) {
	const good = "u1,i1,view,2026-01-31T10:00:00Z,1\n"
	const head = "user_id,item_id,type,event_time,value\n"
	long := strings.Repeat("x", 10_000)
	for _, c := range []struct{ name, file, row, says string }{
		{"value", "a.csv", "u1,i1,view,2026-01-31T10:00:00Z,cheap\n", `a.csv line 2: malformed: value "cheap": a number`},
		{"infinite", "a.csv", "u1,i1,view,2026-01-31T10:00:00Z,Inf\n", `range: value`},
		{"time", "a.csv", "u1,i1,view,yesterday,1\n", `event_time "yesterday": `},
		{"seconds", "a.csv", "u1,i1,view,1769853601,1\n", `seconds?`},
		{"no user", "a.csv", ",i1,view,2026-01-31T10:00:00Z,1\n", `required: user_id`},
		{"no time", "a.csv", "u1,i1,view,,1\n", `event_time`},
		{"type", "a.csv", "u1,i1,View,2026-01-31T10:00:00Z,1\n", `type "View"`},
		{"long user", "a.csv", long + ",i1,view,2026-01-31T10:00:00Z,1\n", `user_id "xxx`},
		{"not UTF-8", "a.csv", "u\xff,i1,view,2026-01-31T10:00:00Z,1\n", `only UTF-8`},
		{"few cells", "a.csv", "u1,i1\n", `it has 2 cells; the header has 5`},
		{"bare quote", "a.csv", "u\"1,i1,view,2026-01-31T10:00:00Z,1\n", `quote`},
		{"not JSON", "a.jsonl", "u1,i1\n", `a.jsonl line 2: malformed: record`},
		{"unknown field", "a.jsonl", `{"user":"u1"}` + "\n", `user: unknown field`},
		{"long id", "a.jsonl", `{"user_id":"` + long + `","item_id":"i1","type":"view","event_time":"2026-01-31T10:00:00Z"}` + "\n", `user_id "xxx`},
		{"huge record", "a.jsonl", `{"user_id":"` + strings.Repeat("x", 70_000) + `"}` + "\n", `too_large: record`},
		{"huge line", "a.jsonl", strings.Repeat(" ", 5*bufferBytes) + "\n", `too_large: record`},
	} {
		t.Run(c.name, func(t *testing.T) {
			content := head + c.row + good
			if c.file == "a.jsonl" {
				ok := `{"user_id":"u1","item_id":"i1","type":"view","event_time":"2026-01-31T10:00:00Z","value":1}` + "\n"
				content = ok + c.row + ok
			}
			rows, bad := read(t, c.file, content)
			if len(bad) != 1 || !strings.Contains(bad[0], c.says) {
				t.Fatalf("got %q, want one with %q", bad, c.says)
			}
			if len(bad[0]) > 400 {
				t.Errorf("a message of %d bytes repeats the input", len(bad[0]))
			}
			if len(rows) == 0 || rows[len(rows)-1].Line != 3 || rows[len(rows)-1].Record.UserID != "u1" {
				t.Errorf("the row after the bad one is not read: %v", rows)
			}
		})
	}
}

func TestBadFiles(t *testing.T) {
	const head = "user_id,item_id,type,event_time,value\n"
	for _, c := range []struct{ name, file, content, says string }{
		{"empty CSV", "a.csv", "", "a.csv is empty: a header is required, with the columns user_id"},
		{"only blank lines", "a.csv", "\n\n", "empty"},
		{"no header", "a.csv", "u1,i1,view,2026-01-31T10:00:00Z\n", "a.csv line 1: a header is required; found"},
		{"semicolons", "a.csv", "user_id;item_id;type;event_time\n", "separated by commas"},
		{"column missing", "a.csv", "user_id,item_id,type\n", `column "event_time" is missing`},
		{"column twice", "a.csv", "user_id,user_id,item_id,type\n", `"user_id" comes twice`},
		{"column unknown", "a.csv", "user_id,item_id,type,event_tme\n", `unknown column "event_tme" (did you mean "event_time"?); accepted are event_id, user_id`},
		{"column in capitals", "a.csv", "user_id,ITEM_ID,type,event_time\n", `did you mean "item_id"?`},
		{"column like none", "a.csv", "user_id,item_id,type,event_time,colour_of_sky\n", `unknown column "colour_of_sky"; accepted`},
		{"context without a name", "a.csv", "user_id,item_id,type,event_time,context.\n", `unknown column "context."`},
		{"JSON array", "a.json", ` [{"user_id":"u1"}]`, "JSON lines, one object a line"},
		{"UTF-16", "a.csv", "\xff\xfeu\x00", "UTF-16"},
		{"Parquet", "a.parquet", "PAR1", "not accepted"},
		{"damaged gzip", "a.csv.gz", "\x1f\x8bxxxxxxxxxxxxxxx", "gzip"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReadEvents(c.file, strings.NewReader(c.content))
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %v, want an error with %q", err, c.says)
			}
			if api.CodeOf(err) != api.Invalid {
				t.Errorf("code %s", api.CodeOf(err))
			}
		})
	}
	t.Run("empty JSON lines", func(t *testing.T) {
		if rows, bad := read(t, "a.jsonl", ""); len(rows)+len(bad) > 0 {
			t.Error(rows, bad)
		}
	})
	t.Run("header only", func(t *testing.T) {
		if rows, bad := read(t, "a.csv", head); len(rows)+len(bad) > 0 {
			t.Error(rows, bad)
		}
	})
	t.Run("no such file", func(t *testing.T) {
		if _, err := OpenEvents(t.TempDir() + "/none.csv"); api.CodeOf(err) != api.NotFound {
			t.Error(err)
		}
	})
	t.Run("folder", func(t *testing.T) {
		if _, err := OpenEvents(t.TempDir()); api.CodeOf(err) != api.Invalid {
			t.Error(err)
		}
	})
}

// endless gives the same text for ever.
type endless struct{ read int64 }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	e.read += int64(len(p))
	return len(p), nil
}

// TestOpenQuoteIsBounded reads a quote that is never closed: the reader must not take in the rest.
func TestOpenQuoteIsBounded(t *testing.T) {
	rest := &endless{}
	r, err := ReadEvents("a.csv", io.MultiReader(strings.NewReader("user_id,item_id,type,event_time\n\"u1"), rest))
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Next()
	var re *RowError
	if err == nil || errors.As(err, &re) || !strings.Contains(err.Error(), "line 2") || !strings.Contains(err.Error(), "quote") {
		t.Errorf("got %v, want a fatal error of line 2", err)
	}
	if rest.read > 2*maxRow {
		t.Errorf("%d bytes were read", rest.read)
	}
	if _, again := r.Next(); !errors.Is(again, err) {
		t.Errorf("then %v", again)
	}
}

func TestTruncatedGzip(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	for range 1000 {
		if _, err := z.Write([]byte(`{"user_id":"u1","item_id":"i1","type":"view","event_time":"2026-01-31T10:00:00Z"}` + "\n")); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := ReadEvents("a.jsonl.gz", bytes.NewReader(b.Bytes()[:b.Len()-10]))
	if err != nil {
		t.Fatal(err)
	}
	for row, err := range r.All() {
		if err != nil {
			if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "a.jsonl.gz at line") {
				t.Errorf("row %d: %v", row.Line, err)
			}
			return
		}
	}
	t.Error("a truncated file ends like a whole one")
}

func TestItemsAndUsers(t *testing.T) {
	ri, err := ReadItems("items.csv", strings.NewReader("item_id,title,category,price,available,tags,weight\ni1,1984,books,9.5,true,a|b c,\ni2,,,,false,,3\ni3,,,cheap,,,\n"))
	items, bad := readAll(t, ri, err)
	wantItems := []Row[event.Item]{
		{2, event.Item{ID: "i1", Attributes: map[string]any{"title": "1984", "category": "books", "price": 9.5, "available": true, "tags": []any{"a", "b c"}}}},
		{3, event.Item{ID: "i2", Attributes: map[string]any{"available": false, "weight": 3.0}}},
	}
	if d := cmp.Diff(wantItems, items); d != "" {
		t.Error(d)
	}
	if len(bad) != 1 || !strings.Contains(bad[0], `line 4: range: attributes.price "cheap"`) {
		t.Error(bad)
	}
	ru, err := ReadUsers("users.jsonl", strings.NewReader(`{"user_id":"u1","attributes":{"country":"DE"}}`))
	users, bad := readAll(t, ru, err)
	if d := cmp.Diff([]Row[event.User]{{1, event.User{ID: "u1", Attributes: map[string]any{"country": "DE"}}}}, users); d != "" || bad != nil {
		t.Error(d, bad)
	}
}

// FuzzReadEvents feeds any bytes under every name: what is read must be valid, and the end must come.
func FuzzReadEvents(f *testing.F) {
	f.Add("a.csv", []byte(header+"e1,u1,i1,view,1,2026-01-31T10:00:00Z,s1,p,1,x\n"))
	f.Add("a.csv", []byte("user_id,item_id,type,event_time\n\"u1,i1,view\n"))
	f.Add("a.jsonl", []byte(`{"user_id":"u1","item_id":"i1","type":"view","event_time":"2026-01-31T10:00:00Z"}`))
	f.Add("u.data", []byte("7\t42\t4\t900000000\n"))
	f.Add("a.gz", []byte("\x1f\x8b\x08"))
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		r, err := ReadEvents(name, bytes.NewReader(content))
		if err != nil {
			return
		}
		for row, err := range r.All() {
			if err != nil {
				continue
			}
			e := row.Record
			if e.ID == "" {
				e.ID = "x"
			}
			if rej := e.Check(); rej != nil || row.Line < 1 {
				t.Fatalf("line %d: %v", row.Line, rej)
			}
		}
	})
}
