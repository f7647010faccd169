package rowfile

import (
	"bytes"
	"context"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"pgregory.net/rapid"
)

var schema = arrow.NewSchema([]arrow.Field{
	{Name: "id", Type: arrow.BinaryTypes.String},
	{Name: "n", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "vec", Type: arrow.ListOfNonNullable(arrow.PrimitiveTypes.Float64)},
}, nil)

// whole is one record of n rows with nulls and lists of many lengths.
func whole(n int) arrow.Record {
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	rnd := rand.New(rand.NewPCG(1, 2))
	lists := b.Field(2).(*array.ListBuilder)
	for i := range n {
		b.Field(0).(*array.StringBuilder).Append(strconv.Itoa(rnd.IntN(1 << 30)))
		if i%5 == 0 {
			b.Field(1).AppendNull()
		} else {
			b.Field(1).(*array.Int64Builder).Append(rnd.Int64N(1 << 40))
		}
		lists.Append(true)
		for range rnd.IntN(4) {
			lists.ValueBuilder().(*array.Float64Builder).Append(rnd.Float64())
		}
	}
	return b.NewRecord()
}

// reader cuts a record at the given rows.
func reader(tb testing.TB, rec arrow.Record, cuts []int) array.RecordReader {
	tb.Helper()
	var parts []arrow.Record
	from := 0
	for _, to := range append(cuts, int(rec.NumRows())) {
		if to >= from {
			parts = append(parts, rec.NewSlice(int64(from), int64(to)))
			from = to
		}
	}
	rr, err := array.NewRecordReader(schema, parts)
	if err != nil {
		tb.Fatal(err)
	}
	return rr
}

func encode(tb testing.TB, rr array.RecordReader) []byte {
	tb.Helper()
	data, _, err := Encode(schema, rr)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func TestBytesDoNotDependOnTheRecords(t *testing.T) {
	rec := whole(groupRows + 5000)
	want := encode(t, reader(t, rec, nil))
	n := int(rec.NumRows())
	for _, cuts := range [][]int{{0, 1, n - 1, n}, {groupRows}, {groupRows - 1, groupRows + 1}, {63, 64, 65, 10_000}} {
		if !bytes.Equal(encode(t, reader(t, rec, cuts)), want) {
			t.Errorf("cut at %v the file is another", cuts)
		}
	}
	small := whole(300)
	want = encode(t, reader(t, small, nil))
	rapid.Check(t, func(rt *rapid.T) {
		cuts := rapid.SliceOfN(rapid.IntRange(0, 300), 0, 8).Draw(rt, "cuts")
		if !bytes.Equal(encode(t, reader(t, small, cuts)), want) {
			rt.Fatal("another file")
		}
	})
}

func TestRoundTripOverRowGroups(t *testing.T) {
	rec := whole(groupRows + 5000)
	records, err := Decode(context.Background(), encode(t, reader(t, rec, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer ReleaseRecords(records)
	rr, err := Project(schema, records)
	if err != nil {
		t.Fatal(err)
	}
	defer rr.Release()
	var at int64
	for rr.Next() {
		got := rr.Record()
		want := rec.NewSlice(at, at+got.NumRows())
		if !array.RecordEqual(want, got) {
			t.Fatalf("the rows from %d differ", at)
		}
		at += got.NumRows()
	}
	if at != rec.NumRows() {
		t.Fatalf("%d rows, want %d", at, rec.NumRows())
	}
}

// Damage that a checksum would have caught may give wrong rows, but neither a
// panic nor another number of rows.
func FuzzDecode(f *testing.F) {
	data := encode(f, reader(f, whole(50), nil))
	for _, i := range []int{0, 4, len(data) / 2, len(data) - 9} {
		f.Add(i, byte(0xff))
	}
	f.Fuzz(func(t *testing.T, at int, flip byte) {
		if at < 0 || at >= len(data) {
			t.Skip()
		}
		damaged := bytes.Clone(data)
		damaged[at] ^= flip
		records, err := Decode(context.Background(), damaged)
		if err != nil && records != nil {
			t.Fatal("records beside an error")
		}
		ReleaseRecords(records)
	})
}
