package bqwh

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/google/go-cmp/cmp"
	bq "google.golang.org/api/bigquery/v2"

	"github.com/anabranch/anabranch/infra/warehouse"
)

const day = arrow.Date32(20779) // 2026-11-22

func table() warehouse.Table {
	return warehouse.Table{
		Name: "daily", Description: "a table",
		Columns: []warehouse.Column{
			{Name: "epoch_date", Type: warehouse.Date, Required: true, Description: "date of the epoch"},
			{Name: "id", Type: warehouse.String, Required: true},
			{Name: "vec", Type: warehouse.Float64List},
		},
		PartitionBy: "epoch_date", ClusterBy: []string{"id"},
	}
}

func rows(t *testing.T, n int) array.RecordReader {
	t.Helper()
	b := array.NewRecordBuilder(memory.DefaultAllocator, table().ArrowSchema())
	defer b.Release()
	for i := range n {
		b.Field(0).(*array.Date32Builder).Append(day)
		b.Field(1).(*array.StringBuilder).Append(fmt.Sprint(i))
		b.Field(2).(*array.ListBuilder).Append(true)
	}
	rec := b.NewRecord()
	defer rec.Release()
	rr, err := array.NewRecordReader(rec.Schema(), []arrow.Record{rec})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rr.Release)
	return rr
}

func replace(t *testing.T, w *warehouse.Warehouse, key string, n int) {
	t.Helper()
	got, err := w.ReplacePartition(t.Context(), table(), day, key, rows(t, n))
	if err != nil {
		t.Fatal(err)
	}
	if got != int64(n) {
		t.Fatalf("%d rows, want %d", got, n)
	}
}

func ensure(t *testing.T, w *warehouse.Warehouse, table warehouse.Table) {
	t.Helper()
	if err := w.Ensure(t.Context(), table); err != nil {
		t.Fatal(err)
	}
}

// id is the job id that the driver must choose.
func id(key string, number int) string {
	hash := map[string]string{"a": idHashA, "b": idHashB}[key]
	return fmt.Sprintf("anabranch_daily_20261122_%s_%d", hash, number)
}

// Job ids outlive a release: another hash would load every partition again.
const (
	idHashA = "839466021e3c9495"
	idHashB = "e007a1854d92545d"
)

func wantLoads(t *testing.T, f *fake, want ...string) {
	t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), f.loaded()); diff != "" {
		t.Fatalf("load jobs (-want +got):\n%s", diff)
	}
}

func TestLoadJob(t *testing.T) {
	f, w := newFake(t)
	ensure(t, w, table())
	replace(t, w, "a", 3)
	wantLoads(t, f, id("a", 0))
	job := f.loads[0]
	want := &bq.JobConfigurationLoad{
		CreateDisposition: "CREATE_NEVER",
		WriteDisposition:  "WRITE_TRUNCATE",
		SourceFormat:      "PARQUET",
		ParquetOptions:    &bq.ParquetOptions{EnableListInference: true},
		DestinationTable:  &bq.TableReference{ProjectId: "p.q", DatasetId: "ds", TableId: "daily$20261122"},
	}
	if diff := cmp.Diff(want, job.Configuration.Load); diff != "" {
		t.Errorf("load configuration (-want +got):\n%s", diff)
	}
	if job.JobReference.Location != "europe-north1" {
		t.Errorf("location %q", job.JobReference.Location)
	}
}

func TestRepeatAdoptsTheFinishedJob(t *testing.T) {
	f, w := newFake(t)
	ensure(t, w, table())
	for range 3 {
		replace(t, w, "a", 3)
	}
	wantLoads(t, f, id("a", 0))
}

// Between our look-up and our insert another process starts the same job.
func TestConflictAdoptsTheOthersJob(t *testing.T) {
	f, w := newFake(t)
	ensure(t, w, table())
	replace(t, w, "a", 3)
	f.hidden[id("a", 0)] = true
	replace(t, w, "a", 3)
	if f.hidden[id("a", 0)] {
		t.Fatal("the driver did not look for the job")
	}
	wantLoads(t, f, id("a", 0))
}

func TestFailedJobIsReportedAndPassedOverByTheNextRun(t *testing.T) {
	f, w := newFake(t)
	ensure(t, w, table())
	f.fails[id("a", 0)] = "backendError"
	_, err := w.ReplacePartition(t.Context(), table(), day, "a", rows(t, 3))
	if err == nil || !strings.Contains(err.Error(), id("a", 0)) || !strings.Contains(err.Error(), "backendError") {
		t.Fatalf("error %v, want one that names the job and the reason", err)
	}
	wantLoads(t, f)
	replace(t, w, "a", 3)
	wantLoads(t, f, id("a", 1))
}

func TestJobThatIsNoLongerInEffectIsNotAdopted(t *testing.T) {
	f, w := newFake(t)
	ensure(t, w, table())
	replace(t, w, "a", 3)
	replace(t, w, "b", 4)
	replace(t, w, "a", 3)
	replace(t, w, "a", 3)
	wantLoads(t, f, id("a", 0), id("b", 0), id("a", 1))
}

func TestOneKeyForOtherRowsIsAnError(t *testing.T) {
	_, w := newFake(t)
	ensure(t, w, table())
	replace(t, w, "a", 3)
	_, err := w.ReplacePartition(t.Context(), table(), day, "a", rows(t, 4))
	if err == nil || !strings.Contains(err.Error(), "another job key") {
		t.Errorf("error %v", err)
	}
}

func TestMissingTable(t *testing.T) {
	_, w := newFake(t)
	_, err := w.ReplacePartition(t.Context(), table(), day, "a", rows(t, 1))
	if !errors.Is(err, warehouse.ErrNoTable) {
		t.Errorf("ReplacePartition: %v", err)
	}
	if _, err := w.Partitions(t.Context(), "daily"); !errors.Is(err, warehouse.ErrNoTable) {
		t.Errorf("Partitions: %v", err)
	}
	if _, err := w.Read(t.Context(), table(), day); !errors.Is(err, warehouse.ErrNoTable) {
		t.Errorf("Read: %v", err)
	}
}

func TestEnsureCreates(t *testing.T) {
	f, w := newFake(t)
	ensure(t, w, table())
	got := f.tables["daily"]
	if p := got.TimePartitioning; p == nil || p.Field != "epoch_date" || p.Type != "DAY" {
		t.Errorf("partitioning %+v", p)
	}
	if got.Clustering == nil || cmp.Diff([]string{"id"}, got.Clustering.Fields) != "" {
		t.Errorf("clustering %+v", got.Clustering)
	}
	want := []string{"epoch_date DATE REQUIRED date of the epoch", "id STRING REQUIRED ", "vec FLOAT REPEATED "}
	if diff := cmp.Diff(want, columns(got)); diff != "" || got.Description != "a table" {
		t.Errorf("description %q, columns (-want +got):\n%s", got.Description, diff)
	}
	modified := got.LastModifiedTime
	ensure(t, w, table())
	if f.tables["daily"].LastModifiedTime != modified {
		t.Error("Ensure changed a table that was as it should be")
	}
}

func columns(table *bq.Table) []string {
	var out []string
	for _, f := range table.Schema.Fields {
		out = append(out, fmt.Sprintf("%s %s %s %s", f.Name, f.Type, f.Mode, f.Description))
	}
	return out
}

func TestEnsureAddsColumns(t *testing.T) {
	f, w := newFake(t)
	ensure(t, w, table())
	wider := table()
	wider.Columns = append(wider.Columns, warehouse.Column{Name: "added", Type: warehouse.Timestamp})
	f.conflict = 1 // somebody else changes the table in between
	ensure(t, w, wider)
	ensure(t, w, table())
	if got := columns(f.tables["daily"]); len(got) != 4 || !strings.HasPrefix(got[3], "added TIMESTAMP") {
		t.Errorf("columns %q", got)
	}
	other := table()
	other.Columns[2].Type = warehouse.Int64
	if err := w.Ensure(t.Context(), other); !errors.Is(err, warehouse.ErrSchema) {
		t.Errorf("another type: %v", err)
	}
	f.tables["daily"].TimePartitioning = nil
	if err := w.Ensure(t.Context(), table()); !errors.Is(err, warehouse.ErrSchema) {
		t.Errorf("a table without partitions: %v", err)
	}
}

// result is a complete answer to a query.
func result(fields []*bq.TableFieldSchema, rows ...[]any) *bq.QueryResponse {
	answer := &bq.QueryResponse{
		JobComplete: true, Schema: &bq.TableSchema{Fields: fields}, TotalRows: uint64(len(rows)),
		JobReference: &bq.JobReference{ProjectId: "p.q", JobId: "query", Location: "europe-north1"},
	}
	for _, row := range rows {
		r := &bq.TableRow{}
		for _, v := range row {
			r.F = append(r.F, &bq.TableCell{V: v})
		}
		answer.Rows = append(answer.Rows, r)
	}
	return answer
}

func TestPartitions(t *testing.T) {
	f, w := newFake(t)
	f.answer = result([]*bq.TableFieldSchema{{Name: "epoch_date", Type: "DATE"}, {Name: "f0_", Type: "INTEGER"}},
		[]any{"2026-11-23", "7"}, []any{"2026-11-22", "3"})
	got, err := w.Partitions(t.Context(), "daily")
	if err != nil {
		t.Fatal(err)
	}
	want := []warehouse.Partition{{Date: day, Rows: 3}, {Date: day + 1, Rows: 7}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRead(t *testing.T) {
	f, w := newFake(t)
	wide := table()
	wide.Columns = append(wide.Columns,
		warehouse.Column{Name: "n", Type: warehouse.Int64}, warehouse.Column{Name: "x", Type: warehouse.Float64},
		warehouse.Column{Name: "ok", Type: warehouse.Bool}, warehouse.Column{Name: "seen", Type: warehouse.Timestamp})
	var fields []*bq.TableFieldSchema
	for _, c := range schema(wide) {
		field := &bq.TableFieldSchema{Name: c.Name, Type: string(c.Type)}
		if c.Repeated {
			field.Mode = "REPEATED"
		}
		fields = append(fields, field)
	}
	list := []any{map[string]any{"v": "1.5"}, map[string]any{"v": "-2"}}
	f.answer = result(fields,
		[]any{"2026-11-22", "a", list, "9007199254740993", "0.1", "true", "1795305600123456"},
		[]any{"2026-11-22", "b", []any{}, nil, nil, nil, nil})
	rr, err := w.Read(t.Context(), wide, day)
	if err != nil {
		t.Fatal(err)
	}
	defer rr.Release()
	if !rr.Next() {
		t.Fatal("no record:", rr.Err())
	}
	got, err := rr.Record().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"epoch_date":"2026-11-22","id":"a","n":9007199254740993,"ok":true,"seen":"2026-11-22 00:00:00.123456Z","vec":[1.5,-2],"x":0.1}
,{"epoch_date":"2026-11-22","id":"b","n":null,"ok":null,"seen":null,"vec":[],"x":null}
]`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	if rr.Next() || rr.Err() != nil {
		t.Error("more than one record, or", rr.Err())
	}
	wantSQL := "SELECT `epoch_date`, `id`, `vec`, `n`, `x`, `ok`, `seen` FROM `p.q.ds.daily` WHERE epoch_date = @date"
	if diff := cmp.Diff([]string{wantSQL}, f.queries); diff != "" {
		t.Errorf("SQL (-want +got):\n%s", diff)
	}
}

func TestParseURL(t *testing.T) {
	got, err := ParseURL("bigquery://my.domain.project.dataset?location=EU&endpoint=http://127.0.0.1:9050&auth=none")
	if err != nil {
		t.Fatal(err)
	}
	want := Options{Project: "my.domain.project", Dataset: "dataset", Location: "EU", Endpoint: "http://127.0.0.1:9050", NoAuth: true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for raw, part := range map[string]string{
		"bq://p.d":                     "bigquery://",
		"bigquery://project":           "names no project and dataset",
		"bigquery://project.":          "names no project and dataset",
		"bigquery://p.d/table":         "form",
		"bigquery://p.d?loc=EU":        `"loc"`,
		"bigquery://p.d?auth=some":     "auth",
		"bigquery://p.d?endpoint=host": "endpoint",
	} {
		if _, err := ParseURL(raw); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("ParseURL(%q): error %v, want one with %q", raw, err, part)
		}
	}
}
