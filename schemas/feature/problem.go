package feature

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/anabranch/anabranch/schemas/api"
)

// MaxProblems is how many problems of one file are reported.
const MaxProblems = 20

// Problem is one thing wrong with a catalogue.
type Problem struct {
	Line, Column int    // in the file, from 1
	Path         string // the key, such as features.views_7d.window
	Value        string // what stands there, clipped; "" where nothing does
	Message      string // what is accepted instead
	Closest      string // the valid name nearest to Value, or ""
}

// String says where, what and what is accepted, in one line.
func (p Problem) String() string {
	s := fmt.Sprintf("line %d, column %d: %s", p.Line, p.Column, p.Path)
	if p.Value != "" {
		s += fmt.Sprintf(" %q", p.Value)
	}
	s += ": " + p.Message
	if p.Closest != "" {
		s += fmt.Sprintf("; did you mean %q?", p.Closest)
	}
	return s
}

// Problems is what is wrong with a catalogue, in the order of the file. Errors of Parse wrap it.
type Problems struct {
	List []Problem // the first MaxProblems
	More int       // how many others there are
}

// Error lists the problems, one a line.
func (p *Problems) Error() string {
	var lines []string
	for _, x := range p.List {
		lines = append(lines, x.String())
	}
	if p.More > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", p.More))
	}
	return strings.Join(lines, "\n")
}

// report collects problems while a file is read.
type report struct {
	lines []string // of the file, to place an error inside a text
	list  []Problem
}

// add reports a problem with what a node holds.
func (r *report) add(n *yaml.Node, path, format string, args ...any) *Problem {
	p := Problem{Line: max(n.Line, 1), Column: max(n.Column, 1), Path: path, Message: fmt.Sprintf(format, args...)}
	if n.Kind == yaml.ScalarNode {
		p.Value = clip(n.Value)
	}
	r.list = append(r.list, p)
	return &r.list[len(r.list)-1]
}

// near names the closest valid name of a problem's value, if one is close enough to be meant.
func (p *Problem) near(value string, valid []string) {
	best, edits := api.Closest(value, slices.Sorted(slices.Values(valid)))
	if best != value && edits <= 1+len(value)/3 && edits < len(value) {
		p.Closest = best
	}
}

// err returns the problems as an error, or nil if there are none.
func (r *report) err() error {
	if len(r.list) == 0 {
		return nil
	}
	slices.SortStableFunc(r.list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	n := min(len(r.list), MaxProblems)
	return &Problems{List: r.list[:n], More: len(r.list) - n}
}

// within moves a problem to a place inside the text of its node: line and column count from 1. What
// YAML folds or escapes on the way cannot be placed exactly; the problem stays at the node then.
func (r *report) within(p *Problem, n *yaml.Node, line, column int) {
	switch {
	case n.Style&yaml.LiteralStyle != 0:
		first := n.Line // 0-based, so it is the line after that of the bar
		if first+line-1 < len(r.lines) {
			text := r.lines[first]
			p.Line, p.Column = n.Line+line, len(text)-len(strings.TrimLeft(text, " "))+column
		}
	case n.Style&yaml.FoldedStyle != 0 || line != 1:
	case n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		p.Column += column
	default:
		p.Column += column - 1
	}
}

// clip shortens a value from outside for a message.
func clip(s string) string {
	const most = 80
	runes := []rune(strings.ToValidUTF8(s, "?"))
	if len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return string(runes)
}
