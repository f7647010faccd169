package sorted

import "encoding/binary"

// row is a row where it lies in the file: checksum, length of the key and of the value as uvarints,
// key, value.
type row struct {
	key, value []byte
	end        int64 // offset of the next row
}

// appendRow appends a row that will lie at offset in the file.
func appendRow(b []byte, offset int64, key, value []byte) []byte {
	start := len(b)
	b = append(b, make([]byte, crcSize)...)
	b = appendPair(b, key, value)
	order.PutUint32(b[start:], checksum(offset, b[start+crcSize:]))
	return b
}

// appendPair appends the lengths and bytes of key and value.
func appendPair(b, key, value []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(key)))
	b = binary.AppendUvarint(b, uint64(len(value)))
	b = append(b, key...)
	return append(b, value...)
}

// cutPair takes what appendPair appended off b, without copying, and says how many bytes that were: 0
// if b does not begin with a pair.
func cutPair(b []byte) (key, value []byte, n int) {
	k, kn := binary.Uvarint(b)
	if kn <= 0 || k > MaxKey {
		return nil, nil, 0
	}
	v, vn := binary.Uvarint(b[kn:])
	if vn <= 0 || v > MaxValue {
		return nil, nil, 0
	}
	lo := kn + vn
	mid := lo + int(k)
	hi := mid + int(v)
	if hi > len(b) {
		return nil, nil, 0
	}
	return b[lo:mid:mid], b[mid:hi:hi], hi
}

// row reads and, unless told not to, verifies the row at offset, which has to end within the segment's rows.
func (r *Reader) row(s *segment, offset int64, t trust) (row, error) {
	end := s.offset + s.data
	if offset < s.offset || offset+crcSize > end {
		return row{}, damaged(r.name, "a row at byte %d lies outside of its segment", offset)
	}
	body := r.data[offset+crcSize : end]
	key, value, n := cutPair(body)
	if n == 0 {
		return row{}, damaged(r.name, "the row at byte %d reaches beyond its segment", offset)
	}
	if t == verified && checksum(offset, body[:n]) != order.Uint32(r.data[offset:]) {
		return row{}, damaged(r.name, "the checksum of the row at byte %d is wrong", offset)
	}
	return row{key: key, value: value, end: offset + crcSize + int64(n)}, nil
}
