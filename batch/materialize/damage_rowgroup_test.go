package materialize_test

import (
	"bytes"
	"fmt"
	"runtime"
	"runtime/metrics"
	"strconv"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"

	"github.com/anabranch/anabranch/batch/batchtest"
	"github.com/anabranch/anabranch/batch/materialize"
	"github.com/anabranch/anabranch/infra/rawparquet"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/model"
)

// rawSchema is that of event.Raw, for another writer than ours, whose row groups are small.
func rawSchema() *arrow.Schema {
	types := map[string]arrow.DataType{
		"partition": arrow.PrimitiveTypes.Int32, "offset": arrow.PrimitiveTypes.Int64,
		"log_time": arrow.FixedWidthTypes.Timestamp_ms, "event_time": arrow.FixedWidthTypes.Timestamp_ms,
		"value": arrow.PrimitiveTypes.Float64, "price": arrow.PrimitiveTypes.Float64,
		"key": arrow.BinaryTypes.Binary, "content_type": arrow.BinaryTypes.Binary, "payload": arrow.BinaryTypes.Binary,
	}
	var fields []arrow.Field
	for i, name := range event.RawColumns {
		kind := types[name]
		if kind == nil {
			kind = arrow.BinaryTypes.String
		}
		fields = append(fields, arrow.Field{Name: name, Type: kind, Nullable: i > 3})
	}
	return arrow.NewSchema(fields, nil)
}

// viewsOfUsers is row i of a log in which every row is of another user.
func viewsOfUsers(b *array.RecordBuilder, i, n int) {
	for column, name := range event.RawColumns {
		text := ""
		switch name {
		case "topic_id":
			text = batchtest.TopicID
		case "event_id":
			text = "e" + strconv.Itoa(i)
		case "user_id":
			text = "u" + strconv.Itoa(i)
		case "item_id":
			text = "i" + strconv.Itoa(i%10)
		case "type":
			text = "view"
		}
		switch f := b.Field(column).(type) {
		case *array.Int32Builder:
			f.Append(0)
		case *array.Int64Builder:
			f.Append(int64(i))
		case *array.TimestampBuilder:
			f.Append(arrow.Timestamp(label.UnixMilli() - int64(n-i)))
		case *array.StringBuilder:
			if text == "" {
				f.AppendNull()
			} else {
				f.Append(text)
			}
		default:
			f.AppendNull()
		}
	}
}

// rawFile returns a raw file of n users in row groups of at most so many rows.
func rawFile(t *testing.T, n, group int, span rawparquet.Span) []byte {
	t.Helper()
	var out bytes.Buffer
	props := []parquet.WriterProperty{parquet.WithDictionaryDefault(false), parquet.WithCompression(compress.Codecs.Zstd), parquet.WithMaxRowGroupLength(int64(group))}
	for _, name := range []string{"topic_id", "type", "category", "reject"} {
		props = append(props, parquet.WithDictionaryFor(name, true))
	}
	w, err := pqarrow.NewFileWriter(rawSchema(), &out, parquet.NewWriterProperties(props...), pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, rawSchema())
	defer b.Release()
	for i := range n {
		viewsOfUsers(b, i, n)
		if i%50_000 == 49_999 || i == n-1 {
			r := b.NewRecord()
			if err := w.WriteBuffered(r); err != nil {
				t.Fatal(err)
			}
			r.Release()
		}
	}
	for k, v := range span.Meta() {
		if err := w.AppendKeyValueMetadata(k, v); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	pf, err := file.NewParquetReader(bytes.NewReader(out.Bytes()))
	if err != nil || pf.NumRowGroups() != (n+group-1)/group {
		t.Fatalf("%d row groups of %d rows in a file of %d: %v", pf.NumRowGroups(), group, n, err)
	}
	return out.Bytes()
}

// heap runs f and returns by how much the memory for objects grew at most, in bytes.
func heap(f func()) uint64 {
	read := func() uint64 {
		s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(s)
		return s[0].Value.Uint64()
	}
	runtime.GC()
	before, peak := read(), uint64(0)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			peak = max(peak, read())
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	}()
	f()
	close(stop)
	<-done
	return peak - min(peak, before)
}

// everyFifth returns some features of all entities.
func everyFifth(list []feature.Definition) (some []feature.Definition) {
	for i := 0; i < len(list); i += 5 {
		some = append(some, list[i])
	}
	return some
}

// TestMillionUsersInOneRowGroup reads a row group that is many times what ours are, of a user each row. What
// comes out is what comes out of the same rows in small row groups. A row group is decoded whole, so that
// this one takes more memory than Options.Memory, but not without bound.
func TestMillionUsersInOneRowGroup(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds: run without -short")
	}
	const n, most = 1_000_000, materialize.DefaultMemory // which a night takes anyway
	w, s := crowd(t, 1, func(int) string { return "u" }, func(int) string { return "i" })
	f := &s.Files[0]
	o := options(t)
	o.Memory = 64 << 20
	o.Catalogue.Derived, o.Catalogue.Features = nil, everyFifth(o.Catalogue.Features) // all of them take twice as long
	f.First, f.End, f.Rows, s.Rows = 0, n, n, n
	digests := map[int]string{}
	for _, group := range []int{n, 1 << 17} {
		data := rawFile(t, n, group, rawparquet.SpanOf(f.Topic, f.Partition, f.Epoch, f.First, f.End, n))
		f.Key, f.Bytes, f.SHA256 = fmt.Sprintf("raw/events/groups-of-%d.parquet", group), int64(len(data)), model.SHA256Hex(data)
		if _, err := w.Bucket.Put(t.Context(), f.Key, data); err != nil {
			t.Fatal(err)
		}
		var r *materialize.Result
		began := time.Now()
		grown := heap(func() { r = compute(t, w, s, o) })
		t.Logf("row groups of %d: a file of %d bytes, %v, %d MiB", group, len(data), time.Since(began).Round(time.Millisecond), grown>>20)
		if grown > most {
			t.Errorf("row groups of %d: %d MiB of memory, expected %d at most", group, grown>>20, most>>20)
		}
		if want := (model.Counts{Rows: n, Events: n, Users: n, Items: 10}); r.Counts != want {
			t.Errorf("row groups of %d: %+v, want %+v", group, r.Counts, want)
		}
		digests[group] = digest(t, r)
	}
	if digests[n] != digests[1<<17] {
		t.Error("other bytes than of small row groups")
	}
}
