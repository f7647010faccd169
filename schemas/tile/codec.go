package tile

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/anabranch/anabranch/schemas/agg"
)

// The versions of the encodings (docs/formats/state.md). Another one is refused: a state that is half
// understood would be a wrong answer.
const (
	stateVersion = 2
	viewVersion  = 2
)

// Codec encodes states and views of a plan. It keeps memory from one to the next; use one a goroutine.
type Codec struct {
	plan *Plan
	enc  agg.Encoder
	body []byte

	plain []bool // by series: no tile of it names a text

	asOf  int64   // of froms
	froms []int64 // by series: see reach
}

// NewCodec returns a codec.
func (p *Plan) NewCodec() *Codec {
	c := &Codec{plan: p, plain: make([]bool, len(p.Series))}
	for i := range p.Series {
		c.plain[i] = p.Series[i].By < 0 && !agg.HoldsTexts(p.Series[i].Monoid)
	}
	return c
}

// AppendState adds the encoding of a live state to dst: version, next offset, recent ids, texts, then
// the buckets, each with its epoch and its length.
func (c *Codec) AppendState(dst []byte, s *State) []byte {
	dst = append(dst, stateVersion)
	dst = binary.AppendVarint(dst, s.Next)
	dst = s.Recent.Append(dst)
	c.enc.Reset()
	c.body = c.body[:0]
	for i := range s.Epochs {
		c.enc.Buf = c.enc.Buf[:0]
		c.bucket(s.Epochs[i].Bucket)
		c.body = binary.AppendVarint(c.body, s.Epochs[i].Epoch)
		c.body = binary.AppendUvarint(c.body, uint64(len(c.enc.Buf)))
		c.body = append(c.body, c.enc.Buf...)
	}
	dst = c.enc.AppendTable(dst)
	dst = binary.AppendUvarint(dst, uint64(len(s.Epochs)))
	return append(dst, c.body...)
}

// Peek returns the next offset of an encoded live state and its epochs, ascending, without decoding the
// rest. An empty b is the state of an entity never seen.
func (p *Plan) Peek(b []byte) (next int64, epochs []int64, err error) {
	if len(b) == 0 {
		return 0, nil, nil
	}
	d := agg.Decoder{B: b}
	if err = version(&d, stateVersion); err == nil {
		next = d.Int()
		var recent Recent
		d.Bytes(8 * recent.readHead(&d))
		d.SkipTable()
		for range d.Count() {
			epochs = append(epochs, d.Int())
			d.Bytes(d.Count())
		}
		err = end(&d)
	}
	if err != nil {
		return 0, nil, fmt.Errorf("look into %s state: %w", p.Entity, err)
	}
	return next, epochs, nil
}

// AppendView adds the encoding of a batch view's bucket to dst: version, texts, bucket.
func (c *Codec) AppendView(dst []byte, b Bucket) []byte {
	c.enc.Reset()
	c.bucket(b)
	dst = c.enc.AppendTable(append(dst, viewVersion))
	return append(dst, c.enc.Buf...)
}

// bucket writes the series of a bucket.
func (c *Codec) bucket(b Bucket) { c.each(b, func() {}) }

// each writes the series of a bucket and calls done after each.
func (c *Codec) each(b Bucket, done func()) {
	for i := range c.plan.Series {
		c.series(&c.plan.Series[i], b[i])
		done()
	}
}

// series writes the number of tiles and, where there are any, the number of the newest tile, how far the
// oldest lies behind it, and the length of what follows, then the tiles, newest first.
func (c *Codec) series(p *SeriesPlan, s Series) {
	e, tiles := &c.enc, s.tiles()
	e.Uint(uint64(tiles))
	if tiles == 0 {
		return
	}
	newest := s[len(s)-1].Tile
	e.Int(newest)
	e.Uint(uint64(newest - s[0].Tile))
	at := leaveByte(e)
	c.tiles(p, s)
	e.Buf = setLength(e.Buf, at)
}

// Sizes returns how many bytes each series of a bucket takes in an encoding, and how many the texts take that
// they share.
func (c *Codec) Sizes(b Bucket) (series []int, texts int) {
	c.enc.Reset()
	before := 0
	c.each(b, func() {
		series = append(series, len(c.enc.Buf)-before)
		before = len(c.enc.Buf)
	})
	return series, len(c.enc.AppendTable(nil))
}

// leaveByte leaves room for a length of less than 128, as most are, and returns where.
func leaveByte(e *agg.Encoder) (at int) {
	e.Buf = append(e.Buf, 0)
	return len(e.Buf) - 1
}

// setLength writes the number of bytes that follow the one at at in its place.
func setLength(b []byte, at int) []byte {
	length := len(b) - at - 1
	if length < 0x80 {
		b[at] = byte(length)
		return b
	}
	var head [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(head[:], uint64(length))
	b = append(b, head[1:n]...)
	copy(b[at+n:], b[at+1:at+1+length])
	copy(b[at:], head[:n])
	return b
}

// tiles writes the tiles, newest first: how far a tile lies behind the one before it (not of the newest),
// the number of its keys and each key (where the series is grouped), and the partial.
func (c *Codec) tiles(p *SeriesPlan, s Series) {
	e := &c.enc
	for to := len(s); to > 0; {
		from := to - 1
		for from > 0 && s[from-1].Tile == s[to-1].Tile {
			from--
		}
		if to < len(s) {
			e.Uint(uint64(s[to].Tile - s[from].Tile))
		}
		if p.By >= 0 {
			e.Uint(uint64(to - from))
		}
		for i := from; i < to; i++ {
			if p.By >= 0 {
				e.Text(s[i].Key)
			}
			p.Monoid.Append(e, &s[i].Partial)
		}
		to = from
	}
}

// tiles returns the number of distinct tiles.
func (s Series) tiles() (n int) {
	for i := range s {
		if i == 0 || s[i].Tile != s[i-1].Tile {
			n++
		}
	}
	return n
}

// DecodeState reads what AppendState wrote. An empty b is the state of an entity never seen.
func (p *Plan) DecodeState(b []byte) (*State, error) {
	s := &State{}
	if len(b) == 0 {
		return s, nil
	}
	d := agg.Decoder{B: b}
	if err := version(&d, stateVersion); err != nil {
		return nil, fmt.Errorf("decode %s state: %w", p.Entity, err)
	}
	s.Next = d.Int()
	s.Recent.Read(&d)
	d.Table(nil)
	for range d.Count() {
		e := EpochBucket{Epoch: d.Int()}
		if n := len(s.Epochs); n > 0 && s.Epochs[n-1].Epoch >= e.Epoch {
			d.Fail(fmt.Errorf("epoch %d follows epoch %d", e.Epoch, s.Epochs[n-1].Epoch))
		}
		part := agg.Decoder{B: d.Bytes(d.Count()), Texts: d.Texts, Err: d.Err}
		e.Bucket = p.NewBucket()
		p.decodeBucket(&part, e.Bucket)
		s.Epochs = append(s.Epochs, e)
		if d.Err = part.Err; d.Err != nil {
			break
		}
	}
	if err := end(&d); err != nil {
		return nil, fmt.Errorf("decode %s state: %w", p.Entity, err)
	}
	return s, nil
}

// DecodeView reads what AppendView wrote.
func (p *Plan) DecodeView(b []byte) (Bucket, error) {
	out := p.NewBucket()
	_, err := p.DecodeViewInto(out, nil, b)
	return out, err
}

// DecodeViewInto is DecodeView into the memory of a bucket that is no longer used and of arena, which holds the
// texts and is returned, grown. Both are as damaged as the view after an error.
func (p *Plan) DecodeViewInto(b Bucket, arena, view []byte) ([]byte, error) {
	d := agg.Decoder{B: view}
	err := version(&d, viewVersion)
	if err == nil {
		arena = d.Table(arena[:0])
		p.decodeBucket(&d, b)
		err = d.Err
	}
	if err != nil {
		return arena, fmt.Errorf("decode %s view: %w", p.Entity, err)
	}
	return arena, nil
}

func version(d *agg.Decoder, want byte) error {
	if len(d.B) == 0 {
		return fmt.Errorf("it is empty")
	}
	if v := d.B[0]; v != want {
		return fmt.Errorf("version %d, this build reads %d", v, want)
	}
	d.B = d.B[1:]
	return nil
}

func end(d *agg.Decoder) error {
	if d.Err == nil && len(d.B) > 0 {
		return fmt.Errorf("%d bytes follow the end", len(d.B))
	}
	return d.Err
}

// decodeBucket reads a bucket to the end of d.
func (p *Plan) decodeBucket(d *agg.Decoder, b Bucket) {
	var h header
	part := agg.Decoder{Texts: d.Texts}
	for i := range p.Series {
		h.read(d)
		part.Err = d.Err
		b[i] = p.Series[i].decodeSince(&h, &part, slices.Grow(b[i][:0], h.tiles), math.MinInt64)
		if part.Err != nil {
			d.Fail(part.Err)
			return
		}
	}
	if len(d.B) > 0 {
		d.Fail(fmt.Errorf("%d bytes follow the last series", len(d.B)))
	}
}

// header is what comes before the tiles of a series.
type header struct {
	tiles          int
	newest, oldest int64
	body           []byte
}

// read reads the header that the decoder is at, and passes over the tiles. After an error it is that of no tiles.
func (h *header) read(d *agg.Decoder) {
	tiles, b := agg.Next(d.B)
	if tiles == 0 && b != nil {
		d.B, h.tiles, h.body = b, 0, nil
		return
	}
	newest, b := agg.Next(b)
	behind, b := agg.Next(b)
	length, b := agg.Next(b)
	if b == nil || length > uint64(len(b)) || tiles > length {
		d.Fail(fmt.Errorf("a series of %d tiles, %d bytes, ends early", tiles, length))
		h.tiles, h.body = 0, nil
		return
	}
	h.tiles, h.newest = int(tiles), int64(newest>>1)^-int64(newest&1)
	if h.oldest = h.newest - int64(behind); h.oldest > h.newest { // a difference that wrapped around
		d.Fail(fmt.Errorf("the oldest tile, %d, is after the newest, %d", h.oldest, h.newest))
	}
	h.body, d.B = b[:length], b[length:]
}

// extend adds an empty cell, in the memory of one that was there before where there is room.
func (s Series) extend() Series {
	if len(s) == cap(s) {
		return append(s, Cell{})
	}
	s = s[:len(s)+1]
	c := &s[len(s)-1]
	c.Tile, c.Key = 0, ""
	c.Partial.Reset()
	return s
}

func reverse(s Series) {
	for i, j := 0, len(s)-1; i < j; i, j = i+1, j-1 {
		s[i], s[j] = s[j], s[i]
	}
}
