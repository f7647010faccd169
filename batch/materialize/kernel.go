package materialize

import (
	"slices"
	"strings"

	"github.com/anabranch/anabranch/batch/materialize/spill"
	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/tile"
)

// kernelRows is how many rows of an entity are taken at a time: what is derived from them stays in
// the processor's cache.
const kernelRows = 2048

// kernel adds rows of one entity to its bucket, a series at a time: it does what tile.Plan.UpdateSince
// does row by row (TestKernelEqualsUpdate), but a filter is evaluated once a row and type, tiles
// are numbered once a row and width, and what a series does is decided once.
type kernel struct {
	engine *engine
	plan   *tile.Plan
	fields []fieldReader
	series []seriesKernel
	widths []int64
	types  [][]bool // by filter, by number of a type: whether the filter takes it

	columns *spill.Columns
	times   []int64
	tiles   [][]int64 // by width
	chosen  [][]int32 // by filter: positions among the rows at hand
	takes   [][]bool  // by filter, by position
	row     tile.Row
}

// seriesKernel is what is decided once about a series.
type seriesKernel struct {
	*tile.SeriesPlan
	width       int   // index in widths
	from        int64 // the first tile that is not pruned
	count       bool  // counts events and needs no more than their tile
	ordered     bool  // needs positions
	interaction bool  // needs item, type and value
}

func newKernel(e *engine, p *tile.Plan) *kernel {
	k := &kernel{engine: e, plan: p}
	for i := range p.Fields {
		k.fields = append(k.fields, e.fieldReader(p, i))
	}
	for i := range p.Series {
		s := &p.Series[i]
		w := slices.Index(k.widths, s.Width)
		if w < 0 {
			w = len(k.widths)
			k.widths = append(k.widths, s.Width)
		}
		key := s.Monoid.Key()
		k.series = append(k.series, seriesKernel{
			SeriesPlan: s, width: w, from: firstTile(s, e.o.AsOf), count: key == "count" && s.By < 0,
			ordered:     strings.HasPrefix(key, "last") || strings.HasPrefix(key, "first"),
			interaction: strings.HasSuffix(key, ":interaction"),
		})
	}
	k.tiles = make([][]int64, len(k.widths))
	k.chosen, k.takes = make([][]int32, len(p.Filters)), make([][]bool, len(p.Filters))
	for _, f := range p.Filters {
		takes := make([]bool, len(e.types))
		for n := range e.types {
			takes[n] = len(f.Types) == 0 || slices.Contains(f.Types, e.types[n].text)
		}
		k.types = append(k.types, takes)
	}
	k.row.Fields = make([]agg.Operand, len(p.Fields))
	return k
}

// firstTile returns the number of the first tile of a series that pruning as of an instant leaves.
func firstTile(s *tile.SeriesPlan, asOf int64) int64 {
	if s.Width == 0 {
		return 0
	}
	return tile.Start(asOf-int64(s.Window), s.Width) / s.Width
}

// update adds rows of the columns, in the order given, to a bucket.
func (k *kernel) update(b tile.Bucket, c *spill.Columns, rows []int32) {
	k.columns = c
	for len(rows) > 0 {
		n := min(len(rows), kernelRows)
		k.add(b, rows[:n])
		rows = rows[n:]
	}
}

func (k *kernel) add(b tile.Bucket, rows []int32) {
	k.times = k.times[:0]
	for _, r := range rows {
		k.times = append(k.times, k.columns.Ints[colTime][r])
	}
	for w, width := range k.widths {
		k.tiles[w] = numberTiles(k.tiles[w][:0], k.times, width)
	}
	for f := range k.plan.Filters {
		k.filter(f, rows)
	}
	for i := range k.series {
		s := &k.series[i]
		switch {
		case s.count:
			k.count(s, &b[i])
		default:
			k.general(s, &b[i], rows)
		}
	}
}

// numberTiles appends the number of the tile of each time; 0 for lifetime.
func numberTiles(into, times []int64, width int64) []int64 {
	for _, t := range times {
		n := int64(0)
		if width > 0 {
			if n = t / width; t%width < 0 {
				n--
			}
		}
		into = append(into, n)
	}
	return into
}

// filter finds out which rows a filter takes.
func (k *kernel) filter(f int, rows []int32) {
	plan, types, kinds := &k.plan.Filters[f], k.types[f], k.columns.Ints[colKind]
	chosen, takes := k.chosen[f][:0], k.takes[f][:0]
	for at, r := range rows {
		yes := types[kinds[r]]
		if yes && len(plan.Where) > 0 {
			yes = k.matches(f, r)
		}
		if takes = append(takes, yes); yes {
			chosen = append(chosen, int32(at))
		}
	}
	k.chosen[f], k.takes[f] = chosen, takes
}

// matches judges the conditions of a filter.
func (k *kernel) matches(f int, r int32) bool {
	filter := &k.plan.Filters[f]
	for i := range filter.Where {
		for n := range k.fields {
			if k.plan.Fields[n].Name == filter.Where[i].Field {
				k.row.Fields[n] = k.fields[n].operand(k.columns, r)
			}
		}
	}
	k.row.Type = k.engine.types[k.columns.Ints[colKind][r]].text
	return k.plan.Matches(filter, &k.row)
}

// count counts the chosen rows by tile.
func (k *kernel) count(s *seriesKernel, into *tile.Series) {
	tiles := k.tiles[s.width]
	current, at := int64(-1)<<62, (*agg.Partial)(nil)
	for _, i := range k.chosen[s.Filter] {
		t := tiles[i]
		if t < s.from {
			continue
		}
		if t != current {
			current, at = t, cell(into, t, "")
		}
		at.N++
	}
}

// general updates the partials of the chosen rows by their monoid.
func (k *kernel) general(s *seriesKernel, into *tile.Series, rows []int32) {
	tiles := k.tiles[s.width]
	var in agg.Input
	for _, i := range k.chosen[s.Filter] {
		t, r := tiles[i], rows[i]
		if t < s.from {
			continue
		}
		key := ""
		if s.By >= 0 {
			if key = k.fields[s.By].operand(k.columns, r).Text; key == "" {
				continue
			}
		}
		if s.Of >= 0 {
			if in.Of = k.fields[s.Of].operand(k.columns, r); in.Of.Kind == agg.Absent {
				continue
			}
		}
		if s.Numerator >= 0 {
			in.Numerator = k.takes[s.Numerator][i]
			in.Denominator = s.Denominator < 0 || k.takes[s.Denominator][i]
			if !in.Numerator && !in.Denominator {
				continue
			}
		}
		in.Time, in.Start = k.times[i], t*s.Width
		if s.ordered {
			k.order(s, &in, r)
		}
		s.Monoid.Update(cell(into, t, key), &in)
	}
}

// order completes the input of aggregates that know their events' order.
func (k *kernel) order(s *seriesKernel, in *agg.Input, r int32) {
	c := k.columns
	in.Seq = k.engine.files[c.Ints[colFile][r]].seq(c.Ints[colOffset][r])
	if s.interaction {
		in.Item = k.engine.items.texts[c.Ints[colItem][r]]
		in.Type = k.engine.types[c.Ints[colKind][r]].text
		in.Value = agg.Operand{}
		if v := c.Floats[colValue][r]; v == v { //nolint:gocritic // NaN is not itself
			in.Value = agg.Operand{Kind: agg.Float, Float: v}
		}
	}
}

// cell returns the partial of a cell, made when it is new. Memory of sets that lies behind the end of the series is
// used again.
func cell(s *tile.Series, n int64, key string) *agg.Partial {
	list := *s
	at := len(list)
	if at > 0 {
		last := &list[at-1]
		if last.Tile == n && last.Key == key {
			return &last.Partial
		}
		if last.Tile > n || last.Tile == n && last.Key > key {
			var found bool
			if at, found = findCell(list, n, key); found {
				return &list[at].Partial
			}
		}
	}
	if len(list) == cap(list) {
		list = append(list, tile.Cell{})
	} else {
		list = list[:len(list)+1]
	}
	spare := list[len(list)-1].Partial
	spare.Reset()
	copy(list[at+1:], list[at:])
	list[at] = tile.Cell{Tile: n, Key: key, Partial: spare}
	*s = list
	return &list[at].Partial
}

func findCell(s tile.Series, n int64, key string) (int, bool) {
	lo, hi := 0, len(s)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if c := &s[mid]; c.Tile < n || c.Tile == n && c.Key < key {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, lo < len(s) && s[lo].Tile == n && s[lo].Key == key
}

// emptyBucket empties a bucket and keeps its memory.
func emptyBucket(b tile.Bucket) {
	for i := range b {
		b[i] = b[i][:0]
	}
}
