// Package gen makes random catalogues and logs for the differential tests of engines, each a function of
// a seed. A test that fails prints its seed; to play it again, and only it:
//
//	ANABRANCH_SEED=17 go test -run TestDefinitions ./schemas/tile
//
// and to try more of them than a plain `go test` does, from that seed on where it is set:
//
//	ANABRANCH_DEFINITIONS=5000 go test -run TestDefinitions ./schemas/tile
//
// The generators look for trouble: few users, items and keys, so that they meet; event times at the
// borders of tiles and windows, late and early; repeats of ids near the 128 records of the duplicate rule
// and beyond; absent and empty fields, values of the wrong type, numbers near 2^53 and near the end of
// floats; ties in time; imported epochs.
package gen

import (
	"math/rand/v2"

	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile/oracle"
)

// Gen makes what its seed says. Catalogue, Log and Instant draw from one stream of random numbers: the
// order of calls matters.
type Gen struct{ *rand.Rand }

// New returns a generator.
func New(seed uint64) *Gen { return &Gen{rand.New(rand.NewPCG(seed, 0x616e61))} }

// Case is a catalogue with a log and an instant to read at.
type Case struct {
	Catalogue feature.Catalogue
	Log       []oracle.Record
	Cut       int64 // of a generation; epochs below it are the view's
	AsOf      int64 // nothing is read before it, so that older tiles may go
	At        int64 // the instant to read at, AsOf or later, Unix ms
}

// NewCase returns the case of a seed, with that many definitions and at most that many records.
func NewCase(seed uint64, definitions, records int) Case {
	g := New(seed)
	c := Case{Catalogue: g.Catalogue(definitions)}
	c.AsOf = Base + g.near()
	c.At = c.AsOf + pick(g, 0, g.Int64N(hour), g.Int64N(3*day))
	c.Log = g.Log(c.Catalogue, c.At, g.IntN(records+1))
	c.Cut = g.Int64N(8)
	return c
}

// Base is the instant about which cases are read: 2026-03-01T00:00:00Z.
const Base int64 = 1_772_323_200_000

const (
	minute int64 = 60_000
	hour         = 60 * minute
	day          = 24 * hour
)

// near returns a short time, mostly at a border of tiles.
func (g *Gen) near() int64 {
	return pick(g, 0, 5*minute, hour, day, 13*hour+25*minute) + pick(g, -1, 0, 1, g.Int64N(2*hour)-hour)
}

// pick returns one of several values.
func pick[T any](g *Gen, values ...T) T { return values[g.IntN(len(values))] }

// one reports true once in n times.
func (g *Gen) one(n int) bool { return g.IntN(n) == 0 }
