package sql

import (
	"fmt"
	"math"

	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/feature/expr"
)

// derived returns the final SELECT over the part `_feature`, with the derived features at its end.
func (c *catalogue) derived(cat feature.Catalogue, set *feature.DerivedSet) string {
	var list selection
	list.add("*", "*")
	t := &translator{Dialect: c, inputs: map[string]string{}}
	for _, f := range c.plan.Features {
		if kind, ok := cat.Answer(f.Def); ok {
			t.inputs[f.Def.Name] = c.input(f.Def, kind)
		}
	}
	for _, f := range set.Formulas {
		list.note(f.Expr)
		list.add(t.expr(f.Tree), c.Quote(f.Name))
	}
	return list.String() + "\nFROM _feature"
}

// input is a feature's column as expressions see it.
func (c *catalogue) input(d feature.Definition, want expr.Type) string {
	name := c.Quote(d.Name)
	o := c.operand(d)
	switch {
	case want == expr.Int && d.Aggregate == feature.Sum:
		return c.TryInt(name) // a sum may have more than 64 bits
	case want == expr.Int && o.Kind == feature.Boolean:
		return c.CastInt(name)
	case want == expr.Double && o.Kind == feature.Decimal && d.Aggregate != feature.Mean && d.Aggregate != feature.DecayedSum:
		return c.CastFloat(name)
	}
	return name
}

// translator writes expressions. SQL's three-valued logic is that of package expr.
type translator struct {
	Dialect
	inputs map[string]string // columns of features
}

func (t *translator) expr(e *expr.Expr) string {
	switch e.Op {
	case expr.Literal:
		return t.literal(e)
	case expr.Feature:
		return t.inputs[e.Name]
	}
	args := make([]string, len(e.Args))
	for i, a := range e.Args {
		args[i] = t.expr(a)
	}
	return t.operation(e, args)
}

func (t *translator) operation(e *expr.Expr, args []string) string {
	whole := e.Type == expr.Int
	switch e.Op {
	case expr.Add, expr.Sub, expr.Mul, expr.Div, expr.Mod:
		return t.Arithmetic(e.Op[0], args[0], args[1], whole)
	case expr.Neg: // some engines know no minus before a column
		if whole {
			return t.Arithmetic('-', "0", args[0], whole)
		}
		return t.Arithmetic('-', t.Float(0), args[0], whole)
	case expr.Not:
		return "(NOT " + args[0] + ")"
	case expr.And:
		return "(" + args[0] + " AND " + args[1] + ")"
	case expr.Or:
		return "(" + args[0] + " OR " + args[1] + ")"
	case expr.If: // where the condition is NULL, neither branch is meant
		return fmt.Sprintf("CASE WHEN %s THEN %s WHEN NOT %[1]s THEN %[3]s END", args[0], args[1], args[2])
	case expr.OrElse:
		return "COALESCE(" + args[0] + ", " + args[1] + ")"
	case expr.ToDouble:
		return t.CastFloat(args[0])
	case expr.ToInt:
		if e.Args[0].Type == expr.Int {
			return args[0]
		}
		return t.TryInt("TRUNC(" + args[0] + ")")
	}
	op := string(e.Op)
	switch e.Op {
	case expr.Equal:
		op = "="
	case expr.NotEqual:
		op = "!="
	}
	return "(" + args[0] + " " + op + " " + args[1] + ")"
}

func (t *translator) literal(e *expr.Expr) string {
	switch e.Type {
	case expr.Int:
		if e.Int == math.MinInt64 { // its digits alone are no INT64
			return "(-9223372036854775807 - 1)"
		}
		return integer(e.Int)
	case expr.Double:
		return t.Float(e.Double)
	case expr.Bool:
		if e.Bool {
			return "TRUE"
		}
		return "FALSE"
	}
	return t.Text(e.Text)
}
