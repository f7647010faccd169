//go:build integration

package sqltest

import (
	"fmt"
	"math/rand/v2"

	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile/oracle"
	"github.com/anabranch/anabranch/schemas/tile/oracle/gen"
)

// duplicates is a case of what random ones seldom meet: ids that repeat 126 to 130 records later, within
// an epoch and across them, groups without a name, and features with names that mean something in SQL or
// in the query.
func duplicates() gen.Case {
	c := gen.Case{At: gen.Base}
	for _, name := range []string{"event", "select", "type", "member", "item_id", "valid", "in_1d", "value"} {
		c.Catalogue.Features = append(c.Catalogue.Features, feature.Definition{Name: name, Entity: feature.User, Aggregate: feature.Count, Window: feature.Day})
	}
	for _, name := range []string{"category", "key", "group", "n", "windowed"} {
		c.Catalogue.Features = append(c.Catalogue.Features, feature.Definition{Name: name, Entity: feature.User, By: "category", Aggregate: feature.Sum, Of: "value", Window: feature.Lifetime})
	}
	for _, name := range []string{"count", "rows"} {
		c.Catalogue.Features = append(c.Catalogue.Features, feature.Definition{Name: name, Entity: feature.User, Aggregate: feature.TopK, Of: "type", N: 2, Window: feature.Lifetime})
	}
	random := rand.New(rand.NewPCG(1, 2))
	for user := range 3 {
		var ids []string
		epoch := int64(0)
		for i := range 400 {
			id := fmt.Sprintf("e%d", i)
			if back := 126 + random.IntN(5); i >= back && random.IntN(3) == 0 {
				id = ids[i-back]
			}
			ids = append(ids, id)
			if user > 0 && i%200 == 150 {
				epoch += int64(user) // the third user skips an epoch
			}
			value := 0.5
			category := []string{"", "books"}[random.IntN(2)]
			c.Log = append(c.Log, oracle.Record{Epoch: epoch, Seq: int64(user)<<44 + int64(i), LogTime: c.At, Event: event.Event{
				ID: id, UserID: fmt.Sprintf("u%d", user), ItemID: "i", Type: "view", Value: &value, Time: event.Millis(c.At), Stamp: &event.Stamp{Category: &category},
			}})
		}
	}
	return c
}
