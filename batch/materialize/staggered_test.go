package materialize_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anabranch/anabranch/batch/materialize"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/schemas/tile"
	"github.com/anabranch/anabranch/schemas/tile/oracle"
)

// gaps are the times between two marks: none and minutes, as when a date has several; a day, mostly; and as many days as
// a member's horizon needs to move by one step, or by two.
var gaps = []time.Duration{
	0, 2 * time.Minute, 11 * time.Hour, 24 * time.Hour, 24 * time.Hour, 24 * time.Hour, 25 * time.Hour,
	3 * 24 * time.Hour, tile.Turns * 24 * time.Hour, 2*tile.Turns*24*time.Hour + time.Hour,
}

// TestPruningIsStaggered continues many nights, each from what was continued before, with gaps of all kinds and so few events
// that most members are not touched: every night has the bytes of a computation from the start. Members of every turn
// are pruned, and keep tiles in other nights that the night's instant alone would drop.
func TestPruningIsStaggered(t *testing.T) {
	first, n := seeds(t, 2)
	var pruned, kept [tile.Turns]int
	for seed := first; seed < first+uint64(n); seed++ {
		w := newNights(t, seed)
		w.close(0, 150)
		var previous *materialize.Previous
		var before map[string][]byte
		for night := range 26 {
			w.close(gaps[w.g.IntN(len(gaps))], w.g.IntN(4)*w.g.IntN(6))
			if w.g.IntN(6) == 0 {
				continue // the next night has several epochs to catch up with
			}
			s := discover(t, w.World, w.target)
			o := materialize.Options{Catalogue: w.catalogue, Weights: model.DefaultWeights(), AsOf: w.at.UnixMilli()}
			full := compute(t, w.World, s, o)
			o.Previous = previous
			o.Threads, o.Memory = 1+w.g.IntN(3), []int64{0, 1, 30 << 10}[w.g.IntN(3)]
			continued := compute(t, w.World, s, o)
			if diff := cmp.Diff(digest(t, full), digest(t, continued)); diff != "" {
				t.Fatalf("seed %d, night %d:\n%s", seed, night, diff)
			}
			if night%8 == 0 {
				log := oracle.Distinct(records(w.World))
				for entity := range viewFiles {
					compareBytes(t, w.World, w.catalogue, entity, full, log, o.AsOf)
					compareViewAt(t, w.catalogue, entity, full, log, o.AsOf)
				}
			}
			before = count(t, w, continued, before, &pruned, &kept)
			previous = open(t, continued, model.Inputs{CutN: w.target.N, AsOf: w.at})
		}
	}
	for turn := range tile.Turns {
		if n > 1 && (pruned[turn] == 0 || kept[turn] == 0) {
			t.Errorf("of turn %d %d views were pruned, %d kept more than the night's instant asks for", turn, pruned[turn], kept[turn])
		}
	}
}

// count adds, by turn, the items whose views have become shorter since before, and those that hold tiles
// which no window read as of the night reaches. It returns the views.
func count(t *testing.T, w *nights, r *materialize.Result, before map[string][]byte, pruned, kept *[tile.Turns]int) map[string][]byte {
	t.Helper()
	plan, err := tile.Compile(w.catalogue, feature.Item)
	if err != nil {
		t.Fatal(err)
	}
	views := map[string][]byte{}
	keys, values := rows(t, r, viewFiles[feature.Item])
	for i, id := range keys {
		views[id] = values[i]
		turn := turnOf(feature.Item, id)
		if len(values[i]) < len(before[id]) {
			pruned[turn]++
		}
		expired, err := plan.Expired(values[i], w.at.UnixMilli())
		if err != nil {
			t.Fatal(fmt.Errorf("item %s: %w", id, err))
		}
		if expired {
			kept[turn]++
		}
	}
	return views
}
