// Package agg holds the aggregates as monoids, one small file each. A partial is what an aggregate
// knows about some events; Update adds an event, Merge joins two partials, Finalize reads the
// answer. Update may work in place: the partial that went in is not to be used again. Merge and
// Finalize leave their arguments alone and share no memory that Update would change.
//
// What is exact: count; last and last_n (ordered by event time, then position); top_k while at most
// its cap of distinct keys was seen in a tile, which the answer says. decayed_count is a float sum:
// each event adds 2^((t − tile start)/half-life), so merge order changes the answer by at most a few
// ulps of the sum, since all terms are positive.
package agg

import (
	"fmt"

	"github.com/anabranch/anabranch/schemas/feature"
)

// Input is what an aggregate may see of an event.
type Input struct {
	Time      int64 // event time, Unix ms
	Seq       int64 // position, as one number that orders records (event.Position, see tile.Seq)
	TileStart int64 // start of the tile that contains Time, Unix ms
	Item      string
	Type      string
	Value     *float64
}

// Partial is the state of an aggregate over some events. Its concrete type is the monoid's.
type Partial any

// Monoid is an aggregate. Merge is associative and commutative, Zero its identity.
type Monoid interface {
	// Zero returns the partial of no events.
	Zero() Partial
	// Update returns p with the event added; it may reuse p's memory.
	Update(p Partial, in Input) Partial
	// Merge returns the partial of the events of both. The tile starts of a and b are equal.
	Merge(a, b Partial) Partial
	// Finalize returns the answer at instant t (Unix ms) over the partials of several tiles.
	Finalize(tiles []TilePartial, t int64) Value
	// Append adds p's encoding to dst.
	Append(dst []byte, p Partial) []byte
	// Decode reads one partial and returns what follows it.
	Decode(b []byte) (Partial, []byte, error)
}

// TilePartial is the partial of one tile.
type TilePartial struct {
	Start   int64
	Partial Partial
}

// Value is an answer: int64, float64, string, []Counted, []Interaction or nil for "nothing yet".
// It encodes to JSON as it is.
type Value any

// For returns the monoid of a definition.
func For(d feature.Definition) (Monoid, error) {
	switch d.Aggregate {
	case feature.Count:
		return count{}, nil
	case feature.DecayedCount:
		return decayedCount{halfLife: float64(d.HalfLife)}, nil
	case feature.Last:
		return last{}, nil
	case feature.LastN:
		return lastN{n: d.N}, nil
	case feature.TopK:
		return topK{k: d.N, limit: 4 * d.N}, nil
	}
	return nil, fmt.Errorf("feature %q: no aggregate %q", d.Name, d.Aggregate)
}
