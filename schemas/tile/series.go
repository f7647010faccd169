package tile

import (
	"cmp"
	"slices"
	"strings"

	"github.com/anabranch/anabranch/schemas/agg"
)

// Cell is one tile of a series, for one value of its grouping attribute ("" where there is none).
type Cell struct {
	Tile    int64 // number: start / width
	Key     string
	Partial agg.Partial
}

// Series is the cells of a series, sorted by (Tile, Key).
type Series []Cell

// Bucket holds a series for each of the plan's.
type Bucket []Series

// NewBucket returns an empty bucket.
func (p *Plan) NewBucket() Bucket { return make(Bucket, len(p.Series)) }

// Empty reports whether no event is in the bucket.
func (b Bucket) Empty() bool {
	return !slices.ContainsFunc(b, func(s Series) bool { return len(s) > 0 })
}

// forever is before every event, so that nothing is left out.
const forever = -1 << 62

// Update adds an event to the bucket.
func (p *Plan) Update(b Bucket, r *Row) { p.UpdateSince(b, r, forever) }

// UpdateSince adds an event to the bucket as Update does, but leaves out the tiles that Prune(b, asOf)
// would drop. Reading years of history thereby costs what is kept of it.
func (p *Plan) UpdateSince(b Bucket, r *Row, asOf int64) {
	p.begin(r)
	in := r.input()
	for i := range p.Series {
		s := &p.Series[i]
		key, ok := s.takes(r, &in)
		if !ok {
			continue
		}
		n := r.tiles[s.width]
		if asOf != forever && s.Width > 0 && n < number(asOf-int64(s.Window), s.Width) {
			continue
		}
		in.Start = n * s.Width
		s.Monoid.Update(b[i].cell(n, key), &in)
	}
}

// begin prepares a row for takes.
func (p *Plan) begin(r *Row) {
	r.matched = r.matched[:0]
	for i := range p.Filters {
		r.matched = append(r.matched, p.Matches(&p.Filters[i], r))
	}
	r.tiles = r.tiles[:0]
	for _, w := range p.widths {
		r.tiles = append(r.tiles, number(r.Time, w))
	}
}

// input is what every aggregate sees of a row.
func (r *Row) input() agg.Input {
	return agg.Input{Time: r.Time, Seq: r.Seq, Item: r.Item, Type: r.Type, Value: r.Value}
}

// takes reports whether a row is of a series, with which key, and completes what its aggregate sees of it but for the start
// of the tile.
func (p *SeriesPlan) takes(r *Row, in *agg.Input) (key string, ok bool) {
	if !r.matched[p.Filter] {
		return "", false
	}
	if p.By >= 0 {
		if key = r.Fields[p.By].Text; key == "" {
			return "", false // features group by what the event carries; absent is in no group
		}
	}
	if p.Of >= 0 {
		if in.Of = r.Fields[p.Of]; in.Of.Kind == agg.Absent {
			return "", false
		}
	}
	return key, p.Numerator < 0 || p.ratio(r, in)
}

// ratio says which sides of a ratio an event is on, and whether it is on any.
func (p *SeriesPlan) ratio(r *Row, in *agg.Input) bool {
	in.Numerator = r.matched[p.Numerator]
	in.Denominator = p.Denominator < 0 || r.matched[p.Denominator]
	return in.Numerator || in.Denominator
}

// cell returns the partial of a cell, which is made when it is new. Events mostly come in order of time, so the
// last tile is looked at first.
func (s *Series) cell(n int64, key string) *agg.Partial {
	list := *s
	if l := len(list); l > 0 && list[l-1].Tile == n && list[l-1].Key == key {
		return &list[l-1].Partial
	}
	i, found := list.find(n, key)
	if !found {
		list = list.extend()
		for j := len(list) - 1; j > i; j-- { // the memory of the new cell moves along
			list[j], list[j-1] = list[j-1], list[j]
		}
		list[i].Tile, list[i].Key = n, key
		*s = list
	}
	return &list[i].Partial
}

func (s Series) find(n int64, key string) (int, bool) {
	return slices.BinarySearchFunc(s, Cell{Tile: n, Key: key}, func(a, b Cell) int { return order(&a, &b) })
}

func order(a, b *Cell) int {
	if c := cmp.Compare(a.Tile, b.Tile); c != 0 {
		return c
	}
	return strings.Compare(a.Key, b.Key)
}

// Merge adds the events of from to b.
func (p *Plan) Merge(b, from Bucket) {
	for i := range from {
		for j := range from[i] {
			c := &from[i][j]
			p.Series[i].Monoid.Merge(b[i].cell(c.Tile, c.Key), &c.Partial)
		}
	}
}

// Prune drops, in place, the tiles that no window read at t or later can reach.
func (p *Plan) Prune(b Bucket, t int64) {
	for i := range p.Series {
		if s := &p.Series[i]; s.Width > 0 {
			n, _ := b[i].find(number(t-int64(s.Window), s.Width), "")
			b[i] = slices.Delete(b[i], 0, n)
		}
	}
}
