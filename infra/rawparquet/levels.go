package rawparquet

import "encoding/binary"

// levels notes which rows of a page have a value: runs[0] rows have one, then runs[1] are null, runs[2] have one, and so
// on; count rows of the given kind have come since.
type levels struct {
	runs  []uint32
	kind  kind
	count uint32
}

// kind says what a row has in a column.
type kind byte

const (
	present kind = iota // as the zero value of levels expects first
	null
)

// add is kept small enough to be inlined: it runs for every column of every row.
func (l *levels) add(k kind) {
	if k != l.kind {
		l.turn()
	}
	l.count++
}

func (l *levels) turn() {
	l.runs = append(l.runs, l.count)
	l.kind ^= null
	l.count = 0
}

// counts returns the rows so far, and how many of them are null.
func (l *levels) counts() (rows, nulls int) {
	for i, n := range l.all() {
		rows += int(n)
		nulls += int(n) * (i & 1)
	}
	return rows, nulls
}

// all returns the runs with the one that is open, which it writes behind l.runs, where turn will.
func (l *levels) all() []uint32 { return append(l.runs, l.count) }

func (l *levels) empty() bool { return l.count == 0 && len(l.runs) == 0 }

func (l *levels) reset() { *l = levels{runs: l.runs[:0]} }

// appendTo appends the definition levels, 1 for a value and 0 for null, as a data page of version 1 begins with them: four
// bytes of length, then run lengths in Parquet's hybrid form (parquet-format, Encodings.md).
func (l *levels) appendTo(b []byte) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0)
	for i, n := range l.all() {
		if n > 0 {
			b = binary.AppendUvarint(b, uint64(n)<<1)
			b = append(b, byte(1-i&1))
		}
	}
	binary.LittleEndian.PutUint32(b[start:], uint32(len(b)-start-4))
	return b
}

// packIDs appends the numbers of a dictionary's texts as a data page has them: the bits of a number, then the numbers
// in one packed run of Parquet's hybrid form, least significant bits first.
func packIDs(b []byte, ids []uint32, width uint) []byte {
	b = append(b, byte(width))
	if len(ids) == 0 {
		return b
	}
	groups := (len(ids) + 7) / 8 // of eight numbers; the last one is filled with zeros
	b = binary.AppendUvarint(b, uint64(groups)<<1|1)
	var word uint64
	var bits uint
	for i := range groups * 8 {
		if i < len(ids) {
			word |= uint64(ids[i]) << bits
		}
		for bits += width; bits >= 8; bits -= 8 {
			b = append(b, byte(word))
			word >>= 8
		}
	}
	return b
}
