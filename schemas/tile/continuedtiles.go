package tile

import (
	"encoding/binary"
	"slices"

	"github.com/anabranch/anabranch/schemas/agg"
)

// continued writes series i as Codec.series does: its decoded tiles, then the encoded ones that the reach does not leave behind.
func (c *Codec) continued(p *SeriesPlan, x *Continued, i int) {
	e, s, tail := &c.enc, x.Bucket[i], &x.tails[i]
	switch {
	case tail.tiles == 0:
		c.series(p, s)
		return
	case len(s) == 0 && c.plain[i]:
		e.Buf = appendHeader(e.Buf, *tail)
		return
	}
	x.decoder.B = tail.body
	if len(s) > 0 && p.joins() {
		c.joined(p, x, &s[0])
		return
	}
	h := header{newest: tail.newest}
	start := len(e.Buf)
	if tiles := s.tiles(); tiles > 0 {
		h.tiles, h.newest = tiles, s[len(s)-1].Tile
		c.tiles(p, s)
		e.Uint(uint64(s[0].Tile - tail.newest))
	}
	if c.plain[i] { // and pruned already
		e.Buf = append(e.Buf, tail.body...)
		h.tiles, h.oldest = h.tiles+tail.tiles, tail.oldest
	} else {
		var copied int
		copied, h.oldest = x.copyTiles(e, p, tail, c.froms[i])
		h.tiles += copied
	}
	e.Buf = insertHead(e.Buf, start, h)
}

// insertHead writes what comes before the tiles of a series, which begin at start and end with the buffer.
func insertHead(b []byte, start int, h header) []byte {
	var head [4 * binary.MaxVarintLen64]byte
	return slices.Insert(b, start, appendHead(head[:0], h, len(b)-start)...)
}

// joined writes the one tile of a series that is partly decoded, partly encoded.
func (c *Codec) joined(p *SeriesPlan, x *Continued, s *Cell) {
	e := &c.enc
	e.Uint(1)
	e.Int(s.Tile)
	e.Uint(0)
	at := leaveByte(e)
	x.copier.Join(p.Monoid, &s.Partial)
	e.Buf = setLength(e.Buf, at)
}

// copyTiles copies the encoded tiles of a series from the newest on, which is reached, to the last that is not before
// number from. It returns how many they are, and the oldest.
func (c *Continued) copyTiles(e *agg.Encoder, p *SeriesPlan, h *header, from int64) (tiles int, oldest int64) {
	d, t := &c.decoder, h.newest
	for i := range h.tiles {
		if i > 0 {
			behind := step(d, t-h.oldest, i, h.tiles)
			if d.Err != nil || t-behind < from {
				return i, t
			}
			t -= behind
			e.Uint(uint64(behind))
		}
		if p.By >= 0 {
			c.copier.Keyed(p.Monoid, d.Count())
		} else {
			c.copier.Partial(p.Monoid)
		}
		if d.Err != nil {
			return i, t
		}
	}
	if err := end(d); err != nil {
		d.Fail(err)
	} else if t != h.oldest {
		d.Fail(errOldest)
	}
	return h.tiles, t
}
