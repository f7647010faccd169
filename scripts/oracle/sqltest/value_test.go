//go:build integration

package sqltest

import (
	"encoding/json"
	"fmt"
	"math/big"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/feature"
)

// value turns an engine's answer of a feature into a value, as the oracle judges it. The values of
// types that package agg alone can make are what its monoids make of one event.
func value(c feature.Catalogue, d feature.Definition, x any) (agg.Value, error) {
	if d.By == "" {
		return single(c, d, x)
	}
	groups := []agg.Group{}
	for _, row := range list(x) {
		group := fields(row, "key", "value")
		v, err := single(c, d, group[1])
		if err != nil {
			return agg.Null, err
		}
		groups = append(groups, agg.Group{Key: group[0].(string), Value: v})
	}
	return agg.GroupsValue(&groups), nil
}

func single(c feature.Catalogue, d feature.Definition, x any) (agg.Value, error) {
	t, _ := c.Type(d.Of)
	switch d.Aggregate {
	case feature.Count, feature.Distinct:
		n, err := units(x, 0)
		if err != nil {
			return agg.Null, err
		}
		return agg.IntegerValue(n.Int64()), nil
	case feature.Ratio, feature.Mean, feature.DecayedCount, feature.DecayedSum:
		return float(x)
	case feature.Sum:
		return sum(d, t, x)
	case feature.Min, feature.Max, feature.First, feature.Last:
		if x == nil {
			return agg.Null, nil
		}
		return scalar(t, x)
	case feature.Histogram:
		var counts []int64
		for _, n := range list(x) {
			u, err := units(n, 0)
			if err != nil {
				return agg.Null, err
			}
			counts = append(counts, u.Int64())
		}
		return agg.HistogramValue(&counts), nil
	case feature.TopK:
		return top(x)
	}
	return latest(d, t, list(x))
}

// list is an array; an empty one may be NULL.
func list(x any) []any {
	l, _ := x.([]any)
	return l
}

// fields is a struct: an array, or an object by name.
func fields(x any, names ...string) []any {
	object, ok := x.(map[string]any)
	if !ok {
		return list(x)
	}
	var out []any
	for _, name := range names {
		out = append(out, object[name])
	}
	return out
}

// units returns a number in units of 10^-scale.
func units(x any, scale int) (*big.Int, error) {
	r, ok := new(big.Rat).SetString(fmt.Sprint(x))
	if !ok {
		return nil, fmt.Errorf("%v is no number", x)
	}
	ten := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)
	r.Mul(r, new(big.Rat).SetInt(ten))
	if !r.IsInt() {
		return nil, fmt.Errorf("%v has more than %d decimal places", x, scale)
	}
	return r.Num(), nil
}

func float(x any) (agg.Value, error) {
	n, ok := x.(json.Number)
	if !ok { // NULL, or an infinity as a text
		return agg.Null, nil
	}
	f, err := n.Float64()
	return agg.FloatValue(f + 0), err // -0 is 0
}

// operand is an answer as an event would have it.
func operand(t feature.Type, x any) (agg.Operand, error) {
	switch t.Kind {
	case feature.Text:
		return agg.Operand{Kind: agg.Text, Text: x.(string)}, nil
	case feature.Float:
		f, err := x.(json.Number).Float64()
		return agg.Operand{Kind: agg.Float, Float: f + 0}, err
	case feature.Boolean:
		o := agg.Operand{Kind: agg.Int}
		if x.(bool) {
			o.Int = 1
		}
		return o, nil
	}
	n, err := units(x, t.Scale)
	if err != nil {
		return agg.Operand{}, err
	}
	return agg.Operand{Kind: agg.Int, Int: n.Int64()}, nil
}

func scalar(t feature.Type, x any) (agg.Value, error) {
	o, err := operand(t, x)
	if err != nil {
		return agg.Null, err
	}
	return finalized(feature.Definition{Aggregate: feature.Last}, t, agg.Input{Of: o})
}

func finalized(d feature.Definition, t feature.Type, events ...agg.Input) (agg.Value, error) {
	m, err := agg.For(d, t)
	if err != nil {
		return agg.Null, err
	}
	var p agg.Partial
	for i := range events {
		m.Update(&p, &events[i])
	}
	return m.Finalize(&p), nil
}

// sum adds up parts, since an operand has 64 bits and a sum may have more.
func sum(d feature.Definition, t feature.Type, x any) (agg.Value, error) {
	if t.Kind == feature.Float {
		return float(x)
	}
	rest, err := units(x, t.Scale)
	if err != nil {
		return agg.Null, err
	}
	rest = new(big.Int).Set(rest)
	var parts []agg.Input
	for limit := big.NewInt(1 << 62); ; {
		part := new(big.Int).Set(rest)
		if part.CmpAbs(limit) > 0 {
			part.Mul(limit, big.NewInt(int64(rest.Sign())))
		}
		parts = append(parts, agg.Input{Of: agg.Operand{Kind: agg.Int, Int: part.Int64()}})
		if rest.Sub(rest, part).Sign() == 0 {
			return finalized(d, t, parts...)
		}
	}
}

func top(x any) (agg.Value, error) {
	out := agg.Top{Exact: true}
	for _, row := range list(x) {
		counted := fields(row, "key", "count")
		n, err := units(counted[1], 0)
		if err != nil {
			return agg.Null, err
		}
		out.Keys = append(out.Keys, agg.Counted{Key: counted[0].(string), Count: n.Int64()})
	}
	return agg.TopValue(&out), nil
}

// latest is a last_n, whose list is latest first.
func latest(d feature.Definition, t feature.Type, rows []any) (agg.Value, error) {
	var events []agg.Input
	for i, row := range rows {
		in := agg.Input{Time: -int64(i)}
		var err error
		if d.Of == feature.Interaction {
			in, err = interaction(fields(row, "item_id", "type", "value", "event_time", "seq"))
		} else {
			in.Of, err = operand(t, row)
		}
		if err != nil {
			return agg.Null, fmt.Errorf("entry %d: %w", i, err)
		}
		events = append(events, in)
	}
	return finalized(d, t, events...)
}

func interaction(x []any) (agg.Input, error) {
	in := agg.Input{Item: x[0].(string), Type: x[1].(string)}
	if n, ok := x[2].(json.Number); ok {
		f, err := n.Float64()
		if err != nil {
			return in, err
		}
		in.Value = agg.Operand{Kind: agg.Float, Float: f}
	}
	at, err := x[3].(json.Number).Int64()
	if err != nil {
		return in, err
	}
	in.Time = at
	in.Seq, err = x[4].(json.Number).Int64()
	return in, err
}
