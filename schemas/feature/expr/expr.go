// Package expr is the language of derived features: a small part of CEL (cel.dev, checked by
// cel-go) over the scalar features of one entity. Compile turns a text into a tree of our own, so
// that who translates it, such as into SQL, needs no CEL; Eval computes it.
//
// # The language
//
// int, double, bool and text; literals (1, 1.5, true, "books"); names of features; + - * / % and
// unary minus on two ints or two doubles; == != < <= > >= on two of the same type; && || !; c ? a : b;
// int(x) and double(x); orElse(x, default). Types never mix by themselves: double(views_7d) / 7.0.
//
// # Null
//
// A feature without an answer is null, and so is an operation that has none: a division by zero, an
// overflow of int, a double that is NaN or infinite. Whatever is computed from a null is null, except
//
//   - orElse(x, d) is d where x is null,
//   - c ? a : b looks only at the branch that c takes (and is null where c is),
//   - false && null is false and true || null is true, in either order.
//
// That is SQL's three-valued logic, and CEL's rule for errors. int / truncates, % has the sign of the
// dividend, int(x) of a double drops the fraction.
package expr

// Type is the type of an expression.
type Type string

// The types.
const (
	Int    Type = "int"    // int64
	Double Type = "double" // finite float64
	Bool   Type = "bool"
	Text   Type = "string"
)

// Op says what a node computes. Args of an operator are in the order in which they are written.
type Op string

// The operations. The names are for printing.
const (
	Literal   Op = "literal" // Int, Double, Bool or Text of the node, by its Type
	Feature   Op = "feature" // the answer of the feature Name
	Add       Op = "+"
	Sub       Op = "-"
	Mul       Op = "*"
	Div       Op = "/"
	Mod       Op = "%" // ints only
	Neg       Op = "neg"
	Equal     Op = "=="
	NotEqual  Op = "!="
	Less      Op = "<"
	LessEq    Op = "<="
	Greater   Op = ">"
	GreaterEq Op = ">="
	And       Op = "&&"
	Or        Op = "||"
	Not       Op = "!"
	If        Op = "?:"     // three arguments
	OrElse    Op = "orElse" // two arguments
	ToInt     Op = "int"    // of an int or a double
	ToDouble  Op = "double" // of an int or a double
)

// Expr is a node of a checked expression. It is not changed after Compile and may be shared.
type Expr struct {
	Op   Op
	Type Type
	Args []*Expr
	Name string // of a Feature

	Int    int64 // the value of a Literal of this type
	Double float64
	Bool   bool
	Text   string
}

// Features returns the names that the expression reads, each once, in order of appearance.
func (e *Expr) Features() []string {
	var names []string
	seen := map[string]bool{}
	e.walk(func(n *Expr) {
		if n.Op == Feature && !seen[n.Name] {
			seen[n.Name] = true
			names = append(names, n.Name)
		}
	})
	return names
}

func (e *Expr) walk(visit func(*Expr)) {
	visit(e)
	for _, a := range e.Args {
		a.walk(visit)
	}
}
