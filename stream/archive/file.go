package archive

import (
	"fmt"

	"github.com/anabranch/anabranch/infra/rawparquet"
)

// file is what is to be written: the rows of [first, end). Where closes is set the mark that ends
// the epoch lies at end, and the range may be empty.
type file struct {
	partition  int32
	epoch      int64
	first, end int64
	rows       *rawparquet.Writer // nil: none
	rejected   int64              // rows that are no valid events
	closes     bool
}

func (f file) size() int {
	if f.rows == nil {
		return 0
	}
	return f.rows.Rows()
}

// encode returns the object that f becomes, and what it says of itself.
func (f file) encode(topicID string) ([]byte, rawparquet.Span, error) {
	span := rawparquet.SpanOf(topicID, f.partition, f.epoch, f.first, f.end, f.size())
	rows := f.rows
	if rows == nil {
		rows = rawparquet.NewWriter()
	}
	data, err := rows.File(span.Meta())
	return data, span, err
}

// after returns what is left of f from an offset on. It happens where another archiver was ahead with a file that ends
// within f, so it may take time: rows are columns by now, and are read back from them.
func (f file) after(offset int64) (file, error) {
	rest := f
	rest.first, rest.rows, rest.rejected = offset, nil, 0
	if offset >= f.end || f.rows == nil {
		return rest, nil
	}
	data, _, err := f.encode("")
	if err != nil {
		return file{}, fmt.Errorf("cut the rows from offset %d on out of [%d,%d): %w", offset, f.first, f.end, err)
	}
	rest.rows = rawparquet.NewWriter()
	_, err = rawparquet.Read(data, nil, func(b rawparquet.Batch) error {
		for r := range b.Rows {
			if r.Offset < offset {
				continue
			}
			rest.rows.Add(&r)
			if r.Reject != nil {
				rest.rejected++
			}
		}
		return nil
	})
	if err != nil {
		return file{}, fmt.Errorf("cut the rows from offset %d on out of [%d,%d): %w", offset, f.first, f.end, err)
	}
	return rest, nil
}
