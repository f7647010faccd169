package artifact

import (
	"bytes"
	"fmt"
	"math"
	"sort"
	"unsafe"

	"github.com/anabranch/anabranch/schemas/model"
)

// Table is a verified Arrow file in memory. What its methods return shares that memory and must not
// be changed.
type Table struct {
	file model.File
	data []byte
}

// Decode verifies data against what the manifest says of the file and returns it as a table.
func Decode(f model.File, data []byte) (*Table, error) {
	if err := expectFile(f, Plain(f.Name, data).File); err != nil {
		return nil, err
	}
	t := &Table{file: f, data: data}
	for _, c := range f.Columns {
		if err := t.check(c); err != nil {
			return nil, fmt.Errorf("%s, column %s: %w", f.Name, c.Name, err)
		}
	}
	return t, nil
}

// check proves that a column's buffers lie in the file and fit its rows, so that no later access can
// leave them.
func (t *Table) check(c model.Column) error {
	values, err := t.span(c.Values)
	if err != nil {
		return err
	}
	rows := t.file.Rows
	if rows < 0 || rows > math.MaxInt32 {
		return fmt.Errorf("%d rows", rows)
	}
	switch c.Type {
	case model.Float32, model.Vector:
		per := int64(1)
		if c.Type == model.Vector {
			per = int64(c.Dim)
		}
		if per < 1 || per > 1<<20 || int64(len(values)) != 4*per*rows {
			return fmt.Errorf("%d bytes of values for %d rows of dimension %d", len(values), rows, per)
		}
		return nil
	case model.Utf8:
		return t.checkOffsets(c, int64(len(values)))
	}
	return fmt.Errorf("type %q is not known to this build", c.Type)
}

func (t *Table) checkOffsets(c model.Column, values int64) error {
	raw, err := t.span(c.Offsets)
	if err != nil {
		return err
	}
	if int64(len(raw)) != 4*(t.file.Rows+1) {
		return fmt.Errorf("%d bytes of offsets for %d rows", len(raw), t.file.Rows)
	}
	offsets := numbers[int32](raw)
	if offsets[0] != 0 || int64(offsets[len(offsets)-1]) != values {
		return fmt.Errorf("offsets run from %d to %d over %d bytes", offsets[0], offsets[len(offsets)-1], values)
	}
	for i := 1; i < len(offsets); i++ {
		if offsets[i-1] > offsets[i] {
			return fmt.Errorf("offsets fall at row %d", i)
		}
	}
	return nil
}

func (t *Table) span(s model.Span) ([]byte, error) {
	size := int64(len(t.data))
	if s.Offset < 0 || s.Bytes < 0 || s.Offset > size || s.Bytes > size-s.Offset || s.Offset%textAlign != 0 {
		return nil, fmt.Errorf("bytes %d to %d of a file of %d bytes", s.Offset, s.Offset+s.Bytes, size)
	}
	return t.data[s.Offset : s.Offset+s.Bytes : s.Offset+s.Bytes], nil
}

// Rows returns the number of rows.
func (t *Table) Rows() int { return int(t.file.Rows) }

// Blobs is a column of texts.
type Blobs struct {
	offsets []int32
	values  []byte
}

// Blobs returns the column of that name.
func (t *Table) Blobs(name string) (Blobs, error) {
	c, err := t.column(name, model.Utf8)
	if err != nil {
		return Blobs{}, err
	}
	offsets, err := t.span(c.Offsets)
	if err != nil {
		return Blobs{}, err
	}
	values, err := t.span(c.Values)
	return Blobs{offsets: numbers[int32](offsets), values: values}, err
}

// IDs returns the column id after checking that its rows rise, so that Find works on it.
func (t *Table) IDs() (Blobs, error) {
	ids, err := t.Blobs("id")
	if err != nil {
		return Blobs{}, err
	}
	for i := 1; i < ids.Len(); i++ {
		if bytes.Compare(ids.At(i-1), ids.At(i)) >= 0 {
			return Blobs{}, fmt.Errorf("%s: row %d does not come after row %d in byte order", t.file.Name, i, i-1)
		}
	}
	return ids, nil
}

// Floats returns the column of that name, row-major, with its numbers a row.
func (t *Table) Floats(name string) (data []float32, dim int, err error) {
	c, err := t.column(name, model.Float32, model.Vector)
	if err != nil {
		return nil, 0, err
	}
	raw, err := t.span(c.Values)
	return numbers[float32](raw), max(c.Dim, 1), err
}

func (t *Table) column(name string, accepted ...model.ColumnType) (model.Column, error) {
	for _, c := range t.file.Columns {
		if c.Name != name {
			continue
		}
		for _, a := range accepted {
			if c.Type == a {
				return c, nil
			}
		}
		return c, fmt.Errorf("%s: column %s is of type %s, expected one of %v", t.file.Name, name, c.Type, accepted)
	}
	return model.Column{}, fmt.Errorf("%s has no column %s", t.file.Name, name)
}

// Len returns the number of rows.
func (b Blobs) Len() int { return max(len(b.offsets)-1, 0) }

// At returns row i.
func (b Blobs) At(i int) []byte {
	lo, hi := b.offsets[i], b.offsets[i+1]
	return b.values[lo:hi:hi]
}

// Text returns row i as a text that shares the file's memory.
func (b Blobs) Text(i int) string {
	v := b.At(i)
	return unsafe.String(unsafe.SliceData(v), len(v))
}

// Texts returns all rows.
func (b Blobs) Texts() []string {
	out := make([]string, b.Len())
	for i := range out {
		out[i] = b.Text(i)
	}
	return out
}

// Find returns the row of an id, for columns that IDs returned.
func (b Blobs) Find(id string) (int, bool) {
	i := sort.Search(b.Len(), func(i int) bool { return b.Text(i) >= id })
	return i, i < b.Len() && b.Text(i) == id
}

// numbers views bytes as numbers, copying only where memory is not aligned for them.
func numbers[T int32 | float32](b []byte) []T {
	if len(b) == 0 {
		return nil
	}
	p := unsafe.Pointer(unsafe.SliceData(b))
	if uintptr(p)%4 != 0 {
		out := make([]T, len(b)/4)
		copy(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(out))), len(b)), b)
		return out
	}
	return unsafe.Slice((*T)(p), len(b)/4)
}
