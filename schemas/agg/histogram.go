package agg

import (
	"fmt"
	"sort"
)

// histogram counts operands by declared boundaries: bucket i holds bounds[i-1] ≤ x < bounds[i].
type histogram struct {
	outcome
	bounds []float64
}

// buckets is the set of a histogram: a count a bucket.
type buckets struct{ counts []int64 }

func (b *buckets) reset() { clear(b.counts) }

func (h histogram) Key() string { return fmt.Sprintf("histogram:%s:%v", h.outcome.key(), h.bounds) }

func (h histogram) counts(p *Partial) []int64 {
	b := grow[buckets](p)
	if b.counts == nil {
		b.counts = make([]int64, len(h.bounds)+1)
	}
	return b.counts
}

func (h histogram) Update(p *Partial, in *Input) {
	h.counts(p)[h.bucket(in)]++
}

// bucket returns the bucket of an operand.
func (h histogram) bucket(in *Input) int {
	x := h.outcome.number(in.Of)
	return sort.Search(len(h.bounds), func(i int) bool { return x < h.bounds[i] })
}

func (h histogram) Merge(p, q *Partial) {
	if q.Set == nil {
		return
	}
	c := h.counts(p)
	for i, n := range h.counts(q) {
		c[i] += n
	}
}

func (h histogram) Append(e *Encoder, p *Partial) {
	for _, n := range h.counts(p) {
		e.Uint(uint64(n))
	}
}

func (h histogram) Fold(p *Partial, d *Decoder, _ float64) {
	c := h.counts(p)
	for i := range c {
		c[i] += int64(d.Uint())
	}
}

// Patch implements Patcher.
func (h histogram) Patch(e *Encoder, d *Decoder, in *Input) bool {
	at := h.bucket(in)
	for i := range len(h.bounds) + 1 {
		n := d.Uint()
		if i == at {
			n++
		}
		e.Uint(n)
	}
	return true
}

// FoldRun implements Run.
func (h histogram) FoldRun(p *Partial, d *Decoder, t, from int64, left int) (int64, int) {
	b, c, n := d.B, h.counts(p), uint64(0)
	for left > 0 && t >= from && b != nil {
		for i := range c {
			n, b = Next(b)
			c[i] += int64(n)
		}
		left--
		t, b = step(b, t, left)
	}
	d.end(b)
	return t, left
}

func (h histogram) Skip(d *Decoder) {
	d.skipUints(len(h.bounds) + 1)
}

func (h histogram) Finalize(p *Partial) Value {
	h.counts(p)
	return HistogramValue(&p.Set.(*buckets).counts)
}
