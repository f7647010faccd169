package feature

import "slices"

// Aggregate names a monoid of schemas/agg.
type Aggregate string

// The aggregates. What each takes and answers is in docs/features.md.
const (
	Count        Aggregate = "count"
	Sum          Aggregate = "sum"
	Mean         Aggregate = "mean"
	Min          Aggregate = "min"
	Max          Aggregate = "max"
	First        Aggregate = "first"
	Last         Aggregate = "last"
	Distinct     Aggregate = "distinct"
	TopK         Aggregate = "top_k"
	LastN        Aggregate = "last_n"
	DecayedSum   Aggregate = "decayed_sum"
	DecayedCount Aggregate = "decayed_count"
	Ratio        Aggregate = "ratio"
	Histogram    Aggregate = "histogram"
)

// Interaction is what last_n takes beside fields: item, type, value and event time of each event.
const Interaction = "interaction"

// rule says which keys an aggregate gives a meaning to.
type rule struct {
	aggregate Aggregate
	answer    string   // what it answers, for messages and the JSON Schema
	of        []Kind   // kinds of field that it takes; nil: it takes none
	needs     []string // further keys that it requires
	may       []string // further keys that it allows
}

// rules is in the order of documentation.
var rules = []rule{
	{aggregate: Count, answer: "the number of events", may: []string{"by"}},
	{aggregate: Sum, answer: "the sum of a field", of: addable, may: []string{"by"}},
	{aggregate: Mean, answer: "the mean of a field", of: addable, may: []string{"by"}},
	{aggregate: Min, answer: "the least value of a field", of: ordered, may: []string{"by"}},
	{aggregate: Max, answer: "the greatest value of a field", of: ordered, may: []string{"by"}},
	{aggregate: First, answer: "the value of a field in the earliest event", of: kinds},
	{aggregate: Last, answer: "the value of a field in the latest event", of: kinds},
	{aggregate: Distinct, answer: "how many different values a field has (HyperLogLog++)", of: countable, may: []string{"precision"}},
	{aggregate: TopK, answer: "the n most frequent values of a field, with their counts", of: countable, needs: []string{"n"}},
	{aggregate: LastN, answer: "the values of a field in the latest n events, or these events as interactions", of: kinds, needs: []string{"n"}},
	{aggregate: DecayedSum, answer: "the sum of a field, each event worth half after every half_life", of: addable, needs: []string{"half_life"}, may: []string{"by"}},
	{aggregate: DecayedCount, answer: "the number of events, each worth half after every half_life", needs: []string{"half_life"}, may: []string{"by"}},
	{aggregate: Ratio, answer: "events that match numerator / events that match denominator", needs: []string{"numerator"}, may: []string{"denominator", "by"}},
	{aggregate: Histogram, answer: "how many events have a field between each two bounds", of: measured, needs: []string{"bounds"}},
}

var (
	kinds     = []Kind{Text, Integer, Decimal, Float, Boolean, Time}
	addable   = []Kind{Integer, Decimal, Float, Boolean}
	ordered   = []Kind{Integer, Decimal, Float, Time}
	countable = []Kind{Text, Integer, Decimal, Time}
	measured  = []Kind{Integer, Decimal, Float}
)

// Aggregates returns all aggregates.
func Aggregates() []Aggregate {
	out := make([]Aggregate, len(rules))
	for i, r := range rules {
		out[i] = r.aggregate
	}
	return out
}

// Accepts reports whether the aggregate takes a field of the kind. Count, DecayedCount and Ratio take
// no field.
func (a Aggregate) Accepts(k Kind) bool { return slices.Contains(a.rule().of, k) }

// Grouped reports whether a feature of the aggregate may have `by`: it answers with one number.
func (a Aggregate) Grouped() bool { return slices.Contains(a.rule().may, "by") }

func (a Aggregate) rule() rule {
	if i := slices.IndexFunc(rules, func(r rule) bool { return r.aggregate == a }); i >= 0 {
		return rules[i]
	}
	return rule{aggregate: a}
}

// conditionalKeys are the keys that only some aggregates give a meaning to.
var conditionalKeys = []string{"by", "of", "numerator", "denominator", "half_life", "n", "precision", "bounds"}

// required reports whether the aggregate requires a conditional key.
func (r rule) required(key string) bool {
	return slices.Contains(r.needs, key) || key == "of" && r.of != nil
}

// allows reports whether the aggregate gives a conditional key a meaning.
func (r rule) allows(key string) bool { return r.required(key) || slices.Contains(r.may, key) }
