package spill_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/anabranch/anabranch/batch/materialize/spill"
)

func drawColumns(t *rapid.T) *spill.Columns {
	c := spill.NewColumns(2, 2, 2)
	number := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-3, 300), rapid.Just(int64(math.MinInt64)), rapid.Just(int64(7)))
	float := rapid.OneOf(rapid.Float64(), rapid.Just(math.NaN()), rapid.Just(math.Copysign(0, -1)))
	for range rapid.IntRange(0, 40).Draw(t, "rows") {
		c.Rows++
		for i := range 2 {
			c.Ints[i] = append(c.Ints[i], number.Draw(t, "int"))
			c.Floats[i] = append(c.Floats[i], float.Draw(t, "float"))
			c.Texts[i].Add([]byte(rapid.StringN(0, 5, -1).Draw(t, "text")))
		}
	}
	return c
}

// TestBlocksHoldRows writes rows in any order and with any columns, and reads them behind others.
func TestBlocksHoldRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawColumns(t)
		p := spill.Pick{Ints: []int{1}, Floats: []int{0}, Texts: []int{1}}
		if rapid.Bool().Draw(t, "all") {
			p = spill.Pick{Ints: []int{1, 0}, Floats: []int{0, 1}, Texts: []int{1, 0}}
		}
		rows := rapid.SliceOfN(rapid.Int32Range(0, int32(max(0, c.Rows-1))), 0, 2*c.Rows).Draw(t, "order")
		got := spill.NewColumns(2, 2, 2)
		for range 2 {
			if err := got.ReadBlock(c.AppendBlock(nil, p, rows), p); err != nil {
				t.Fatal(err)
			}
		}
		want := spill.NewColumns(2, 2, 2)
		for range 2 {
			for _, r := range rows {
				want.Rows++
				for _, i := range p.Ints {
					want.Ints[i] = append(want.Ints[i], c.Ints[i][r])
				}
				for _, i := range p.Floats {
					want.Floats[i] = append(want.Floats[i], c.Floats[i][r])
				}
				for _, i := range p.Texts {
					want.Texts[i].Add(c.Texts[i].At(int(r)))
				}
			}
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateNaNs(), cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}

// FuzzReadBlock reads anything: an error or rows, never a panic.
func FuzzReadBlock(f *testing.F) {
	c := spill.NewColumns(1, 1, 1)
	for i := range 5 {
		c.Rows++
		c.Ints[0], c.Floats[0] = append(c.Ints[0], int64(i*i)), append(c.Floats[0], float64(i))
		c.Texts[0].Add([]byte("text"))
	}
	p := spill.Pick{Ints: []int{0}, Floats: []int{0}, Texts: []int{0}}
	f.Add(c.AppendBlock(nil, p, []int32{0, 1, 2, 3, 4}))
	f.Fuzz(func(t *testing.T, b []byte) {
		got := spill.NewColumns(1, 1, 1)
		if err := got.ReadBlock(b, p); err == nil && (len(got.Ints[0]) != got.Rows || len(got.Texts[0].Ends) != got.Rows) {
			t.Errorf("%d rows, %d integers, %d texts", got.Rows, len(got.Ints[0]), len(got.Texts[0].Ends))
		}
	})
}

// TestScratch puts pieces until memory is full, and reads all of them.
func TestScratch(t *testing.T) {
	dir := t.TempDir()
	s := spill.NewScratch(dir, 100)
	defer s.Close()
	var pieces []spill.Piece
	for i := range 10 {
		p, err := s.Put(bytes.Repeat([]byte{byte(i)}, 30))
		if err != nil {
			t.Fatal(err)
		}
		pieces = append(pieces, p)
	}
	if s.OnDisk() != 7*30 {
		t.Errorf("%d bytes on disk", s.OnDisk())
	}
	var buf []byte
	for i, p := range pieces {
		b, err := s.Get(p, buf)
		if err != nil || !bytes.Equal(b, bytes.Repeat([]byte{byte(i)}, 30)) || p.InMemory() != (i < 3) {
			t.Errorf("piece %d: %x, %v", i, b, err)
		}
	}
	s.Drop(pieces[0])
	if p, err := s.Put(make([]byte, 30)); err != nil || !p.InMemory() {
		t.Errorf("memory was not given back: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the file has a name: %v, %v", left, err)
	}
}

func TestScratchWithoutRoom(t *testing.T) {
	s := spill.NewScratch(t.TempDir()+"/absent", 0)
	if _, err := s.Put([]byte{1}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if p, err := s.Put(nil); err != nil {
		t.Errorf("nothing needs no room: %v, %v", p, err)
	}
}

func TestStream(t *testing.T) {
	s := spill.NewScratch(t.TempDir(), 10)
	defer s.Close()
	stream := s.NewStream()
	var want []byte
	for i := range 20 {
		piece := bytes.Repeat([]byte{byte(i)}, i%5)
		want = append(want, piece...)
		if _, err := stream.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		got, err := io.ReadAll(stream.Reader())
		if err != nil || !bytes.Equal(got, want) || stream.Bytes() != int64(len(want)) {
			t.Errorf("%x, %v, want %x", got, err, want)
		}
	}
}
