package oracle_test

import (
	"fmt"
	"testing"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile/oracle"
)

const (
	noon = int64(1_772_366_400_000) // 2026-03-01T12:00:00Z
	hour = int64(3_600_000)
)

// log is six events of one user, worked out by hand below: at noon, 1 h, 25 h, 3 days and a millisecond
// before or after the borders that matter.
func log() []oracle.Record {
	price, cheap := 12.5, 0.125
	books, hats := "books", "hats"
	var out []oracle.Record
	add := func(at int64, kind, item string, category *string, p *float64) {
		i := len(out)
		out = append(out, oracle.Record{Seq: int64(i), Event: event.Event{
			ID: fmt.Sprint(i), UserID: "u", ItemID: item, Type: kind, Time: event.Millis(at),
			Stamp: &event.Stamp{Category: category, Price: p},
		}})
	}
	add(noon, "view", "a", &books, &price)
	add(noon-hour, "view", "b", &hats, &cheap)     // the first tile of 1h
	add(noon-hour-1, "buy", "a", &books, &price)   // a millisecond before it
	add(noon+5*60_000-1, "view", "c", nil, &cheap) // the end of noon's tile of 5 minutes
	add(noon+5*60_000, "view", "d", nil, nil)      // after it, in the hour and the day of noon
	add(noon-73*hour, "buy", "b", &hats, &price)   // the day that contains noon − 3 days
	return out
}

// TestByHand compares answers with ones that were worked out without a program.
func TestByHand(t *testing.T) {
	c := feature.Catalogue{Fields: map[string]feature.Type{"price": {Kind: feature.Decimal, Scale: 2}}}
	views := feature.Filter{Types: []string{"view"}}
	dear := feature.Filter{Where: []feature.Condition{{Field: "price", Op: feature.Ge, Values: []feature.Literal{{Number: 12.5}}}}}
	elsewhere := feature.Filter{Where: []feature.Condition{{Field: "category", Op: feature.Ne, Values: []feature.Literal{{Text: "hats"}}}}}
	for want, d := range map[string]feature.Definition{
		"3":                         {Aggregate: feature.Count, Window: feature.Hour},
		"5":                         {Aggregate: feature.Count, Window: 7 * feature.Hour},
		"6":                         {Aggregate: feature.Count, Window: 3 * feature.Day},
		"4":                         {Aggregate: feature.Count, Window: feature.Lifetime, From: views},
		"944/25":                    {Aggregate: feature.Sum, Of: "price", Window: feature.Lifetime}, // 3·12.50 + 2·0.13
		"7.552 ± 0":                 {Aggregate: feature.Mean, Of: "price", Window: feature.Lifetime},
		"13/100":                    {Aggregate: feature.Min, Of: "price", Window: feature.Day},
		"25/2":                      {Aggregate: feature.Max, Of: "price", Window: feature.Day},
		"b":                         {Aggregate: feature.First, Of: "item_id", Window: feature.Lifetime},
		"d":                         {Aggregate: feature.Last, Of: "item_id", Window: feature.Day},
		"0.5 ± 0":                   {Aggregate: feature.Ratio, Numerator: &dear, Window: feature.Lifetime},
		"null":                      {Aggregate: feature.Ratio, Numerator: &dear, Denominator: &feature.Filter{Types: []string{"none"}}, Window: feature.Lifetime},
		"[0 2 3]":                   {Aggregate: feature.Histogram, Of: "price", Bounds: []float64{0.13, 12.5}, Window: feature.Lifetime},
		`{"books": 1; "hats": 1; }`: {Aggregate: feature.Count, By: "category", From: views, Window: feature.Day},
		"2":                         {Aggregate: feature.Count, From: elsewhere, Window: feature.Lifetime}, // without those of no category
		"[d c a]":                   {Aggregate: feature.LastN, Of: "item_id", N: 3, Window: feature.Lifetime},
	} {
		d.Name, d.Entity = "f", feature.User
		if got := oracle.Answer(c, d, log(), noon).String(); got != want {
			t.Errorf("%s over %s: %s, by hand %s", d.Aggregate, d.Window, got, want)
		}
	}
}

// TestDecayByHand: an event of one half-life ago is worth half.
func TestDecayByHand(t *testing.T) {
	d := feature.Definition{Name: "f", Entity: feature.User, Aggregate: feature.DecayedCount, HalfLife: feature.Hour, Window: feature.Day}
	var records []oracle.Record
	for age, n := range []int64{1, 2, 0, 4} { // 1 + 2/2 + 4/8
		for range n {
			records = append(records, oracle.Record{Event: event.Event{Time: event.Millis(noon - int64(age)*hour)}})
		}
	}
	want := oracle.Answer(feature.Catalogue{}, d, records, noon)
	for f, right := range map[float64]bool{2.5: true, 2.5 + 0x1p-50: true, 2.5 + 0x1p-46: false, 2.4: false} {
		if err := want.Check(agg.FloatValue(f)); (err == nil) != right {
			t.Errorf("%v: %v", f, err)
		}
	}
}

// TestDuplicatesByHand: the 128th record before counts, the 129th does not; an epoch before counts, two
// do not; another user's id never.
func TestDuplicatesByHand(t *testing.T) {
	record := func(id, user string, epoch int64) oracle.Record {
		return oracle.Record{Event: event.Event{ID: id, UserID: user}, Epoch: epoch}
	}
	repeat := func(between int, epochs int64, user string) int {
		log := []oracle.Record{record("x", "u", 0)}
		for i := range between {
			log = append(log, record(fmt.Sprint(i), "u", 0))
		}
		return len(log) + 1 - len(oracle.Distinct(append(log, record("x", user, epochs))))
	}
	for _, x := range []struct {
		between int
		epochs  int64
		user    string
		dropped int
	}{{0, 0, "u", 1}, {127, 0, "u", 1}, {128, 0, "u", 0}, {5, 1, "u", 1}, {5, 2, "u", 0}, {0, 0, "v", 0}} {
		if got := repeat(x.between, x.epochs, x.user); got != x.dropped {
			t.Errorf("%+v: %d dropped", x, got)
		}
	}
}

// TestCheckRefuses: an answer of the wrong kind, of the wrong order or with a group too many is wrong.
func TestCheckRefuses(t *testing.T) {
	c := feature.Catalogue{}
	grouped := oracle.Answer(c, feature.Definition{Aggregate: feature.Count, By: "type", Window: feature.Lifetime}, log(), noon)
	list := func(groups ...agg.Group) agg.Value { return agg.GroupsValue(&groups) }
	view, buy := agg.Group{Key: "view", Value: agg.IntegerValue(4)}, agg.Group{Key: "buy", Value: agg.IntegerValue(2)}
	if err := grouped.Check(list(view, buy)); err != nil {
		t.Fatal(err)
	}
	count := oracle.Answer(c, feature.Definition{Aggregate: feature.Count, Window: feature.Lifetime}, log(), noon)
	for name, err := range map[string]error{
		"order":            grouped.Check(list(buy, view)),
		"a group less":     grouped.Check(list(view)),
		"another group":    grouped.Check(list(view, agg.Group{Key: "cart", Value: agg.IntegerValue(2)})),
		"a wrong value":    grouped.Check(list(view, agg.Group{Key: "buy", Value: agg.IntegerValue(1)})),
		"no groups":        grouped.Check(agg.IntegerValue(6)),
		"a float":          count.Check(agg.FloatValue(6)),
		"null":             count.Check(agg.Null),
		"one off":          count.Check(agg.IntegerValue(7)),
		"a boolean":        count.Check(agg.BooleanValue(true)),
		"a text":           count.Check(agg.TextValue("6")),
		"groups, no group": count.Check(list()),
	} {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
