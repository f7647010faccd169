package sorted

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/cespare/xxhash/v2"
)

// Limits of a row. A segment ends with the row that fills it, so these also keep positions within
// a segment below 2^32.
const (
	MaxKey   = 1<<16 - 1 // bytes of a key; a key may be empty
	MaxValue = 1 << 28   // bytes of a value
)

// ErrDamaged says that a file does not hold what was written: errors.Is finds it in every error that
// comes from the bytes of a table or run.
var ErrDamaged = errors.New("damaged file")

const (
	tableMagic = "anatab\x00\x01" // the last byte is the version
	align      = 64               // segments and directories begin at a multiple, as a cache line does
	headerSize = align
	footerSize = 64
	crcSize    = 4

	// DefaultSegmentBytes is the size at which a segment ends if Options name none.
	DefaultSegmentBytes = 1 << 20
	maxSegmentBytes     = 1 << 28
)

var (
	order      = binary.LittleEndian
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// checksum covers b and where it lies, so that intact bytes in the wrong place are damage too.
func checksum(offset int64, b []byte) uint32 {
	return crc32.Update(uint32(offset)^uint32(offset>>32), castagnoli, b)
}

func damaged(name, format string, args ...any) error {
	return fmt.Errorf("%s: %w: %s", name, ErrDamaged, fmt.Sprintf(format, args...))
}

// hashKey places a key in its segment's directory: the upper half picks the line, the lowest 16 bits
// are the fingerprint.
func hashKey(key []byte) uint64 { return xxhash.Sum64(key) }

// segment is an entry of the index: rows, then a directory of lines.
type segment struct {
	offset int64 // of the first row in the file
	data   int64 // bytes of rows, without the padding that follows
	lines  int64 // of the directory
	rows   int64
	first  []byte // key of the first row
}

func (s segment) directory() int64 { return alignUp(s.offset + s.data) }
func (s segment) end() int64       { return s.directory() + s.lines*lineSize }

func alignUp(n int64) int64 { return (n + align - 1) &^ (align - 1) }

// segmentHead is the fixed part of an index entry: offset, data, lines, rows, length of the first key.
const segmentHead = 8 + 4*4

func appendSegment(b []byte, s segment) []byte {
	b = order.AppendUint64(b, uint64(s.offset))
	b = order.AppendUint32(b, uint32(s.data))
	b = order.AppendUint32(b, uint32(s.lines))
	b = order.AppendUint32(b, uint32(s.rows))
	b = order.AppendUint32(b, uint32(len(s.first)))
	return append(b, s.first...)
}

// cutSegment takes one entry off b. ok is false if b is too short for it.
func cutSegment(b []byte) (s segment, rest []byte, ok bool) {
	if len(b) < segmentHead {
		return s, nil, false
	}
	s = segment{
		offset: int64(order.Uint64(b)),
		data:   int64(order.Uint32(b[8:])),
		lines:  int64(order.Uint32(b[12:])),
		rows:   int64(order.Uint32(b[16:])),
	}
	key := uint64(order.Uint32(b[20:]))
	b = b[segmentHead:]
	if key > uint64(len(b)) {
		return s, nil, false
	}
	s.first = b[:key:key]
	return s, b[key:], true
}

// footer ends a table.
type footer struct {
	index      int64  // offset of the index
	indexBytes int64  // up to the footer
	segments   int64  // entries of the index
	rows       int64  // of the table
	indexCRC   uint32 // checksum of the index
}

func (f footer) encode(offset int64) []byte {
	b := make([]byte, 0, footerSize)
	for _, n := range []int64{f.index, f.indexBytes, f.segments, f.rows} {
		b = order.AppendUint64(b, uint64(n))
	}
	b = order.AppendUint32(b, f.indexCRC)
	b = append(b, make([]byte, footerSize-len(tableMagic)-crcSize-len(b))...)
	b = append(b, tableMagic...)
	return order.AppendUint32(b, checksum(offset, b))
}

// decodeFooter reads the footer that lies at offset.
func decodeFooter(b []byte, offset int64) (footer, error) {
	body, crc := b[:footerSize-crcSize], order.Uint32(b[footerSize-crcSize:])
	if checksum(offset, body) != crc {
		return footer{}, errors.New("the checksum of its last 64 bytes is wrong: it was cut off or overwritten")
	}
	n := func(i int) int64 { return int64(order.Uint64(b[8*i:])) }
	return footer{index: n(0), indexBytes: n(1), segments: n(2), rows: n(3), indexCRC: order.Uint32(b[32:])}, nil
}
