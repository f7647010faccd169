package trainset

import (
	"os"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"

	"github.com/anabranch/anabranch/schemas/agg"
)

// groupRows is how many rows are kept before they are written as a row group.
const groupRows = 1 << 16

// parquetFormat writes the spine's columns as texts (time as an instant) and each feature by its kind.
type parquetFormat struct {
	out     *pqarrow.FileWriter
	rb      *array.RecordBuilder
	spine   *Spine
	columns []Column
	rows    int
}

func newParquet(f *os.File, s *Spine, columns []Column) (*parquetFormat, error) {
	var fields []arrow.Field
	for _, name := range s.Columns {
		t := arrow.DataType(arrow.BinaryTypes.String)
		if name == timeColumn {
			t = arrow.FixedWidthTypes.Timestamp_ms
		}
		fields = append(fields, arrow.Field{Name: name, Type: t, Nullable: true})
	}
	for _, c := range columns {
		fields = append(fields, arrow.Field{Name: c.Name, Type: arrowType(c.Kind), Nullable: true})
	}
	schema := arrow.NewSchema(fields, nil)
	props := parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Zstd), parquet.WithDictionaryDefault(false))
	// The writer closes what it is given; the file has to stay open until it is synced.
	out, err := pqarrow.NewFileWriter(schema, &notClosed{f}, props, pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
	if err != nil {
		return nil, err
	}
	return &parquetFormat{out: out, rb: array.NewRecordBuilder(memory.DefaultAllocator, schema), spine: s, columns: columns}, nil
}

// notClosed is a file without Close.
type notClosed struct{ f *os.File }

// Write implements io.Writer.
func (n *notClosed) Write(b []byte) (int, error) { return n.f.Write(b) }

func arrowType(k Kind) arrow.DataType {
	switch k {
	case Integer:
		return arrow.PrimitiveTypes.Int64
	case Double:
		return arrow.PrimitiveTypes.Float64
	case Boolean:
		return arrow.FixedWidthTypes.Boolean
	case Time:
		return arrow.FixedWidthTypes.Timestamp_ms
	}
	return arrow.BinaryTypes.String
}

func (p *parquetFormat) write(r *Row, values []agg.Value) error {
	for i, name := range p.spine.Columns {
		if name == timeColumn {
			p.rb.Field(i).(*array.TimestampBuilder).Append(arrow.Timestamp(r.Time))
			continue
		}
		p.rb.Field(i).(*array.StringBuilder).Append(strings.ToValidUTF8(r.Cells[i], "\ufffd"))
	}
	for i, v := range values {
		appendValue(p.rb.Field(len(p.spine.Columns)+i), v)
	}
	if p.rows++; p.rows < groupRows {
		return nil
	}
	return p.flush()
}

// appendValue adds an answer; what the column cannot hold, such as a sum beyond 64 bits, is null.
func appendValue(b array.Builder, v agg.Value) {
	if v.IsNull() {
		b.AppendNull()
		return
	}
	switch b := b.(type) {
	case *array.Int64Builder:
		if n, ok := v.Int64(); ok {
			b.Append(n)
			return
		}
	case *array.Float64Builder:
		if f, ok := v.Float64(); ok {
			b.Append(f)
			return
		}
	case *array.BooleanBuilder:
		n, _ := v.Int64()
		b.Append(n != 0)
		return
	case *array.TimestampBuilder:
		n, _ := v.Int64()
		b.Append(arrow.Timestamp(n))
		return
	case *array.StringBuilder:
		if s, ok := v.Text(); ok {
			b.Append(s)
		} else {
			b.Append(v.String())
		}
		return
	}
	b.AppendNull()
}

func (p *parquetFormat) flush() error {
	rec := p.rb.NewRecord()
	defer rec.Release()
	p.rows = 0
	return p.out.Write(rec)
}

func (p *parquetFormat) close() error {
	defer p.rb.Release()
	if p.rows > 0 {
		if err := p.flush(); err != nil {
			return err
		}
	}
	return p.out.Close()
}
