package artifact

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unsafe"

	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// Alignment of buffers in a file, in bytes. Numbers begin at a cache line, which is also a register of
// the widest kernels. The Arrow writer pads texts to 8 only; so that
// this shifts no vectors, columns of numbers come first in a file.
const (
	align     = 64
	textAlign = 8
)

// Encoded is a file of a generation, ready to be stored.
type Encoded struct {
	File model.File
	Data []byte
}

// Plain returns a file without rows, such as the metrics.
func Plain(name string, data []byte) Encoded {
	return Encoded{File: model.File{Name: name, Bytes: int64(len(data)), SHA256: model.SHA256Hex(data)}, Data: data}
}

// Features returns the file of the catalogue that a generation's views answer. It leaves the descriptions
// out: they are no part of the definition hash, and equal inputs have to give equal bytes.
func Features(c feature.Catalogue) Encoded {
	c.Features, c.Derived = slices.Clone(c.Features), slices.Clone(c.Derived)
	for i := range c.Features {
		c.Features[i].Description = ""
	}
	for i := range c.Derived {
		c.Derived[i].Description = ""
	}
	return Plain(model.FeaturesFile, c.Canonical())
}

// UserVectors encodes ids, sorted, with a vector of dim numbers each (row-major).
func UserVectors(ids []string, vectors []float32, dim int) (Encoded, error) {
	return encode(model.UserVectorsFile, len(ids), floats("vector", vectors, dim), texts("id", ids))
}

// ItemVectors encodes ids, sorted, with a vector of dim numbers and a popularity each. A row's number
// is the item's number in every training row of the generation.
func ItemVectors(ids []string, vectors []float32, dim int, popularity []float32) (Encoded, error) {
	return encode(model.ItemVectorsFile, len(ids), floats("vector", vectors, dim), floats("popularity", popularity, 0), texts("id", ids))
}

// column is one column on its way into a file.
type column struct {
	name    string
	kind    model.ColumnType
	dim     int
	rows    int
	offsets []byte // nil for columns of fixed width
	values  []byte // numbers are padded with zeros to align
	size    int64  // of values without padding
	err     error
}

// texts returns a column of ids; they have to rise strictly, since readers search in them.
func texts(name string, ids []string) column {
	for i := 1; i < len(ids); i++ {
		if ids[i-1] >= ids[i] {
			return column{err: fmt.Errorf("column %s: row %d does not come after row %d in byte order", name, i, i-1)}
		}
	}
	c := column{name: name, kind: model.Utf8, rows: len(ids)}
	total := 0
	for _, id := range ids {
		total += len(id)
	}
	if total > math.MaxInt32 {
		c.err = fmt.Errorf("column %s: %d bytes, an Arrow column of this type holds at most %d", name, total, math.MaxInt32)
		return c
	}
	offsets := make([]int32, 1, len(ids)+1)
	c.values = make([]byte, 0, total)
	for _, id := range ids {
		c.values = append(c.values, id...)
		offsets = append(offsets, int32(len(c.values)))
	}
	c.offsets, c.size = pad(offsets)[:4*len(offsets)], int64(total)
	return c
}

// floats returns a column of numbers, dim a row; dim 0 means a plain number a row.
func floats(name string, data []float32, dim int) column {
	c := column{name: name, kind: model.Float32, rows: len(data), dim: dim, values: pad(data), size: 4 * int64(len(data))}
	if dim == 0 {
		return c
	}
	c.kind, c.rows = model.Vector, len(data)/dim
	if len(data)%dim != 0 {
		c.err = fmt.Errorf("column %s: %d numbers are no multiple of dimension %d", name, len(data), dim)
	}
	return c
}

// pad returns numbers as bytes, followed by zeros up to the alignment. Arrow files are little endian,
// as is every platform that we build for.
func pad[T int32 | float32](s []T) []byte {
	raw := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), 4*len(s))
	out := make([]byte, padded(len(raw), align))
	copy(out, raw)
	return out
}

func padded(n, to int) int { return (n + to - 1) / to * to }

func (c column) arrowType() arrow.DataType {
	switch c.kind {
	case model.Utf8:
		return arrow.BinaryTypes.String
	case model.Vector:
		return arrow.FixedSizeListOfNonNullable(int32(c.dim), arrow.PrimitiveTypes.Float32)
	default:
		return arrow.PrimitiveTypes.Float32
	}
}

func (c column) arrowArray() arrow.Array {
	values := memory.NewBufferBytes(c.values)
	switch c.kind {
	case model.Utf8:
		return array.MakeFromData(array.NewData(c.arrowType(), c.rows, []*memory.Buffer{nil, memory.NewBufferBytes(c.offsets), values}, nil, 0, 0))
	case model.Vector:
		child := array.NewData(arrow.PrimitiveTypes.Float32, c.rows*c.dim, []*memory.Buffer{nil, values}, nil, 0, 0)
		return array.MakeFromData(array.NewData(c.arrowType(), c.rows, []*memory.Buffer{nil}, []arrow.ArrayData{child}, 0, 0))
	default:
		return array.MakeFromData(array.NewData(c.arrowType(), c.rows, []*memory.Buffer{nil, values}, nil, 0, 0))
	}
}

// encode writes one record batch. The batch's buffers follow the file's metadata, whose length
// decides their alignment: the schema carries a padding text that is grown until it fits.
func encode(name string, rows int, columns ...column) (Encoded, error) {
	if rows == 0 {
		return Encoded{}, fmt.Errorf("encode %s: no rows", name)
	}
	for _, c := range columns {
		if c.err != nil {
			return Encoded{}, fmt.Errorf("encode %s: %w", name, c.err)
		}
		if c.rows != rows {
			return Encoded{}, fmt.Errorf("encode %s: column %s has %d rows, the file %d", name, c.name, c.rows, rows)
		}
	}
	for padding := 0; padding <= 2*align; padding += textAlign {
		body, err := write(&seeker{w: io.Discard}, rows, columns, padding)
		if err != nil {
			return Encoded{}, fmt.Errorf("encode %s: %w", name, err)
		}
		if body%align != 0 {
			continue
		}
		var buf bytes.Buffer
		buf.Grow(int(body + bodyBytes(columns) + 4096))
		if _, err := write(&seeker{w: &buf}, rows, columns, padding); err != nil {
			return Encoded{}, fmt.Errorf("encode %s: %w", name, err)
		}
		e := Plain(name, buf.Bytes())
		e.File.Rows, e.File.Columns = int64(rows), layout(columns, body)
		return e, nil
	}
	return Encoded{}, fmt.Errorf("encode %s: no padding aligns the buffers", name)
}

// write writes the file and returns where the buffers of its record batch begin.
func write(w *seeker, rows int, columns []column, padding int) (body int64, err error) {
	fields := make([]arrow.Field, len(columns))
	arrays := make([]arrow.Array, len(columns))
	for i, c := range columns {
		fields[i] = arrow.Field{Name: c.name, Type: c.arrowType()}
		arrays[i] = c.arrowArray()
	}
	meta := arrow.NewMetadata([]string{"padding"}, []string{strings.Repeat(" ", padding)})
	schema := arrow.NewSchema(fields, &meta)
	out, err := ipc.NewFileWriter(w, ipc.WithSchema(schema))
	if err != nil {
		return 0, err
	}
	if err := out.Write(array.NewRecord(schema, arrays, int64(rows))); err != nil {
		return 0, err
	}
	body = w.pos - bodyBytes(columns)
	return body, out.Close()
}

// layout returns where the buffers lie, given where the first begins.
func layout(columns []column, at int64) []model.Column {
	out := make([]model.Column, len(columns))
	for i, c := range columns {
		out[i] = model.Column{Name: c.name, Type: c.kind, Dim: c.dim}
		if c.offsets != nil {
			out[i].Offsets = model.Span{Offset: at, Bytes: 4 * int64(c.rows+1)}
			at += int64(padded(len(c.offsets), textAlign))
		}
		out[i].Values = model.Span{Offset: at, Bytes: c.size}
		at += int64(padded(len(c.values), textAlign))
	}
	return out
}

func bodyBytes(columns []column) (n int64) {
	for _, c := range columns {
		n += int64(padded(len(c.offsets), textAlign) + padded(len(c.values), textAlign))
	}
	return n
}

// seeker counts what is written. The Arrow writer seeks only to ask where it is.
type seeker struct {
	w   io.Writer
	pos int64
}

func (s *seeker) Write(b []byte) (int, error) {
	n, err := s.w.Write(b)
	s.pos += int64(n)
	return n, err
}

func (s *seeker) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence != io.SeekCurrent {
		return 0, fmt.Errorf("seek to %d (whence %d): only asking for the position is possible", offset, whence)
	}
	return s.pos, nil
}
