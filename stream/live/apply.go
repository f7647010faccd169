package live

import (
	"errors"
	"fmt"
	"strings"

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
	Blobs      []Blob    // the states that changed, each once; their values are the engine's until its next Apply
	Touched    []Touched // the states that an epoch touched first, by epoch
	Applied    int       // events that counted
	Duplicates int
	Passed     int // events below the base, which only teach the duplicate rule
}

// Touched names states that were touched in an epoch for the first time.
type Touched struct {
	Epoch    int64
	Suffixes []string
}

// touch notes that a record of an epoch changes the state under a suffix for the first time.
func (r *Result) touch(suffix string, epoch int64) {
	for i := range r.Touched {
		if r.Touched[i].Epoch == epoch {
			r.Touched[i].Suffixes = append(r.Touched[i].Suffixes, suffix)
			return
		}
	}
	r.Touched = append(r.Touched, Touched{epoch, []string{suffix}})
}

// Apply adds a judged batch to the encoded states under Batch.Touched, which states holds in the same order, nil for
// those that nobody has seen, and returns the encodings of what became of them. from is the fence that Judge started
// at. Tiles that no window read at oldest (Unix ms) or later can reach are pruned from the changed states; 0 prunes
// nothing.
func (e *Engine) Apply(from Fence, b *Batch, states [][]byte, oldest int64) (Result, error) {
	a := applying{e: e, from: from, batch: b, states: states, oldest: oldest}
	a.result.Blobs = make([]Blob, 0, len(b.Touched))
	e.arena = e.arena[:0]
	// Users first: they know which events are duplicates.
	for _, step := range [...]func(place int32, suffix string) error{a.user, a.item, a.global} {
		for place, suffix := range b.Touched {
			if err := step(int32(place), suffix); err != nil {
				return Result{}, err
			}
		}
	}
	return a.result, nil
}

// applying is one Apply.
type applying struct {
	e      *Engine
	from   Fence
	batch  *Batch
	states [][]byte
	oldest int64
	result Result
}

// user applies the events of a user.
func (a *applying) user(place int32, suffix string) error {
	if !strings.HasPrefix(suffix, userPrefix) {
		return nil
	}
	k := a.e.kinds[a.e.user]
	s, r := k.state, &a.result
	if err := a.open(k, place); err != nil {
		return err
	}
	last, touched := s.Touched()
	for i := a.batch.first[place]; i != none; i = a.batch.events[i].ofUser {
		j := &a.batch.events[i]
		if !touched || last < j.epoch {
			r.touch(suffix, j.epoch)
			last, touched = j.epoch, true
		}
		duplicate := s.Recent.Seen(tile.HashID(j.event.ID), j.epoch)
		s.Next, j.counts = j.offset+1, false
		switch {
		case duplicate:
			r.Duplicates++
		case j.epoch < a.batch.Next.Base:
			r.Passed++ // every retained generation has taken it over
		default:
			r.Applied++
			j.counts = true
		}
	}
	if err := a.count(k, a.batch.first[place], func(j *judged, _ int32) int32 { return j.ofUser }); err != nil {
		return err
	}
	return a.encode(k, suffix)
}

// item applies the events of an item that count.
func (a *applying) item(place int32, suffix string) error {
	if !strings.HasPrefix(suffix, itemPrefix) {
		return nil
	}
	return a.others(a.e.kinds[a.e.item], place, suffix, a.batch.first[place], func(j *judged, _ int32) int32 { return j.ofItem })
}

// global applies all events that count.
func (a *applying) global(place int32, suffix string) error {
	if suffix != globalSuffix {
		return nil
	}
	end := int32(len(a.batch.events))
	return a.others(a.e.kinds[a.e.global], place, suffix, 0, func(_ *judged, i int32) int32 {
		if i+1 == end {
			return none
		}
		return i + 1
	})
}

// others applies the events of a state that is no user's, from the first on. It stays as it is when none of them counts.
func (a *applying) others(k *kind, place int32, suffix string, first int32, next func(*judged, int32) int32) error {
	opened, touched, last := false, false, int64(0)
	for i := first; i != none; {
		j := &a.batch.events[i]
		if i = next(j, i); !j.counts {
			continue
		}
		if !opened {
			if err := a.open(k, place); err != nil {
				return err
			}
			opened = true
			last, touched = k.state.Touched()
		}
		if !touched || last < j.epoch {
			a.result.touch(suffix, j.epoch)
			last, touched = j.epoch, true
		}
		k.state.Next = j.offset + 1
	}
	if !opened {
		return nil
	}
	if err := a.count(k, first, next); err != nil {
		return err
	}
	return a.encode(k, suffix)
}

// open continues a state as it was at the fence.
func (a *applying) open(k *kind, place int32) error {
	s := k.state
	if err := s.Open(a.states[place]); err != nil {
		return fmt.Errorf("apply batch at offset %d: %w", a.from.Next, err)
	}
	if s.Next > a.from.Next {
		return fmt.Errorf("apply batch at offset %d: %w: it is at %d", a.from.Next, ErrAhead, s.Next)
	}
	return nil
}

// count adds the events that count, from the first on, to the buckets of their epochs.
func (a *applying) count(k *kind, first int32, next func(*judged, int32) int32) error {
	for i := first; i != none; {
		j := &a.batch.events[i]
		if i = next(j, i); !j.counts {
			continue
		}
		row, err := k.state.Row(j.epoch)
		if err != nil {
			return fmt.Errorf("apply batch at offset %d: %w", a.from.Next, err)
		}
		k.plan.Fill(row, &j.event, tile.Seq(a.e.partition, j.offset))
	}
	return nil
}

// encode adds what has become of a state to the result.
func (a *applying) encode(k *kind, suffix string) (err error) {
	start := len(a.e.arena)
	if a.e.arena, err = k.codec.AppendContinuedState(a.e.arena, k.state, a.batch.Next.Base, a.oldest); err != nil {
		return fmt.Errorf("apply batch at offset %d: %w", a.from.Next, err)
	}
	a.result.Blobs = append(a.result.Blobs, Blob{suffix, a.e.arena[start:len(a.e.arena):len(a.e.arena)]})
	return nil
}
