package quality

import (
	"fmt"
	"slices"
	"strings"
)

// Verdict is what came of a gate.
type Verdict struct {
	Gate     string  `json:"gate"`
	Stage    Stage   `json:"stage"`
	Action   Action  `json:"action"`
	Holds    bool    `json:"holds"`
	Says     string  `json:"says"` // the number and what is demanded of it
	Examples []Place `json:"examples,omitempty"`
}

// Judge asks the gates of a stage. Metrics are the night's numbers, before those of the nights before, the latest first; findings
// are those of the gates about rows.
func (g Gates) Judge(stage Stage, metrics map[string]float64, before []map[string]float64, findings []Finding) []Verdict {
	gates := g.Input
	if stage == Output {
		gates = g.Output
	}
	out := make([]Verdict, 0, len(gates))
	for i := range gates {
		x := &gates[i]
		v := Verdict{Gate: x.Name, Stage: stage, Action: x.Action}
		switch {
		case x.Rows != nil:
			v.judgeRows(x.Rows, findings)
		case x.expr != nil:
			holds, err := x.expr.holds(metrics)
			if v.Holds, v.Says = holds, x.Expr; err != nil {
				v.Says = fmt.Sprintf("%s: %v", x.Expr, err)
			}
		default:
			v.judgeMetric(x, metrics, before)
		}
		out = append(out, v)
	}
	return out
}

func (v *Verdict) judgeRows(r *Rows, findings []Finding) {
	i := slices.IndexFunc(findings, func(f Finding) bool { return f.Gate == v.Gate })
	if i < 0 {
		v.Says = "its rows were not looked at"
		return
	}
	f := findings[i]
	got := rate(f.Violate, f.Rows)
	v.Holds = got <= r.MaxRate
	v.Says = fmt.Sprintf("%d of %d rows (%.4g) are not %s; at most %.4g is accepted", f.Violate, f.Rows, got, r.text(), r.MaxRate)
	v.Examples = f.Examples
}

// text says what holds for a row.
func (r *Rows) text() string {
	switch {
	case r.Accepted:
		return "accepted"
	case r.NotNull:
		return "with " + r.Column
	case r.Unique:
		return "with an event_id that is new to the user"
	case r.Known:
		return "of an item of the catalogue"
	case len(r.In) > 0:
		return fmt.Sprintf("with %s in %s", r.Column, strings.Join(r.In, ", "))
	}
	return "with " + r.Column + " " + bounds(r.Min, r.Max)
}

// bounds says what is accepted.
func bounds(least, most *float64) string {
	switch {
	case least == nil:
		return fmt.Sprintf("at most %.6g", *most)
	case most == nil:
		return fmt.Sprintf("at least %.6g", *least)
	}
	return fmt.Sprintf("from %.6g to %.6g", *least, *most)
}

func within(x float64, least, most *float64) bool {
	return (least == nil || x >= *least) && (most == nil || x <= *most)
}

func (v *Verdict) judgeMetric(g *Gate, metrics map[string]float64, before []map[string]float64) {
	x, there := metrics[g.Metric]
	if !there {
		v.Holds, v.Says = true, g.Metric+" is not known: there is nothing that it could be measured on"
		return
	}
	v.Holds, v.Says = true, fmt.Sprintf("%s is %.6g", g.Metric, x)
	if g.Min != nil || g.Max != nil {
		v.Holds = within(x, g.Min, g.Max)
		v.Says += "; accepted is " + bounds(g.Min, g.Max)
	}
	if g.Median == nil {
		return
	}
	var earlier []float64
	for _, m := range before[:min(len(before), g.Median.Nights)] {
		if y, there := m[g.Metric]; there {
			earlier = append(earlier, y)
		}
	}
	if len(earlier) == 0 {
		v.Says += "; no night before has a median"
		return
	}
	m := median(earlier)
	least, most := times(m, g.Median.Min), times(m, g.Median.Max)
	v.Holds = v.Holds && within(x, least, most)
	v.Says += fmt.Sprintf("; the median of %d nights before is %.6g, of which %s is accepted", len(earlier), m, bounds(least, most))
}

func times(m float64, by *float64) *float64 {
	if by == nil {
		return nil
	}
	return new(m * *by)
}

// median is the lower one of an even number.
func median(x []float64) float64 {
	slices.Sort(x)
	return x[(len(x)-1)/2]
}

// Blocked returns the verdicts that end a night.
func Blocked(all []Verdict) []Verdict {
	return slices.DeleteFunc(slices.Clone(all), func(v Verdict) bool { return v.Holds || v.Action != Block })
}
