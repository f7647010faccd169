package model

import (
	"encoding/binary"
	"fmt"
	"math"
)

// HistoryEntry is one item of a user's training row.
type HistoryEntry struct {
	Item   uint32  // row in ItemVectorsFile
	Weight float32 // sum over the user's events with the item; 0 means seen only
	Last   int64   // the latest event time, Unix ms
}

const historyEntryBytes = 16

// AppendHistory appends the row's encoding to dst: 16 bytes an entry, little endian (item uint32,
// weight float32, last int64).
func AppendHistory(dst []byte, h []HistoryEntry) []byte {
	for _, e := range h {
		dst = binary.LittleEndian.AppendUint32(dst, e.Item)
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(e.Weight))
		dst = binary.LittleEndian.AppendUint64(dst, uint64(e.Last))
	}
	return dst
}

// DecodeHistory reads what AppendHistory wrote.
func DecodeHistory(b []byte) ([]HistoryEntry, error) {
	if len(b)%historyEntryBytes != 0 {
		return nil, fmt.Errorf("decode history: %d bytes are no multiple of %d", len(b), historyEntryBytes)
	}
	h := make([]HistoryEntry, 0, len(b)/historyEntryBytes)
	for ; len(b) > 0; b = b[historyEntryBytes:] {
		h = append(h, HistoryEntry{
			Item:   binary.LittleEndian.Uint32(b),
			Weight: math.Float32frombits(binary.LittleEndian.Uint32(b[4:])),
			Last:   int64(binary.LittleEndian.Uint64(b[8:])),
		})
	}
	return h, nil
}
