package tile

import (
	"github.com/anabranch/anabranch/schemas/agg"
)

// patcher writes the series of a bucket that rows are of. Most rows are of the newest tile or of one after it: then only the
// front of a series changes.
type patcher struct {
	plan     *Plan
	patchers []agg.Patcher // by series, nil where its aggregate is none
	empty    []byte        // the encoding of an empty bucket
	bucket   agg.Decoder
	part     agg.Decoder // of one series
	copier   agg.Copier
	fronts   []agg.Partial // by series: of the newest tile
	cells    []Series      // by series: those of the tiles that rows are of
	inputs   []agg.Input   // by row
	touches  []touch
}

// touch is a row that is of a series.
type touch struct {
	row  int
	tile int64
	key  string
}

func newPatcher(p *Plan) patcher {
	x := patcher{
		plan: p, patchers: make([]agg.Patcher, len(p.Series)), empty: make([]byte, len(p.Series)),
		fronts: make([]agg.Partial, len(p.Series)), cells: make([]Series, len(p.Series)),
	}
	for i := range p.Series {
		x.patchers[i], _ = p.Series[i].Monoid.(agg.Patcher)
	}
	return x
}

// patch writes the bucket of an epoch with its rows. Dropped says that tiles went which may have named texts.
func (c *Codec) patch(s *ContinuedState, e *openEpoch, oldest int64) (dropped bool, err error) {
	x, rows, body := &s.patcher, s.rows[e.from:e.to], e.body
	if len(body) == 0 {
		body = x.empty
	}
	x.begin(c, s, rows)
	d, reach := &x.bucket, c.reach(oldest)
	*d = agg.Decoder{B: body}
	same := body // from here on nothing has been written
	var h header
	for i := range x.plan.Series {
		p, before := &x.plan.Series[i], d.B
		h.read(d)
		gone := p.Width > 0 && h.tiles > 0 && h.oldest < reach[i]
		if x.touch(p, rows, reach[i]); !gone && len(x.touches) == 0 {
			continue
		}
		c.enc.Buf = append(c.enc.Buf, same[:len(same)-len(before)]...)
		same = d.B
		if gone {
			h, _ = p.prune(&x.part, h, reach[i])
			dropped = dropped || !c.plain[i]
		}
		if c.patchSeries(x, i, &h); x.part.Err != nil {
			return false, x.part.Err
		}
	}
	c.enc.Buf = append(c.enc.Buf, same...)
	return dropped, end(d)
}

// begin prepares for the rows of a bucket.
func (x *patcher) begin(c *Codec, s *ContinuedState, rows []Row) {
	x.part.Texts, x.part.Err = s.decoder.Texts, nil
	x.copier.Begin(&c.enc, &x.part)
	x.inputs = x.inputs[:0]
	for i := range rows {
		x.plan.begin(&rows[i])
		x.inputs = append(x.inputs, rows[i].input())
	}
}

// touch finds the rows that are of a series, but for those of tiles before number from.
func (x *patcher) touch(p *SeriesPlan, rows []Row, from int64) {
	x.touches = x.touches[:0]
	for i := range rows {
		r := &rows[i]
		n := r.tiles[p.width]
		if p.Width > 0 && n < from || !r.matched[p.Filter] {
			continue
		}
		if key, ok := p.takes(r, &x.inputs[i]); ok {
			x.inputs[i].Start = n * p.Width
			x.touches = append(x.touches, touch{i, n, key})
		}
	}
}

// patchSeries writes a series with the rows that touch it. Its error is that of x.part.
func (c *Codec) patchSeries(x *patcher, i int, h *header) {
	p := &x.plan.Series[i]
	switch {
	case len(x.touches) == 0:
		c.enc.Buf = appendHeader(c.enc.Buf, *h)
	case p.By < 0 && x.ofFront(h):
		c.patchFront(x, i, h)
	case p.By >= 0 && c.patchKey(x, i, h):
	default:
		c.patchTiles(x, i, h)
	}
}

// ofFront reports whether the rows that touch a series are all of one tile, the newest or one after it.
func (x *patcher) ofFront(h *header) bool {
	n := x.touches[0].tile
	for i := range x.touches {
		if x.touches[i].tile != n {
			return false
		}
	}
	return h.tiles == 0 || n >= h.newest
}

// patchFront writes a series whose newest tile is the one that rows are of; what is behind it stays as it is.
func (c *Codec) patchFront(x *patcher, i int, h *header) {
	e, d, n := &c.enc, &x.part, x.touches[0].tile
	tiles, oldest, fresh := h.tiles, h.oldest, h.tiles == 0 || n > h.newest
	if fresh {
		tiles++
	}
	if h.tiles == 0 {
		oldest = n
	}
	e.Uint(uint64(tiles))
	e.Int(n)
	e.Uint(uint64(n - oldest))
	at := leaveByte(e)
	d.B = h.body
	if fresh || !x.patchOne(e, i) {
		d.B = h.body
		x.front(e, i, fresh)
		if fresh && h.tiles > 0 {
			e.Uint(uint64(n - h.newest))
		}
	}
	e.Buf = append(e.Buf, d.B...)
	e.Buf = setLength(e.Buf, at)
}

// patchOne writes the front of the partial that the decoder is at with the row that touches it, where it is the only one
// and the aggregate can. False says that nothing was written.
func (x *patcher) patchOne(e *agg.Encoder, i int) bool {
	m := x.patchers[i]
	return m != nil && len(x.touches) == 1 && m.Patch(e, &x.part, &x.inputs[x.touches[0].row])
}

// front writes the tile that rows are of, which is fresh or the one that the decoder is at.
func (x *patcher) front(e *agg.Encoder, i int, fresh bool) {
	p, f := &x.plan.Series[i], &x.fronts[i]
	f.Reset()
	if !fresh && p.joins() {
		x.update(p, f)
		x.copier.Join(p.Monoid, f)
		x.part.B = nil // it is the only tile
		return
	}
	if !fresh {
		p.Monoid.Fold(f, &x.part, 1)
	}
	x.update(p, f)
	p.Monoid.Append(e, f)
}

// update adds the rows that touch a series to a partial.
func (x *patcher) update(p *SeriesPlan, f *agg.Partial) {
	for i := range x.touches {
		p.Monoid.Update(f, &x.inputs[x.touches[i].row])
	}
}

// patchKey writes a grouped series of whose newest tile one row is, with a key that it has. Otherwise it writes nothing and
// reports false.
func (c *Codec) patchKey(x *patcher, i int, h *header) bool {
	e, d, p, t := &c.enc, &x.part, &x.plan.Series[i], &x.touches[0]
	if len(x.touches) > 1 || h.tiles == 0 || t.tile != h.newest || x.patchers[i] == nil {
		return false
	}
	d.B = h.body
	number := e.Number(t.key)
	for range d.Count() {
		if d.Uint() != number {
			p.Monoid.Skip(d)
			continue
		}
		before := len(e.Buf)
		e.Uint(uint64(h.tiles))
		e.Int(h.newest)
		e.Uint(uint64(h.newest - h.oldest))
		at := leaveByte(e)
		e.Buf = append(e.Buf, h.body[:len(h.body)-len(d.B)]...)
		if !x.patchOne(e, i) {
			e.Buf = e.Buf[:before]
			return false
		}
		e.Buf = append(e.Buf, d.B...)
		e.Buf = setLength(e.Buf, at)
		return true
	}
	return false
}

// patchTiles writes a series whose tiles from the earliest row on are decoded.
func (c *Codec) patchTiles(x *patcher, i int, h *header) {
	e, p := &c.enc, &x.plan.Series[i]
	from := x.touches[0].tile
	for j := range x.touches {
		from = min(from, x.touches[j].tile)
	}
	s := x.cells[i][:0]
	if h.tiles > 0 && h.newest >= from {
		if s = p.decodeSince(h, &x.part, s, from); x.part.Err != nil {
			return
		}
	}
	for j := range x.touches {
		t := &x.touches[j]
		p.Monoid.Update(s.cell(t.tile, t.key), &x.inputs[t.row])
	}
	x.cells[i] = s
	if h.tiles == 0 {
		c.series(p, s)
		return
	}
	newest := s[len(s)-1].Tile
	e.Uint(uint64(s.tiles() + h.tiles))
	e.Int(newest)
	e.Uint(uint64(newest - h.oldest))
	at := leaveByte(e)
	c.tiles(p, s)
	e.Uint(uint64(s[0].Tile - h.newest))
	e.Buf = append(e.Buf, h.body...)
	e.Buf = setLength(e.Buf, at)
}
