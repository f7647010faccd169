package feature

// key is a key of features.yaml.
type key struct {
	name, about string
}

// The keys, in the order in which a definition is read best.
var (
	catalogueKeys = []key{
		{"fields", "How typed fields are read: field → text, integer, decimal(1) to decimal(6), float, boolean or time. properties.NAME and context.NAME have to be declared to be used; context is always text; value and price may be redeclared as integer, decimal(s) or float."},
		{"features", "The features that every engine computes."},
		{"derived", "Features computed at read time from others of the same entity."},
	}
	definitionKeys = []key{
		{"name", "What the feature is called: 1 to 64 characters out of a-z, 0-9 and _, starting with a letter. Features and derived features share one name space."},
		{"description", "For people; it changes nothing."},
		{"entity", "Whom the feature describes: a user, an item, or the only member of global."},
		{"by", "A text field: one value for each of its values (user × category). For aggregates that answer with one number."},
		{"from", "Which events the feature is computed from; left out: all."},
		{"aggregate", "What is computed of these events."},
		{"of", "The field that is aggregated; last_n also takes interaction. An event without the field does not count."},
		{"numerator", "Of ratio: the events of from that are counted above the line."},
		{"denominator", "Of ratio: the events of from that are counted below the line; left out: all of from."},
		{"window", "How far back in event time: 1h to 365d in whole hours or days, or lifetime. Tiles: 5m up to 6h, 1h up to 2d, 1d beyond."},
		{"half_life", "Of decayed_sum and decayed_count: after which time an event is worth half; 1h to 365d."},
		{"n", "Of top_k and last_n: how many, 1 to 1000."},
		{"precision", "Of distinct: 2^precision registers, 4 to 14, 11 if left out; standard error 1.04/√(2^precision)."},
		{"bounds", "Of histogram: 1 to 100 rising numbers. Bucket i counts bounds[i-1] <= x < bounds[i]; there is one bucket more than bounds."},
	}
	filterKeys = []key{
		{"types", "Event types; one of them has to match. Left out: every type."},
		{"where", "Conditions `field op literal`, all of which have to hold; op is == != < <= > >= or in. A condition on an absent field is false."},
	}
	derivedKeys = []key{
		{"name", "What the feature is called; features and derived features share one name space."},
		{"description", "For people; it changes nothing."},
		{"entity", "Whose features the expression reads."},
		{"expr", "A CEL expression over the entity's features that answer with one number or text, such as double(purchases_7d) / double(views_7d)."},
	}
)

func names(keys []key) []string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = k.name
	}
	return out
}
