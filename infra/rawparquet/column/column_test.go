package column_test

import (
	"encoding/binary"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/anabranch/anabranch/infra/rawparquet/column"
)

// TestPlain reads back pages with and without nulls, several in one list.
func TestPlain(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var s column.Strings
		var want []string
		for range rapid.IntRange(0, 3).Draw(rt, "pages") {
			texts := rapid.SliceOf(rapid.Ptr(rapid.String(), true)).Draw(rt, "texts")
			var page []byte
			valid := make([]bool, len(texts))
			for i, text := range texts {
				want = append(want, "")
				if text != nil {
					valid[i], want[len(want)-1] = true, *text
					page = append(binary.LittleEndian.AppendUint32(page, uint32(len(*text))), *text...)
				}
			}
			if err := s.AddPlain(page, 0, valid); err != nil {
				rt.Fatal(err)
			}
			if len(page) > 0 && !errors.Is(new(column.Strings).AddPlain(page[:len(page)-1], 0, valid), column.ErrDamaged) {
				rt.Fatal("a page that was cut was accepted")
			}
		}
		for i, text := range want {
			if string(s.At(i)) != text {
				rt.Fatalf("text %d is %q, expected %q", i, s.At(i), text)
			}
		}
		if s.Len() != len(want) {
			rt.Fatalf("%d texts, expected %d", s.Len(), len(want))
		}
	})
}
