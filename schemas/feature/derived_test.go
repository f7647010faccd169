package feature_test

import (
	"testing"

	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/feature/expr"
)

func TestAnswerTypes(t *testing.T) {
	c, err := feature.Parse([]byte(`
fields: {value: integer, price: decimal(2), properties.trial: boolean, properties.born: time, properties.f: float}
features:
- {name: count, entity: user, aggregate: count, window: 1h}
- {name: distinct, entity: user, aggregate: distinct, of: item_id, window: 1h}
- {name: sum_integer, entity: user, aggregate: sum, of: value, window: 1h}
- {name: sum_decimal, entity: user, aggregate: sum, of: price, window: 1h}
- {name: sum_boolean, entity: user, aggregate: sum, of: properties.trial, window: 1h}
- {name: mean_integer, entity: user, aggregate: mean, of: value, window: 1h}
- {name: max_float, entity: user, aggregate: max, of: properties.f, window: 1h}
- {name: min_time, entity: user, aggregate: min, of: properties.born, window: 1h}
- {name: last_text, entity: user, aggregate: last, of: category, window: 1h}
- {name: first_boolean, entity: user, aggregate: first, of: properties.trial, window: 1h}
- {name: ratio, entity: user, aggregate: ratio, numerator: {types: [cart]}, window: 1h}
- {name: decayed, entity: user, aggregate: decayed_count, half_life: 1h, window: 1d}
- {name: top, entity: user, aggregate: top_k, of: category, n: 3, window: 1d}
- {name: list, entity: user, aggregate: last_n, of: interaction, n: 3, window: 1d}
- {name: bars, entity: user, aggregate: histogram, of: value, bounds: [1], window: 1d}
- {name: grouped, entity: user, by: category, aggregate: count, window: 1d}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]expr.Type{
		"count": expr.Int, "distinct": expr.Int, "sum_integer": expr.Int, "sum_decimal": expr.Double,
		"sum_boolean": expr.Int, "mean_integer": expr.Double, "max_float": expr.Double, "min_time": expr.Int,
		"last_text": expr.Text, "first_boolean": expr.Int, "ratio": expr.Double, "decayed": expr.Double,
	}
	for _, d := range c.Features {
		if got, ok := c.Answer(d); got != want[d.Name] || ok != (want[d.Name] != "") {
			t.Errorf("%s: %q, %v, want %q", d.Name, got, ok, want[d.Name])
		}
	}
}

func TestDefaultDerivedFeatures(t *testing.T) {
	c, err := feature.Default()
	if err != nil {
		t.Fatal(err)
	}
	users, err := feature.CompileDerived(c, feature.User)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]any{"views_30d": int64(12), "purchases_30d": int64(0), "spend_30d": 0.0}
	read := func(name string) (any, bool) { v, ok := values[name]; return v, ok }
	for name, want := range map[string]any{"views_per_purchase_30d": nil, "spend_per_purchase_30d": 0.0, "day_over_week": nil} {
		f, ok := users.Get(name)
		if !ok {
			t.Fatalf("no %s", name)
		}
		if got := f.Eval(read); got != want {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
	}
	values["purchases_30d"] = int64(5)
	if f, _ := users.Get("views_per_purchase_30d"); f.Eval(read) != 2.4 {
		t.Errorf("views_per_purchase_30d = %v, want 2.4", f.Eval(read))
	}
	if _, ok := users.Get("item_price_change"); ok {
		t.Error("users have a derived feature of items")
	}
	if none, err := feature.CompileDerived(c, feature.Global); err != nil || len(none.Formulas) > 0 {
		t.Errorf("global: %v, %v", none, err)
	}
}

func TestCompileDerivedNamesWhatFails(t *testing.T) {
	c := feature.Catalogue{Derived: []feature.Derived{{Name: "d", Entity: feature.User, Expr: "x"}}}
	_, err := feature.CompileDerived(c, feature.User)
	if want := `derived feature "d", "x": line 1, column 1: no feature has this name`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
