package sorted_test

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
)

// reseal repairs the magic and the checksums of the footer and the index of what may be a table, so that a fuzzer
// gets beyond them.
func reseal(data []byte) []byte {
	const header, footer = 64, 64
	if len(data) < header+footer {
		return data
	}
	data = slices.Clone(data)
	at := len(data) - footer
	copy(data, "anatab\x00\x01")
	copy(data[len(data)-12:], "anatab\x00\x01")
	index := binary.LittleEndian.Uint64(data[at:])
	if index <= uint64(at) {
		binary.LittleEndian.PutUint64(data[at+8:], uint64(at)-index)
		binary.LittleEndian.PutUint32(data[at+32:], crc(index, data[index:at]))
	}
	binary.LittleEndian.PutUint32(data[len(data)-4:], crc(uint64(at), data[at:len(data)-4]))
	return data
}

func crc(offset uint64, b []byte) uint32 {
	return crc32.Update(uint32(offset)^uint32(offset>>32), crc32.MakeTable(crc32.Castagnoli), b)
}
