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
// does row by row (the tests compare the bytes), but fields are read, filters judged and tiles numbered once
// a row, and what a series does is decided once.
type kernel struct {
	engine *engine
	plan   *tile.Plan
	fields []fieldReader
	series []seriesKernel
	widths []int64
	types  [][]bool // by filter, by number of a type: whether the filter takes it

	turn  tile.Turn             // whose first tiles the series have
	froms map[tile.Turn][]int64 // by series, of turns that have occurred

	columns  *spill.Columns
	rows     []int32 // at hand
	times    []int64
	seqs     []int64         // positions, once they are asked for
	operands [][]agg.Operand // by field, once they are asked for
	tiles    [][]int64       // by width
	chosen   [][]int32       // by filter: positions among the rows at hand
	takes    [][]bool        // by filter, by position
	row      tile.Row
	in       agg.Input
}

// seriesKernel is what is decided once about a series.
type seriesKernel struct {
	*tile.SeriesPlan
	width int   // index in widths
	from  int64 // the first tile that is not pruned
	loop  loop

	ordered     bool // needs positions
	interaction bool // needs item, type and value

	// Texts that are part of the rows' memory are copied where a partial keeps them.
	copyKey, copyOf bool
}

// loop says how a series is updated.
type loop uint8

const (
	byMonoid loop = iota
	counting
	ratios
	minima
	maxima
	sums
	firsts
	lasts
)

// loops are the aggregates that are updated without their monoid, by its key. None of them decays or is grouped.
var loops = map[string]loop{
	"count": counting, "ratio": ratios, "sum": sums, "min:int": minima, "max:int": maxima,
	"first:int": firsts, "first:float": firsts, "first:text": firsts,
	"last:int": lasts, "last:float": lasts, "last:text": lasts,
}

func newKernel(e *engine, p *tile.Plan) *kernel {
	k := &kernel{engine: e, plan: p, froms: map[tile.Turn][]int64{}}
	for i := range p.Fields {
		k.fields = append(k.fields, e.fieldReader(p, i))
	}
	for i := range p.Series {
		k.series = append(k.series, k.newSeries(&p.Series[i]))
	}
	k.tiles, k.operands = make([][]int64, len(k.widths)), make([][]agg.Operand, len(p.Fields))
	k.chosen, k.takes = make([][]int32, len(p.Filters)), make([][]bool, len(p.Filters))
	for _, f := range p.Filters {
		takes := make([]bool, len(e.types))
		for n := range e.types {
			takes[n] = len(f.Types) == 0 || slices.Contains(f.Types, e.types[n].text)
		}
		k.types = append(k.types, takes)
	}
	k.row.Fields = make([]agg.Operand, len(p.Fields))
	k.begin(tile.EveryNight)
	return k
}

func (k *kernel) newSeries(s *tile.SeriesPlan) seriesKernel {
	w := slices.Index(k.widths, s.Width)
	if w < 0 {
		w = len(k.widths)
		k.widths = append(k.widths, s.Width)
	}
	key := s.Monoid.Key()
	out := seriesKernel{
		SeriesPlan: s, width: w,
		ordered:     strings.HasPrefix(key, "last") || strings.HasPrefix(key, "first"),
		interaction: strings.HasSuffix(key, ":interaction"),
	}
	if s.By < 0 {
		out.loop = loops[key]
	} else {
		out.copyKey = k.fields[s.By].source == inline
	}
	out.copyOf = s.Of >= 0 && k.fields[s.Of].source == inline && !strings.HasPrefix(key, "distinct")
	return out
}

// firstTile returns the number of the first tile of a series that pruning as of an instant leaves.
func firstTile(s *tile.SeriesPlan, asOf int64) int64 {
	if s.Width == 0 {
		return 0
	}
	return tile.Start(asOf-int64(s.Window), s.Width) / s.Width
}

// begin sets what pruning leaves of the view of a member whose turn is given.
func (k *kernel) begin(t tile.Turn) {
	from, known := k.froms[t]
	if !known {
		horizon := t.Horizon(k.engine.o.AsOf)
		for i := range k.series {
			from = append(from, firstTile(k.series[i].SeriesPlan, horizon))
		}
		k.froms[t] = from
	}
	k.turn = t
	for i := range k.series {
		k.series[i].from = from[i]
	}
}

// update adds rows of the columns, in the order given, to the bucket of a member.
func (k *kernel) update(b tile.Bucket, t tile.Turn, c *spill.Columns, rows []int32) {
	if t != k.turn {
		k.begin(t)
	}
	k.columns = c
	for len(rows) > 0 {
		n := min(len(rows), kernelRows)
		k.add(b, rows[:n])
		rows = rows[n:]
	}
}

func (k *kernel) add(b tile.Bucket, rows []int32) {
	k.rows, k.times, k.seqs = rows, k.times[:0], k.seqs[:0]
	for _, r := range rows {
		k.times = append(k.times, k.columns.Ints[colTime][r])
	}
	for f := range k.operands {
		k.operands[f] = k.operands[f][:0]
	}
	for w, width := range k.widths {
		k.tiles[w] = numberTiles(k.tiles[w][:0], k.times, width)
	}
	for f := range k.plan.Filters {
		k.filter(f)
	}
	for i := range k.series {
		if s := &k.series[i]; len(k.chosen[s.Filter]) > 0 {
			k.update1(s, &b[i])
		}
	}
}

// operandOf returns a field of one row at hand.
func (k *kernel) operandOf(f, at int) agg.Operand {
	if len(k.operands[f]) > 0 {
		return k.operands[f][at]
	}
	return k.fields[f].operand(k.columns, k.rows[at])
}

// operandsOf returns a field of the rows at hand.
func (k *kernel) operandsOf(f int) []agg.Operand {
	if len(k.operands[f]) == 0 {
		for _, r := range k.rows {
			k.operands[f] = append(k.operands[f], k.fields[f].operand(k.columns, r))
		}
	}
	return k.operands[f]
}

// positions returns the positions of the rows at hand.
func (k *kernel) positions() []int64 {
	if len(k.seqs) == 0 {
		files, offsets := k.columns.Ints[colFile], k.columns.Ints[colOffset]
		for _, r := range k.rows {
			k.seqs = append(k.seqs, k.engine.files[files[r]].seq(offsets[r]))
		}
	}
	return k.seqs
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
func (k *kernel) filter(f int) {
	plan, types, kinds := &k.plan.Filters[f], k.types[f], k.columns.Ints[colKind]
	chosen, takes := k.chosen[f][:0], k.takes[f][:0]
	for at, r := range k.rows {
		yes := types[kinds[r]]
		if yes && len(plan.Where) > 0 {
			yes = k.matches(f, at)
		}
		if takes = append(takes, yes); yes {
			chosen = append(chosen, int32(at))
		}
	}
	k.chosen[f], k.takes[f] = chosen, takes
}

// matches judges the conditions of a filter on a row at hand.
func (k *kernel) matches(f, at int) bool {
	filter := &k.plan.Filters[f]
	for i := range filter.Where {
		for n := range k.fields {
			if k.plan.Fields[n].Name == filter.Where[i].Field {
				k.row.Fields[n] = k.operandsOf(n)[at]
			}
		}
	}
	k.row.Type = k.engine.types[k.columns.Ints[colKind][k.rows[at]]].text
	return k.plan.Matches(filter, &k.row)
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
