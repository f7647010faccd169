package feature

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

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

// Accepts reports whether fields of the kind can be compared so.
func (o Op) Accepts(k Kind) bool { return slices.Contains(opsOf(k), o) }

func opsOf(k Kind) []Op {
	switch k {
	case Text:
		return []Op{Eq, Ne, In}
	case Boolean:
		return []Op{Eq, Ne}
	}
	return []Op{Eq, Ne, Lt, Le, Gt, Ge, In}
}

// Literal is a value that a field is compared with. Text is meant when the field's type is text,
// else Number: the value itself (4.5 for a decimal(2), not 450), 0 or 1 for a boolean, Unix ms for a
// time. A literal of an integer or decimal field converts by Type.Units without rounding.
type Literal struct {
	Text   string
	Number float64
}

// Condition is a comparison on a field, such as "value >= 4". Values has one literal, for In one or
// more, sorted. A condition on an absent field is false, Ne too, as a comparison with NULL is in SQL.
type Condition struct {
	Field  string
	Op     Op
	Values []Literal
}

// Format writes a condition on a field of the type as features.yaml does.
func (x Condition) Format(t Type) string {
	var values []string
	for _, v := range x.Values {
		values = append(values, t.format(v))
	}
	list := strings.Join(values, ", ")
	if x.Op == In {
		list = "[" + list + "]"
	}
	return fmt.Sprintf("%s %s %s", x.Field, x.Op, list)
}

// conditionRule splits field, operator and the rest. The operator is whatever stands in its place, so
// that a wrong one can be named.
var conditionRule = regexp.MustCompile(`^\s*([A-Za-z0-9_.\-]+)(\s*[=!<>~&|]+|\s+[A-Za-z]+)\s*(.*?)\s*$`)

// condition reads `field op literal`.
func (r *catalogueReader) condition(n *yaml.Node, path string) (c Condition, ok bool) {
	s, ok := r.scalar(n, path)
	if !ok {
		return c, false
	}
	at := conditionRule.FindStringSubmatchIndex(s)
	if at == nil {
		r.add(n, path, "a condition `field op literal` is required, such as value >= 4 or category in [books, games]")
		return c, false
	}
	bad := func(from int, message string) *Problem {
		p := r.add(n, path, "%s", message)
		line := 1 + strings.Count(s[:from], "\n")
		r.within(p, n, line, 1+utf8.RuneCountInString(s[strings.LastIndexByte(s[:from], '\n')+1:from]))
		return p
	}
	c.Field, c.Op = s[at[2]:at[3]], Op(strings.TrimSpace(s[at[4]:at[5]]))
	t, known := r.c.Type(c.Field)
	if !known {
		bad(at[2], r.unknownField(c.Field)).near(c.Field, r.fields())
		return c, false
	}
	if !c.Op.Accepts(t.Kind) {
		bad(at[5]-len(c.Op), fmt.Sprintf("op %s: %s is %s, for which accepted are %s", c.Op, c.Field, t, listed(opsOf(t.Kind))))
		return c, false
	}
	texts, err := operands(c.Op, s[at[6]:at[7]])
	for _, text := range texts {
		var v Literal
		if err == nil {
			v, err = t.literal(text)
		}
		c.Values = append(c.Values, v)
	}
	if err == nil {
		err = unique(c.Values)
	}
	if err != nil {
		bad(at[6], err.Error())
		return c, false
	}
	return c, true
}

// operands splits what stands right of an operator.
func operands(op Op, s string) ([]string, error) {
	if op != In {
		return []string{s}, nil
	}
	inner, ok := strings.CutPrefix(s, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	if !ok || !closed || strings.TrimSpace(inner) == "" {
		return nil, fmt.Errorf("%q: in takes a list such as [books, games]", s)
	}
	var out []string
	for rest := inner; ; {
		item := strings.TrimLeft(rest, " \t\n")
		end := strings.IndexByte(item, ',')
		if item != "" && (item[0] == '"' || item[0] == '\'') {
			_, after, ok := unquote(item)
			if !ok {
				return nil, fmt.Errorf("%s: the quote is not closed, or \\ stands before something else than a quote or a \\", item)
			}
			end = strings.IndexByte(after, ',')
			if end >= 0 {
				end += len(item) - len(after)
			}
		}
		if end < 0 {
			return append(out, strings.TrimRight(item, " \t\n")), nil
		}
		out, rest = append(out, strings.TrimRight(item[:end], " \t\n")), item[end+1:]
	}
}

// unique sorts the literals of a list and refuses one that stands there twice.
func unique(values []Literal) error {
	slices.SortFunc(values, func(a, b Literal) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), strings.Compare(a.Text, b.Text))
	})
	for i := 1; i < len(values); i++ {
		if values[i] == values[i-1] {
			return fmt.Errorf("a value stands in the list twice")
		}
	}
	return nil
}
