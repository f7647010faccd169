package rawparquet_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/file"

	"github.com/anabranch/anabranch/infra/bucket/filebucket"
	"github.com/anabranch/anabranch/infra/rawparquet"
	"github.com/anabranch/anabranch/schemas/model"
)

// oneGroup returns a raw file whose only row group has so many rows, all of the same texts and numbers or null.
func oneGroup(t *testing.T, rows int) []byte {
	t.Helper()
	ours, err := file.NewParquetReader(bytes.NewReader(encode(t, shopRows(1))))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	root := ours.MetaData().Schema.Root()
	w := file.NewParquetWriter(&out, root, file.WithWriterProps(parquet.NewWriterProperties(parquet.WithDictionaryDefault(true))))
	group := w.AppendRowGroup()
	for range root.NumFields() {
		c, err := group.NextColumn()
		if err != nil {
			t.Fatal(err)
		}
		for left := rows; left > 0; left -= 1 << 16 {
			writeConstant(t, c, min(left, 1<<16))
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// writeConstant writes zeros and empty texts, or nulls where a column may have them.
func writeConstant(t *testing.T, c file.ColumnChunkWriter, n int) {
	t.Helper()
	null := make([]int16, n)
	var err error
	required := c.Descr().MaxDefinitionLevel() == 0
	switch c := c.(type) {
	case *file.ByteArrayColumnChunkWriter:
		if required {
			_, err = c.WriteBatch(make([]parquet.ByteArray, n), nil, nil)
		} else {
			_, err = c.WriteBatch(nil, null, nil)
		}
	case *file.Int32ColumnChunkWriter:
		_, err = c.WriteBatch(make([]int32, n), nil, nil)
	case *file.Int64ColumnChunkWriter:
		if required {
			_, err = c.WriteBatch(make([]int64, n), nil, nil)
		} else {
			_, err = c.WriteBatch(nil, null, nil)
		}
	case *file.Float64ColumnChunkWriter:
		_, err = c.WriteBatch(nil, null, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestHugeRowGroupIsRefused: a row group is decoded whole, so that its rows are what bounds memory. The error names the
// file and both numbers.
func TestHugeRowGroupIsRefused(t *testing.T) {
	b, err := filebucket.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	const key = "raw/events/huge.parquet"
	data := oneGroup(t, 1<<21+1)
	if _, err := b.Put(t.Context(), key, data); err != nil {
		t.Fatal(err)
	}
	s := scanner(t, []string{"offset"})
	_, err = s.ScanVerified(t.Context(), b, key, int64(len(data)), model.SHA256Hex(data), func(*rawparquet.Group) error {
		t.Error("it is decoded")
		return nil
	})
	if err == nil {
		t.Fatal("it is accepted")
	}
	for _, want := range []string{key, "row group 0", "2097153", "2097152"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %s", err, want)
		}
	}
}
