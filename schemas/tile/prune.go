package tile

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/anabranch/anabranch/schemas/agg"
)

// prune drops the tiles before number from of a series that is encoded. A night does so with nearly every view, mostly
// for one tile of each series. Most is the greatest number of a text in the tiles that stay, where they name any.
func (p *SeriesPlan) prune(d *agg.Decoder, h header, from int64) (kept header, most uint64) {
	switch {
	case h.tiles == 0 || h.oldest >= from:
		return h, 0
	case h.newest < from:
		return header{}, 0
	}
	var err error
	n, size := agg.Varints(p.Monoid), agg.Bytes(p.Monoid)
	switch {
	case n > 0 && p.By < 0:
		kept, err = h.pruneBack(n, from)
	case size > 0 && p.By < 0 && len(h.body) == h.tiles*(size+1)-1:
		kept, err = h.pruneStride(size, from)
	default:
		kept, most, err = p.pruneAhead(d, h, from)
	}
	if err != nil {
		d.Fail(err)
	}
	return kept, most
}

var errOldest = errors.New("the tiles of a series are not those that its head announces")

// pruneBack drops tiles from the end, which can be done without looking at the others where a tile is nothing but
// varints: how far it lies behind the one before it, then as many as a partial has.
func (h header) pruneBack(varints int, from int64) (header, error) {
	for h.oldest < from {
		var step uint64
		for range varints + 1 {
			start := lastVarint(h.body)
			n := 0
			if step, n = binary.Uvarint(h.body[start:]); n != len(h.body)-start || n == 0 {
				return header{}, errOldest
			}
			h.body = h.body[:start]
		}
		if h.tiles--; step == 0 || step > uint64(h.newest-h.oldest) || h.tiles == 0 {
			return header{}, errOldest
		}
		h.oldest += int64(step)
	}
	return h, nil
}

// pruneStride drops tiles from the end where partials have a size and, as the length of all says, how far a tile lies behind
// the one before it is a byte everywhere.
func (h header) pruneStride(size int, from int64) (header, error) {
	for h.oldest < from {
		last := len(h.body) - size - 1
		if h.tiles--; h.tiles == 0 || h.body[last] == 0 || h.body[last] >= 0x80 || int64(h.body[last]) > h.newest-h.oldest {
			return header{}, errOldest
		}
		h.oldest += int64(h.body[last])
		h.body = h.body[:last]
	}
	return h, nil
}

// lastVarint returns where the last of a sequence of varints begins.
func lastVarint(b []byte) int {
	start := max(len(b)-1, 0)
	for start > 0 && b[start-1] >= 0x80 {
		start--
	}
	return start
}

// pruneAhead looks for the first tile that goes.
func (p *SeriesPlan) pruneAhead(d *agg.Decoder, h header, from int64) (kept header, most uint64, err error) {
	d.B = h.body
	t, last := h.newest, h.newest
	for i := range h.tiles {
		end := len(h.body) - len(d.B)
		if i > 0 {
			t -= step(d, t-h.oldest, i, h.tiles)
		}
		if d.Err != nil {
			return header{}, 0, d.Err
		}
		if t < from {
			return header{tiles: i, newest: h.newest, oldest: last, body: h.body[:end]}, most, nil
		}
		last = t
		most = p.mostText(d, most)
	}
	return header{}, 0, fmt.Errorf("%w: none is the oldest", errOldest)
}

// mostText passes over a tile and returns the greatest number of a text in it, or most if that is greater.
func (p *SeriesPlan) mostText(d *agg.Decoder, most uint64) uint64 {
	if p.By < 0 {
		return agg.MostText(p.Monoid, d, most)
	}
	for range d.Count() {
		most = agg.MostText(p.Monoid, d, max(most, d.Uint()))
	}
	return most
}
