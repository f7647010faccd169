package rawparquet

import (
	"encoding/binary"
	"errors"
)

// runs takes Parquet's hybrid of run lengths and bit-packed numbers apart (parquet-format, Encodings.md).
type runs struct {
	data  []byte
	width uint // bits of a number, 0 to 32
}

// run is count times value or, where packed is not nil, count numbers of the width, packed.
type run struct {
	count  int
	value  uint32
	packed []byte
}

var errRuns = errors.New("its runs are damaged")

// next returns the next run, cut to at most the numbers that are still wanted, which are at least one.
func (r *runs) next(wanted int) (run, error) {
	header, n := binary.Uvarint(r.data)
	if n <= 0 {
		return run{}, errRuns
	}
	r.data = r.data[n:]
	if header&1 == 0 {
		return r.repeated(header>>1, wanted)
	}
	size := uint64(r.width) * (header >> 1) // bytes: eight numbers a group
	if header>>1 == 0 || header > 1<<40 {
		return run{}, errRuns
	}
	// The last group may be cut short: its padding need not be there.
	size = min(size, uint64(len(r.data)))
	count := min(header>>1*8, uint64(wanted))
	if count*uint64(r.width) > size*8 {
		return run{}, errRuns
	}
	packed := r.data[:size:size]
	r.data = r.data[size:]
	return run{count: int(count), packed: packed}, nil
}

func (r *runs) repeated(count uint64, wanted int) (run, error) {
	size := int(r.width+7) / 8
	if count == 0 || len(r.data) < size {
		return run{}, errRuns
	}
	var value uint32
	for i := range size {
		value |= uint32(r.data[i]) << (8 * i)
	}
	r.data = r.data[size:]
	return run{count: int(min(count, uint64(wanted))), value: value}, nil
}

// appendLevels appends n definition levels of width 1: whether each row has a value. It returns how many have one.
func appendLevels(valid []bool, data []byte, n int) ([]bool, int, error) {
	r, present := runs{data: data, width: 1}, 0
	for n > 0 {
		run, err := r.next(n)
		if err != nil {
			return valid, 0, err
		}
		n -= run.count
		if run.packed == nil {
			valid = appendSame(valid, run.value == 1, run.count)
			present += run.count * int(run.value&1)
			continue
		}
		for i := range run.count {
			bit := run.packed[i/8] >> (i % 8) & 1
			valid = append(valid, bit == 1)
			present += int(bit)
		}
	}
	return valid, present, nil
}

func appendSame[T any](to []T, v T, n int) []T {
	for range n {
		to = append(to, v)
	}
	return to
}

// appendIDs appends n numbers of a dictionary that has the given size.
func appendIDs(ids []int32, data []byte, n, size int) ([]int32, error) {
	if n == 0 {
		return ids, nil
	}
	if len(data) == 0 || data[0] > 32 {
		return ids, errRuns
	}
	r, limit := runs{data: data[1:], width: uint(data[0])}, uint32(size)
	for n > 0 {
		run, err := r.next(n)
		if err != nil {
			return ids, err
		}
		n -= run.count
		if run.packed == nil {
			if run.value >= limit {
				return ids, errRuns
			}
			ids = appendSame(ids, int32(run.value), run.count)
			continue
		}
		if ids, err = appendPacked(ids, run, r.width, limit); err != nil {
			return ids, err
		}
	}
	return ids, nil
}

// appendPacked unpacks numbers, least significant bits first.
func appendPacked(ids []int32, r run, width uint, limit uint32) ([]int32, error) {
	var window uint64
	have, mask := uint(0), uint64(1)<<width-1
	next := 0
	for range r.count {
		for have < width {
			window |= uint64(r.packed[next]) << have
			next++
			have += 8
		}
		id := uint32(window & mask)
		window >>= width
		have -= width
		if id >= limit {
			return ids, errRuns
		}
		ids = append(ids, int32(id))
	}
	return ids, nil
}
