package sorted_test

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"
	"strings"
	"testing"

	"github.com/anabranch/anabranch/infra/sorted"
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

// TestWrongIndex changes an index whose checksum says that it is right, as only a faulty writer can.
func TestWrongIndex(t *testing.T) {
	rows := someRows(3)
	good := write(t, rows, 0)
	footer := len(good) - 64
	index := int(binary.LittleEndian.Uint64(good[footer:]))
	for name, places := range map[string][]int{
		"offset of a segment": {index},
		"bytes of rows":       {index + 8},
		"lines":               {index + 12},
		"rows of a segment":   {index + 16},
		"length of a key":     {index + 20},
		"segments":            {footer + 16},
		"rows of the table":   {footer + 24},
		"all numbers of rows": {index + 16, footer + 24},
	} {
		bad := slices.Clone(good)
		for _, at := range places {
			bad[at]++
		}
		if survey(t, reseal(bad), rows) == 0 {
			t.Errorf("%s: nobody noticed", name)
		}
	}
}

// TestHugeFrame announces a frame of 4 GiB: it is refused before memory is taken for it.
func TestHugeFrame(t *testing.T) {
	data := append(writeRun(t, nil)[:8], 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0)
	data = binary.LittleEndian.AppendUint32(data, crc(0, data[8:]))
	r := runOf(data)
	if r.Next() || !errors.Is(r.Err(), sorted.ErrDamaged) || !strings.Contains(r.Err().Error(), "head of frame 0") {
		t.Errorf("error %v", r.Err())
	}
}
