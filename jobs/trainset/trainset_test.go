package trainset_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"

	"github.com/anabranch/anabranch/jobs/trainset"
	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/feature"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSpinesAreRefused(t *testing.T) {
	for _, c := range []struct{ name, text, says string }{
		{"a.csv", "", "header"},
		{"a.csv", "user_id,time\n", "no row"},
		{"a.csv", "time,label\n2026-01-01,1\n", "user_id or item_id is required"},
		{"a.csv", "user_id,label\nann,1\n", "time is required"},
		{"a.csv", "user_id,time,time\nann,2026-01-01,2026-01-01\n", "stands twice"},
		{"a.csv", "user_id,time\nann,2026-01-01\n,2026-01-01\n", "line 3"},
		{"a.csv", "user_id,time\nann,soon\n", `time "soon"`},
		{"a.csv", "user_id,time\nann,2026-01-01,x\n", "line 2"},
		{"a.jsonl", `{"user_id":"ann","time":"2026-01-01"}{"user_id":"ann","times":1}`, "object 2"},
		{"a.jsonl", `{"user_id":"ann","time":`, "object 1"},
	} {
		if _, err := trainset.Read(write(t, c.name, c.text)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: got %v, want an error that says %q", c.text, err, c.says)
		}
	}
}

func TestSpineIsRead(t *testing.T) {
	s, err := trainset.Read(write(t, "a.csv", "\ufeffuser_id,item_id,time,label\nann,i2,2026-01-02,1\nbob,i1,2026-01-01T12:00:00Z,0\nann,i1,1767225600000,0\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(s.Members(feature.User), ","); got != "ann,bob" {
		t.Errorf("users %s", got)
	}
	if got := strings.Join(s.Members(feature.Item), ","); got != "i1,i2" {
		t.Errorf("items %s", got)
	}
	if s.Latest() != 1767312000000 || s.Rows[2].Time != 1767225600000 {
		t.Errorf("latest %d, third row %d", s.Latest(), s.Rows[2].Time)
	}
}

// TestParquetHoldsEveryKind writes one value of each kind and reads it back by its type.
func TestParquetHoldsEveryKind(t *testing.T) {
	s, err := trainset.Read(write(t, "a.csv", "user_id,time,label\nann,2026-01-01,yes\n"))
	if err != nil {
		t.Fatal(err)
	}
	columns := []trainset.Column{
		{Name: "n", Kind: trainset.Integer},
		{Name: "x", Kind: trainset.Double},
		{Name: "s", Kind: trainset.Text},
		{Name: "b", Kind: trainset.Boolean},
		{Name: "list", Kind: trainset.JSON},
		{Name: "none", Kind: trainset.Double},
	}
	path := filepath.Join(t.TempDir(), "o.parquet")
	w, err := trainset.Create(path, s, columns)
	if err != nil {
		t.Fatal(err)
	}
	values := []agg.Value{
		agg.IntegerValue(7), agg.FloatValue(.5), agg.TextValue("hat"), agg.BooleanValue(true), agg.HistogramValue(&[]int64{1, 2}), agg.Null,
	}
	if err := w.Write(&s.Rows[0], values); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the file is there before Close")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := file.OpenParquetFile(path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	table, err := r.ReadTable(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer table.Release()
	want := []string{"ann", "2026-01-01 00:00:00", "yes", "7", "0.5", "hat", "true", "[1,2]", array.NullValueStr}
	for i, w := range want {
		if got := table.Column(i).Data().Chunk(0).ValueStr(0); !strings.HasPrefix(got, w) {
			t.Errorf("column %s holds %s, want %s", table.Schema().Field(i).Name, got, w)
		}
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	s, err := trainset.Read(write(t, "a.csv", "user_id,time,n\nann,2026-01-01,1\n"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := trainset.Create(filepath.Join(dir, "o.csv"), s, []trainset.Column{{Name: "n"}}); err == nil || !strings.Contains(err.Error(), "column n") {
		t.Errorf("a feature with the name of a column: %v", err)
	}
	w, err := trainset.Create(filepath.Join(dir, "o.parquet"), s, []trainset.Column{{Name: "m"}})
	if err != nil {
		t.Fatal(err)
	}
	w.Abort()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
