package materialize

import (
	"math/bits"
	"strings"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/tile"
)

// tileCursor finds the partial of one tile after the other. Rows mostly come in order of time, so the
// same tile is mostly asked for again.
type tileCursor struct {
	into *tile.Series
	tile int64
	at   *agg.Partial
}

func newCursor(into *tile.Series) tileCursor { return tileCursor{into: into, tile: -1 << 62} }

func (c *tileCursor) partial(n int64) *agg.Partial {
	if n != c.tile {
		c.tile, c.at = n, cell(c.into, n, "")
	}
	return c.at
}

// update1 adds the chosen rows to a series.
func (k *kernel) update1(s *seriesKernel, into *tile.Series) {
	switch s.loop {
	case counting:
		k.count(s, into)
	case ratios:
		k.ratio(s, into)
	case minima:
		k.extreme(s, into, func(a, b int64) bool { return a < b })
	case maxima:
		k.extreme(s, into, func(a, b int64) bool { return a > b })
	case sums:
		k.sum(s, into)
	case firsts, lasts:
		k.edge(s, into)
	default:
		k.general(s, into)
	}
}

func (k *kernel) count(s *seriesKernel, into *tile.Series) {
	tiles, cursor := k.tiles[s.width], newCursor(into)
	for _, i := range k.chosen[s.Filter] {
		if t := tiles[i]; t >= s.from {
			cursor.partial(t).N++
		}
	}
}

// ratio counts numerator events in A and denominator events in B.
func (k *kernel) ratio(s *seriesKernel, into *tile.Series) {
	tiles, cursor := k.tiles[s.width], newCursor(into)
	for _, i := range k.chosen[s.Filter] {
		t := tiles[i]
		numerator, denominator := k.takes[s.Numerator][i], s.Denominator < 0 || k.takes[s.Denominator][i]
		if t < s.from || !numerator && !denominator {
			continue
		}
		p := cursor.partial(t)
		if numerator {
			p.A++
		}
		if denominator {
			p.B++
		}
	}
}

// extreme keeps the least or greatest integer in A; N is 1 once there is one.
func (k *kernel) extreme(s *seriesKernel, into *tile.Series, beyond func(a, b int64) bool) {
	tiles, operands, cursor := k.tiles[s.width], k.operandsOf(s.Of), newCursor(into)
	for _, i := range k.chosen[s.Filter] {
		t, o := tiles[i], &operands[i]
		if t < s.from || o.Kind == agg.Absent {
			continue
		}
		if p := cursor.partial(t); p.N == 0 || beyond(o.Int, p.A) {
			p.N, p.A = 1, o.Int
		}
	}
}

// sum adds integers up in 128 bits, A the low and B the high half, and counts them in N.
func (k *kernel) sum(s *seriesKernel, into *tile.Series) {
	tiles, operands, cursor := k.tiles[s.width], k.operandsOf(s.Of), newCursor(into)
	for _, i := range k.chosen[s.Filter] {
		t, o := tiles[i], &operands[i]
		if t < s.from || o.Kind == agg.Absent {
			continue
		}
		p := cursor.partial(t)
		low, carry := bits.Add64(uint64(p.A), uint64(o.Int), 0)
		high, _ := bits.Add64(uint64(p.B), uint64(o.Int>>63), carry)
		p.N, p.A, p.B = p.N+1, int64(low), int64(high)
	}
}

// edge keeps the first or the last event: A is its time, B its position. Fields are read of the events only
// that would take the place of those before them.
func (k *kernel) edge(s *seriesKernel, into *tile.Series) {
	if s.Width == 0 && k.lifetimeEdge(s, into) {
		return
	}
	tiles, seqs, cursor := k.tiles[s.width], k.positions(), newCursor(into)
	for _, i := range k.chosen[s.Filter] {
		t := tiles[i]
		if t < s.from {
			continue
		}
		of := k.operandOf(s.Of, int(i))
		if of.Kind == agg.Absent {
			continue
		}
		p := cursor.partial(t)
		if p.N == 0 || s.beyond(k.times[i], seqs[i], p.A, p.B) {
			k.setEdge(s, p, int(i), of)
		}
	}
}

// beyond reports whether the event at (time, seq) takes the place of the one at (a, b).
func (s *seriesKernel) beyond(time, seq, a, b int64) bool {
	if s.loop == lasts {
		return time > a || time == a && seq > b
	}
	return time < a || time == a && seq < b
}

// lifetimeEdge finds the one event that counts by its time and position alone. It reports false, and changes nothing,
// where that event lacks the field.
func (k *kernel) lifetimeEdge(s *seriesKernel, into *tile.Series) bool {
	chosen, seqs := k.chosen[s.Filter], k.positions()
	best := chosen[0]
	for _, i := range chosen[1:] {
		if s.beyond(k.times[i], seqs[i], k.times[best], seqs[best]) {
			best = i
		}
	}
	of := k.operandOf(s.Of, int(best))
	if of.Kind == agg.Absent {
		return false
	}
	p := cell(into, 0, "")
	if p.N == 0 || s.beyond(k.times[best], seqs[best], p.A, p.B) {
		k.setEdge(s, p, int(best), of)
	}
	return true
}

func (k *kernel) setEdge(s *seriesKernel, p *agg.Partial, at int, of agg.Operand) {
	if s.copyOf {
		of.Text = strings.Clone(of.Text)
	}
	k.in = agg.Input{Time: k.times[at], Seq: k.seqs[at], Of: of}
	s.Monoid.Update(p, &k.in)
}

// general updates the partials of the chosen rows by their monoid.
func (k *kernel) general(s *seriesKernel, into *tile.Series) {
	tiles := k.tiles[s.width]
	var by, of []agg.Operand
	if s.By >= 0 {
		by = k.operandsOf(s.By)
	}
	if s.Of >= 0 {
		of = k.operandsOf(s.Of)
	}
	in, key := &k.in, ""
	*in = agg.Input{}
	for _, i := range k.chosen[s.Filter] {
		t := tiles[i]
		if t < s.from {
			continue
		}
		if by != nil {
			if key = by[i].Text; key == "" {
				continue
			}
			if s.copyKey {
				key = strings.Clone(key)
			}
		}
		if of != nil {
			if in.Of = of[i]; in.Of.Kind == agg.Absent {
				continue
			}
		}
		if s.copyOf {
			in.Of.Text = strings.Clone(in.Of.Text)
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
			k.order(s, in, int(i))
		}
		s.Monoid.Update(cell(into, t, key), in)
	}
}

// order completes the input of aggregates that know their events' order.
func (k *kernel) order(s *seriesKernel, in *agg.Input, at int) {
	in.Seq = k.positions()[at]
	if s.interaction {
		c, r := k.columns, k.rows[at]
		in.Item = k.engine.items.texts[c.Ints[colItem][r]]
		in.Type = k.engine.types[c.Ints[colKind][r]].text
		in.Value = agg.Operand{}
		if v := c.Floats[colValue][r]; v == v { //nolint:gocritic // NaN is not itself
			in.Value = agg.Operand{Kind: agg.Float, Float: v}
		}
	}
}
