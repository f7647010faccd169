package model

// Weights turns events into the confidence of an implicit-feedback interaction.
type Weights struct {
	ByType  map[string]float64 `json:"by_type"`
	Default float64            `json:"default"`
	// Rating names the type whose value is the signal: its weight is value − RatingZero, at least 0.
	Rating     string  `json:"rating"`
	RatingZero float64 `json:"rating_zero"`
}

// DefaultWeights rank a purchase over a cart over a view, and take ratings above 2 as liking.
func DefaultWeights() Weights {
	return Weights{
		ByType:  map[string]float64{"view": 1, "click": 1, "like": 3, "cart": 3, "purchase": 5},
		Default: 1, Rating: "rating", RatingZero: 2,
	}
}

// MaxWeight bounds the weight of one event: values come from outside, and a single absurd one must not
// drown a user's history or overflow training.
const MaxWeight = 100

// Of returns the weight of one event, in [0, MaxWeight]; value is nil where the event has none.
func (w Weights) Of(eventType string, value *float64) float64 {
	x, known := w.ByType[eventType]
	switch {
	case eventType == w.Rating && value != nil:
		x = *value - w.RatingZero
	case !known:
		x = w.Default
	}
	return min(max(x, 0), MaxWeight)
}
