package rawparquet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/file"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/schemas/event"
)

// maxGroupRows is the largest row group that a Scanner takes, about .8 GB of all columns; Encode makes them of 131,072 rows.
const maxGroupRows = 1 << 21

// Range names a column of integers and the values that are wanted of it, both ends included.
type Range struct {
	Column   string // partition, offset, log_time or event_time
	Min, Max int64
}

// Scanner reads raw files into columns, several times as fast as Read: pages are decoded straight into
// memory that is reused from row group to row group, and texts that the file holds as numbers
// of a dictionary stay numbers. It holds one row group of the columns asked for at a time, about 400 bytes a row, so that
// files with row groups of more than 2^21 rows, which others must have written, are refused. It serves one goroutine.
type Scanner struct {
	chunks []*chunk
	where  []where
	group  Group
	props  *parquet.ReaderProperties

	file    []byte // the object in work
	calling bool   // whether the caller's function runs
}

// NewScanner returns a scanner of the named columns (nil: all). Row groups in which, by their statistics, no row lies
// in all of the ranges are left out; of the others every row is handed out. Null lies in no range.
func NewScanner(columns []string, ranges ...Range) (*Scanner, error) {
	want, err := columnIndexes(columns)
	if err != nil {
		return nil, err
	}
	s := &Scanner{props: parquet.NewReaderProperties(new(recycler))}
	fields := s.group.fields()
	for _, i := range want {
		s.chunks = append(s.chunks, newChunk(i, fields[i]))
	}
	s.where, err = newWhere(ranges)
	return s, err
}

// ScanVerified is Scan of an object of the raw archive after its size and SHA-256 were found to be the
// expected ones. A file without a Span is refused. Errors name the object.
func (s *Scanner) ScanVerified(ctx context.Context, b *bucket.Bucket, key string, size int64, sha256 string, fn func(*Group) error) (Footer, error) {
	if err := s.load(ctx, b, key, size); err != nil {
		return Footer{}, fmt.Errorf("read raw file: %w", err)
	}
	return verified(key, s.file, size, sha256, func() (Footer, error) { return s.Scan(s.file, fn) })
}

// load reads an object of the expected size into memory that is reused.
func (s *Scanner) load(ctx context.Context, b *bucket.Bucket, key string, size int64) error {
	r, attrs, err := b.Open(ctx, key)
	if err != nil {
		return err
	}
	if err := verifySize(key, attrs.Size, size); err != nil {
		return errors.Join(err, r.Close())
	}
	s.file = slices.Grow(s.file[:0], int(size)+1)[:size+1]
	n, err := io.ReadFull(r, s.file)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = nil // one byte more was asked for than there is, and Verify counts
	}
	s.file = s.file[:n]
	if err := errors.Join(err, r.Close()); err != nil {
		return fmt.Errorf("bucket: read %q: %w", key, err)
	}
	return nil
}

// Scan decodes a raw file and calls fn for each row group, in order. The group is valid only during the
// call. The error of fn is returned, wrapped. Any damage that decoding notices is an error; for what
// it does not notice see ScanVerified.
func (s *Scanner) Scan(data []byte, fn func(*Group) error) (footer Footer, err error) {
	defer func() {
		if p := recover(); p != nil {
			if s.calling {
				panic(p) // the caller's own, which says nothing about the file
			}
			err = fmt.Errorf("raw file: the decoder failed (%v): the file is damaged", p)
		}
	}()
	s.calling = false
	pf, err := file.NewParquetReader(bytes.NewReader(data), file.WithReadProps(s.props))
	if err != nil {
		return Footer{}, fmt.Errorf("raw file of %d bytes: %w", len(data), err)
	}
	if err := checkSchema(pf.MetaData().Schema); err != nil {
		return Footer{}, err
	}
	for _, c := range s.chunks {
		if err := c.check(pf.MetaData().Schema.Column(c.index)); err != nil {
			return Footer{}, err
		}
	}
	footer = footerOf(pf)
	rows := int64(0)
	for i := range pf.NumRowGroups() {
		n, err := s.scanGroup(pf, i, fn)
		if err != nil {
			return Footer{}, fmt.Errorf("raw file, row group %d: %w", i, err)
		}
		rows += n
	}
	if rows != footer.Rows {
		return Footer{}, fmt.Errorf("raw file: %d rows read of the %d that its footer announces: the file is damaged", rows, footer.Rows)
	}
	return footer, nil
}

// scanGroup hands a row group to fn, unless it is left out, and returns how many rows it has.
func (s *Scanner) scanGroup(pf *file.Reader, i int, fn func(*Group) error) (int64, error) {
	rg := pf.RowGroup(i)
	rows := rg.NumRows()
	if rows < 0 || rows > maxGroupRows {
		return 0, fmt.Errorf("it has %d rows, and at most %d are accepted, because it is decoded whole: write the file in smaller row groups", rows, maxGroupRows)
	}
	needed, err := s.needs(rg)
	if err != nil || !needed || rows == 0 {
		return rows, err
	}
	for _, c := range s.chunks {
		pages, err := rg.GetColumnPageReader(c.index)
		if err == nil {
			err = c.read(pages, pf.MetaData().Schema.Column(c.index), int(rows))
		}
		if err != nil {
			return 0, fmt.Errorf("column %s: %w", event.RawColumns[c.index], err)
		}
	}
	s.group.Rows = int(rows)
	s.calling = true
	err = fn(&s.group)
	s.calling = false
	return rows, err
}
