package rawparquet

import (
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/metadata"

	"github.com/anabranch/anabranch/infra/rawparquet/column"
	"github.com/anabranch/anabranch/schemas/event"
)

// where is a Range of the column with the given number.
type where struct {
	index    int
	min, max int64
}

func newWhere(ranges []Range) ([]where, error) {
	fields := new(Group).fields()
	var out []where
	for _, r := range ranges {
		i := slices.Index(event.RawColumns[:], r.Column)
		if i < 0 {
			return nil, fmt.Errorf("raw file: no column %q to choose row groups by", r.Column)
		}
		if _, ok := fields[i].(**column.Ints); !ok {
			return nil, fmt.Errorf("raw file: column %q to choose row groups by: a column of integers is accepted", r.Column)
		}
		out = append(out, where{i, r.Min, r.Max})
	}
	return out, nil
}

// needs reports whether a row group may hold a row in all ranges. Statistics that are absent prove nothing.
func (s *Scanner) needs(rg *file.RowGroupReader) (bool, error) {
	for _, w := range s.where {
		chunk, err := rg.MetaData().ColumnChunk(w.index)
		if err != nil {
			return false, err
		}
		low, high, known, err := bounds(chunk)
		if err != nil {
			return false, fmt.Errorf("statistics of column %s: %w", event.RawColumns[w.index], err)
		}
		if known && (high < w.min || low > w.max) {
			return false, nil
		}
	}
	return true, nil
}

// bounds returns the least and the greatest value of a column in a row group.
func bounds(chunk *metadata.ColumnChunkMetaData) (low, high int64, known bool, err error) {
	if set, err := chunk.StatsSet(); err != nil || !set {
		return 0, 0, false, err
	}
	stats, err := chunk.Statistics()
	if err != nil || stats == nil || !stats.HasMinMax() {
		return 0, 0, false, err
	}
	switch s := stats.(type) {
	case *metadata.Int64Statistics:
		return s.Min(), s.Max(), true, nil
	case *metadata.Int32Statistics:
		return int64(s.Min()), int64(s.Max()), true, nil
	}
	return 0, 0, false, nil
}
