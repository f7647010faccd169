package rawparquet

import (
	"encoding/binary"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// pack writes numbers as one bit-packed run, eight a group, least significant bits first.
func pack(ids []int32, width int) []byte {
	out := binary.AppendUvarint(nil, uint64((len(ids)+7)/8)<<1|1)
	bits := make([]byte, (len(ids)+7)/8*width)
	for i, id := range ids {
		for b := range width {
			at := i*width + b
			bits[at/8] |= byte(id>>b&1) << (at % 8)
		}
	}
	return append(out, bits...)
}

// TestPackedRuns reads bit-packed runs between repeated ones, which Encode never writes but other writers do.
func TestPackedRuns(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		width := rapid.IntRange(1, 20).Draw(rt, "width")
		data, want := []byte{byte(width)}, []int32{}
		id := rapid.Int32Range(0, 1<<width-1)
		for range rapid.IntRange(0, 4).Draw(rt, "runs") {
			packed := rapid.SliceOfN(id, 1, 5).Draw(rt, "packed")
			for len(packed)%8 != 0 {
				packed = append(packed, packed[0])
			}
			data = append(data, pack(packed, width)...)
			n, v := rapid.IntRange(1, 300).Draw(rt, "count"), id.Draw(rt, "value")
			data = binary.AppendUvarint(data, uint64(n)<<1)
			data = append(data, binary.LittleEndian.AppendUint32(nil, uint32(v))[:(width+7)/8]...)
			want = slices.Concat(want, packed, slices.Repeat([]int32{v}, n))
		}
		got, err := appendIDs(nil, data, len(want), 1<<width)
		if err != nil || !slices.Equal(got, want) {
			rt.Fatalf("got %v, %v, expected %v", got, err, want)
		}
		if _, err := appendIDs(nil, data, len(want)+1, 1<<width); err == nil {
			rt.Fatal("more numbers than there are were read")
		}
		if top := slices.Max(append([]int32{-1}, want...)); top >= 0 {
			if _, err := appendIDs(nil, data, len(want), int(top)); err == nil {
				rt.Fatal("a number beyond the dictionary was accepted")
			}
		}
	})
}

// FuzzRuns reads any bytes as numbers and as levels: never a crash, never a number beyond the dictionary.
func FuzzRuns(f *testing.F) {
	f.Add(append([]byte{3}, pack([]int32{1, 2, 3, 4, 5, 6, 7, 0}, 3)...), uint16(8))
	f.Fuzz(func(t *testing.T, data []byte, n uint16) {
		ids, err := appendIDs(nil, data, int(n), 1000)
		if err == nil && len(ids) != int(n) {
			t.Errorf("%d numbers, expected %d", len(ids), n)
		}
		for _, id := range ids {
			if id < 0 || id >= 1000 {
				t.Fatalf("number %d of 1000", id)
			}
		}
		valid, present, err := appendLevels(nil, data, int(n))
		if err == nil && (len(valid) != int(n) || present > int(n)) {
			t.Errorf("%d levels of %d, %d present", len(valid), n, present)
		}
	})
}
