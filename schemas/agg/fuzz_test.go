package agg_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/anabranch/anabranch/schemas/agg"
)

// FuzzFold gives random bytes to every monoid (the first byte says which): Fold and Skip do not panic,
// hang or take memory that the input does not account for, they accept the same bytes of it except for
// what Skip need not look at, and what decodes is encoded and decoded to the same again.
func FuzzFold(f *testing.F) {
	all := algebras(f)
	for i, x := range all {
		r := rand.New(rand.NewPCG(uint64(i), 13))
		for _, n := range []int{1, 40} {
			f.Add(append([]byte{byte(i)}, x.encode(x.of(inputs(r, x.typ, n)), n)...))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 || int(b[0]) >= len(all) {
			return
		}
		x := all[b[0]]
		d := decoder(b[1:])
		if d.Err != nil {
			return
		}
		skip := agg.Decoder{B: d.B, Texts: d.Texts}
		x.Skip(&skip)
		p := &agg.Partial{}
		x.Fold(p, d, 1)
		if d.Err != nil {
			return
		}
		if skip.Err != nil || len(skip.B) != len(d.B) {
			t.Fatalf("%s: Fold leaves %x of %x, Skip %x (%v)", x.name, d.B, b[1:], skip.B, skip.Err)
		}
		once := x.encode(p, 1)
		x.Finalize(p)
		again := &agg.Partial{}
		e := decoder(once)
		if x.Fold(again, e, 1); e.Err != nil || len(e.B) > 0 {
			t.Fatalf("%s: %x was encoded as %x, which leaves %x (%v)", x.name, b[1:], once, e.B, e.Err)
		}
		if twice := x.encode(again, 1); !bytes.Equal(once, twice) {
			t.Fatalf("%s: %x is encoded as %x, then as %x", x.name, b[1:], once, twice)
		}
		x.Merge(p, again)
		x.Finalize(p)
	})
}
