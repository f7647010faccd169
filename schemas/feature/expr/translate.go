package expr

import (
	"fmt"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
)

// translation turns CEL's checked tree into ours, refusing the overloads that we do not have.
type translation struct {
	ast  *ast.AST
	errs []*Error
}

func (t *translation) expr(e ast.Expr) *Expr {
	out := &Expr{Type: t.typeOf(e)}
	switch e.Kind() {
	case ast.IdentKind:
		out.Op, out.Name = Feature, e.AsIdent()
	case ast.LiteralKind:
		t.literal(e, out)
	case ast.CallKind:
		call := e.AsCall()
		out.Op = operations[call.FunctionName()]
		for _, a := range call.Args() {
			out.Args = append(out.Args, t.expr(a))
		}
		t.check(e, out)
	}
	return out
}

func (t *translation) literal(e ast.Expr, out *Expr) {
	out.Op = Literal
	switch v := e.AsLiteral().Value().(type) {
	case int64:
		out.Int = v
	case float64:
		if !double(v).known {
			t.refuse(e, "the number is too large")
		}
		out.Double = v
	case bool:
		out.Bool = v
	case string:
		out.Text = v
	}
}

// check refuses what CEL has and we do not: arithmetic and conversions of other than numbers.
func (t *translation) check(e ast.Expr, out *Expr) {
	first := out.Args[0].Type
	switch out.Op {
	case Add, Sub, Mul, Div, Mod, Neg, ToInt, ToDouble:
		if first != Int && first != Double {
			t.refuse(e, fmt.Sprintf("%s of %s: numbers are accepted", out.Op, first))
		}
	case Less, LessEq, Greater, GreaterEq:
		if first == Bool {
			t.refuse(e, fmt.Sprintf("%s of bool: accepted are == and !=", out.Op))
		}
	}
}

// typeOf returns the type of a node; one that we do not have is refused.
func (t *translation) typeOf(e ast.Expr) Type {
	kind := t.ast.GetType(e.ID())
	switch kind.Kind() {
	case types.IntKind:
		return Int
	case types.DoubleKind:
		return Double
	case types.BoolKind:
		return Bool
	case types.StringKind:
		return Text
	}
	t.refuse(e, fmt.Sprintf("a value of type %s: accepted are int, double, bool and string", kind))
	return ""
}

func (t *translation) refuse(e ast.Expr, message string) {
	t.errs = append(t.errs, errorAt(t.ast, e, "", message))
}
