package nightly_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/anabranch/anabranch/batch/batchtest"
	"github.com/anabranch/anabranch/batch/nightly"
	"github.com/anabranch/anabranch/batch/quality"
	"github.com/anabranch/anabranch/infra/artifact"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/model"
)

// shopNight is what a night of the shop takes in before a fault is planted.
const shopNight = 200

// planted is a fault and the gate that has to notice it.
type planted struct {
	name  string
	stage quality.Stage
	gate  string                                   // YAML, without name
	plant func(events []event.Event) []event.Event // what happens in place of a clean night; nil: nothing else
	more  func(w *batchtest.World)                 // beside it
	named int                                      // rows that the report names
}

func each(events []event.Event, n int, change func(*event.Event)) []event.Event {
	for i := range events[:n] {
		change(&events[i])
	}
	return events
}

// again repeats the first n events.
func again(events []event.Event, n int) []event.Event { return append(events, events[:n]...) }

func reject(n int) func(*batchtest.World) {
	return func(w *batchtest.World) {
		for range n {
			w.Reject(1)
		}
	}
}

func plantedFaults() []planted {
	return []planted{
		{name: "rejected records", gate: `rows: {accepted: true, max_rate: 0.01}`, more: reject(7), named: 7},
		{
			name: "repeated events", gate: `rows: {column: event_id, unique: true, max_rate: 0.01}`, named: 5,
			plant: func(e []event.Event) []event.Event { return again(e, 5) },
		},
		{
			name: "unknown items", gate: `rows: {column: item_id, known: true, max_rate: 0.005}`, named: 4,
			plant: func(e []event.Event) []event.Event { return each(e, 4, func(e *event.Event) { e.ItemID = "stranger" }) },
		},
		{
			name: "a value out of range", gate: `rows: {column: value, min: 0, max: 10000}`, named: 1,
			plant: func(e []event.Event) []event.Event { return each(e, 1, func(e *event.Event) { e.Value = new(1e9) }) },
		},
		{
			name: "nulls", gate: `rows: {column: category, not_null: true, max_rate: 0.4}`, named: 10,
			plant: func(e []event.Event) []event.Event { return each(e, len(e), func(e *event.Event) { e.Stamp = nil }) },
		},
		{
			name: "a misspelt type", gate: `rows: {column: type, in: [view, cart, purchase]}`, named: 1,
			plant: func(e []event.Event) []event.Event { return each(e, 1, func(e *event.Event) { e.Type = "veiw" }) },
		},
		{
			name: "too few rows", gate: "metric: rows\n    of_median: {min: 0.5, nights: 2}",
			plant: func(e []event.Event) []event.Event { return e[:20] },
		},
		{
			name: "old rows", gate: "metric: age_hours\n    max: 24",
			plant: func(e []event.Event) []event.Event {
				return each(e, len(e), func(e *event.Event) { e.Time -= 2 * 86_400_000 })
			},
		},
		{
			name: "other types", gate: "metric: psi.type\n    max: 0.25",
			plant: func(e []event.Event) []event.Event { return each(e, len(e), func(e *event.Event) { e.Type = "like" }) },
		},
		{
			name: "other values", gate: "metric: psi.value\n    max: 1",
			plant: func(e []event.Event) []event.Event {
				return each(e, len(e), func(e *event.Event) { e.Value = new(.01) })
			},
		},
		{name: "a condition", gate: `expr: "m.rejected < 5.0 && m['max.value'] < 1e6"`, more: reject(7)},
		{
			name: "the output", stage: quality.Output, gate: "metric: duplicate_rate\n    max: 0.01",
			plant: func(e []event.Event) []event.Event { return again(e, 50) },
		},
	}
}

// gatesFor returns a file with one gate.
func gatesFor(t *testing.T, p planted) quality.Gates {
	t.Helper()
	g, err := quality.Parse([]byte(fmt.Sprintf("%s:\n  - name: planted\n    %s\n", p.on(), p.gate)))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// on is the stage of the gate, that of the input where none is said.
func (p planted) on() quality.Stage {
	if p.stage == "" {
		return quality.Input
	}
	return p.stage
}

// TestPlantedFaults: every gate lets clean nights pass, and blocks the night in which its fault is planted: nothing is published,
// and the report names the rows. Where the gates are others, the same night passes.
func TestPlantedFaults(t *testing.T) {
	for _, p := range plantedFaults() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			w, shop := batchtest.New(t), batchtest.NewShop(3, 40, 30)
			c := config(t, w.Bucket)
			c.Gates, c.Snapshot = gatesFor(t, p), wholeCatalogue
			var last nightly.Result
			for day := range 2 {
				last = mustRun(t, c, grow(w, shop, shopNight, label.AddDate(0, 0, day)))
			}
			at := plant(w, shop, p, label.AddDate(0, 0, 2))
			for range 2 { // again is no way around
				_, err := run(t.Context(), c, at)
				checkBlocked(t, c, at, p, err)
			}
			if p.named > 0 { // nor is waiting: what was taken in is still there
				next := plant(w, shop, planted{}, label.AddDate(0, 0, 3))
				_, err := run(t.Context(), c, next)
				checkBlocked(t, c, next, p, err)
				at = next
			}
			if now := pointerOf(t, c); now.Current != last.Generation || now.Sequence != 2 {
				t.Errorf("the pointer is %+v", now)
			}
			c.Gates = quality.Default()
			if r := mustRun(t, c, at); pointerOf(t, c).Current != r.Generation {
				t.Errorf("with other gates the night came to %+v", r)
			}
		})
	}
}

// TestOtherGatesAndBack: the report and the page are of the gates that were asked last, for both stages.
func TestOtherGatesAndBack(t *testing.T) {
	w, shop := batchtest.New(t), batchtest.NewShop(3, 40, 30)
	c := config(t, w.Bucket)
	at := plant(w, shop, planted{}, label)
	parse := func(text string) quality.Gates {
		g, err := quality.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	lenient, strict := parse("input:\n  - {name: few, metric: rows, min: 1}\n"), parse("input:\n  - {name: many, metric: rows, min: 1e9}\n")
	c.Gates = lenient
	mustRun(t, c, at)
	c.Gates = strict
	if _, err := run(t.Context(), c, at); api.CodeOf(err) != api.Gate {
		t.Errorf("the strict gates: %v", err)
	}
	c.Gates = lenient
	mustRun(t, c, at)
	if r := mustRun(t, c, at); !r.Unchanged {
		t.Errorf("the third time something was done: %+v", r)
	}
	r, err := quality.Read(t.Context(), c.Bucket, label, quality.Input)
	if err != nil || len(r.Verdicts) != 1 || r.Verdicts[0].Gate != "few" {
		t.Errorf("the report: %+v, %v", r, err)
	}
	page, _, err := c.Bucket.Get(t.Context(), quality.PageKey(label))
	if err != nil || !strings.Contains(string(page), "Gates on the input") || !strings.Contains(string(page), "Gates on the output") {
		t.Errorf("the page: %v\n%s", err, page)
	}
}

// plant closes a night with the fault.
func plant(w *batchtest.World, shop *batchtest.Shop, p planted, label time.Time) nightly.At {
	events := shop.Events(shopNight, label, 20*time.Hour)
	if p.plant != nil {
		events = p.plant(events)
	}
	for _, e := range events {
		w.Append(e)
	}
	if p.more != nil {
		p.more(w)
	}
	mark, cut := w.Mark(label)
	return nightly.At{Mark: mark, TopicID: batchtest.TopicID, Cut: cut}
}

func checkBlocked(t *testing.T, c nightly.Config, at nightly.At, p planted, err error) {
	t.Helper()
	if api.CodeOf(err) != api.Gate || !strings.Contains(err.Error(), "planted: ") || (p.named > 0) != strings.Contains(err.Error(), ".parquet") {
		t.Errorf("the night ended with %v", err)
	}
	r, err := quality.Read(t.Context(), c.Bucket, at.Mark.Label, p.on())
	if err != nil || r == nil || len(r.Verdicts) != 1 {
		t.Fatalf("the report: %+v, %v", r, err)
	}
	if v := r.Verdicts[0]; v.Holds || len(v.Examples) != p.named {
		t.Errorf("the verdict, with %d rows to be named: %+v", p.named, v)
	}
	for _, x := range r.Verdicts[0].Examples {
		if _, err := c.Bucket.Head(t.Context(), x.Object); err != nil {
			t.Errorf("the report names a row of %s: %v", x.Object, err)
		}
	}
	page, _, err := c.Bucket.Get(t.Context(), quality.PageKey(at.Mark.Label))
	if err != nil || !strings.Contains(string(page), `<span class="block">blocks</span>`) || !strings.Contains(string(page), "planted") {
		t.Errorf("the page: %v\n%s", err, page)
	}
}

func pointerOf(t *testing.T, c nightly.Config) model.Pointer {
	t.Helper()
	p, _, err := artifact.ReadPointer(t.Context(), c.Bucket)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// wholeCatalogue has every item of the shop.
func wholeCatalogue(context.Context) (items, users []byte, err error) {
	for i := range 30 {
		items = fmt.Appendf(items, "{\"item_id\":\"i%d\"}\n", i)
	}
	return items, nil, nil
}
