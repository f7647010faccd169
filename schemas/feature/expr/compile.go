package expr

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
)

// MaxBytes bounds the text of an expression.
const MaxBytes = 2000

// Error is one thing wrong with an expression.
type Error struct {
	Line, Column int    // in the expression, from 1; columns count characters
	Name         string // the unknown name, where one is the reason
	Message      string
}

// Error says where and what.
func (e *Error) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
}

// Compiler compiles expressions over one set of features.
type Compiler struct {
	env      *cel.Env
	features map[string]Type
}

// NewCompiler returns a compiler for expressions over features of these types.
func NewCompiler(features map[string]Type) (*Compiler, error) {
	options := []cel.EnvOption{cel.ClearMacros()}
	for _, name := range slices.Sorted(maps.Keys(features)) {
		options = append(options, cel.Variable(name, celType(features[name])))
	}
	var overloads []cel.FunctionOpt
	for _, t := range []Type{Int, Double, Bool, Text} {
		c := celType(t)
		overloads = append(overloads, cel.Overload("or_else_"+string(t), []*cel.Type{c, c}, c))
	}
	env, err := cel.NewEnv(append(options, cel.Function(string(OrElse), overloads...))...)
	if err != nil {
		return nil, fmt.Errorf("prepare the compiler of expressions: %w", err)
	}
	return &Compiler{env: env, features: features}, nil
}

// Compile parses and checks an expression. Every error of an expression that parses is returned, in
// its order; the tree is nil then.
func (c *Compiler) Compile(text string) (*Expr, []*Error) {
	if len(text) > MaxBytes {
		return nil, []*Error{{Line: 1, Column: 1, Message: fmt.Sprintf("%d bytes: at most %d are accepted", len(text), MaxBytes)}}
	}
	parsed, issues := c.env.Parse(text)
	if issues.Err() != nil {
		return nil, issuesOf(issues)
	}
	if errs := c.refuse(parsed.NativeRep()); len(errs) > 0 {
		return nil, errs
	}
	checked, issues := c.env.Check(parsed)
	if issues.Err() != nil {
		return nil, issuesOf(issues)
	}
	t := &translation{ast: checked.NativeRep()}
	e := t.expr(t.ast.Expr())
	if len(t.errs) > 0 {
		return nil, t.errs
	}
	return e, nil
}

// operations is what may be called, by CEL's name for it.
var operations = map[string]Op{
	operators.Add: Add, operators.Subtract: Sub, operators.Multiply: Mul, operators.Divide: Div,
	operators.Modulo: Mod, operators.Negate: Neg,
	operators.Equals: Equal, operators.NotEquals: NotEqual, operators.Less: Less,
	operators.LessEquals: LessEq, operators.Greater: Greater, operators.GreaterEquals: GreaterEq,
	operators.LogicalAnd: And, operators.LogicalOr: Or, operators.LogicalNot: Not,
	operators.Conditional: If, string(OrElse): OrElse, string(ToInt): ToInt, string(ToDouble): ToDouble,
}

// refuse finds the names and calls that are not of our part of CEL, before CEL's checker speaks of
// them in its own words.
func (c *Compiler) refuse(a *ast.AST) []*Error {
	var errs []*Error
	bad := func(e ast.Expr, name, format string, args ...any) {
		errs = append(errs, errorAt(a, e, name, fmt.Sprintf(format, args...)))
	}
	ast.PreOrderVisit(a.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.LiteralKind:
		case ast.IdentKind:
			if _, known := c.features[e.AsIdent()]; !known {
				bad(e, e.AsIdent(), "no feature has this name")
			}
		case ast.CallKind:
			if call := e.AsCall(); call.IsMemberFunction() || operations[call.FunctionName()] == "" {
				bad(e, "", "%s: accepted are + - * / %% == != < <= > >= && || ! ?:, int(), double() and orElse()", plain(call.FunctionName()))
			}
		default:
			bad(e, "", "lists, maps and selections (a.b) are not accepted")
		}
	}))
	return errs
}

// plain turns CEL's name of an operator, such as _[_], into what is written.
func plain(function string) string { return strings.Trim(strings.ReplaceAll(function, "_", " "), " @") }

// issuesOf turns CEL's complaints into ours.
func issuesOf(issues *cel.Issues) []*Error {
	var errs []*Error
	for _, e := range issues.Errors() {
		m, _, _ := strings.Cut(strings.TrimPrefix(e.Message, "Syntax error: "), " expecting {")
		m = strings.Replace(m, "mismatched input '<EOF>'", "the expression ends too early", 1)
		if found, ok := strings.CutPrefix(m, "found no matching overload for '"); ok {
			name, args, _ := strings.Cut(found, "' applied to ")
			m = fmt.Sprintf("%s does not apply to %s; types do not mix, int(x) and double(x) convert", plain(name), strings.Trim(args, "'"))
		}
		errs = append(errs, &Error{Line: max(e.Location.Line(), 1), Column: max(e.Location.Column()+1, 1), Message: m})
	}
	return errs
}

func errorAt(a *ast.AST, e ast.Expr, name, message string) *Error {
	at := a.SourceInfo().GetStartLocation(e.ID())
	return &Error{Line: max(at.Line(), 1), Column: max(at.Column()+1, 1), Name: name, Message: message}
}

func celType(t Type) *cel.Type {
	switch t {
	case Int:
		return cel.IntType
	case Double:
		return cel.DoubleType
	case Bool:
		return cel.BoolType
	}
	return cel.StringType
}
