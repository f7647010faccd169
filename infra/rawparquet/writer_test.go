package rawparquet_test

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/metadata"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/anabranch/anabranch/infra/rawparquet"
	"github.com/anabranch/anabranch/schemas/event"
)

func fileOf(t testing.TB, w *rawparquet.Writer) []byte {
	t.Helper()
	data, err := w.File(span(w.Rows()).Meta())
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func add(w *rawparquet.Writer, rows []event.Raw) {
	for i := range rows {
		w.Add(&rows[i])
	}
}

// TestWriterIsUsedAgain: a file can be asked for twice, and what a writer held before Reset, a huge value among it, does
// not show in the next file.
func TestWriterIsUsedAgain(t *testing.T) {
	used := rawparquet.NewWriter()
	rapid.Check(t, func(rt *rapid.T) {
		rows := rapid.SliceOf(rapid.Custom(drawRow)).Draw(rt, "rows")
		if rapid.IntRange(0, 9).Draw(rt, "huge") == 0 && len(rows) > 0 {
			huge := strings.Repeat("x", 1<<20)
			rows[0].Payload = &huge
		}
		add(used, rows)
		data := fileOf(t, used)
		if !bytes.Equal(data, fileOf(t, used)) {
			rt.Fatal("the second file of the same rows has other bytes")
		}
		if !bytes.Equal(data, encode(t, rows)) {
			rt.Fatal("a writer that was used before gives other bytes than a new one")
		}
		used.Reset()
		if used.Rows() != 0 {
			rt.Fatal("rows are left")
		}
	})
}

// TestWriterGoesOn: rows that come after a file are in the next file, behind the others.
func TestWriterGoesOn(t *testing.T) {
	rows := shopRows(500)
	w := rawparquet.NewWriter()
	add(w, rows[:200])
	fileOf(t, w)
	add(w, rows[200:])
	if d := cmp.Diff(rows, readAll(t, fileOf(t, w)), exactly); d != "" {
		t.Error(d)
	}
}

// TestWriterCopies: a row's memory may be used again as soon as it was added.
func TestWriterCopies(t *testing.T) {
	w := rawparquet.NewWriter()
	var want []event.Raw
	var r event.Raw
	for i := range 1000 {
		want = append(want, event.Raw{TopicID: fmt.Sprint("t", i/100), Type: new(fmt.Sprint("k", i%7)), Price: new(float64(i)), EventTime: new(int64(i))})
		r = want[i]
		kind, price, at := *r.Type, *r.Price, *r.EventTime
		r.Type, r.Price, r.EventTime = &kind, &price, &at
		w.Add(&r)
		kind, price, at = "other", -1, -1
	}
	if d := cmp.Diff(want, readAll(t, fileOf(t, w)), exactly); d != "" {
		t.Error(d)
	}
}

// TestManyWords: a dictionary of as many texts as rows, over more than one row group.
func TestManyWords(t *testing.T) {
	rows := shopRows(140_000)
	for i := range rows {
		if i%3 > 0 {
			rows[i].Category = new(fmt.Sprintf("category %d", i))
		}
	}
	data := encode(t, rows)
	if d := cmp.Diff(rows, scanAll(t, scanner(t, nil), data), exactly); d != "" {
		t.Error("Scan:", d[:min(len(d), 2000)])
	}
	if d := cmp.Diff(rows, readAll(t, data), exactly); d != "" {
		t.Error("Read:", d[:min(len(d), 2000)])
	}
}

// TestStatistics: what a row group says of a column is true of its rows, and payloads, contexts and dictionaries have no
// statistics.
func TestStatistics(t *testing.T) {
	rows := shopRows(60_000) // many pages
	for i := range rows {
		rows[i].Offset = int64((i*7919)%60_000) - 100
		if i%5 == 0 {
			rows[i].Price, rows[i].EventTime = nil, nil
		}
		rows[i].Context = new(`{"a":"b"}`)
	}
	rows[6].Price, rows[7].Price, rows[8].Price = new(math.NaN()), new(-3.5), new(1e9)
	rows[9].UserID, rows[11].UserID = new("A first"), new("\u00ff last")
	pf, err := file.NewParquetReader(bytes.NewReader(encode(t, rows)))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	group := pf.MetaData().RowGroup(0)
	for i, name := range event.RawColumns {
		chunk, err := group.ColumnChunk(i)
		if err != nil {
			t.Fatal(err)
		}
		if set, err := chunk.StatsSet(); err != nil || !set {
			continue
		}
		stats, err := chunk.Statistics()
		if err != nil {
			t.Fatal(err)
		}
		got[name] = fmt.Sprint(bounds(stats), " nulls ", stats.NullCount())
	}
	ids := boundsOf(rows, func(r event.Raw) string { return *r.EventID })
	items := boundsOf(rows, func(r event.Raw) string { return *r.ItemID })
	sessions := boundsOf(rows, func(r event.Raw) string { return *r.SessionID })
	first := rows[0].LogTime
	want := map[string]string{
		"partition": "1 to 1 nulls 0", "offset": "-100 to 59899 nulls 0",
		"log_time":   fmt.Sprintf("%d to %d nulls 0", first, first+59_999*100),
		"event_time": fmt.Sprintf("%d to %d nulls 12000", first-5+100, first-5+59_999*100),
		"event_id":   ids + " nulls 0", "item_id": items + " nulls 0", "session_id": sessions + " nulls 0",
		"user_id": "A first to \u00ff last nulls 0", "price": "-3.5 to 1e+09 nulls 12000", "value": "none nulls 60000",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func bounds(stats metadata.TypedStatistics) string {
	if !stats.HasMinMax() {
		return "none"
	}
	switch s := stats.(type) {
	case *metadata.Int32Statistics:
		return fmt.Sprint(s.Min(), " to ", s.Max())
	case *metadata.Int64Statistics:
		return fmt.Sprint(s.Min(), " to ", s.Max())
	case *metadata.Float64Statistics:
		return fmt.Sprint(s.Min(), " to ", s.Max())
	case *metadata.ByteArrayStatistics:
		return fmt.Sprint(string(s.Min()), " to ", string(s.Max()))
	}
	return fmt.Sprintf("%T", stats)
}

// boundsOf looks for the least and the greatest text of a field.
func boundsOf(rows []event.Raw, field func(event.Raw) string) string {
	low, high := field(rows[0]), field(rows[0])
	for _, r := range rows {
		low, high = min(low, field(r)), max(high, field(r))
	}
	return low + " to " + high
}
