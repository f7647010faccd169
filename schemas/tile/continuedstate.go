package tile

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/anabranch/anabranch/schemas/agg"
)

// ContinuedState is a live state that takes events without being decoded: only the tiles that events may be of are,
// the rest is copied from the old encoding to the new one. So a state takes little memory and work, however much it
// has seen, and what is kept between batches are its bytes. Memory is used again from one state to the next; use one a
// goroutine.
//
//	err := s.Open(blob)                  // head, recent ids, where the epochs are
//	err = s.Enter(epoch, since)          // for each epoch, ascending: it will take events at or after since
//	s.Update(row)                        // once an event
//	s.Next = offset + 1
//	blob, err = codec.AppendContinuedState(nil, s, base, oldest)
type ContinuedState struct {
	Next   int64  // as State.Next
	Recent Recent // as State.Recent

	plan    *Plan
	decoder agg.Decoder // its texts are those of the state
	arena   []byte      // they lie here
	epochs  []openEpoch // ascending
	entered int         // index of the epoch that takes events
	free    []*Continued
}

// openEpoch is the bucket of an epoch: encoded while bucket is nil.
type openEpoch struct {
	epoch  int64
	body   []byte
	bucket *Continued
}

// NewContinuedState returns the state of an entity never seen.
func (p *Plan) NewContinuedState() *ContinuedState { return &ContinuedState{plan: p, entered: -1} }

// Open continues an encoded state, which must not change until it is written again. An empty one is that of an entity
// never seen. What no event is of is not looked at, only passed over.
func (s *ContinuedState) Open(state []byte) error {
	s.reset()
	if len(state) == 0 {
		return nil
	}
	d := &s.decoder
	d.B = state
	err := version(d, stateVersion)
	if err == nil {
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
		err = end(d)
	}
	if err != nil {
		s.reset()
		return fmt.Errorf("continue %s state: %w", s.plan.Entity, err)
	}
	return nil
}

// reset makes it the state of an entity never seen.
func (s *ContinuedState) reset() {
	for _, e := range s.epochs {
		if e.bucket != nil {
			s.free = append(s.free, e.bucket)
		}
	}
	s.Next, s.epochs, s.entered = 0, s.epochs[:0], -1
	s.Recent = Recent{ring: s.Recent.ring[:0]}
	s.decoder.B, s.decoder.Err, s.decoder.Texts = nil, nil, s.decoder.Texts[:0]
}

// Touched is State.Touched. Ask it before Enter.
func (s *ContinuedState) Touched() (epoch int64, ok bool) {
	if n := len(s.epochs); n > 0 {
		epoch, ok = s.epochs[n-1].epoch, true
	}
	if s.Recent.Len() > 0 && (!ok || s.Recent.epoch > epoch) {
		epoch, ok = s.Recent.epoch, true
	}
	return epoch, ok
}

// Enter lets the bucket of an epoch take events at or after since, Unix ms. An epoch is entered once, and no earlier
// one after it.
func (s *ContinuedState) Enter(epoch, since int64) error {
	i, found := slices.BinarySearchFunc(s.epochs, epoch, func(e openEpoch, n int64) int { return int(e.epoch - n) })
	if !found {
		s.epochs = slices.Insert(s.epochs, i, openEpoch{epoch: epoch})
	}
	s.entered = i
	return s.open(&s.epochs[i], since)
}

// open decodes what the bucket of an epoch needs to take events at or after since.
func (s *ContinuedState) open(e *openEpoch, since int64) error {
	c := s.bucket()
	e.bucket = c
	if len(e.body) == 0 {
		c.Reset()
		return nil
	}
	d := &c.decoder
	d.B, d.Err, d.Texts = e.body, nil, s.decoder.Texts
	c.since = since
	c.seal()
	if err := end(d); err != nil {
		return fmt.Errorf("continue %s state: %w", s.plan.Entity, err)
	}
	return nil
}

// bucket returns one to use.
func (s *ContinuedState) bucket() *Continued {
	if n := len(s.free); n > 0 {
		c := s.free[n-1]
		s.free = s.free[:n-1]
		return c
	}
	return s.plan.NewContinued()
}

// Update adds an event that is no duplicate to the epoch that was entered last. It is not before that epoch's since. Where tiles that
// it is of cannot be decoded, AppendContinuedState says so.
func (s *ContinuedState) Update(r *Row) {
	c := s.epochs[s.entered].bucket
	s.plan.update(c.Bucket, r, forever, c)
}

// AppendContinuedState adds the encoding of what a state has become to dst: what AppendState writes of the whole,
// without the buckets of epochs below base and the tiles that Prune(oldest) drops; oldest 0 prunes nothing. Then the
// state has to be opened anew.
func (c *Codec) AppendContinuedState(dst []byte, s *ContinuedState, base, oldest int64) ([]byte, error) {
	if oldest <= 0 {
		oldest = forever
	}
	dst = append(dst, stateVersion)
	dst = binary.AppendVarint(dst, s.Next)
	dst = s.Recent.Append(dst)
	c.enc.Continue(&s.decoder)
	c.body = c.body[:0]
	open := 0
	for i := range s.epochs {
		e := &s.epochs[i]
		if e.epoch < base {
			continue
		}
		open++
		if e.bucket == nil {
			if err := s.open(e, NoEvents); err != nil {
				return nil, err
			}
		}
		c.enc.Buf = c.enc.Buf[:0]
		if c.bucketOf(e.bucket, oldest); e.bucket.decoder.Err != nil {
			return nil, fmt.Errorf("continue %s state: %w", s.plan.Entity, e.bucket.decoder.Err)
		}
		c.body = binary.AppendVarint(c.body, e.epoch)
		c.body = binary.AppendUvarint(c.body, uint64(len(c.enc.Buf)))
		c.body = append(c.body, c.enc.Buf...)
	}
	dst = c.enc.AppendTable(dst)
	dst = binary.AppendUvarint(dst, uint64(open))
	return append(dst, c.body...), nil
}
