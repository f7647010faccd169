package feature

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
