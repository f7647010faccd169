package rawparquet

import (
	"bytes"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// pageBytes is how many bytes of values a page has; the last value may reach beyond. With its levels a page is then one
// block of zstd (128 KiB), which needs no memory of blocks before; twice as much made files no smaller.
const pageBytes = 120 << 10

// hugeBytes is what a buffer may grow to and be kept: more comes of a huge value, and those are rare.
const hugeBytes = 4 * pageBytes

// page is a finished page of a column.
type page struct {
	rows, nulls int
	size        int    // before compression
	data        []byte // compressed
	low, high   any    // the least and the greatest value, as the library wants them; nil where they are not known
}

// sheet is what columns of all types have: the values of the open page, and the pages that are finished.
type sheet struct {
	optional bool   // whether rows may be null
	stats    bool   // whether the file tells the least and the greatest value
	levels   levels // of the open page
	values   []byte // of the open page, encoded, without its nulls
	pages    []page
	work     *work
}

// work is memory that the columns of a Writer use in turns.
type work struct{ page, packed []byte }

// compressor is shared by all writers, because it keeps memory for every goroutine that compresses. The window comes first:
// of itself the fastest level would take blocks of 64 KiB. The next level costs a fifth of the archiver's rate and makes
// files .3 % smaller (docs/decisions/0016).
var compressor = sync.OnceValue(func() *zstd.Encoder {
	z, err := zstd.NewWriter(nil, zstd.WithWindowSize(512<<10), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithZeroFrames(true))
	if err != nil {
		panic(err) // an option is out of its range, which is for this line to get right
	}
	return z
})

func (s *sheet) base() *sheet { return s }

// finish turns the open page, which has rows, into a finished one.
func (s *sheet) finish(low, high any) {
	w := s.work
	w.page = w.page[:0]
	if s.optional {
		w.page = s.levels.appendTo(w.page)
	}
	w.page = append(w.page, s.values...)
	w.packed = compressor().EncodeAll(w.page, w.packed[:0])
	rows, nulls := s.levels.counts()
	// The copy is as long as the page: the archiver's pages wait for minutes.
	s.pages = append(s.pages, page{rows: rows, nulls: nulls, size: len(w.page), data: bytes.Clone(w.packed), low: low, high: high})
	s.levels.reset()
	s.values = s.values[:0]
	if cap(s.values) > hugeBytes {
		s.values, w.page, w.packed = nil, nil, nil
	}
}
