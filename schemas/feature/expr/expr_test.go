package expr_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/cel-go/cel"
	"pgregory.net/rapid"

	"github.com/anabranch/anabranch/schemas/feature/expr"
)

// features is the world of these tests.
var features = map[string]expr.Type{
	"i": expr.Int, "j": expr.Int, "x": expr.Double, "y": expr.Double, "b": expr.Bool, "s": expr.Text,
}

func compiler(t testing.TB) *expr.Compiler {
	c, err := expr.NewCompiler(features)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func compile(t testing.TB, text string) *expr.Expr {
	e, errs := compiler(t).Compile(text)
	if len(errs) > 0 {
		t.Fatalf("%s: %v", text, errs)
	}
	return e
}

// from answers from a map; what it lacks is null.
func from(m map[string]any) func(string) (any, bool) {
	return func(name string) (any, bool) { v, ok := m[name]; return v, ok }
}

func TestEval(t *testing.T) {
	some := map[string]any{"i": int64(7), "j": int64(0), "x": 2.5, "y": 0.0, "s": "books", "b": nil}
	for text, want := range map[string]any{
		"i / 2":                              int64(3),
		"-i % 4":                             int64(-3),
		"double(i) / 2.0":                    3.5,
		"int(x)":                             int64(2),
		"int(-x)":                            int64(-2),
		"i > 3 && x < 3.0":                   true,
		`s == "books" ? "yes" : "no"`:        "yes",
		"i / j":                              nil,
		"i % j":                              nil,
		"x / y":                              nil,
		"orElse(x / y, -1.0)":                -1.0,
		"orElse(i / j, 5) + 1":               int64(6),
		"9223372036854775807 + i":            nil,
		"9223372036854775807 * 2":            nil,
		"-9223372036854775808 / (j - 1)":     nil,
		"(-9223372036854775807 - 1) - i + 7": nil,
		"1e308 * 10.0":                       nil,
		"int(1e19)":                          nil,
		"b == b":                             nil,
		"b || true":                          true,
		"true || b":                          true,
		"b && i == 0":                        false,
		"b && i == 7":                        nil,
		"b || i == 0":                        nil,
		"b ? 1 : 2":                          nil,
		"i == 7 ? i : i / j":                 int64(7),
		"orElse(b, i == 7)":                  true,
		"!orElse(b, false)":                  true,
	} {
		if got := compile(t, text).Eval(from(some)); got != want {
			t.Errorf("%s = %v, want %v", text, got, want)
		}
	}
}

func TestInputsAreReadByTheirType(t *testing.T) {
	for _, c := range []struct {
		text string
		in   any
		want any
	}{
		{"x", int64(3), 3.0},
		{"x", math.NaN(), nil},
		{"x", math.Inf(1), nil},
		{"x", "3", nil},
		{"i", 3.0, nil},
		{"i", true, int64(1)},
		{"s", int64(3), nil},
		{"b", false, false},
		{"b", nil, nil},
		{"i", number(7), int64(7)},
		{"x", number(7), 3.5},
		{"x", number(0), nil},
		{"s", number(7), nil},
	} {
		if got := compile(t, c.text).Eval(from(map[string]any{c.text: c.in})); got != c.want {
			t.Errorf("%s of %v = %v, want %v", c.text, c.in, got, c.want)
		}
	}
}

// number is an answer of an aggregate: a decimal in units of 1/2 that has no value at 0.
type number int64

func (n number) Int64() (int64, bool)     { return int64(n), true }
func (n number) Float64() (float64, bool) { return float64(n) / 2, n != 0 }
func (n number) Text() (string, bool)     { return "", false }

func TestCompileRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "line 1, column 1",
		"i +":                            "line 1, column 4",
		"i + x":                          "line 1, column 3: + does not apply to (int, double); types do not mix",
		"i +\n  k":                       "line 2, column 3: no feature has this name",
		`s + "a"`:                        "+ of string: numbers are accepted",
		"int(s)":                         "int of string",
		"b < true":                       "< of bool: accepted are == and !=",
		"i in [1]":                       "accepted are + - * /",
		"size(s)":                        "size: accepted are",
		"s.size()":                       "size: accepted are",
		"has(s.a)":                       "has: accepted are",
		"s.a":                            "selections",
		"null":                           "a value of type null",
		"1u":                             "a value of type uint",
		"orElse(i, 1.0)":                 "orElse does not apply to (int, double)",
		"b ? 1 : 1.0":                    "? : does not apply to (bool, int, double)",
		"i == 1.0":                       "== does not apply to (int, double)",
		"timestamp('2026')":              "timestamp: accepted are",
		"1e999":                          "",
		strings.Repeat("i+", 1000) + "i": "at most 2000 are accepted",
		strings.Repeat("(", 900) + "i" + strings.Repeat(")", 900): "",
	} {
		e, errs := compiler(t).Compile(text)
		if len(errs) == 0 || e != nil || !strings.Contains(errs[0].Error(), want) {
			t.Errorf("%.40s: %v, want %q", text, errs, want)
		}
	}
}

func TestFeaturesAreListedOnce(t *testing.T) {
	if got := fmt.Sprint(compile(t, "x / (x + y) > 1.0 ? i : 0").Features()); got != "[x y i]" {
		t.Errorf("got %s", got)
	}
}

// TestEvalIsCEL compares with CEL's own interpreter wherever no null is involved: there both agree,
// but for doubles that are not finite, which are null here.
func TestEvalIsCEL(t *testing.T) {
	var options []cel.EnvOption
	for _, n := range []string{"i", "j"} {
		options = append(options, cel.Variable(n, cel.IntType))
	}
	for _, n := range []string{"x", "y"} {
		options = append(options, cel.Variable(n, cel.DoubleType))
	}
	env, err := cel.NewEnv(options...)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		text := draw(t, 3, rapid.SampledFrom([]expr.Type{expr.Int, expr.Bool, expr.Double}).Draw(t, "type"))
		whole := rapid.OneOf(rapid.Int64Range(-3, 3), rapid.Int64())
		in := map[string]any{"i": whole.Draw(t, "i"), "j": whole.Draw(t, "j"), "x": rapid.Float64Range(-1e9, 1e9).Draw(t, "x"), "y": float64(rapid.IntRange(-2, 2).Draw(t, "y"))}
		c, _ := expr.NewCompiler(features)
		e, errs := c.Compile(text)
		if len(errs) > 0 {
			t.Fatalf("%s: %v", text, errs)
		}
		parsed, issues := env.Compile(text)
		if issues.Err() != nil {
			t.Fatal(issues.Err())
		}
		program, err := env.Program(parsed)
		if err != nil {
			t.Fatal(err)
		}
		var want any
		if v, _, err := program.Eval(in); err == nil {
			want = v.Value()
		}
		got := e.Eval(from(in))
		if got != want && (got != nil || !infinite(e, in)) {
			t.Fatalf("%s with %v = %v, CEL says %v", text, in, got, want)
		}
	})
}

// infinite reports whether some part of the expression is a double that is not finite: from there on
// null and CEL's infinity differ.
func infinite(e *expr.Expr, in map[string]any) bool {
	for _, a := range e.Args {
		if infinite(a, in) {
			return true
		}
	}
	return e.Type == expr.Double && e.Eval(from(in)) == nil
}

// draw writes a random expression of the type.
func draw(t *rapid.T, depth int, want expr.Type) string {
	sub := func(ty expr.Type) string { return "(" + draw(t, depth-1, ty) + ")" }
	pick := func(of ...string) string { return rapid.SampledFrom(of).Draw(t, "pick") }
	number := rapid.SampledFrom([]expr.Type{expr.Int, expr.Double})
	switch {
	case want == expr.Bool && depth == 0:
		return pick("true", "i < j", "x >= y", "i == 0", "y != 0.0")
	case want == expr.Bool:
		switch pick("logic", "not", "compare") {
		case "logic":
			return sub(want) + pick("&&", "||") + sub(want)
		case "not":
			return "!" + sub(want)
		}
		of := number.Draw(t, "of")
		return sub(of) + pick("<", "<=", ">", ">=", "==", "!=") + sub(of)
	case depth == 0 && want == expr.Int:
		return pick("i", "j", "2", "-1")
	case depth == 0:
		return pick("x", "y", "0.5", "-3.0")
	}
	switch pick("operator", "neg", "if", "convert") {
	case "neg":
		return "-" + sub(want)
	case "if":
		return sub(expr.Bool) + "?" + sub(want) + ":" + sub(want)
	case "convert":
		return string(want) + sub(number.Draw(t, "of"))
	}
	if want == expr.Int {
		return sub(want) + pick("+", "-", "*", "/", "%") + sub(want)
	}
	return sub(want) + pick("+", "-", "*", "/") + sub(want)
}

func BenchmarkEval(b *testing.B) {
	e := compile(b, "j > 0 ? double(i) / double(j) : orElse(x, 0.0)")
	in := from(map[string]any{"i": int64(7), "j": int64(3), "x": 2.5})
	for b.Loop() {
		e.Eval(in)
	}
}
