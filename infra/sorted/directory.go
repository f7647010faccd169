package sorted

// A directory is a hash table in lines of one cache line each: a checksum, the fingerprints of up to
// ten rows, and where those rows lie in the segment. Lines are filled in row order by linear probing: a row goes
// to its home line, or to the first after it that has room. So a line with room ends every search.
const (
	lineSize  = 64
	lineSlots = 10
	// lineLoad is how many rows there are for each line on average. At 7 of 10, 19 of 20
	// searches end in the first line.
	lineLoad = 7

	slotPrints = crcSize                  // fingerprints, 2 bytes each
	slotPlaces = slotPrints + 2*lineSlots // positions, 4 bytes each; they fill the line
	emptyPlace = 1<<32 - 1                // position of a slot without row
)

// linesFor returns how many lines a directory of rows has: always more slots than rows.
func linesFor(rows int) int { return rows/lineLoad + 1 }

// homeLine maps the hash's upper half onto lines evenly (Lemire, "Fast random integer generation in
// an interval", 2019).
func homeLine(hash uint64, lines int64) int64 { return int64(hash >> 32 * uint64(lines) >> 32) }

func fingerprint(hash uint64) uint16 { return uint16(hash) }

// appendDirectory appends the directory of rows with these hashes and positions. It will lie at
// offset in the file.
func appendDirectory(b []byte, offset int64, hashes []uint64, places []uint32) []byte {
	lines := linesFor(len(hashes))
	start := len(b)
	b = append(b, make([]byte, lines*lineSize)...)
	dir := b[start:]
	used := make([]uint8, lines)
	for i, hash := range hashes {
		line := int(homeLine(hash, int64(lines)))
		for used[line] == lineSlots {
			line = (line + 1) % lines
		}
		at, slot := dir[line*lineSize:], int(used[line])
		order.PutUint16(at[slotPrints+2*slot:], fingerprint(hash))
		order.PutUint32(at[slotPlaces+4*slot:], places[i])
		used[line]++
	}
	for line := range lines {
		at := dir[line*lineSize : (line+1)*lineSize]
		for slot := int(used[line]); slot < lineSlots; slot++ {
			order.PutUint32(at[slotPlaces+4*slot:], emptyPlace)
		}
		order.PutUint32(at, checksum(offset+int64(line*lineSize), at[crcSize:]))
	}
	return b
}

// find returns the row of key in the segment. probes counts the rows that were read, of which all but
// the last had the fingerprint by chance.
func (r *Reader) find(s *segment, key []byte, t trust) (value []byte, found bool, probes int, err error) {
	hash := hashKey(key)
	print := fingerprint(hash)
	dir := s.directory()
	line := homeLine(hash, s.lines)
	for range s.lines {
		offset := dir + line*lineSize
		at := r.data[offset : offset+lineSize : offset+lineSize]
		if checksum(offset, at[crcSize:]) != order.Uint32(at) {
			return nil, false, probes, damaged(r.name, "the checksum of the directory line at byte %d is wrong", offset)
		}
		for slot := range lineSlots {
			place := order.Uint32(at[slotPlaces+4*slot:])
			if place == emptyPlace {
				return nil, false, probes, nil
			}
			if order.Uint16(at[slotPrints+2*slot:]) != print {
				continue
			}
			probes++
			row, err := r.row(s, s.offset+int64(place), t)
			if err != nil {
				return nil, false, probes, err
			}
			if string(row.key) == string(key) {
				return row.value, true, probes, nil
			}
		}
		if line++; line == s.lines {
			line = 0
		}
	}
	// The writer leaves room in every directory.
	return nil, false, probes, damaged(r.name, "the directory at byte %d has no empty slot", dir)
}
