package quality

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/model"
)

//go:embed default.yaml
var defaultYAML []byte

// Action is what follows when a gate does not hold.
type Action string

// The actions.
const (
	Block Action = "block"
	Warn  Action = "warn"
)

// Stage is what a gate is about.
type Stage string

// The stages.
const (
	Input  Stage = "input"
	Output Stage = "output"
)

// Gates are what is demanded of a night.
type Gates struct {
	Input  []Gate
	Output []Gate
	Hash   string // of the file: other gates are asked anew
}

// Gate is one demand: of Rows, Metric and Expr one is set.
type Gate struct {
	Name   string   `yaml:"name"`
	Action Action   `yaml:"action"`
	Rows   *Rows    `yaml:"rows"`
	Metric string   `yaml:"metric"`
	Min    *float64 `yaml:"min"`
	Max    *float64 `yaml:"max"`
	Median *Median  `yaml:"of_median"`
	Expr   string   `yaml:"expr"`

	expr *expression
}

// Rows is what holds for each row but for MaxRate of them: of the conditions one is set.
type Rows struct {
	Column   string   `yaml:"column"`
	NotNull  bool     `yaml:"not_null"`
	Min      *float64 `yaml:"min"`
	Max      *float64 `yaml:"max"`
	In       []string `yaml:"in"`
	Known    bool     `yaml:"known"`    // item_id: it is in the catalogue
	Unique   bool     `yaml:"unique"`   // event_id: no other row of the user has it
	Accepted bool     `yaml:"accepted"` // the row is no rejected record; needs no column
	MaxRate  float64  `yaml:"max_rate"`
}

// Median bounds a number by multiples of its median over so many nights before.
type Median struct {
	Min    *float64 `yaml:"min"`
	Max    *float64 `yaml:"max"`
	Nights int      `yaml:"nights"`
}

// defaultNights is what Median.Nights means where it is not set; maxNights bounds it.
const (
	defaultNights = 7
	maxNights     = 90
)

// Default returns the gates of an installation that has none of its own: all of them warn.
func Default() Gates {
	g, err := Parse(defaultYAML)
	if err != nil {
		panic(fmt.Sprintf("quality: the default gates: %v", err)) // a test parses them
	}
	return g
}

// Parse reads and validates gates.
func Parse(b []byte) (Gates, error) {
	var file struct {
		Input  []yaml.Node `yaml:"input"`
		Output []yaml.Node `yaml:"output"`
	}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return Gates{}, api.Errorf(api.Invalid, "gates: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return Gates{}, api.Errorf(api.Invalid, "gates: one document is accepted, something follows it")
	}
	g := Gates{Hash: model.SHA256Hex(b)}
	names := map[string]int{}
	for _, x := range []struct {
		stage Stage
		from  []yaml.Node
		into  *[]Gate
	}{{Input, file.Input, &g.Input}, {Output, file.Output, &g.Output}} {
		for i := range x.from {
			l, err := gateOf(&x.from[i])
			if err == nil {
				err = l.complete(x.stage)
			}
			if before := names[l.Name]; err == nil && before > 0 {
				err = fmt.Errorf("name %q: line %d has it already", l.Name, before)
			}
			if err != nil {
				return Gates{}, api.Errorf(api.Invalid, "gates: line %d: %s gate %d: %w", l.line, x.stage, i+1, err)
			}
			names[l.Name] = l.line
			*x.into = append(*x.into, l.Gate)
		}
	}
	return g, nil
}

// located is a gate and the line in which it begins.
type located struct {
	Gate
	line int
}

// gateOf reads a gate. Decoding its node would accept unknown keys, so its text is decoded.
func gateOf(n *yaml.Node) (l located, err error) {
	l.line = n.Line
	if n.Kind != yaml.MappingNode {
		return l, errors.New("a mapping is required")
	}
	text, err := yaml.Marshal(n)
	if err != nil {
		return l, err
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&l.Gate); err != nil {
		text := lineOf.ReplaceAllString(strings.TrimPrefix(err.Error(), "yaml: "), "")
		return l, errors.New(strings.TrimPrefix(text, "unmarshal errors:\n  "))
	}
	return l, nil
}

var (
	lineOf   = regexp.MustCompile(`line [0-9]+: `)
	nameRule = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
)

// complete validates a gate and fills in what it leaves out.
func (g *Gate) complete(stage Stage) error {
	if !nameRule.MatchString(g.Name) {
		return fmt.Errorf("name %q: a lower-case letter is required, then letters, digits and _", g.Name)
	}
	switch g.Action {
	case "":
		g.Action = Block
	case Block, Warn:
	default:
		return fmt.Errorf("%s: action %q: block and warn are accepted", g.Name, g.Action)
	}
	kinds := 0
	for _, set := range []bool{g.Rows != nil, g.Metric != "", g.Expr != ""} {
		if set {
			kinds++
		}
	}
	bounded := g.Min != nil || g.Max != nil || g.Median != nil
	var err error
	switch {
	case kinds != 1:
		err = errors.New("exactly one of rows, metric and expr is required")
	case g.Metric == "" && bounded:
		err = errors.New("min, max and of_median belong to metric")
	case g.Rows != nil && stage == Output:
		err = errors.New("rows are of the input")
	case g.Rows != nil:
		err = g.Rows.check()
	case g.Expr != "":
		g.expr, err = compile(g.Expr, stage.metrics())
	default:
		err = g.checkMetric(stage, bounded)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", g.Name, err)
	}
	return nil
}

func (g *Gate) checkMetric(stage Stage, bounded bool) error {
	known := stage.metrics()
	if err := checkBounds(g.Min, g.Max); err != nil {
		return err
	}
	switch {
	case !slices.Contains(known, g.Metric):
		return fmt.Errorf("metric %q: accepted are %s", g.Metric, strings.Join(known, ", "))
	case !bounded:
		return errors.New("min, max or of_median is required")
	case g.Median == nil:
		return nil
	case g.Metric == "age_hours" || strings.HasPrefix(g.Metric, "min.") || strings.HasPrefix(g.Metric, "max.") || strings.HasPrefix(g.Metric, "mean."):
		return fmt.Errorf("of_median: %s may be below 0, where a multiple says nothing", g.Metric)
	case g.Median.Min == nil && g.Median.Max == nil:
		return errors.New("of_median: min or max is required")
	case g.Median.Nights < 0 || g.Median.Nights > maxNights:
		return fmt.Errorf("of_median.nights %d: 1 to %d are accepted", g.Median.Nights, maxNights)
	case g.Median.Nights == 0:
		g.Median.Nights = defaultNights
	}
	if err := checkBounds(g.Median.Min, g.Median.Max); err != nil {
		return fmt.Errorf("of_median: %w", err)
	}
	return nil
}

// checkBounds refuses bounds that nothing lies in.
func checkBounds(least, most *float64) error {
	for _, x := range []*float64{least, most} {
		if x != nil && (math.IsNaN(*x) || math.IsInf(*x, 0)) {
			return fmt.Errorf("a bound of %v: finite numbers are accepted", *x)
		}
	}
	if least != nil && most != nil && *least > *most {
		return fmt.Errorf("min %v is above max %v", *least, *most)
	}
	return nil
}

// The columns that rows may be about.
var (
	numbers  = []string{"value", "price"}
	nullable = []string{"value", "price", "category", "session_id"}
	texts    = []string{"type", "category", "item_id", "session_id"}
)

func (r *Rows) check() error {
	conditions := 0
	for _, set := range []bool{r.NotNull, r.Min != nil || r.Max != nil, len(r.In) > 0, r.Known, r.Unique, r.Accepted} {
		if set {
			conditions++
		}
	}
	accepted := numbers
	switch {
	case conditions != 1:
		return errors.New("rows: exactly one of not_null, min and max, in, known, unique and accepted is required")
	case !(r.MaxRate >= 0 && r.MaxRate < 1): // NaN, too
		return fmt.Errorf("rows.max_rate %v: from 0 to below 1 is accepted", r.MaxRate)
	case r.Accepted && r.Column == "":
		return nil
	case r.Accepted:
		return fmt.Errorf("rows.column %q: accepted is about the whole row", r.Column)
	case r.NotNull:
		accepted = nullable
	case len(r.In) > 0:
		accepted = texts
	case r.Known:
		accepted = []string{"item_id"}
	case r.Unique:
		accepted = []string{"event_id"}
	}
	if !slices.Contains(accepted, r.Column) {
		return fmt.Errorf("rows.column %q: accepted are %s", r.Column, strings.Join(accepted, ", "))
	}
	return checkBounds(r.Min, r.Max)
}

// metrics returns the numbers of a stage.
func (s Stage) metrics() []string {
	if s == Output {
		return outputMetrics()
	}
	return inputMetrics()
}

// inputMetrics and outputMetrics are the numbers that there are.
func inputMetrics() []string {
	out := []string{"rows", "accepted", "rejected", "reject_rate", "users", "items", "age_hours"}
	for _, c := range nullable {
		out = append(out, "null_rate."+c)
	}
	for _, c := range numbers {
		out = append(out, "min."+c, "max."+c, "mean."+c)
	}
	for _, c := range drifting {
		out = append(out, "psi."+c)
	}
	return out
}

func outputMetrics() []string {
	return []string{"cases", "recall20", "ndcg20", "hr20", "mrr20", "coverage20", "popularity_hr20", "events", "duplicates", "duplicate_rate", "rejected", "users", "items"}
}
