package sim

import (
	"fmt"
	"math"

	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/schemas/tile/oracle"
)

// checkTraining compares a generation's training rows with the distinct events before its cut.
func (g *generation) checkTraining(distinct []oracle.Record) error {
	ids := g.files.ItemIDs()
	for _, user := range oracle.Members(feature.User, distinct) {
		want := map[string]model.HistoryEntry{}
		for _, r := range oracle.Of(feature.User, user, distinct) {
			e := want[r.Event.ItemID]
			e.Weight += float32(g.manifest.Inputs.Weights.Of(r.Event.Type, r.Event.Value))
			e.Last = max(e.Last, int64(r.Event.Time))
			want[r.Event.ItemID] = e
		}
		_, row, _, err := g.files.UserView(user)
		if err != nil {
			return err
		}
		got, err := model.DecodeHistory(row)
		if err != nil {
			return err
		}
		if len(got) != len(want) {
			return fmt.Errorf("%s: the training row of %s has %d items, it acted on %d", g.manifest.ID, user, len(got), len(want))
		}
		for _, e := range got {
			w, known := want[ids[e.Item]]
			if !known || e.Last != w.Last || math.Abs(float64(e.Weight-w.Weight)) > 1e-5*float64(w.Weight) {
				return fmt.Errorf("%s: the training row of %s says %+v of %s, right is %+v", g.manifest.ID, user, e, ids[e.Item], w)
			}
		}
	}
	return nil
}
