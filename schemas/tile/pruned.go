package tile

import (
	"encoding/binary"
	"fmt"

	"github.com/anabranch/anabranch/schemas/agg"
)

// AppendPruned adds an encoded view to dst, without the tiles that Prune(asOf) drops: what AppendView writes of the
// pruned bucket. X is what it works with.
func (c *Codec) AppendPruned(dst []byte, x *Continued, view []byte, asOf int64) ([]byte, error) {
	at := len(dst)
	dst, same, err := x.appendShortened(dst, view, asOf)
	if err != nil {
		return nil, fmt.Errorf("prune %s view: %w", c.plan.Entity, err)
	}
	if same {
		return dst, nil
	}
	if err := x.Open(view, NoEvents); err != nil {
		return nil, err
	}
	return c.AppendContinued(dst[:at], x, asOf)
}

// appendShortened does it where texts keep their numbers: then all that stays are the same bytes. It reports false
// where that cannot be told.
func (c *Continued) appendShortened(dst, view []byte, asOf int64) (out []byte, same bool, err error) {
	d := &c.decoder
	d.B, d.Err = view, nil
	if err := version(d, viewVersion); err != nil {
		return dst, false, err
	}
	d.SkipTable()
	dst = append(dst, view[:len(view)-len(d.B)]...)
	var h header
	for i := range c.plan.Series {
		s, before := &c.plan.Series[i], d.B
		h.read(d)
		from := number(asOf-int64(s.Window), s.Width)
		if s.Width == 0 || h.tiles == 0 || h.oldest >= from {
			dst = append(dst, before[:len(before)-len(d.B)]...)
			continue
		}
		c.part = agg.Decoder{Err: d.Err}
		kept, most := s.prune(&c.part, h, from)
		if !s.keepsTexts(&c.part, h, kept, most) {
			return dst, false, c.part.Err
		}
		dst = appendHeader(dst, kept)
	}
	return dst, true, end(d)
}

// appendHeader writes a series that is encoded.
func appendHeader(dst []byte, h header) []byte {
	return append(appendHead(dst, h, len(h.body)), h.body...)
}

// appendHead writes what comes before the tiles of a series, which have as many bytes as length says.
func appendHead(dst []byte, h header, length int) []byte {
	dst = binary.AppendUvarint(dst, uint64(h.tiles))
	if h.tiles == 0 {
		return dst
	}
	dst = binary.AppendVarint(dst, h.newest)
	dst = binary.AppendUvarint(dst, uint64(h.newest-h.oldest))
	return binary.AppendUvarint(dst, uint64(length))
}

// keepsTexts reports whether no text is named for the first time in the tiles that go. Texts are numbered in the order
// in which they are first named, so that those would have greater numbers than most, the greatest that stays.
func (p *SeriesPlan) keepsTexts(d *agg.Decoder, h, kept header, most uint64) bool {
	if d.Err != nil {
		return false
	}
	if p.By < 0 && !agg.HoldsTexts(p.Monoid) {
		return true
	}
	if kept.tiles == 0 {
		return false
	}
	d.B = h.body[len(kept.body):]
	for range h.tiles - kept.tiles {
		d.Uint() // how far it lies behind the one before it
		if p.mostText(d, most) > most {
			return false
		}
	}
	return d.Err == nil
}
