package agg

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Counted is a key with its count.
type Counted struct {
	Key   string `json:"key"`
	Count int64  `json:"count"`
}

// Top is the answer of top_k. Exact is false when a tile met more distinct keys than it may hold,
// so that a rare key may be missing or undercounted.
type Top struct {
	Keys  []Counted `json:"keys"` // by count, descending, then by key
	Exact bool      `json:"exact"`
}

// TopPartial is the partial of top_k: counts by key, sorted by key.
type TopPartial struct {
	Counts []Counted
	Capped bool
}

// topK counts keys and answers with the k most frequent. At most limit keys are held a tile; beyond
// that the least frequent are dropped (ties: the later key) and the answer says that it is not exact.
type topK struct {
	k, limit int
}

func (topK) Zero() Partial { return TopPartial{} }

func (t topK) Update(p Partial, in Input) Partial {
	x := p.(TopPartial)
	i, found := slices.BinarySearchFunc(x.Counts, in.Item, func(c Counted, key string) int { return strings.Compare(c.Key, key) })
	if found {
		x.Counts[i].Count++
		return x
	}
	x.Counts = slices.Insert(x.Counts, i, Counted{Key: in.Item, Count: 1})
	return t.cap(x)
}

func (t topK) Merge(a, b Partial) Partial {
	x, y := a.(TopPartial), b.(TopPartial)
	return t.cap(TopPartial{Counts: mergeCounts(x.Counts, y.Counts), Capped: x.Capped || y.Capped})
}

// cap drops the least frequent keys beyond the limit.
func (t topK) cap(p TopPartial) TopPartial {
	if len(p.Counts) <= t.limit {
		return p
	}
	p.Capped = true
	if len(p.Counts) == t.limit+1 { // after an update: no need to sort
		least := 0
		for i := range p.Counts {
			if byCount(p.Counts[i], p.Counts[least]) > 0 {
				least = i
			}
		}
		p.Counts = slices.Delete(p.Counts, least, least+1)
		return p
	}
	slices.SortFunc(p.Counts, byCount)
	p.Counts = p.Counts[:t.limit]
	slices.SortFunc(p.Counts, func(a, b Counted) int { return strings.Compare(a.Key, b.Key) })
	return p
}

// mergeCounts adds two lists that are sorted by key.
func mergeCounts(x, y []Counted) []Counted {
	out := make([]Counted, 0, len(x)+len(y))
	for len(x) > 0 && len(y) > 0 {
		switch c := strings.Compare(x[0].Key, y[0].Key); {
		case c < 0:
			out, x = append(out, x[0]), x[1:]
		case c > 0:
			out, y = append(out, y[0]), y[1:]
		default:
			out = append(out, Counted{x[0].Key, x[0].Count + y[0].Count})
			x, y = x[1:], y[1:]
		}
	}
	return append(append(out, x...), y...)
}

// byCount orders by count, descending, then by key.
func byCount(a, b Counted) int {
	if c := cmp.Compare(b.Count, a.Count); c != 0 {
		return c
	}
	return strings.Compare(a.Key, b.Key)
}

func (t topK) Finalize(tiles []TilePartial, _ int64) Value {
	top := Top{Exact: true}
	var all []Counted
	for _, x := range tiles {
		p := x.Partial.(TopPartial)
		all = mergeCounts(all, p.Counts)
		top.Exact = top.Exact && !p.Capped
	}
	slices.SortFunc(all, byCount)
	top.Keys = all[:min(t.k, len(all))]
	return top
}

func (topK) Append(dst []byte, p Partial) []byte {
	x := p.(TopPartial)
	capped := int64(0)
	if x.Capped {
		capped = 1
	}
	dst = appendInt(appendInt(dst, capped), int64(len(x.Counts)))
	for _, c := range x.Counts {
		dst = appendInt(appendText(dst, c.Key), c.Count)
	}
	return dst
}

func (t topK) Decode(b []byte) (Partial, []byte, error) {
	capped, b, err := readInt(b)
	if err != nil {
		return nil, nil, err
	}
	n, b, err := readInt(b)
	if err != nil {
		return nil, nil, err
	}
	if n < 0 || n > int64(t.limit) {
		return nil, nil, fmt.Errorf("top_k: %d keys, at most %d are possible", n, t.limit)
	}
	p := TopPartial{Capped: capped != 0}
	for range n {
		var c Counted
		if c.Key, b, err = readText(b); err != nil {
			return nil, nil, err
		}
		if c.Count, b, err = readInt(b); err != nil {
			return nil, nil, err
		}
		p.Counts = append(p.Counts, c)
	}
	return p, b, nil
}
