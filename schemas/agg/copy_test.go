package agg_test

import (
	"fmt"
	"testing"

	"github.com/anabranch/anabranch/schemas/agg"
)

// TestCopiesAreDecodedAndEncoded copies partials of every monoid from one table of texts to another, alone and beside
// others, and joins events to them: the bytes are those of decoding, merging and encoding.
func TestCopiesAreDecodedAndEncoded(t *testing.T) {
	laws(t, func(x algebra, a, b, _ []agg.Input) error {
		if len(a) == 0 {
			return nil
		}
		encoded := x.encode(x.of(a), len(a))
		for _, alone := range []bool{true, false} {
			if err := x.copies(encoded, alone); err != nil {
				return err
			}
		}
		if !agg.Joins(x.Monoid) || len(b) == 0 {
			return nil
		}
		d := decoder(encoded)
		got := beside(d, false, func(e *agg.Encoder) error {
			var c agg.Copier
			c.Begin(e, d)
			c.Join(x.Monoid, x.of(b))
			return d.Err
		})
		want := beside(nil, false, func(e *agg.Encoder) error {
			p, d := x.of(b), decoder(encoded)
			x.Fold(p, d, 1)
			x.Append(e, p)
			return d.Err
		})
		if got != want {
			return fmt.Errorf("%s: joined to %d events, %d are %s, want %s", x.name, len(a), len(b), got, want)
		}
		return nil
	})
}

// copies copies a partial and passes over it.
func (x algebra) copies(encoded []byte, alone bool) error {
	d := decoder(encoded)
	got := beside(d, alone, func(e *agg.Encoder) error {
		var c agg.Copier
		c.Begin(e, d)
		c.Partial(x.Monoid)
		if d.Err == nil && len(d.B) > 0 {
			return fmt.Errorf("%d bytes are left", len(d.B))
		}
		return d.Err
	})
	want := beside(nil, alone, func(e *agg.Encoder) error {
		var p agg.Partial
		d := decoder(encoded)
		x.Fold(&p, d, 1)
		x.Append(e, &p)
		return d.Err
	})
	if got != want {
		return fmt.Errorf("%s, alone %t: %x is %s, want %s", x.name, alone, encoded, got, want)
	}
	d = decoder(encoded)
	if n, found := agg.Varints(x.Monoid), ends(d.B); n > 0 && n != found {
		return fmt.Errorf("%s: %x has %d varints, not %d", x.name, d.B, found, n)
	}
	if n := agg.Bytes(x.Monoid); n > 0 && n != len(d.B) {
		return fmt.Errorf("%s: %x has %d bytes, not %d", x.name, d.B, len(d.B), n)
	}
	most := agg.MostText(x.Monoid, d, 0)
	if named := agg.HoldsTexts(x.Monoid); d.Err != nil || len(d.B) > 0 || named && most != uint64(len(d.Texts)-1) || !named && most != 0 {
		return fmt.Errorf("%s: the greatest of %d texts is %d, %d bytes are left: %w", x.name, len(d.Texts), most, len(d.B), d.Err)
	}
	return nil
}

// beside returns in print what is written, alone or after a text that is in many partials, and the table, which continues
// that of a decoder where there is one.
func beside(d *agg.Decoder, alone bool, write func(*agg.Encoder) error) string {
	var e agg.Encoder
	if d != nil {
		e.Continue(d)
	}
	if !alone {
		e.Text("i3")
	}
	err := write(&e)
	return fmt.Sprintf("%x %q %v", e.Buf, e.AppendTable(nil), err)
}

// ends counts the bytes that end a varint.
func ends(b []byte) (n int) {
	for _, x := range b {
		if x < 0x80 {
			n++
		}
	}
	return n
}

// TestManyTexts: more texts than a table begins with have their numbers, in one encoding after the other.
func TestManyTexts(t *testing.T) {
	var e agg.Encoder
	for round := range 3 {
		e.Reset()
		for _, i := range []int{0, 1, 5, 500, 5, 1, 0} {
			for j := range i + 1 {
				e.Text(fmt.Sprint("text ", j))
			}
		}
		d := agg.Decoder{B: append(e.AppendTable(nil), e.Buf...)}
		d.Table(nil)
		if len(d.Texts) != 501 {
			t.Fatalf("round %d: %d texts", round, len(d.Texts))
		}
		for _, i := range []int{0, 1, 5, 500, 5, 1, 0} {
			for j := range i + 1 {
				if got, want := d.Text(), fmt.Sprint("text ", j); got != want || d.Err != nil {
					t.Fatalf("round %d: %q, want %q: %v", round, got, want, d.Err)
				}
			}
		}
	}
}
