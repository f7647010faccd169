package feature

// Op compares a field with a literal.
type Op string

// The comparisons. Text knows Eq, Ne and In; Boolean knows Eq and Ne; numbers and times know all.
const (
	Eq Op = "=="
	Ne Op = "!="
	Lt Op = "<"
	Le Op = "<="
	Gt Op = ">"
	Ge Op = ">="
	In Op = "in"
)

// Literal is a value that a field is compared with. Text is meant when the field's type is text,
// else Number: the value itself (4.5 for a decimal(2), not 450), 0 or 1 for a boolean, Unix ms for a
// time. A literal of an integer or decimal field converts by Type.Units without rounding.
type Literal struct {
	Text   string  `json:"text,omitempty"`
	Number float64 `json:"number,omitzero"`
}

// Condition is a comparison on a field, such as "value >= 4". Values has one literal, for In one or
// more. A condition on an absent field is false, Ne too, as a comparison with NULL is in SQL.
type Condition struct {
	Field  string    `json:"field"`
	Op     Op        `json:"op"`
	Values []Literal `json:"values"`
}
