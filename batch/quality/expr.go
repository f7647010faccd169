package quality

import (
	"fmt"
	"strings"

	"github.com/google/cel-go/cel"
)

// expression is a condition over numbers.
type expression struct{ program cel.Program }

// maxCost bounds the steps of an expression.
const maxCost = 10_000

// compile checks a condition.
func compile(text string) (*expression, error) {
	env, err := cel.NewEnv(cel.Variable("m", cel.MapType(cel.StringType, cel.DoubleType)))
	if err != nil {
		return nil, err
	}
	ast, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, fmt.Errorf("expr %q: %s", text, strings.TrimSpace(issues.String()))
	}
	if !ast.OutputType().IsExactType(cel.BoolType) {
		return nil, fmt.Errorf("expr %q is a %s: a condition is required", text, ast.OutputType())
	}
	program, err := env.Program(ast, cel.CostLimit(maxCost))
	if err != nil {
		return nil, fmt.Errorf("expr %q: %w", text, err)
	}
	return &expression{program}, nil
}

// holds evaluates the condition.
func (x *expression) holds(m map[string]float64) (bool, error) {
	out, _, err := x.program.Eval(map[string]any{"m": m})
	if err != nil {
		return false, err
	}
	holds, ok := out.Value().(bool)
	if !ok {
		return false, fmt.Errorf("it is %v, no condition", out)
	}
	return holds, nil
}
