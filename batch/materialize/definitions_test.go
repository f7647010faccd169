package materialize_test

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anabranch/anabranch/batch/batchtest"
	"github.com/anabranch/anabranch/batch/materialize"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/schemas/tile/oracle"
	"github.com/anabranch/anabranch/schemas/tile/oracle/gen"
	"github.com/anabranch/anabranch/schemas/tile/oracle/gentest"
)

// TestDefinitions materializes random definitions over random archives, night after night, each continued
// from the one before, with any number of workers and hardly any memory. Every feature of every member is
// what the oracle says, and one pass over all of it gives the same bytes.
func TestDefinitions(t *testing.T) {
	gentest.Run(t, 125, func(t *testing.T, c gen.Case, r *rand.Rand) {
		w := batchtest.New(t)
		var previous *materialize.Previous
		w.Play(c, r, func(n batchtest.Night) {
			if !n.Last && r.IntN(3) == 0 {
				return // the next night has several epochs to catch up with
			}
			s := discover(t, w, materialize.Target{TopicID: batchtest.TopicID, N: n.Mark.N, Cut: n.Cut})
			o := materialize.Options{Catalogue: c.Catalogue, Weights: model.DefaultWeights(), AsOf: n.AsOf(), Dates: staleDates(r, s)}
			continued := compute(t, w, s, chance(o, r, previous))
			if continued.Counts.Events == 0 {
				return
			}
			if n.Last || r.IntN(4) == 0 {
				whole := compute(t, w, s, chance(o, r, nil))
				if diff := cmp.Diff(digest(t, whole), digest(t, continued)); diff != "" {
					t.Fatalf("night %d in one pass and continued:\n%s", n.Mark.N, diff)
				}
				log := oracle.Distinct(w.Records())
				at := instant(c, n, r)
				for entity := range viewFiles {
					compareViewAt(t, c.Catalogue, entity, continued, log, at)
				}
			}
			previous = open(t, continued, model.Inputs{CutN: n.Mark.N, AsOf: n.Mark.Label})
		})
	})
}

// chance draws what must not matter.
func chance(o materialize.Options, r *rand.Rand, previous *materialize.Previous) materialize.Options {
	o.Previous = previous
	o.Threads, o.Memory = 1+r.IntN(4), []int64{0, 1, 30 << 10, 1 << 20}[r.IntN(4)]
	return o
}

// instant draws when to read the views of a night: about the borders that the case was made for, right
// away, or soon.
func instant(c gen.Case, n batchtest.Night, r *rand.Rand) int64 {
	const day = 86_400_000
	return []int64{c.At, c.At, n.AsOf(), n.AsOf() + r.Int64N(2*day)}[r.IntN(4)]
}
