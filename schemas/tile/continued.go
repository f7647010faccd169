package tile

import (
	"fmt"
	"math"

	"github.com/anabranch/anabranch/schemas/agg"
)

// Continued is a bucket that goes on from an encoded view without decoding all of it: tiles that new events
// may be of are in Bucket, those before them stay encoded until the view is written again
// (Codec.AppendContinued). A night over years of history thereby costs what is new in it. Memory is used again from
// one view to the next; use one a goroutine.
type Continued struct {
	Bucket Bucket

	plan    *Plan
	tails   []header // by series: what stays encoded
	arena   []byte   // the texts of the view
	decoder agg.Decoder
	part    agg.Decoder // of one series
	copier  agg.Copier
}

// NoEvents is a time after every event, for Continued.Open: nothing is decoded.
const NoEvents = math.MaxInt64

// NewContinued returns an empty bucket that continues nothing.
func (p *Plan) NewContinued() *Continued {
	return &Continued{Bucket: p.NewBucket(), plan: p, tails: make([]header, len(p.Series))}
}

// Reset makes it an empty bucket that continues nothing.
func (c *Continued) Reset() {
	for i := range c.Bucket {
		c.Bucket[i] = c.Bucket[i][:0]
	}
	clear(c.tails)
	c.decoder.Err = nil
	c.decoder.Texts = c.decoder.Texts[:0]
}

// Open continues a view with events at or after since, Unix ms. The view must not change until it is written. What
// stays encoded is not looked at, only passed over: who has reason to doubt the view verifies its checksum.
func (c *Continued) Open(view []byte, since int64) error {
	d := &c.decoder
	d.B, d.Err = view, nil
	err := version(d, viewVersion)
	if err == nil {
		c.arena = d.Table(c.arena[:0])
		c.read(since)
		err = end(d)
	}
	if err != nil {
		c.Reset()
		return fmt.Errorf("continue %s view: %w", c.plan.Entity, err)
	}
	return nil
}

// read reads where the series of the bucket are that the decoder is at, and decodes their tiles that events at or after
// since may be of.
func (c *Continued) read(since int64) {
	d := &c.decoder
	c.part.Texts = d.Texts
	for i := range c.tails {
		p, h := &c.plan.Series[i], &c.tails[i]
		c.Bucket[i] = c.Bucket[i][:0]
		h.read(d)
		if h.tiles == 0 || since == NoEvents || p.joins() {
			continue
		}
		from := number(since, p.Width)
		if h.newest < from {
			continue
		}
		c.part.Err = d.Err
		if c.Bucket[i] = p.decodeSince(h, &c.part, c.Bucket[i], from); c.part.Err != nil {
			d.Fail(c.part.Err)
		}
	}
}

// joins reports whether new events can be joined to the one tile of the series while it is encoded.
func (p *SeriesPlan) joins() bool { return p.Width == 0 && p.By < 0 && agg.Joins(p.Monoid) }

// decodeSince reads the tiles of a series from number from on, newest first, and returns their cells, oldest first, in
// the memory of into. What is left in the header is what it has not read.
func (p *SeriesPlan) decodeSince(h *header, d *agg.Decoder, into Series, from int64) Series {
	s := into[:0]
	d.B = h.body
	for i, tiles := 1, h.tiles; h.tiles > 0 && h.newest >= from && d.Err == nil; i++ {
		s = p.decodeTile(d, s, h.newest)
		if h.tiles--; h.tiles > 0 {
			h.newest -= step(d, h.newest-h.oldest, i, tiles)
		} else if h.newest != h.oldest {
			d.Fail(fmt.Errorf("the oldest tile is %d, not %d", h.newest, h.oldest))
		}
	}
	if h.body = d.B; h.tiles == 0 {
		d.Err = end(d)
	}
	if d.Err != nil {
		h.tiles = 0
		return nil
	}
	reverse(s)
	return s
}

// step reads how far tile i of tiles lies behind the one before it, which is at most most.
func step(d *agg.Decoder, most int64, i, tiles int) int64 {
	n := d.Uint()
	if n == 0 || n > uint64(most) {
		d.Fail(fmt.Errorf("tile %d of %d is out of order", i, tiles))
		return 0
	}
	return int64(n)
}

// decodeTile reads the cells of a tile and adds them to s in falling order.
func (p *SeriesPlan) decodeTile(d *agg.Decoder, s Series, t int64) Series {
	if p.By < 0 {
		s = s.extend()
		c := &s[len(s)-1]
		c.Tile = t
		p.Monoid.Fold(&c.Partial, d, 1)
		return s
	}
	from := len(s)
	for range d.Count() {
		s = s.extend()
		c := &s[len(s)-1]
		c.Tile, c.Key = t, d.Text()
		p.Monoid.Fold(&c.Partial, d, 1)
		if len(s)-1 > from && s[len(s)-2].Key >= c.Key {
			d.Fail(fmt.Errorf("the keys of tile %d are out of order", t))
		}
		if d.Err != nil {
			return s
		}
	}
	reverse(s[from:]) // all tiles are turned around later
	return s
}

// AppendContinued adds the encoding of what a view has become to dst, without the tiles that Prune(asOf) drops. It is
// what AppendView writes of the whole bucket.
func (c *Codec) AppendContinued(dst []byte, x *Continued, asOf int64) ([]byte, error) {
	c.enc.Continue(&x.decoder)
	if c.bucketOf(x, asOf); x.decoder.Err != nil {
		return nil, fmt.Errorf("continue %s view: %w", c.plan.Entity, x.decoder.Err)
	}
	dst = c.enc.AppendTable(append(dst, viewVersion))
	return append(dst, c.enc.Buf...), nil
}

// bucketOf writes the series of what a bucket has become. Its error is the decoder's.
func (c *Codec) bucketOf(x *Continued, asOf int64) {
	x.copier.Begin(&c.enc, &x.decoder)
	reach := c.reach(asOf)
	for i := range c.plan.Series {
		p := &c.plan.Series[i]
		if from := reach[i]; p.Width > 0 {
			if s := x.Bucket[i]; len(s) > 0 && s[0].Tile < from {
				x.Bucket[i] = s.since(from)
			}
			if tail := &x.tails[i]; tail.tiles > 0 && (c.plain[i] || tail.newest < from) {
				*tail, _ = p.prune(&x.decoder, *tail, from)
			}
		}
		c.continued(p, x, i)
	}
}

// reach returns the oldest tile of each series that a window read at asOf reaches. Many states in a row have the same asOf.
func (c *Codec) reach(asOf int64) []int64 {
	if c.asOf == asOf && c.froms != nil {
		return c.froms
	}
	c.asOf, c.froms = asOf, c.froms[:0]
	for i := range c.plan.Series {
		p, from := &c.plan.Series[i], int64(0)
		if p.Width > 0 {
			from = number(asOf-int64(p.Window), p.Width)
		}
		c.froms = append(c.froms, from)
	}
	return c.froms
}

// since drops the tiles before number from, in place.
func (s Series) since(from int64) Series {
	if len(s) == 0 || s[0].Tile >= from {
		return s
	}
	n, _ := s.find(from, "")
	for i := range s[n:] {
		s[i], s[n+i] = s[n+i], s[i] // the memory of what is dropped is used again
	}
	return s[:len(s)-n]
}
