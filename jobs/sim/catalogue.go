package sim

import (
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
	"github.com/anabranch/anabranch/schemas/tile/oracle/gen"
)

// catalogue is a compiled catalogue of features.
type catalogue struct {
	feature.Catalogue
	hash, namespace string
	plans           [3]*tile.Plan // by entities
}

// newCatalogue returns random definitions and some that notice every event that is lost or counted twice.
func newCatalogue(seed, n uint64) (*catalogue, error) {
	c := &catalogue{Catalogue: gen.New(seed).Catalogue(3)}
	short := []feature.Window{feature.Hour, 7 * feature.Hour, 3 * feature.Day}[n%3]
	c.Features = append(c.Features,
		feature.Definition{Name: "events", Entity: feature.User, Aggregate: feature.Count, Window: feature.Lifetime},
		feature.Definition{Name: "lately", Entity: feature.User, Aggregate: feature.Count, Window: short},
		feature.Definition{Name: "latest", Entity: feature.User, Aggregate: feature.LastN, Of: feature.Interaction, N: 3, Window: feature.Lifetime},
		feature.Definition{Name: "touched", Entity: feature.Item, Aggregate: feature.Count, Window: feature.Lifetime},
		feature.Definition{Name: "last_user", Entity: feature.Item, Aggregate: feature.Last, Of: "user_id", Window: 7 * feature.Day},
		feature.Definition{Name: "all", Entity: feature.Global, Aggregate: feature.Count, Window: 2 * short},
	)
	c.Derived = []feature.Derived{{Name: "share", Entity: feature.User, Expr: "double(lately) / double(events)"}}
	c.hash, c.namespace = c.Hash(), tile.Namespace(c.Catalogue)
	for i, e := range entities {
		plan, err := tile.Compile(c.Catalogue, e)
		if err != nil {
			return nil, err
		}
		c.plans[i] = plan
	}
	return c, nil
}

func (c *catalogue) plan(e feature.Entity) *tile.Plan {
	return c.plans[slices.Index(entities[:], e)]
}

// markRecord is the control record of mark n, as kafka.WriteMark writes it.
func markRecord(n int64) *kgo.Record {
	return &kgo.Record{
		Value:   []byte("{}"),
		Headers: []kgo.RecordHeader{{Key: event.MarkHeader, Value: strconv.AppendInt(nil, n, 10)}},
	}
}

// panicStack returns where a panic came from, without what is the same for all.
func panicStack() string {
	lines := strings.Split(string(debug.Stack()), "\n")
	from := 0
	for i, line := range lines {
		if strings.HasPrefix(line, "panic(") {
			from = i + 2
		}
	}
	return strings.Join(lines[from:min(len(lines), from+16)], "\n")
}
