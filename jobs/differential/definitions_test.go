package differential

import (
	"math/rand/v2"
	"testing"

	"github.com/anabranch/anabranch/batch/batchtest"
	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
	"github.com/anabranch/anabranch/schemas/tile/oracle"
	"github.com/anabranch/anabranch/schemas/tile/oracle/gen"
	"github.com/anabranch/anabranch/schemas/tile/oracle/gentest"
)

// TestDefinitions joins, for every cut n of a random log, the views of the generation with that cut with
// the live states of epochs ≥ n, and compares every feature of every member with the oracle over the
// whole log. No cut may change an answer.
func TestDefinitions(t *testing.T) {
	gentest.Run(t, 125, func(t *testing.T, c gen.Case, r *rand.Rand) {
		w := batchtest.New(t)
		nights := newNights(t, w, c, r)
		topic := newTopic(t, w, c, r, nights)
		distinct := oracle.Distinct(w.Records())
		for _, entity := range []feature.Entity{feature.User, feature.Item, feature.Global} {
			plan, err := tile.Compile(c.Catalogue, entity)
			if err != nil {
				t.Fatal(err)
			}
			reader := plan.NewReader() // one for all: nothing may be left of the read before
			for _, id := range oracle.Members(entity, distinct) {
				var want []oracle.Want
				of := oracle.Of(entity, id, distinct)
				for _, f := range plan.Features {
					want = append(want, oracle.Answer(c.Catalogue, f.Def, of, c.At))
				}
				for _, n := range nights {
					values, err := join(reader, n.views[entity][id], topic.states(entity, id), n.Mark.N, c.At)
					if err != nil {
						t.Fatalf("%s %s, cut %d: %v", entity, id, n.Mark.N, err)
					}
					for i, f := range plan.Features {
						if err := want[i].Check(values[i]); err != nil {
							t.Fatalf("%s %s at %d, cut %d: %v\n%+v", entity, id, c.At, n.Mark.N, err, f.Def)
						}
					}
				}
			}
		}
	})
}

// join reads a member as serving does.
func join(r *tile.Reader, view []byte, states [][]byte, cut, at int64) ([]agg.Value, error) {
	r.Begin(at)
	for _, blob := range states {
		if _, err := r.AddState(blob, cut); err != nil {
			return nil, err
		}
	}
	if err := r.AddView(view); err != nil {
		return nil, err
	}
	return r.Values(), nil
}
