package quality

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
)

// expression is a condition over numbers.
type expression struct{ program cel.Program }

// maxCost bounds the steps of an expression.
const maxCost = 10_000

// compile checks a condition over the known numbers.
func compile(text string, known []string) (*expression, error) {
	env, err := cel.NewEnv(cel.Variable("m", cel.MapType(cel.StringType, cel.DoubleType)))
	if err != nil {
		return nil, err
	}
	checked, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, fmt.Errorf("expr %q: %s", text, strings.TrimSpace(issues.String()))
	}
	if !checked.OutputType().IsExactType(cel.BoolType) {
		return nil, fmt.Errorf("expr %q is a %s: a condition is required", text, checked.OutputType())
	}
	if name := unknown(checked.NativeRep().Expr(), known); name != "" {
		return nil, fmt.Errorf("expr %q: there is no number %q: accepted are %s", text, name, strings.Join(known, ", "))
	}
	program, err := env.Program(checked, cel.CostLimit(maxCost))
	if err != nil {
		return nil, fmt.Errorf("expr %q: %w", text, err)
	}
	return &expression{program}, nil
}

// unknown returns the first number that an expression asks m for and that there never is.
func unknown(e ast.Expr, known []string) (name string) {
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) {
		of, asked := e, ""
		switch e.Kind() {
		case ast.SelectKind:
			of, asked = e.AsSelect().Operand(), e.AsSelect().FieldName()
		case ast.CallKind:
			if c := e.AsCall(); c.FunctionName() == operators.Index && c.Args()[1].Kind() == ast.LiteralKind {
				of, asked = c.Args()[0], fmt.Sprint(c.Args()[1].AsLiteral().Value())
			}
		}
		if asked != "" && of.Kind() == ast.IdentKind && of.AsIdent() == "m" && name == "" && !slices.Contains(known, asked) {
			name = asked
		}
	}))
	return name
}

// holds evaluates the condition. Where one of its numbers is not known because there was nothing to measure it on, it
// holds.
func (x *expression) holds(m map[string]float64) (bool, error) {
	out, _, err := x.program.Eval(map[string]any{"m": m})
	if err != nil && strings.Contains(err.Error(), "no such key") {
		return true, err
	}
	if err != nil {
		return false, err
	}
	holds, ok := out.Value().(bool)
	if !ok {
		return false, fmt.Errorf("it is %v, no condition", out)
	}
	return holds, nil
}
