// Package agg holds the aggregates as monoids, one small file each. A [Partial] is what an aggregate
// knows about some events; Update adds an event, Merge joins the partials of two sets of events, Fold
// joins one straight from its encoding, Finalize reads the answer. Every engine uses these and no
// other arithmetic.
//
// # What is exact
//
//   - count, ratio, histogram, min, max: exact.
//   - sum and mean of integers, times, booleans and decimals: exact, in 128 bits; a mean is rounded once.
//   - sum and mean of floats: double-double arithmetic (Dekker 1971; Knuth's TwoSum). Whatever the
//     order of n additions and merges, the answer differs from the true sum by at most
//     2^-52·|sum| + n·2^-100·Σ|x|. Where Σ|x| is beyond the floats there may be no answer.
//   - first, last, last_n: exact; events are ordered by event time, then position.
//   - top_k: exact while a tile has met at most its cap of distinct keys (four times k, at least 32).
//     Beyond that counts are those of SpaceSaving (Metwally et al. 2005), never too low and too high by
//     at most the events of such tiles divided by the cap, and the answer says so.
//   - distinct: HyperLogLog++ (Heule et al. 2013) with the estimator of Ertl 2017; standard error
//     1.04/√(2^precision), next to none below 2^precision/4 members. The sketch is canonical: it depends
//     on the set of members only.
//   - decayed_count, decayed_sum: float sums as of the tile's start; n additions differ from the true
//     value by at most (n+6)·2^-52·Σ|term|.
//
// # Sharing
//
// Key says which partials are the same. sum and mean of a field keep the same partial, as do features
// that differ in their window only, so a state holds it once.
package agg

import (
	"fmt"

	"github.com/anabranch/anabranch/schemas/feature"
)

// Kind says what an Operand holds.
type Kind uint8

// The kinds. Integers, booleans (0 or 1), times (Unix ms) and decimals (units of 10^-scale) are Int.
const (
	Absent Kind = iota
	Int
	Float
	Text
)

// Operand is a field of an event as its declared type reads it.
type Operand struct {
	Kind  Kind
	Int   int64
	Float float64
	Text  string
}

// Input is what an aggregate may see of an event.
type Input struct {
	Time  int64   // event time, Unix ms
	Seq   int64   // position, as one number that orders records (tile.Seq)
	Start int64   // start of the tile that contains Time, Unix ms
	Of    Operand // the field that is aggregated; never Absent where the aggregate needs one

	Numerator, Denominator bool // ratio: whether the event matches

	Item, Type string  // last_n of interactions
	Value      Operand // the same: Float or Absent
}

// Partial is the state of an aggregate over some events; the zero value is that of none. What the
// fields hold is the monoid's business.
type Partial struct {
	N, A, B, C int64
	Text       string
	Set        any // a pointer to a set of variable size, nil while it is empty
}

// Monoid is an aggregate. Merge is associative and commutative (up to the bounds of the package
// comment), the zero Partial its identity.
type Monoid interface {
	// Key identifies the partials: monoids of equal keys update, merge and encode alike.
	Key() string
	// Update adds an event to p.
	Update(p *Partial, in *Input)
	// Merge adds the events of q, of the same tile, to p. It leaves q alone and keeps none of its memory
	// but texts.
	Merge(p, q *Partial)
	// Append writes p, which is not the partial of no events.
	Append(e *Encoder, p *Partial)
	// Fold adds an encoded partial to p. Scale is 1, except when a decaying aggregate's tiles are
	// added up at an instant (see Decaying).
	Fold(p *Partial, d *Decoder, scale float64)
	// Skip passes over an encoded partial.
	Skip(d *Decoder)
	// Finalize returns the answer. It may use p's memory.
	Finalize(p *Partial) Value
}

// Decaying is a monoid whose partials refer to the start of their tile.
type Decaying interface {
	// Scale returns the factor that carries a partial of a tile that started age ms ago to now.
	Scale(age int64) float64
}

// Run is a monoid that folds many tiles at once, which is faster than one after the other.
type Run interface {
	// FoldRun folds tile t, at which d stands, and those after it, at most left and none before tile from. It
	// returns the tile at which d stands then and how many are left. Before each but the first there is a
	// number: how far it lies behind the one before it.
	FoldRun(p *Partial, d *Decoder, t, from int64, left int) (int64, int)
}

// Patcher is a monoid that adds an event to an encoded partial while it is copied, which takes less than Fold, Update
// and Append.
type Patcher interface {
	// Patch writes the partial that d is at together with the event, up to where the rest of it stays as it is; there it
	// leaves d. The encoder extends the table of the decoder. False says that it has written nothing, since only Fold,
	// Update and Append can do it.
	Patch(e *Encoder, d *Decoder, in *Input) bool
}

// Join adds q, which tiles were folded into, to p, as if they had been folded into p.
func Join(m Monoid, p, q *Partial) {
	if t, ok := m.(topK); ok { // whose Merge drops keys beyond the cap of a tile
		t.join(p, q)
		return
	}
	m.Merge(p, q)
}

// Latest is a monoid that answers with the latest events only, so that older tiles need not be read.
type Latest interface {
	// Enough reports whether events before instant t, Unix ms, cannot change p's answer any more.
	Enough(p *Partial, t int64) bool
}

// For returns the monoid of a definition whose field has the type.
func For(d feature.Definition, t feature.Type) (Monoid, error) {
	number := t.Kind != feature.Text
	kind := outcome{t}
	switch d.Aggregate {
	case feature.Count:
		return count{}, nil
	case feature.Ratio:
		return ratio{}, nil
	case feature.DecayedCount:
		return decayed{halfLife: int64(d.HalfLife)}, nil
	case feature.Distinct:
		return distinct{precision: uint8(d.Precision)}, nil
	case feature.First:
		return edge{outcome: kind, first: true}, nil
	case feature.Last:
		return edge{outcome: kind}, nil
	case feature.LastN:
		return lastN{n: d.N, outcome: kind, interaction: d.Of == feature.Interaction}, nil
	case feature.TopK:
		return topK{k: d.N, limit: max(32, 4*d.N), outcome: kind}, nil
	}
	if number {
		switch d.Aggregate {
		case feature.Sum:
			return sumFor(kind), nil
		case feature.Mean:
			return mean{sumFor(kind)}, nil
		case feature.Min:
			return extreme{outcome: kind, sign: 1}, nil
		case feature.Max:
			return extreme{outcome: kind, sign: -1}, nil
		case feature.DecayedSum:
			return decayed{halfLife: int64(d.HalfLife), sum: true, outcome: kind}, nil
		case feature.Histogram:
			return histogram{bounds: d.Bounds, outcome: kind}, nil
		}
	}
	return nil, fmt.Errorf("feature %q: no aggregate %q of a %s", d.Name, d.Aggregate, t)
}
