package recommend

import (
	"fmt"
	"math"
	"time"
)

// Tuning says how much more a recent interaction weighs than an old one, when a vector is solved at request time. An
// interaction of weight w and age a in a history of m interactions counts as
//
//	w · (1 + 2^(−a/HalfLife) · max(FreshBoost, FreshShare·m))
//
// so that a session is heard however long the history is, and after some half-lives an interaction weighs what it weighed in
// training.
type Tuning struct {
	HalfLife   time.Duration // age at which half the extra weight is left
	FreshBoost float64       // extra weight of an interaction of age 0 in a short history
	FreshShare float64       // the same as a fraction of the number of interactions, for long histories
	MaxHistory int           // most recent distinct items that are solved for; bounds the time of a request
}

// DefaultTuning returns the values that the package's taste test holds to their effect.
func DefaultTuning() Tuning {
	return Tuning{HalfLife: 30 * time.Minute, FreshBoost: 4, FreshShare: .15, MaxHistory: 1000}
}

// Validate names the first field that is out of range.
func (t Tuning) Validate() error {
	switch {
	case t.HalfLife <= 0:
		return fmt.Errorf("half-life = %v: must be positive", t.HalfLife)
	case !(t.FreshBoost >= 0 && t.FreshBoost <= 1e6):
		return fmt.Errorf("fresh boost = %v: must be in [0, 1e6]", t.FreshBoost)
	case !(t.FreshShare >= 0 && t.FreshShare <= 10):
		return fmt.Errorf("fresh share = %v: must be in [0, 10]", t.FreshShare)
	case t.MaxHistory < 1:
		return fmt.Errorf("max history = %d: must be at least 1", t.MaxHistory)
	}
	return nil
}

// weight returns what an interaction of weight w counts at time now, in a history of m. One from the future is new.
func (t Tuning) weight(w float32, at, now int64, m int) float64 {
	age := float64(max(now-at, 0)) / float64(t.HalfLife.Milliseconds())
	return float64(w) * (1 + math.Exp2(-age)*max(t.FreshBoost, t.FreshShare*float64(m)))
}
