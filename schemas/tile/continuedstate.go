package tile

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"

	"github.com/anabranch/anabranch/schemas/agg"
)

// ContinuedState is a live state that takes events without being decoded: when it is written, the tiles that events are
// of change on their way from the old encoding to the new one, and the rest is copied as it is. So a state takes little
// memory and work, however much it has seen, and what is kept between batches are its bytes. Memory is used again from
// one state to the next; use one a goroutine.
//
//	err := s.Open(blob)                           // head, recent ids, texts, where the epochs are
//	row, err := s.Row(epoch)                      // once an event, in the order of the log
//	plan.Fill(row, event, seq)
//	s.Next = offset + 1
//	blob, err = codec.AppendContinuedState(nil, s, base, oldest)
//
// # Texts
//
// What is copied as it is names texts by their numbers, so they keep them: the table of a state that is continued has the
// old texts first, even those that nothing names any more, then new ones. From time to time, and whenever something that
// names texts is dropped, the state is compacted: it is written as AppendState would, with the texts that it names alone.
type ContinuedState struct {
	Next   int64  // as State.Next
	Recent Recent // as State.Recent

	plan    *Plan
	decoder agg.Decoder // its texts are those of the state
	arena   []byte      // they lie here
	epochs  []openEpoch // ascending
	rows    []Row
	taken   int // how many of the rows are of this state

	patcher  patcher
	compact  *Continued // for compaction
	compacts []byte     // the same: the encoding that is compacted
}

// openEpoch is the encoded bucket of an epoch and the rows that are of it.
type openEpoch struct {
	epoch    int64
	body     []byte
	from, to int // in ContinuedState.rows
}

// compactEvery is how many new texts a state gets, or a quarter of those that it has if that is more, before it is
// compacted. No more are in its table in vain than that and those that it once named.
const compactEvery = 32

// grows reports whether a table that grows to after texts should be compacted.
func grows(before, after int) bool {
	every := max(compactEvery, 1<<bits.Len(uint(after))/8)
	return before/every != after/every
}

// NewContinuedState returns the state of an entity never seen.
func (p *Plan) NewContinuedState() *ContinuedState {
	return &ContinuedState{plan: p, patcher: newPatcher(p), compact: p.NewContinued()}
}

// Open continues an encoded state, which must not change until it is written again. An empty one is that of an entity
// never seen. What no event is of is not looked at, only passed over.
func (s *ContinuedState) Open(state []byte) error {
	s.reset()
	if len(state) == 0 {
		return nil
	}
	if err := s.open(state); err != nil {
		s.reset()
		return fmt.Errorf("continue %s state: %w", s.plan.Entity, err)
	}
	return nil
}

func (s *ContinuedState) open(state []byte) error {
	d := &s.decoder
	d.B = state
	if err := version(d, stateVersion); err != nil {
		return err
	}
	s.Next = d.Int()
	s.Recent.Read(d)
	s.arena = d.Table(s.arena[:0])
	for range d.Count() {
		e := openEpoch{epoch: d.Int()}
		if n := len(s.epochs); n > 0 && s.epochs[n-1].epoch >= e.epoch {
			d.Fail(fmt.Errorf("epoch %d follows epoch %d", e.epoch, s.epochs[n-1].epoch))
		}
		e.body = d.Bytes(d.Count())
		s.epochs = append(s.epochs, e)
	}
	return end(d)
}

// reset makes it the state of an entity never seen.
func (s *ContinuedState) reset() {
	s.Next, s.epochs, s.taken = 0, s.epochs[:0], 0
	s.Recent = Recent{ring: s.Recent.ring[:0]}
	s.decoder.B, s.decoder.Err, s.decoder.Texts = nil, nil, s.decoder.Texts[:0]
}

// Touched is State.Touched. Ask it before the first Row.
func (s *ContinuedState) Touched() (epoch int64, ok bool) {
	if n := len(s.epochs); n > 0 {
		epoch, ok = s.epochs[n-1].epoch, true
	}
	if s.Recent.Len() > 0 && (!ok || s.Recent.epoch > epoch) {
		epoch, ok = s.Recent.epoch, true
	}
	return epoch, ok
}

// Row returns the row of an event that is no duplicate, which the caller fills. Epochs never fall from one to the next.
func (s *ContinuedState) Row(epoch int64) (*Row, error) {
	if s.taken == len(s.rows) {
		s.rows = append(s.rows, Row{})
	}
	at := s.taken
	s.taken++
	i, found := slices.BinarySearchFunc(s.epochs, epoch, func(e openEpoch, n int64) int { return int(e.epoch - n) })
	if !found {
		s.epochs = slices.Insert(s.epochs, i, openEpoch{epoch: epoch})
	}
	e := &s.epochs[i]
	if e.from == e.to {
		e.from, e.to = at, at
	}
	if e.to != at {
		return nil, fmt.Errorf("an event of epoch %d of %s state comes after one of a later epoch", epoch, s.plan.Entity)
	}
	e.to++
	return &s.rows[at], nil
}

// AppendContinuedState adds the encoding of what a state has become to dst, without the buckets of epochs below base and
// the tiles that Prune(oldest) drops; oldest 0 prunes nothing. It decodes to what the decoded state would have become.
// Then the state has to be opened anew.
func (c *Codec) AppendContinuedState(dst []byte, s *ContinuedState, base, oldest int64) ([]byte, error) {
	if oldest <= 0 {
		oldest = forever
	}
	at, before := len(dst), len(s.decoder.Texts)
	dst, dropped, err := c.patched(dst, s, base, oldest)
	if err != nil {
		return nil, fmt.Errorf("continue %s state: %w", s.plan.Entity, err)
	}
	if dropped || grows(before, c.enc.Texts()) {
		s.compacts = append(s.compacts[:0], dst[at:]...)
		if dst, err = c.compacted(dst[:at], s); err != nil {
			return nil, fmt.Errorf("compact %s state: %w", s.plan.Entity, err)
		}
	}
	return dst, nil
}

// patched writes the state with its texts as they are numbered. Dropped says that something went that may have named some.
func (c *Codec) patched(dst []byte, s *ContinuedState, base, oldest int64) (out []byte, dropped bool, err error) {
	dst = append(dst, stateVersion)
	dst = binary.AppendVarint(dst, s.Next)
	dst = s.Recent.Append(dst)
	c.enc.Extend(&s.decoder)
	c.body = c.body[:0]
	open := 0
	for i := range s.epochs {
		e := &s.epochs[i]
		if e.epoch < base {
			dropped = true
			continue
		}
		open++
		c.enc.Buf = c.enc.Buf[:0]
		some, err := c.patch(s, e, oldest)
		if err != nil {
			return nil, false, err
		}
		dropped = dropped || some
		c.body = binary.AppendVarint(c.body, e.epoch)
		c.body = binary.AppendUvarint(c.body, uint64(len(c.enc.Buf)))
		c.body = append(c.body, c.enc.Buf...)
	}
	dst = c.enc.AppendTable(dst)
	dst = binary.AppendUvarint(dst, uint64(open))
	return append(dst, c.body...), dropped, nil
}

// compacted writes the state that s.compacts encodes as AppendState does.
func (c *Codec) compacted(dst []byte, s *ContinuedState) ([]byte, error) {
	if err := s.Open(s.compacts); err != nil {
		return nil, err
	}
	dst = append(dst, stateVersion)
	dst = binary.AppendVarint(dst, s.Next)
	dst = s.Recent.Append(dst)
	c.enc.Continue(&s.decoder)
	c.body = c.body[:0]
	x := s.compact
	for _, e := range s.epochs {
		x.decoder = agg.Decoder{B: e.body, Texts: s.decoder.Texts}
		x.read(NoEvents)
		c.enc.Buf = c.enc.Buf[:0]
		if c.bucketOf(x, forever); x.decoder.Err != nil {
			return nil, x.decoder.Err
		}
		c.body = binary.AppendVarint(c.body, e.epoch)
		c.body = binary.AppendUvarint(c.body, uint64(len(c.enc.Buf)))
		c.body = append(c.body, c.enc.Buf...)
	}
	dst = c.enc.AppendTable(dst)
	dst = binary.AppendUvarint(dst, uint64(len(s.epochs)))
	return append(dst, c.body...), nil
}
