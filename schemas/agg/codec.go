package agg

import (
	"encoding/binary"
	"errors"
	"math"
)

// errShort says that an encoding ends before it is whole.
var errShort = errors.New("encoding ends early")

func appendInt(dst []byte, n int64) []byte { return binary.AppendVarint(dst, n) }

func appendFloat(dst []byte, f float64) []byte {
	return binary.LittleEndian.AppendUint64(dst, math.Float64bits(f))
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func readInt(b []byte) (int64, []byte, error) {
	n, used := binary.Varint(b)
	if used <= 0 {
		return 0, nil, errShort
	}
	return n, b[used:], nil
}

func readFloat(b []byte) (float64, []byte, error) {
	if len(b) < 8 {
		return 0, nil, errShort
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b)), b[8:], nil
}

func readText(b []byte) (string, []byte, error) {
	n, used := binary.Uvarint(b)
	if used <= 0 || n > uint64(len(b)-used) {
		return "", nil, errShort
	}
	end := used + int(n)
	return string(b[used:end]), b[end:], nil
}
