package differential

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/anabranch/anabranch/batch/batchtest"
	"github.com/anabranch/anabranch/batch/materialize"
	"github.com/anabranch/anabranch/infra/artifact"
	"github.com/anabranch/anabranch/infra/sorted"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/schemas/tile/oracle/gen"
)

// night is a generation's views by entity and id.
type night struct {
	batchtest.Night
	views map[feature.Entity]map[string][]byte
}

// newNights writes a case's archive and makes the views of every mark, each from the start or continued
// from those before.
func newNights(t *testing.T, w *batchtest.World, c gen.Case, r *rand.Rand) (nights []night) {
	t.Helper()
	var previous *materialize.Previous
	w.Play(c, r, func(n batchtest.Night) {
		o := materialize.Options{
			Catalogue: c.Catalogue, Weights: model.DefaultWeights(), AsOf: n.AsOf(), Dir: t.TempDir(),
			Threads: 1 + r.IntN(2), Memory: []int64{0, 1, 30 << 10}[r.IntN(3)],
		}
		if r.IntN(4) > 0 {
			o.Previous = previous
		}
		s, err := materialize.Discover(t.Context(), w.Bucket, materialize.Target{TopicID: batchtest.TopicID, N: n.Mark.N, Cut: n.Cut})
		if err != nil {
			t.Fatal(err)
		}
		result, err := materialize.Compute(t.Context(), w.Bucket, s, o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := result.Close(); err != nil {
				t.Error(err)
			}
		})
		views := map[feature.Entity]map[string][]byte{}
		if result.Counts.Events > 0 {
			previous, views = open(t, result, n.Mark.N)
		}
		nights = append(nights, night{n, views})
	})
	return nights
}

// open opens the tables of a result, for the next night and to be read here.
func open(t *testing.T, result *materialize.Result, cut int64) (*materialize.Previous, map[feature.Entity]map[string][]byte) {
	t.Helper()
	tables := map[string]*sorted.Reader{}
	for _, l := range result.Files {
		table, err := sorted.Open(l.Path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = table.Close() }) // of a map that nobody reads any longer
		tables[l.File.Name] = table
	}
	views := map[feature.Entity]map[string][]byte{
		feature.User: rows(t, tables[model.UserViewFile]), feature.Item: rows(t, tables[model.ItemViewFile]),
		feature.Global: rows(t, tables[model.GlobalViewFile]),
	}
	for id, value := range views[feature.User] {
		view, _, err := artifact.SplitUser(value)
		if err != nil {
			t.Fatal(err)
		}
		views[feature.User][id] = view
	}
	return &materialize.Previous{
		Inputs: model.Inputs{CutN: cut}, Counts: result.Counts, Users: tables[model.UserViewFile], Items: tables[model.ItemViewFile],
		Global: tables[model.GlobalViewFile], Recent: tables[model.RecentFile],
	}, views
}

// rows returns a table as a map.
func rows(t *testing.T, table *sorted.Reader) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	it := table.Iter()
	for it.Next() {
		out[string(it.Key())] = bytes.Clone(it.Value())
	}
	if it.Err() != nil {
		t.Fatal(it.Err())
	}
	return out
}
