package parquetwh_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/bucket/errbucket"
	"github.com/anabranch/anabranch/infra/bucket/filebucket"
	"github.com/anabranch/anabranch/infra/warehouse"
	"github.com/anabranch/anabranch/infra/warehouse/parquetwh"
	"github.com/anabranch/anabranch/infra/warehouse/warehousetest"
)

const day = arrow.Date32(20779) // 2026-11-22

func newBucket(t *testing.T) *bucket.Bucket {
	t.Helper()
	b, err := filebucket.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestConformance(t *testing.T) {
	warehousetest.Run(t, warehousetest.Harness{
		New: func(t *testing.T) *warehouse.Warehouse { return parquetwh.Open(newBucket(t)) },
	})
}

func table() warehouse.Table {
	return warehouse.Table{
		Name: "daily",
		Columns: []warehouse.Column{
			{Name: "epoch_date", Type: warehouse.Date, Required: true},
			{Name: "id", Type: warehouse.String, Required: true},
		},
		PartitionBy: "epoch_date",
	}
}

func rows(t *testing.T, ids ...string) array.RecordReader {
	t.Helper()
	b := array.NewRecordBuilder(memory.DefaultAllocator, table().ArrowSchema())
	defer b.Release()
	for _, id := range ids {
		b.Field(0).(*array.Date32Builder).Append(day)
		b.Field(1).(*array.StringBuilder).Append(id)
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

// load is the whole job: what a nightly run does.
func load(t *testing.T, b *bucket.Bucket, ids ...string) error {
	t.Helper()
	w := parquetwh.Open(b)
	if err := w.Ensure(t.Context(), table()); err != nil {
		return err
	}
	_, err := w.ReplacePartition(t.Context(), table(), day, "k", rows(t, ids...))
	return err
}

func mustLoad(t *testing.T, b *bucket.Bucket, ids ...string) {
	t.Helper()
	if err := load(t, b, ids...); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, b *bucket.Bucket) (ids []string, err error) {
	t.Helper()
	rr, err := parquetwh.Open(b).Read(t.Context(), table(), day)
	if err != nil {
		return nil, err
	}
	defer rr.Release()
	for rr.Next() {
		col := rr.Record().Column(1).(*array.String)
		for i := range col.Len() {
			ids = append(ids, col.Value(i))
		}
	}
	return ids, rr.Err()
}

func list(t *testing.T, b *bucket.Bucket) []bucket.Attrs {
	t.Helper()
	objects, err := b.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func TestSameContentWritesNothing(t *testing.T) {
	b := newBucket(t)
	mustLoad(t, b, "a", "b")
	before := list(t, b)
	// Every write that reached the store would be applied and then fail.
	faulty, _ := errbucket.Wrap(b, errbucket.Fault{
		Match: func(op errbucket.Op) bool {
			return op.Kind == errbucket.Put && strings.HasSuffix(op.Key, "manifest.json")
		},
		Effect: errbucket.FailAfter,
	})
	mustLoad(t, faulty, "a", "b")
	if diff := cmp.Diff(before, list(t, b)); diff != "" {
		t.Errorf("objects changed (-before +after):\n%s", diff)
	}
	if len(before) != 2 || !strings.HasPrefix(before[0].Key, "warehouse/daily/epoch_date=2026-11-22/") ||
		before[1].Key != "warehouse/daily/manifest.json" {
		t.Errorf("unexpected objects %v", before)
	}
}

// A crash at any operation leaves the old rows or the new ones, and the same
// job again ends with the same objects as an undisturbed one.
func TestCrashAtEveryOperation(t *testing.T) {
	undisturbed := newBucket(t)
	mustLoad(t, undisturbed, "old")
	counted, inj := errbucket.Wrap(undisturbed)
	mustLoad(t, counted, "new", "rows")
	want := list(t, undisturbed)
	for n := range len(inj.Ops()) {
		for _, effect := range []errbucket.Effect{errbucket.Crash, errbucket.CrashAfter} {
			t.Run(fmt.Sprintf("%d/%d", n+1, effect), func(t *testing.T) {
				b := newBucket(t)
				mustLoad(t, b, "old")
				faulty, _ := errbucket.Wrap(b, errbucket.Fault{Nth: n + 1, Effect: effect})
				if err := load(t, faulty, "new", "rows"); !errors.Is(err, errbucket.ErrInjected) {
					t.Fatalf("error %v, want the injected one", err)
				}
				ids, err := read(t, b)
				if got := strings.Join(ids, ","); err != nil || got != "old" && got != "new,rows" {
					t.Fatalf("after the crash: %q, %v", got, err)
				}
				mustLoad(t, b, "new", "rows")
				if diff := cmp.Diff(want, list(t, b)); diff != "" {
					t.Errorf("objects after the rerun (-undisturbed +got):\n%s", diff)
				}
			})
		}
	}
}

// dataFile returns the only data file and its content.
func dataFile(t *testing.T, b *bucket.Bucket) (string, []byte) {
	t.Helper()
	objects, err := b.List(t.Context(), "warehouse/daily/epoch_date=")
	if err != nil || len(objects) != 1 {
		t.Fatalf("data files %v: %v", objects, err)
	}
	data, _, err := b.Get(t.Context(), objects[0].Key)
	if err != nil {
		t.Fatal(err)
	}
	return objects[0].Key, data
}

func TestDamageIsNoticedNamedAndRepaired(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, b *bucket.Bucket, key string, data []byte) error{
		"one bit": func(t *testing.T, b *bucket.Bucket, key string, data []byte) error {
			data[len(data)/2] ^= 1
			_, err := b.Put(t.Context(), key, data)
			return err
		},
		"truncated": func(t *testing.T, b *bucket.Bucket, key string, data []byte) error {
			_, err := b.Put(t.Context(), key, data[:len(data)-1])
			return err
		},
		"deleted": func(t *testing.T, b *bucket.Bucket, key string, _ []byte) error {
			return b.Delete(t.Context(), key)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBucket(t)
			mustLoad(t, b, "a", "b")
			key, data := dataFile(t, b)
			if err := damage(t, b, key, data); err != nil {
				t.Fatal(err)
			}
			_, err := read(t, b)
			if !errors.Is(err, warehouse.ErrDamaged) || !strings.Contains(err.Error(), key) {
				t.Errorf("Read: %v, want ErrDamaged that names %s", err, key)
			}
			mustLoad(t, b, "a", "b")
			if ids, err := read(t, b); err != nil || strings.Join(ids, ",") != "a,b" {
				t.Errorf("after loading again: %v, %v", ids, err)
			}
		})
	}
}

func TestUnknownManifestFormat(t *testing.T) {
	b := newBucket(t)
	mustLoad(t, b, "a")
	if _, err := b.Put(t.Context(), "warehouse/daily/manifest.json", []byte(`{"format":2}`)); err != nil {
		t.Fatal(err)
	}
	if _, err := read(t, b); err == nil || !strings.Contains(err.Error(), "format 2") {
		t.Errorf("error %v, want one that names the format", err)
	}
	if err := load(t, b, "a"); err == nil {
		t.Error("a manifest of an unknown format was written over")
	}
}

// The manifest is a stored format: programs of later releases read this.
func TestManifestBytes(t *testing.T) {
	b := newBucket(t)
	mustLoad(t, b, "a", "b")
	got, _, err := b.Get(t.Context(), "warehouse/daily/manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	key, data := dataFile(t, b)
	want := fmt.Sprintf(`{"format":1,"table":{"name":"daily","columns":[`+
		`{"name":"epoch_date","type":"date","required":true},{"name":"id","type":"string","required":true}],`+
		`"partition_by":"epoch_date"},"partitions":{"2026-11-22":{"file":"%s","bytes":%d,"sha256":"%x","rows":2}}}`,
		key, len(data), sha256.Sum256(data))
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
