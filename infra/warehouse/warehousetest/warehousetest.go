// Package warehousetest is the suite that every warehouse driver passes. A
// driver's test calls Run with a Harness; a promise that warehouse's
// documentation makes belongs into this suite and not into a driver's own test.
package warehousetest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/anabranch/anabranch/infra/warehouse"
)

// Harness connects the suite to a driver.
type Harness struct {
	// New makes a warehouse without tables. The suite closes it.
	New func(t *testing.T) *warehouse.Warehouse
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	tests := []struct {
		name string
		run  func(t *testing.T, w *warehouse.Warehouse)
	}{
		{"RoundTrip", testRoundTrip},
		{"ReplaceWhole", testReplaceWhole},
		{"Repeat", testRepeat},
		{"BackToEarlierContent", testBackToEarlierContent},
		{"Empty", testEmpty},
		{"Missing", testMissing},
		{"AddColumn", testAddColumn},
		{"RefuseChanges", testRefuseChanges},
		{"RefuseRows", testRefuseRows},
		{"FailingReader", testFailingReader},
		{"ManyRows", testManyRows},
		{"ParallelPartitions", testParallelPartitions},
		{"RaceOnePartition", testRaceOnePartition},
		{"RandomRows", testRandomRows},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			w := h.New(t)
			tc.run(t, w)
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// day is a partition that the tests use, and days count from it.
const day = arrow.Date32(20779) // 2026-11-22

// Table has a column of each type.
func Table() warehouse.Table {
	return warehouse.Table{
		Name: "item_daily", Description: "a table for tests",
		Columns: []warehouse.Column{
			{Name: "epoch_date", Type: warehouse.Date, Required: true, Description: "date of the epoch"},
			{Name: "item_id", Type: warehouse.String, Required: true},
			{Name: "n", Type: warehouse.Int64},
			{Name: "x", Type: warehouse.Float64},
			{Name: "ok", Type: warehouse.Bool},
			{Name: "event_date", Type: warehouse.Date},
			{Name: "seen", Type: warehouse.Timestamp},
			{Name: "vec", Type: warehouse.Float64List},
			{Name: "note", Type: warehouse.String},
		},
		PartitionBy: "epoch_date",
		ClusterBy:   []string{"item_id"},
	}
}

func ensure(t *testing.T, w *warehouse.Warehouse, table warehouse.Table) {
	t.Helper()
	if err := w.Ensure(t.Context(), table); err != nil {
		t.Fatal(err)
	}
}

func replace(t *testing.T, w *warehouse.Warehouse, table warehouse.Table, date arrow.Date32, key string, rows []row, sizes ...int) {
	t.Helper()
	n, err := w.ReplacePartition(t.Context(), table, date, key, records(t, table, rows, sizes...))
	if err != nil {
		t.Fatal(err)
	}
	if n != int64(len(rows)) {
		t.Fatalf("ReplacePartition returned %d, gave it %d rows", n, len(rows))
	}
}

func wantRows(t *testing.T, w *warehouse.Warehouse, table warehouse.Table, date arrow.Date32, want []row) {
	t.Helper()
	if diff := cmp.Diff(render(t, want), render(t, readAll(t, w, table, date))); diff != "" {
		t.Fatalf("rows of %s (-want +got):\n%s", warehouse.FormatDate(date), diff)
	}
}

func wantPartitions(t *testing.T, w *warehouse.Warehouse, want ...warehouse.Partition) {
	t.Helper()
	got, err := w.Partitions(t.Context(), Table().Name)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("partitions %v, want %v", got, want)
	}
}

// items makes rows that differ by their label.
func items(date arrow.Date32, n int, label string) []row {
	rows := make([]row, n)
	for i := range rows {
		rows[i] = row{"epoch_date": date, "item_id": fmt.Sprintf("%s%d", label, i), "n": int64(i)}
	}
	return rows
}

func testRoundTrip(t *testing.T, w *warehouse.Warehouse) {
	ensure(t, w, Table())
	rows := []row{
		{
			"epoch_date": day, "item_id": "", "n": int64(math.MaxInt64), "x": -0.1, "ok": true, "event_date": day - 30_000,
			"seen": arrow.Timestamp(1_795_305_600_123_456), "vec": []float64{1, math.MaxFloat64, -1e-300}, "note": "日本 \"x\"\n",
		},
		{"epoch_date": day, "item_id": "only required"},
		{
			"epoch_date": day, "item_id": "zeros", "n": int64(0), "x": 0.0, "ok": false, "event_date": arrow.Date32(0),
			"seen": arrow.Timestamp(0), "vec": []float64{0}, "note": "",
		},
		{"epoch_date": day, "item_id": "least", "n": int64(math.MinInt64), "seen": arrow.Timestamp(-1)},
	}
	replace(t, w, Table(), day, "k", rows, 1, 2)
	wantRows(t, w, Table(), day, rows)
	wantPartitions(t, w, warehouse.Partition{Date: day, Rows: 4})
}

func testReplaceWhole(t *testing.T, w *warehouse.Warehouse) {
	ensure(t, w, Table())
	other := items(day-1, 2, "other")
	replace(t, w, Table(), day-1, "k0", other)
	replace(t, w, Table(), day, "k1", items(day, 5, "old"))
	now := items(day, 3, "new")
	replace(t, w, Table(), day, "k2", now)
	wantRows(t, w, Table(), day, now)
	wantRows(t, w, Table(), day-1, other)
	wantPartitions(t, w, warehouse.Partition{Date: day - 1, Rows: 2}, warehouse.Partition{Date: day, Rows: 3})
}

func testRepeat(t *testing.T, w *warehouse.Warehouse) {
	ensure(t, w, Table())
	rows := items(day, 7, "i")
	for i := range 3 {
		ensure(t, w, Table())
		replace(t, w, Table(), day, "same", rows, i+1) // however it is cut
		wantRows(t, w, Table(), day, rows)
	}
	wantPartitions(t, w, warehouse.Partition{Date: day, Rows: 7})
}

// A key that was used before, for another content since, still takes effect.
func testBackToEarlierContent(t *testing.T, w *warehouse.Warehouse) {
	ensure(t, w, Table())
	a, b := items(day, 2, "a"), items(day, 3, "b")
	replace(t, w, Table(), day, "a", a)
	replace(t, w, Table(), day, "b", b)
	replace(t, w, Table(), day, "a", a)
	wantRows(t, w, Table(), day, a)
}

func testEmpty(t *testing.T, w *warehouse.Warehouse) {
	ensure(t, w, Table())
	wantPartitions(t, w)
	wantRows(t, w, Table(), day, nil)
	replace(t, w, Table(), day, "none", nil)
	wantPartitions(t, w)
	replace(t, w, Table(), day, "some", items(day, 2, "i"))
	replace(t, w, Table(), day, "none", nil)
	wantPartitions(t, w)
	wantRows(t, w, Table(), day, nil)
}

func testMissing(t *testing.T, w *warehouse.Warehouse) {
	_, err := w.Partitions(t.Context(), Table().Name)
	wantErr(t, "Partitions", err, warehouse.ErrNoTable)
	_, err = w.ReplacePartition(t.Context(), Table(), day, "k", records(t, Table(), items(day, 1, "i")))
	wantErr(t, "ReplacePartition", err, warehouse.ErrNoTable)
	if rr, err := w.Read(t.Context(), Table(), day); err == nil {
		for rr.Next() { // a driver may find out only now
			t.Error("Read returned a record")
		}
		wantErr(t, "Read", rr.Err(), warehouse.ErrNoTable)
		rr.Release()
	} else {
		wantErr(t, "Read", err, warehouse.ErrNoTable)
	}
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: error %v, want %v", what, err, want)
	}
}

func testAddColumn(t *testing.T, w *warehouse.Warehouse) {
	old := Table()
	ensure(t, w, old)
	oldRows := items(day-1, 2, "old")
	replace(t, w, old, day-1, "k", oldRows)

	wider := Table()
	wider.Columns = append(wider.Columns,
		warehouse.Column{Name: "added", Type: warehouse.Int64}, warehouse.Column{Name: "more", Type: warehouse.Float64List})
	_, err := w.ReplacePartition(t.Context(), wider, day, "k", records(t, wider, items(day, 1, "i")))
	wantErr(t, "ReplacePartition before Ensure", err, warehouse.ErrSchema)
	ensure(t, w, wider)
	newRows := []row{{"epoch_date": day, "item_id": "new", "added": int64(5), "more": []float64{1, 2}}}
	replace(t, w, wider, day, "k", newRows)
	wantRows(t, w, wider, day, newRows)
	wantRows(t, w, wider, day-1, oldRows)

	// Who does not know the new columns goes on as before.
	ensure(t, w, old)
	wantRows(t, w, old, day, []row{{"epoch_date": day, "item_id": "new"}})
	replace(t, w, old, day-2, "k", items(day-2, 1, "old"))
	wantRows(t, w, wider, day-2, items(day-2, 1, "old"))
}

func testRefuseChanges(t *testing.T, w *warehouse.Warehouse) {
	ensure(t, w, Table())
	change := func(edit func(*warehouse.Table)) error {
		table := Table()
		edit(&table)
		return w.Ensure(t.Context(), table)
	}
	for what, edit := range map[string]func(*warehouse.Table){
		"another type": func(t *warehouse.Table) { t.Columns[2].Type = warehouse.String },
		"a new required one": func(t *warehouse.Table) {
			t.Columns = append(t.Columns, warehouse.Column{Name: "r", Type: warehouse.Int64, Required: true})
		},
		"an unknown type":      func(t *warehouse.Table) { t.Columns[2].Type = "decimal" },
		"a bad name":           func(t *warehouse.Table) { t.Name = "../x" },
		"a bad column name":    func(t *warehouse.Table) { t.Columns[2].Name = "N" },
		"a column twice":       func(t *warehouse.Table) { t.Columns[3].Name = "n" },
		"no partition column":  func(t *warehouse.Table) { t.Columns = t.Columns[1:] },
		"another partitioning": func(t *warehouse.Table) { t.PartitionBy = "event_date" },
		"unknown clustering":   func(t *warehouse.Table) { t.ClusterBy = []string{"nope"} },
	} {
		wantErr(t, what, change(edit), warehouse.ErrSchema)
	}
}

func testRefuseRows(t *testing.T, w *warehouse.Warehouse) {
	ensure(t, w, Table())
	good := items(day, 2, "good")
	replace(t, w, Table(), day, "good", good)
	other := Table()
	other.Columns = other.Columns[:3]
	optional := Table()
	optional.Columns[1].Required = false
	for what, rows := range map[string]array.RecordReader{
		"a row of another date":     records(t, Table(), append(items(day, 3, "i"), items(day+1, 1, "j")...), 2),
		"other columns":             records(t, other, items(day, 1, "i")),
		"null in a required column": records(t, optional, append(items(day, 3, "i"), row{"epoch_date": day}), 2),
	} {
		_, err := w.ReplacePartition(t.Context(), Table(), day, what, rows)
		wantErr(t, what, err, warehouse.ErrSchema)
	}
	wantRows(t, w, Table(), day, good)
}

// broken ends with an error after its first record.
type broken struct {
	array.RecordReader
	records int
}

var errBroken = errors.New("the source broke")

func (b *broken) Next() bool {
	b.records++
	return b.records == 1 && b.RecordReader.Next()
}

func (b *broken) Err() error {
	if b.records > 1 {
		return errBroken
	}
	return nil
}

func testFailingReader(t *testing.T, w *warehouse.Warehouse) {
	ensure(t, w, Table())
	good := items(day, 2, "good")
	replace(t, w, Table(), day, "good", good)
	rows := &broken{RecordReader: records(t, Table(), items(day, 6, "half"), 3)}
	_, err := w.ReplacePartition(t.Context(), Table(), day, "k", rows)
	wantErr(t, "ReplacePartition", err, errBroken)
	if !strings.Contains(err.Error(), Table().Name) {
		t.Errorf("the error does not name the table: %v", err)
	}
	wantRows(t, w, Table(), day, good)
}

func testManyRows(t *testing.T, w *warehouse.Warehouse) {
	ensure(t, w, Table())
	rows := items(day, 150_000, "i")
	for i := range rows {
		if i%3 > 0 {
			rows[i]["vec"] = make([]float64, i%3)
		}
	}
	replace(t, w, Table(), day, "k", rows, 1, 70_000, 70_000)
	wantRows(t, w, Table(), day, rows)
}

// concurrently runs n functions at once and returns their errors.
func concurrently(n int, run func(i int) error) []error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = run(i) })
	}
	wg.Wait()
	return errs
}

func testParallelPartitions(t *testing.T, w *warehouse.Warehouse) {
	ensure(t, w, Table())
	const n = 8
	readers := make([]array.RecordReader, n)
	want := make([]warehouse.Partition, n)
	for i := range n {
		date := day + arrow.Date32(i)
		readers[i] = records(t, Table(), items(date, i+1, "i"))
		want[i] = warehouse.Partition{Date: date, Rows: int64(i + 1)}
	}
	errs := concurrently(n, func(i int) error {
		_, err := w.ReplacePartition(t.Context(), Table(), want[i].Date, "k", readers[i])
		return err
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	wantPartitions(t, w, want...)
}

// Writers of one partition leave the rows of one of them.
func testRaceOnePartition(t *testing.T, w *warehouse.Warehouse) {
	ensure(t, w, Table())
	const n = 4
	readers := make([]array.RecordReader, n)
	for i := range n {
		readers[i] = records(t, Table(), items(day, 10+i, fmt.Sprintf("writer%d-", i)))
	}
	errs := concurrently(n, func(i int) error {
		_, err := w.ReplacePartition(t.Context(), Table(), day, fmt.Sprint(i), readers[i])
		return err
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	got := readAll(t, w, Table(), day)
	won := len(got) - 10
	if won < 0 || won >= n {
		t.Fatalf("%d rows, which no writer wrote", len(got))
	}
	wantRows(t, w, Table(), day, items(day, 10+won, fmt.Sprintf("writer%d-", won)))
}

func testRandomRows(t *testing.T, w *warehouse.Warehouse) {
	ensure(t, w, Table())
	date := day
	rapid.Check(t, func(rt *rapid.T) {
		date++
		rows := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) row { return randomRow(rt, date) }), 0, 20).Draw(rt, "rows")
		cut := rapid.IntRange(1, 20).Draw(rt, "first record")
		replace(t, w, Table(), date, "k", rows, cut)
		wantRows(t, w, Table(), date, rows)
	})
}

func randomRow(rt *rapid.T, date arrow.Date32) row {
	r := row{"epoch_date": date, "item_id": rapid.String().Draw(rt, "item_id")}
	draw := func(name string, value func() any) {
		if rapid.Bool().Draw(rt, "has "+name) {
			r[name] = value()
		}
	}
	draw("n", func() any { return rapid.Int64().Draw(rt, "n") })
	draw("x", func() any { return rapid.Float64().Draw(rt, "x") })
	draw("ok", func() any { return rapid.Bool().Draw(rt, "ok") })
	draw("event_date", func() any { return arrow.Date32(rapid.Int32Range(-700_000, 2_900_000).Draw(rt, "event_date")) })
	draw("seen", func() any { return arrow.Timestamp(rapid.Int64Range(-6e16, 2e17).Draw(rt, "seen")) })
	draw("vec", func() any { return rapid.SliceOfN(rapid.Float64(), 1, 5).Draw(rt, "vec") })
	draw("note", func() any { return rapid.String().Draw(rt, "note") })
	return r
}
