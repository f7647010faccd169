package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/go-json-experiment/json"
)

// result is one measured value; its JSON form is what scripts read.
type result struct {
	Suite  string         `json:"suite"`
	Name   string         `json:"name"`
	Value  float64        `json:"value"`
	Unit   string         `json:"unit"`
	Params map[string]any `json:"params"`
}

// report collects the results of one suite in the order in which they were added.
type report struct {
	suite   string
	results []result
}

// add records a value. Unit is such as "s", "events/s", "B" or "1" for a plain number; params say
// what was measured and with what, so that two results with equal params can be compared.
func (r *report) add(name string, value float64, unit string, params map[string]any) {
	if params == nil {
		params = map[string]any{}
	}
	r.results = append(r.results, result{r.suite, name, value, unit, params})
}

// table prints the results for people.
func (r *report) table(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "suite\tname\tvalue\tunit\t  params")
	for _, x := range r.results {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t  %s\n", x.Suite, x.Name, strconv.FormatFloat(x.Value, 'g', 5, 64), x.Unit, paramText(x.Params))
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print the table: %w", err)
	}
	return nil
}

func paramText(params map[string]any) string {
	var words []string
	for _, key := range slices.Sorted(maps.Keys(params)) {
		words = append(words, fmt.Sprintf("%s=%v", key, params[key]))
	}
	return strings.Join(words, " ")
}

// appendJSON appends the results to a file, one object a line. Runs may share a file.
func (r *report) appendJSON(name string) error {
	var lines []byte
	for _, x := range r.results {
		line, err := json.Marshal(x, json.Deterministic(true))
		if err != nil {
			return fmt.Errorf("encode the result %s: %w", x.Name, err)
		}
		lines = append(append(lines, line...), '\n')
	}
	file, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open the result file: %w", err)
	}
	_, err = file.Write(lines)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	return nil
}
