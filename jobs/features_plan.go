package jobs

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
)

type planFeaturesCmd struct {
	definitions
	Events       int   `default:"1000" help:"Events of the synthetic user or item in one epoch of a day."`
	Items        int   `default:"200" help:"Different items, or users, that it meets."`
	Categories   int   `default:"12" help:"Different categories among them."`
	EventsPerDay int64 `default:"1000000" help:"Events that a day adds to the warehouse."`
	Partitions   int   `default:"16" help:"Partitions of the events topic."`
	JSON         bool  `help:"Print one JSON object a series and one with the sums."`
}

// seriesCost is what one series of an entity takes.
type seriesCost struct {
	Entity   feature.Entity `json:"entity"`
	Features []string       `json:"features"` // that share it
	Tile     string         `json:"tile"`
	Tiles    int64          `json:"tiles"` // at most in one epoch's bucket, 0 for any number of keys in one
	Bytes    int            `json:"bytes"` // of the synthetic member
}

// planCost is what all of them take.
type planCost struct {
	UserState    int   `json:"user_state_bytes"`
	ItemState    int   `json:"item_state_bytes"`
	ReadsUser    int   `json:"reads_user"`
	ReadsItem    int   `json:"reads_item"`
	BigQueryScan int64 `json:"bigquery_bytes_a_day"`
}

// Run measures a synthetic member of each entity and prints what it takes.
func (c *planFeaturesCmd) Run(rt *runtimeEnv) error {
	f, err := c.catalogue()
	if err != nil {
		return err
	}
	var all []seriesCost
	sum := planCost{ReadsUser: 2, ReadsItem: c.Partitions + 1, BigQueryScan: c.EventsPerDay * scanned(f)}
	for _, e := range []feature.Entity{feature.User, feature.Item} {
		costs, state, err := c.measure(f, e)
		if err != nil {
			return err
		}
		all = append(all, costs...)
		if e == feature.User {
			sum.UserState = state
		} else {
			sum.ItemState = state
		}
	}
	if c.JSON {
		for _, s := range all {
			if err := printJSON(rt.stdout, s); err != nil {
				return err
			}
		}
		return printJSON(rt.stdout, sum)
	}
	return c.print(rt, all, sum)
}

func (c *planFeaturesCmd) print(rt *runtimeEnv, all []seriesCost, sum planCost) error {
	rows := [][]string{{"ENTITY", "BYTES", "TILE", "TILES", "FEATURES THAT SHARE IT"}}
	for _, s := range all {
		rows = append(rows, []string{string(s.Entity), fmt.Sprint(s.Bytes), s.Tile, fmt.Sprint(s.Tiles), strings.Join(s.Features, " ")})
	}
	if err := printTable(rt.stdout, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(rt.stdout, `
live state after %d events in one epoch: %d bytes a user (%d of them recent event ids), %d bytes an item and partition
reads a request: a user takes 1 from Redis (fence and state) and 1 from the view; an item %d from Redis (1 a partition, pipelined) and 1 from the view
BigQuery: %d events a day add %d bytes to what a query over all features scans
`, c.Events, sum.UserState, 8*min(c.Events, tile.RecentCap), sum.ItemState, c.Partitions, c.EventsPerDay, sum.BigQueryScan)
	return err
}

// measure encodes the state of a synthetic member after its events.
func (c *planFeaturesCmd) measure(f feature.Catalogue, e feature.Entity) ([]seriesCost, int, error) {
	p, err := tile.Compile(f, e)
	if err != nil {
		return nil, 0, err
	}
	const epoch, now = 1, int64(1_767_225_600_000) // 2026-01-01, so that every run measures the same
	var s tile.State
	var row tile.Row
	s.Epochs = []tile.EpochBucket{{Epoch: epoch, Bucket: p.NewBucket()}}
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range c.Events {
		at := now - int64(feature.Day) + int64(i+1)*int64(feature.Day)/int64(c.Events)
		ev := c.event(rng, f, i, at)
		if e == feature.User {
			s.Recent.Seen(tile.HashID(ev.ID), epoch)
		}
		p.Fill(&row, &ev, tile.Seq(1, int64(1_000*i)))
		p.Update(s.Epochs[0].Bucket, &row)
	}
	p.Prune(s.Epochs[0].Bucket, now-int64(feature.Hour)) // as the stream layer does
	codec := p.NewCodec()
	sizes, _ := codec.Sizes(s.Epochs[0].Bucket)
	var out []seriesCost
	for i, x := range p.Series {
		cost := seriesCost{Entity: e, Bytes: sizes[i], Tile: tileText(x.Window)}
		if x.Width > 0 {
			cost.Tiles = int64(x.Window)/x.Width + 1
		}
		for _, d := range p.Features {
			if d.Series == i {
				cost.Features = append(cost.Features, d.Def.Name)
			}
		}
		out = append(out, cost)
	}
	slices.SortStableFunc(out, func(a, b seriesCost) int { return b.Bytes - a.Bytes })
	return out, len(codec.AppendState(nil, &s)), nil
}

// event returns a synthetic event: one of ten a purchase, one of ten a rating, the rest views.
func (c *planFeaturesCmd) event(rng *rand.Rand, f feature.Catalogue, i int, at int64) event.Event {
	item := rng.IntN(c.Items)
	e := event.Event{
		ID: fmt.Sprint("e", i), UserID: fmt.Sprintf("user%05d", rng.IntN(c.Items)), ItemID: fmt.Sprintf("item%05d", item), Type: "view",
		Time: event.Millis(at), SessionID: fmt.Sprint("s", i/20),
		Stamp: &event.Stamp{Category: new(fmt.Sprint("category", item%c.Categories)), Price: new(float64(100+item) / 4)},
	}
	switch i % 10 {
	case 3:
		e.Type = "purchase"
	case 7:
		e.Type, e.Value = "rating", new(float64(1+item%5))
	}
	for field, t := range f.Fields {
		if name, ok := strings.CutPrefix(field, "context."); ok {
			e.Context = map[string]string{name: fmt.Sprint("value", item%3)}
		}
		if name, ok := strings.CutPrefix(field, "properties."); ok {
			if e.Properties == nil {
				e.Properties = map[string]any{}
			}
			e.Properties[name] = synthetic(t, item)
		}
	}
	return e
}

func synthetic(t feature.Type, n int) any {
	switch t.Kind {
	case feature.Text:
		return fmt.Sprint("value", n%5)
	case feature.Boolean:
		return n%2 == 0
	}
	return float64(n)
}

// scanned returns how many bytes of an event a query over all features reads: BigQuery counts 8 for a number
// or an instant and 2 + length for a text. Ids are taken to be of 12 bytes, other texts of 8.
func scanned(c feature.Catalogue) (n int64) {
	used := map[string]bool{}
	for _, e := range []feature.Entity{feature.User, feature.Item, feature.Global} {
		p, err := tile.Compile(c, e)
		if err != nil {
			continue // the caller compiled it
		}
		for _, f := range p.Fields {
			name, _, _ := strings.Cut(f.Name, ".")
			used[name] = true
		}
	}
	n = 14 + 14 + 14 + 10 + 8 + 8 + 8 + 8 // event_id, user_id, item_id, type, event_time, log_time, epoch, position
	for name, bytes := range map[string]int64{"value": 8, "price": 8, "category": 10, "session_id": 14, "context": 40, "properties": 60} {
		if used[name] {
			n += bytes
		}
	}
	return n
}
