package expr

import "math"

// scalar is a value of any type; the zero scalar is null.
type scalar struct {
	known bool
	i     int64 // Int; Bool: 0 or 1
	f     float64
	s     string
}

// Answer is an answer that tells itself as what it is asked for, and false where it cannot. agg.Value
// is one, and so is a pointer to it, which costs no allocation.
type Answer interface {
	Int64() (int64, bool)
	Float64() (float64, bool)
	Text() (string, bool)
}

// Eval computes the expression. The function returns the answer of a feature: an Answer, or int64,
// float64, bool or string as the feature's type asks (an int64 will do for a double); nil, false, or a
// value of another type is null. The result is int64, float64, bool or string by e.Type, or nil for null.
func (e *Expr) Eval(feature func(name string) (any, bool)) any {
	x := e.eval(feature)
	if !x.known {
		return nil
	}
	switch e.Type {
	case Int:
		return x.i
	case Double:
		return x.f
	case Bool:
		return x.i != 0
	}
	return x.s
}

func (e *Expr) eval(feature func(string) (any, bool)) scalar {
	switch e.Op {
	case Literal:
		return scalar{known: true, i: e.Int + truth(e.Bool), f: e.Double, s: e.Text}
	case Feature:
		v, ok := feature(e.Name)
		if !ok {
			return scalar{}
		}
		return input(v, e.Type)
	case And:
		return e.logic(feature, 0)
	case Or:
		return e.logic(feature, 1)
	}
	x := e.Args[0].eval(feature)
	switch {
	case e.Op == OrElse && !x.known:
		return e.Args[1].eval(feature)
	case e.Op == OrElse || !x.known:
		return x
	case e.Op == If && x.i != 0:
		return e.Args[1].eval(feature)
	case e.Op == If:
		return e.Args[2].eval(feature)
	case len(e.Args) == 1:
		return e.unary(x)
	}
	y := e.Args[1].eval(feature)
	if !y.known {
		return y
	}
	return e.binary(x, y)
}

// logic is && with deciding value 0, || with 1: either argument may decide, whatever the other is.
func (e *Expr) logic(feature func(string) (any, bool), decides int64) scalar {
	x := e.Args[0].eval(feature)
	if x.known && x.i == decides {
		return x
	}
	y := e.Args[1].eval(feature)
	if y.known && (y.i == decides || x.known) {
		return y
	}
	return scalar{}
}

func (e *Expr) unary(x scalar) scalar {
	switch e.Op {
	case Not:
		return whole(1 - x.i)
	case ToInt:
		return toInt(x, e.Args[0].Type)
	case ToDouble:
		if e.Args[0].Type == Int {
			return double(float64(x.i))
		}
		return x
	}
	if e.Type == Double { // Neg
		return double(-x.f)
	}
	if x.i == math.MinInt64 {
		return scalar{}
	}
	return whole(-x.i)
}

// toInt drops the fraction; what int64 cannot hold is null.
func toInt(x scalar, from Type) scalar {
	if from == Int {
		return x
	}
	if !(x.f > -(1<<63) && x.f < 1<<63) {
		return scalar{}
	}
	return whole(int64(x.f))
}

func (e *Expr) binary(x, y scalar) scalar {
	switch e.Op {
	case Equal, NotEqual, Less, LessEq, Greater, GreaterEq:
		return whole(truth(holds(e.Op, order(x, y, e.Args[0].Type))))
	}
	if e.Type == Int {
		return ints(e.Op, x.i, y.i)
	}
	switch e.Op {
	case Add:
		return double(x.f + y.f)
	case Sub:
		return double(x.f - y.f)
	case Mul:
		return double(x.f * y.f)
	}
	return double(x.f / y.f)
}

// input reads an answer of a feature.
func input(v any, want Type) scalar {
	switch x := v.(type) {
	case int64:
		if want == Double {
			return double(float64(x))
		}
		return scalar{known: want == Int, i: x}
	case float64:
		if want == Double {
			return double(x)
		}
	case bool:
		return scalar{known: want == Bool || want == Int, i: truth(x)}
	case string:
		return scalar{known: want == Text, s: x}
	case Answer:
		return answer(x, want)
	}
	return scalar{}
}

func answer(x Answer, want Type) (out scalar) {
	switch want {
	case Int:
		out.i, out.known = x.Int64()
	case Double:
		if f, ok := x.Float64(); ok {
			return double(f)
		}
	case Text:
		out.s, out.known = x.Text()
	}
	return out
}

func whole(i int64) scalar { return scalar{known: true, i: i} }

// double is null for what is not finite.
func double(f float64) scalar {
	return scalar{known: !math.IsNaN(f) && !math.IsInf(f, 0), f: f}
}

func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
