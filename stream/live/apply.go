package live

import (
	"errors"
	"fmt"

	"github.com/anabranch/anabranch/schemas/tile"
)

// ErrAhead says that a state has applied records beyond the fence it was loaded under, so it is not
// that fence's state.
var ErrAhead = errors.New("a state is ahead of its fence")

// Blob is the new absolute value of the state under a key suffix.
type Blob struct {
	Suffix string
	Value  []byte
}

// Result is what Apply computed.
type Result struct {
	Blobs      []Blob    // the states that changed, each once
	Touched    []Touched // the states that an epoch touched first, by epoch
	Applied    int    // events that counted
	Duplicates int
	Passed     int // events below the base, which only teach the duplicate rule
}

// Touched names states that were touched in an epoch for the first time.
type Touched struct {
	Epoch    int64
	Suffixes []string
}

// touch notes that a record of an epoch changes the state under a suffix. Epochs never fall.
func (r *Result) touch(s *tile.State, suffix string, epoch int64) {
	if last, ok := s.Touched(); ok && last >= epoch {
		return
	}
	if n := len(r.Touched); n == 0 || r.Touched[n-1].Epoch != epoch {
		r.Touched = append(r.Touched, Touched{Epoch: epoch})
	}
	t := &r.Touched[len(r.Touched)-1]
	t.Suffixes = append(t.Suffixes, suffix)
}

// Apply adds a judged batch to the states under Batch.Touched and returns their new encodings. The
// states are changed in place: after an error, or when the result is not stored, drop them. from is
// the fence that Judge started at. Tiles that no window read at oldest (Unix ms) or later can reach
// are pruned from the changed states; 0 prunes nothing.
func (e *Engine) Apply(from Fence, b *Batch, states map[string]*tile.State, oldest int64) (Result, error) {
	for _, suffix := range b.Touched {
		s := states[suffix]
		if s == nil {
			return Result{}, errors.New("apply batch: a touched state was not loaded")
		}
		if s.Next > from.Next {
			return Result{}, fmt.Errorf("apply batch at offset %d: %w: it is at %d", from.Next, ErrAhead, s.Next)
		}
	}
	var r Result
	changed := make(map[string]struct{}, len(b.Touched))
	for i := range b.events {
		j := &b.events[i]
		user := states[j.user]
		r.touch(user, j.user, j.epoch)
		duplicate := user.Recent.Seen(tile.HashID(j.event.ID), j.epoch)
		user.Next = j.offset + 1
		changed[j.user] = struct{}{} // the ring of recent ids changed in any case
		switch {
		case duplicate:
			r.Duplicates++
		case j.epoch < b.Next.Base:
			r.Passed++ // every retained generation has taken it over
		default:
			r.Applied++
			r.touch(states[j.item], j.item, j.epoch)
			r.touch(states[globalSuffix], globalSuffix, j.epoch)
			e.count(j, states)
			changed[j.item], changed[globalSuffix] = struct{}{}, struct{}{}
		}
	}
	r.Blobs = make([]Blob, 0, len(changed))
	arena := make([]byte, 0, len(changed)*typicalBlob) // one allocation for all blobs, as a rule
	for _, suffix := range b.Touched {
		if _, ok := changed[suffix]; ok {
			start := len(arena)
			arena = e.encode(arena, suffix, states[suffix], b.Next.Base, oldest)
			r.Blobs = append(r.Blobs, Blob{suffix, arena[start:len(arena):len(arena)]})
		}
	}
	return r, nil
}

// typicalBlob is the size of an average state, in bytes.
const typicalBlob = 1 << 10

// count adds an event to the states of its user, its item and the partition.
func (e *Engine) count(j *judged, states map[string]*tile.State) {
	for _, suffix := range [...]string{j.user, j.item, globalSuffix} {
		s, plan := states[suffix], e.planOf(suffix)
		s.Next = j.offset + 1
		plan.Fill(&e.row, &j.event, tile.Seq(e.partition, j.offset))
		plan.Apply(s, &e.row, j.epoch)
	}
}

// encode appends a state's encoding to dst.
func (e *Engine) encode(dst []byte, suffix string, s *tile.State, base, oldest int64) []byte {
	plan := e.planOf(suffix)
	s.DropBelow(base)
	if oldest > 0 {
		for _, b := range s.Epochs {
			plan.Prune(b.Bucket, oldest)
		}
	}
	return e.codecs[plan].AppendState(dst, s)
}
