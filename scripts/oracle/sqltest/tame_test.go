//go:build integration

package sqltest

import (
	"math"

	"github.com/anabranch/anabranch/schemas/feature"
)

// tame changes what an engine cannot do:
//
//   - Numbers near the end of floats become smaller: what adds up to more than a float holds is an error
//     in BigQuery and infinite elsewhere, where our engines have no answer (docs/sql.md).
//   - For the emulator, whole values of float fields get a fraction. In rows that it has sorted, it takes
//     whole floats for integers, and compares and divides integers as such: 1.0 = 1.5.
func (r *run) tame() {
	for _, x := range r.Log {
		e := x.Event
		if e.Value != nil {
			*e.Value = r.tamed("value", *e.Value)
		}
		if e.Stamp != nil && e.Stamp.Price != nil {
			*e.Stamp.Price = r.tamed("price", *e.Stamp.Price)
		}
		for k, v := range e.Properties {
			if f, ok := v.(float64); ok {
				e.Properties[k] = r.tamed("properties."+k, f)
			}
		}
	}
}

func (r *run) tamed(field string, x float64) float64 {
	if math.Abs(x) > 1e100 {
		x *= 1e-250
	}
	t, _ := r.Catalogue.Type(field)
	if r.dialect.Name() != "GoogleSQL" || t.Kind != feature.Float || x != math.Trunc(x) || math.Abs(x) > math.MaxInt64 {
		return x
	}
	if math.Abs(x) > 1e6 { // so that there is room for a fraction
		x *= 1e-10
	}
	return x + 0.25
}
