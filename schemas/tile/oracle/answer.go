package oracle

import (
	"cmp"
	"math"
	"math/big"
	"slices"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/feature"
)

// Want is the right answer of a feature.
type Want struct {
	name   string
	one    answer            // of a feature that is not grouped
	groups map[string]answer // of a grouped one
}

// answer is a right answer without groups.
type answer interface {
	// check says what is wrong with an answer.
	check(got agg.Value) error
	String() string
}

// counted is an event that counts for a feature.
type counted struct {
	Record
	of *operand // nil where the aggregate takes no field
}

// Answer returns the answer of a definition read at t, given the distinct records of one member of its
// entity.
func Answer(c feature.Catalogue, d feature.Definition, distinct []Record, t int64) Want {
	groups := map[string][]counted{}
	for _, r := range distinct {
		if !inWindow(d.Window, int64(r.Event.Time), t) || !takes(c, d.From, &r.Event) {
			continue
		}
		x := counted{Record: r}
		if d.Of != "" && d.Of != feature.Interaction {
			if x.of = read(c, d.Of, &r.Event); x.of == nil {
				continue
			}
		}
		if d.Numerator != nil && !takes(c, *d.Numerator, &r.Event) && !inDenominator(c, d, x) {
			continue // a ratio that it has nothing to do with
		}
		key := ""
		if d.By != "" {
			by := read(c, d.By, &r.Event)
			if by == nil {
				continue
			}
			key = by.text
		}
		groups[key] = append(groups[key], x)
	}
	w := Want{name: d.Name}
	if d.By == "" {
		w.one = answerOf(c, d, groups[""], t)
		return w
	}
	w.groups = map[string]answer{}
	for key, events := range groups {
		w.groups[key] = answerOf(c, d, events, t)
	}
	return w
}

func inDenominator(c feature.Catalogue, d feature.Definition, x counted) bool {
	return d.Denominator == nil || takes(c, *d.Denominator, &x.Event)
}

// answerOf returns the answer of a definition over the events that count.
func answerOf(c feature.Catalogue, d feature.Definition, events []counted, t int64) answer {
	typ, _ := c.Type(d.Of)
	switch d.Aggregate {
	case feature.Count:
		return integer(int64(len(events)))
	case feature.Ratio:
		return ratioOf(c, d, events)
	case feature.Sum:
		return sumOf(typ, events)
	case feature.Mean:
		return meanOf(typ, events)
	case feature.Min:
		return extremeOf(typ, events, -1)
	case feature.Max:
		return extremeOf(typ, events, 1)
	case feature.DecayedCount, feature.DecayedSum:
		return decayedOf(d, typ, events, t)
	case feature.Histogram:
		return histogramOf(d, typ, events)
	case feature.Distinct:
		return distinctOf(d, typ, events)
	case feature.TopK:
		return topOf(d, typ, events)
	}
	slices.SortFunc(events, func(a, b counted) int { // latest first
		return cmp.Or(cmp.Compare(b.Event.Time, a.Event.Time), cmp.Compare(b.Seq, a.Seq))
	})
	switch {
	case d.Aggregate == feature.LastN && d.Of == feature.Interaction:
		return interactions(events[:min(d.N, len(events))])
	case d.Aggregate == feature.LastN:
		var l list
		for _, x := range events[:min(d.N, len(events))] {
			l = append(l, valueOf(typ, x.of))
		}
		return l
	case len(events) == 0:
		return null{}
	case d.Aggregate == feature.First:
		return valueOf(typ, events[len(events)-1].of)
	}
	return valueOf(typ, events[0].of)
}

// valueOf is an operand as an answer.
func valueOf(t feature.Type, o *operand) answer {
	switch t.Kind {
	case feature.Text:
		return text(o.text)
	case feature.Float:
		return near{value: new(big.Rat).SetFloat64(o.float), slack: new(big.Rat)}
	}
	return number{kindOf(t), o.exact(t)}
}

func kindOf(t feature.Type) agg.ValueKind {
	return map[feature.Kind]agg.ValueKind{
		feature.Integer: agg.KindInteger, feature.Decimal: agg.KindDecimal, feature.Boolean: agg.KindBoolean, feature.Time: agg.KindTime,
	}[t.Kind]
}

func ratioOf(c feature.Catalogue, d feature.Definition, events []counted) answer {
	var above, below int64
	for _, x := range events {
		if takes(c, *d.Numerator, &x.Event) {
			above++
		}
		if inDenominator(c, d, x) {
			below++
		}
	}
	if below == 0 {
		return null{}
	}
	return rounded(big.NewRat(above, below))
}

// rounded is the float64 nearest to a number.
func rounded(x *big.Rat) answer {
	f, _ := x.Float64()
	return near{value: new(big.Rat).SetFloat64(f), slack: new(big.Rat)}
}

// total adds up operands, and their absolute values.
func total(t feature.Type, events []counted) (sum, absolute *big.Rat) {
	sum, absolute = new(big.Rat), new(big.Rat)
	for _, x := range events {
		v := x.of.exact(t)
		sum.Add(sum, v)
		absolute.Add(absolute, new(big.Rat).Abs(v))
	}
	return sum, absolute
}

func sumOf(t feature.Type, events []counted) answer {
	sum, absolute := total(t, events)
	switch t.Kind {
	case feature.Float:
		return near{value: sum, slack: sumSlack(sum, absolute, len(events)), overflow: overflows(absolute)}
	case feature.Boolean: // how many are true
		return number{agg.KindInteger, sum}
	}
	return number{kindOf(t), sum}
}

func meanOf(t feature.Type, events []counted) answer {
	if len(events) == 0 {
		return null{}
	}
	sum, absolute := total(t, events)
	n := big.NewRat(int64(len(events)), 1)
	mean := new(big.Rat).Quo(sum, n)
	if t.Kind != feature.Float {
		return rounded(mean)
	}
	slack := sumSlack(sum, absolute, len(events))
	slack.Quo(slack, n)
	slack.Add(slack, scaled(mean, -52)) // it is rounded once more
	return near{value: mean, slack: slack, overflow: overflows(absolute)}
}

// sumSlack is how far a sum of n floats may be off: 2^-52·|sum| + n·2^-100·Σ|x|. What lies below
// the least float is no difference.
func sumSlack(sum, absolute *big.Rat, n int) *big.Rat {
	slack := scaled(sum, -52)
	slack.Add(slack, new(big.Rat).Mul(big.NewRat(int64(n), 1), scaled(absolute, -100)))
	return slack.Add(slack, scaled(big.NewRat(1, 1), -1074))
}

// scaled returns |x|·2^e.
func scaled(x *big.Rat, e int) *big.Rat {
	p := new(big.Rat).SetInt(new(big.Int).Lsh(big.NewInt(1), uint(max(e, -e))))
	if e < 0 {
		p.Inv(p)
	}
	return p.Mul(p, new(big.Rat).Abs(x))
}

// overflows reports whether adding up floats may leave their range on the way.
func overflows(absolute *big.Rat) bool {
	return absolute.Cmp(new(big.Rat).SetFloat64(math.MaxFloat64/4)) > 0
}

func extremeOf(t feature.Type, events []counted, sign int) answer {
	if len(events) == 0 {
		return null{}
	}
	best := events[0].of
	for _, x := range events {
		if x.of.exact(t).Cmp(best.exact(t)) == sign {
			best = x.of
		}
	}
	return valueOf(t, best)
}

func histogramOf(d feature.Definition, t feature.Type, events []counted) answer {
	h := make(histogram, len(d.Bounds)+1)
	for _, x := range events {
		bucket := 0
		for _, b := range d.Bounds {
			if compare(t, x.of, feature.Literal{Number: b}) >= 0 {
				bucket++
			}
		}
		h[bucket]++
	}
	return h
}
