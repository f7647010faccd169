package tile

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/anabranch/anabranch/schemas/agg"
)

// stateVersion and viewVersion number the encodings (docs/formats/state.md). A newer one than these
// is refused: a state that is half understood would be a wrong answer.
const (
	stateVersion = 1
	viewVersion  = 1
)

var errShort = errors.New("encoding ends early")

// AppendState adds the encoding of a live state to dst.
func (p *Plan) AppendState(dst []byte, s *State) []byte {
	dst = append(dst, stateVersion)
	dst = binary.AppendVarint(dst, s.Next)
	ids := s.Recent.inOrder()
	dst = binary.AppendUvarint(dst, uint64(len(ids)))
	for _, id := range ids {
		dst = binary.AppendVarint(dst, id.epoch)
		dst = binary.LittleEndian.AppendUint64(dst, id.hash)
	}
	dst = binary.AppendUvarint(dst, uint64(len(s.Epochs)))
	for _, b := range s.Epochs {
		dst = binary.AppendVarint(dst, b.Epoch)
		dst = p.appendBucket(dst, b.Bucket)
	}
	return dst
}

// DecodeState reads what AppendState wrote. An empty b is the state of an entity never seen.
func (p *Plan) DecodeState(b []byte) (*State, error) {
	s := &State{}
	if len(b) == 0 {
		return s, nil
	}
	r := reader{b: b}
	if v := r.byte(); v != stateVersion {
		return nil, fmt.Errorf("decode %s state: version %d, this build reads %d", p.Entity, v, stateVersion)
	}
	s.Next = r.varint()
	for range r.count() {
		id := recentID{epoch: r.varint()}
		id.hash = r.uint64()
		s.Recent.ring = append(s.Recent.ring, id)
	}
	if len(s.Recent.ring) > RecentCap {
		return nil, fmt.Errorf("decode %s state: %d recent ids, at most %d are possible", p.Entity, len(s.Recent.ring), RecentCap)
	}
	for range r.count() {
		e := EpochBucket{Epoch: r.varint()}
		e.Bucket = r.bucket(p)
		s.Epochs = append(s.Epochs, e)
	}
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("decode %s state: %w", p.Entity, err)
	}
	return s, nil
}

// AppendView adds the encoding of a batch view's bucket to dst.
func (p *Plan) AppendView(dst []byte, b Bucket) []byte {
	return p.appendBucket(append(dst, viewVersion), b)
}

// DecodeView reads what AppendView wrote.
func (p *Plan) DecodeView(b []byte) (Bucket, error) {
	r := reader{b: b}
	if v := r.byte(); v != viewVersion {
		return nil, fmt.Errorf("decode %s view: version %d, this build reads %d", p.Entity, v, viewVersion)
	}
	out := r.bucket(p)
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("decode %s view: %w", p.Entity, err)
	}
	return out, nil
}

// appendBucket writes the number of features, then each series: its number of cells, and a cell as
// the tile's number since the cell before (delta), the key where the feature is grouped, and the
// partial.
func (p *Plan) appendBucket(dst []byte, b Bucket) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(p.Features)))
	for i, f := range p.Features {
		dst = binary.AppendUvarint(dst, uint64(len(b[i])))
		prev := int64(0)
		for _, c := range b[i] {
			n := c.Start / max(f.width, 1)
			dst = binary.AppendVarint(dst, n-prev)
			prev = n
			if f.Def.By != "" {
				dst = binary.AppendUvarint(dst, uint64(len(c.Key)))
				dst = append(dst, c.Key...)
			}
			dst = f.Monoid.Append(dst, c.Partial)
		}
	}
	return dst
}

// reader decodes with a sticky error, so that callers check once.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err, r.b = err, nil
	}
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail(errShort)
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *reader) varint() int64 {
	n, used := binary.Varint(r.b)
	if used <= 0 {
		r.fail(errShort)
		return 0
	}
	r.b = r.b[used:]
	return n
}

// count reads a number of entries. No entry is shorter than a byte, which bounds it.
func (r *reader) count() int {
	n, used := binary.Uvarint(r.b)
	if used <= 0 || n > uint64(len(r.b)) {
		r.fail(errShort)
		return 0
	}
	r.b = r.b[used:]
	return int(n)
}

func (r *reader) uint64() uint64 {
	if len(r.b) < 8 {
		r.fail(errShort)
		return 0
	}
	n := binary.LittleEndian.Uint64(r.b)
	r.b = r.b[8:]
	return n
}

func (r *reader) text() string {
	n := r.count()
	if n > len(r.b) {
		r.fail(errShort)
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func (r *reader) partial(m agg.Monoid) agg.Partial {
	if r.err != nil {
		return m.Zero()
	}
	x, rest, err := m.Decode(r.b)
	if err != nil {
		r.fail(err)
		return m.Zero()
	}
	r.b = rest
	return x
}

func (r *reader) bucket(p *Plan) Bucket {
	if n := r.count(); n != len(p.Features) && r.err == nil {
		r.fail(fmt.Errorf("%d features, the catalogue has %d", n, len(p.Features)))
	}
	b := p.NewBucket()
	for i, f := range p.Features {
		prev := int64(0)
		for range r.count() {
			prev += r.varint()
			c := Cell{Start: prev * f.width}
			if f.Def.By != "" {
				c.Key = r.text()
			}
			c.Partial = r.partial(f.Monoid)
			if r.err != nil {
				return b
			}
			b[i] = append(b[i], c)
		}
	}
	return b
}

func (r *reader) end() error {
	if r.err == nil && len(r.b) > 0 {
		return fmt.Errorf("%d bytes follow the end", len(r.b))
	}
	return r.err
}
