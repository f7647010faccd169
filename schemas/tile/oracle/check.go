package oracle

import (
	"fmt"
	"maps"
	"math/big"
	"slices"

	"github.com/anabranch/anabranch/schemas/agg"
)

// Check says what is wrong with an answer; nil means that it is right. Groups may come in any order in
// which their values, as they are, do not rise, and those of equal values rise by key; no value comes
// last.
func (w Want) Check(got agg.Value) error {
	if w.groups == nil {
		if err := w.one.check(got); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		return nil
	}
	groups := got.Groups()
	if got.Kind() != agg.KindGroups || len(groups) != len(w.groups) {
		return fmt.Errorf("%s: %w", w.name, differs(w, got))
	}
	for i, g := range groups {
		want, ok := w.groups[g.Key]
		if !ok {
			return fmt.Errorf("%s: group %q is not in %s", w.name, g.Key, w)
		}
		if err := want.check(g.Value); err != nil {
			return fmt.Errorf("%s of %q: %w", w.name, g.Key, err)
		}
		if i > 0 && !ordered(groups[i-1], g) {
			return fmt.Errorf("%s: group %q must not follow %q in %s", w.name, g.Key, groups[i-1].Key, got)
		}
	}
	return nil
}

// String returns the right answer, for people.
func (w Want) String() string {
	if w.groups == nil {
		return w.one.String()
	}
	out := ""
	for _, key := range slices.Sorted(maps.Keys(w.groups)) {
		out += fmt.Sprintf("%q: %s; ", key, w.groups[key])
	}
	return "{" + out + "}"
}

// ordered reports whether group b may follow group a, which it does not equal.
func ordered(a, b agg.Group) bool {
	x, y := rational(a.Value), rational(b.Value)
	switch {
	case x == nil && y == nil:
		return a.Key < b.Key
	case x == nil || y == nil:
		return y == nil
	}
	n := x.Cmp(y)
	return n > 0 || n == 0 && a.Key < b.Key
}

// rational reads a numeric answer, integers and decimals from their text; nil is none.
func rational(v agg.Value) *big.Rat {
	switch v.Kind() {
	case agg.KindFloat:
		f, _ := v.Float64()
		return new(big.Rat).SetFloat64(f)
	case agg.KindInteger, agg.KindDecimal:
		if x, ok := new(big.Rat).SetString(v.String()); ok {
			return x
		}
	case agg.KindBoolean, agg.KindTime:
		if n, ok := v.Int64(); ok {
			return big.NewRat(n, 1)
		}
	}
	return nil
}

func differs(want fmt.Stringer, got agg.Value) error {
	return fmt.Errorf("%s, the oracle says %s", got, want)
}

// null is no answer.
type null struct{}

func (null) String() string { return "null" }

func (w null) check(got agg.Value) error {
	if !got.IsNull() {
		return differs(w, got)
	}
	return nil
}

// text is a text.
type text string

func (w text) String() string { return string(w) }

func (w text) check(got agg.Value) error {
	if s, ok := got.Text(); !ok || s != string(w) {
		return differs(w, got)
	}
	return nil
}

// number is an exact number of a kind.
type number struct {
	kind agg.ValueKind
	x    *big.Rat
}

func integer(n int64) answer { return number{agg.KindInteger, big.NewRat(n, 1)} }

func (w number) String() string { return w.x.RatString() }

func (w number) check(got agg.Value) error {
	if x := rational(got); got.Kind() != w.kind || x == nil || x.Cmp(w.x) != 0 {
		return differs(w, got)
	}
	return nil
}

// near is a float that may be off by slack. Where adding up may leave the range of floats, there may
// be no answer.
type near struct {
	value, slack *big.Rat
	overflow     bool
}

func (w near) String() string {
	f, _ := w.value.Float64()
	s, _ := w.slack.Float64()
	return fmt.Sprintf("%v ± %v", f, s)
}

func (w near) check(got agg.Value) error {
	if w.overflow && got.IsNull() {
		return nil
	}
	x := rational(got)
	if got.Kind() != agg.KindFloat || x == nil || w.value.Sign() == 0 && got.String() == "-0" {
		return differs(w, got)
	}
	if d := new(big.Rat).Sub(x, w.value); d.Abs(d).Cmp(w.slack) > 0 {
		return differs(w, got)
	}
	return nil
}
