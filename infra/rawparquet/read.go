package rawparquet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
	"github.com/apache/arrow/go/v17/parquet/schema"

	"github.com/anabranch/anabranch/schemas/event"
)

// batchRows is how many rows a Batch has at most.
const batchRows = 1 << 16

// Read decodes the named columns (nil: all) of a raw file and calls fn for each batch of rows, in
// the order of the file. A batch is valid only during the call. The error of fn is returned,
// wrapped. Any damage that decoding notices is an error; for what it does not notice see ReadVerified.
func Read(data []byte, columns []string, fn func(Batch) error) (footer Footer, err error) {
	calling := false
	defer func() {
		if p := recover(); p != nil {
			if calling {
				panic(p) // the caller's own, which says nothing about the file
			}
			err = fmt.Errorf("raw file: the decoder failed (%v): the file is damaged", p)
		}
	}()
	want, err := columnIndexes(columns)
	if err != nil {
		return Footer{}, err
	}
	pf, err := file.NewParquetReader(bytes.NewReader(data))
	if err != nil {
		return Footer{}, fmt.Errorf("raw file of %d bytes: %w", len(data), err)
	}
	if err := checkSchema(pf.MetaData().Schema); err != nil {
		return Footer{}, err
	}
	fr, err := pqarrow.NewFileReader(pf, pqarrow.ArrowReadProperties{BatchSize: batchRows}, memory.DefaultAllocator)
	if err != nil {
		return Footer{}, fmt.Errorf("raw file: %w", err)
	}
	footer = footerOf(pf)
	guarded := func(b Batch) error {
		calling = true
		err := fn(b)
		calling = false
		return err
	}
	rows := int64(0)
	for group := range pf.NumRowGroups() {
		announced := pf.MetaData().RowGroup(group).NumRows()
		n, err := readGroup(fr, want, group, announced, guarded)
		if err != nil {
			return Footer{}, err
		}
		if n != announced {
			return Footer{}, fmt.Errorf("raw file: %d rows read of the %d in row group %d: the file is damaged", n, announced, group)
		}
		rows += n
	}
	if rows != footer.Rows {
		return Footer{}, fmt.Errorf("raw file: %d rows read of the %d that its footer announces: the file is damaged", rows, footer.Rows)
	}
	return footer, nil
}

func columnIndexes(columns []string) ([]int, error) {
	if columns == nil {
		columns = event.RawColumns[:]
	}
	want := make([]int, 0, len(columns))
	for _, name := range columns {
		i := slices.Index(event.RawColumns[:], name)
		if i < 0 {
			return nil, fmt.Errorf("raw file: no column %q; the columns are %v", name, event.RawColumns)
		}
		want = append(want, i)
	}
	slices.Sort(want)
	want = slices.Compact(want)
	if len(want) == 0 {
		return nil, errors.New("raw file: at least one column must be read")
	}
	return want, nil
}

func checkSchema(s *schema.Schema) error {
	names := make([]string, s.NumColumns())
	for i := range names {
		names[i] = s.Column(i).Path()
	}
	if !slices.Equal(names, event.RawColumns[:]) {
		return fmt.Errorf("raw file: its columns are %v, expected %v", names, event.RawColumns)
	}
	return nil
}

func footerOf(pf *file.Reader) Footer {
	f := Footer{Rows: pf.NumRows(), Meta: map[string]string{}}
	kv := pf.MetaData().KeyValueMetadata()
	for i, k := range kv.Keys() {
		f.Meta[k] = kv.Values()[i]
	}
	return f
}

// readGroup hands one row group, which announces some rows, to fn and returns how many rows it had. It reads column by column in
// this goroutine: the library's record reader starts others, in which a panic would end the process.
func readGroup(fr *pqarrow.FileReader, want []int, group int, announced int64, fn func(Batch) error) (int64, error) {
	readers := make([]*pqarrow.ColumnReader, len(want))
	defer func() {
		for _, r := range readers {
			if r != nil {
				r.Release()
			}
		}
	}()
	for i, column := range want {
		r, err := fr.GetFieldReader(context.Background(), column, map[int]bool{column: true}, []int{group})
		if err != nil {
			return 0, fmt.Errorf("raw file, row group %d, column %s: %w", group, event.RawColumns[column], err)
		}
		readers[i] = r
	}
	// The library reserves memory for as many rows as it is asked for.
	size := min(max(announced, 1), batchRows)
	for rows := int64(0); ; {
		n, err := readBatch(readers, want, size, fn)
		if err != nil {
			return 0, fmt.Errorf("raw file, row group %d: %w", group, err)
		}
		if n == 0 {
			return rows, nil
		}
		rows += int64(n)
	}
}

// readBatch hands the next rows, at most size, to fn and returns how many there were.
func readBatch(readers []*pqarrow.ColumnReader, want []int, size int64, fn func(Batch) error) (int, error) {
	columns := make([]arrow.Array, len(readers))
	defer func() {
		for _, c := range columns {
			if c != nil {
				c.Release()
			}
		}
	}()
	for i, r := range readers {
		var err error
		if columns[i], err = nextArray(r, size); err != nil {
			return 0, fmt.Errorf("column %s: %w", event.RawColumns[want[i]], err)
		}
		if have, first := columns[i].Len(), columns[0].Len(); have != first {
			return 0, fmt.Errorf("column %s has %d rows where %s has %d: the file is damaged",
				event.RawColumns[want[i]], have, event.RawColumns[want[0]], first)
		}
	}
	if columns[0].Len() == 0 {
		return 0, nil
	}
	batch, err := newBatch(columns, want)
	if err != nil {
		return 0, err
	}
	return batch.Len, fn(batch)
}

func nextArray(r *pqarrow.ColumnReader, size int64) (arrow.Array, error) {
	chunked, err := r.NextBatch(size)
	if err != nil {
		return nil, err
	}
	defer chunked.Release()
	switch chunks := chunked.Chunks(); len(chunks) {
	case 0:
		return array.MakeArrayOfNull(memory.DefaultAllocator, chunked.DataType(), 0), nil
	case 1:
		chunks[0].Retain()
		return chunks[0], nil
	default:
		return array.Concatenate(chunks, memory.DefaultAllocator)
	}
}
