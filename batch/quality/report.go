package quality

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/schemas/api"
)

// Report is what the gates of a stage said of a night.
type Report struct {
	Label      time.Time          `json:"label"`
	Stage      Stage              `json:"stage"`
	Generation string             `json:"generation"`
	CutN       int64              `json:"cut_n"`             // the cut's number: rows of epochs below it have been looked at
	Gates      string             `json:"gates"`             // the hash of their file
	Profile    *Profile           `json:"profile,omitempty"` // of the input
	Metrics    map[string]float64 `json:"metrics,omitempty"` // of the output
	Verdicts   []Verdict          `json:"verdicts"`
}

// Prefix is of all reports.
const Prefix = "quality/"

// Key returns the key of a report, PageKey that of the page for people.
func Key(label time.Time, s Stage) string { return under(label) + string(s) + ".json" }

// PageKey returns the key of the page that shows both reports of a night.
func PageKey(label time.Time) string { return under(label) + "report.html" }

func under(label time.Time) string { return Prefix + label.UTC().Format(time.RFC3339) + "/" }

// numbersOf returns the numbers that the gates judged.
func (r *Report) numbersOf() map[string]float64 {
	if r.Profile != nil {
		return r.Profile.Metrics
	}
	return r.Metrics
}

// Read returns a night's report of a stage, nil where there is none.
func Read(ctx context.Context, b *bucket.Bucket, label time.Time, s Stage) (*Report, error) {
	var r Report
	_, err := b.GetJSON(ctx, Key(label, s), &r)
	if errors.Is(err, bucket.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the quality report: %w", err)
	}
	return &r, nil
}

// Before returns the reports of a stage of the nights before a label, the latest first, at most so many. What was blocked in this
// stage is no measure for others, nor is imported history.
func Before(ctx context.Context, b *bucket.Bucket, label time.Time, s Stage, most int) ([]Report, error) {
	objects, err := b.List(ctx, Prefix)
	if err != nil {
		return nil, fmt.Errorf("list the quality reports: %w", err)
	}
	var out []Report
	for _, o := range slices.Backward(objects) { // labels are of one length and zone, so keys are in their order
		name, file, _ := strings.Cut(strings.TrimPrefix(o.Key, Prefix), "/")
		at, err := time.Parse(time.RFC3339, name)
		if err != nil || file != string(s)+".json" || !at.Before(label) {
			continue
		}
		r, err := Read(ctx, b, at, s)
		if err != nil {
			return nil, err
		}
		if r != nil && len(Blocked(r.Verdicts)) == 0 && (r.Profile == nil || !r.Profile.Imported) {
			out = append(out, *r)
		}
		if len(out) == most {
			break
		}
	}
	return out, nil
}

// Numbers returns the numbers of reports.
func Numbers(all []Report) []map[string]float64 {
	var out []map[string]float64
	for i := range all {
		out = append(out, all[i].numbersOf())
	}
	return out
}

// Profiles returns the profiles of reports.
func Profiles(all []Report) []Profile {
	var out []Profile
	for i := range all {
		if all[i].Profile != nil {
			out = append(out, *all[i].Profile)
		}
	}
	return out
}

// Nights returns how many nights before the gates look at.
func (g Gates) Nights() int {
	n := defaultNights // for the drift
	for _, x := range slices.Concat(g.Input, g.Output) {
		if x.Median != nil {
			n = max(n, x.Median.Nights)
		}
	}
	return n
}

// Store puts a report and the page of the night, and returns api.Gate where a gate blocks.
func Store(ctx context.Context, b *bucket.Bucket, r Report) error {
	if _, err := b.PutJSON(ctx, Key(r.Label, r.Stage), r); err != nil {
		return fmt.Errorf("store the quality report: %w", err)
	}
	page, err := pageOf(ctx, b, r)
	if err != nil {
		return err
	}
	if _, err := b.Put(ctx, PageKey(r.Label), page); err != nil {
		return fmt.Errorf("store the quality report: %w", err)
	}
	return r.err()
}

// err is the error of the gates that block.
func (r *Report) err() error {
	blocked := Blocked(r.Verdicts)
	if len(blocked) == 0 {
		return nil
	}
	var all []string
	for _, v := range blocked {
		text := v.Gate + ": " + v.Says
		if len(v.Examples) > 0 {
			text += fmt.Sprintf("; such as offset %d of %s", v.Examples[0].Offset, v.Examples[0].Object)
		}
		all = append(all, text)
	}
	at := r.Label.Format(time.RFC3339)
	return api.Errorf(api.Gate, "%d of %d gates on the %s refuse %s, and nothing more is published: %s (all of it: `anabranch quality show %s`)",
		len(blocked), len(r.Verdicts), r.Stage, at, strings.Join(all, "; "), at)
}

//go:embed report.gohtml
var pageText string

var page = template.Must(template.New("report").Funcs(template.FuncMap{
	"number": func(x float64) string { return fmt.Sprintf("%.6g", x) },
}).Parse(pageText))

// pageOf renders the reports of a night: r, and that of the other stage where it is of the same generation.
func pageOf(ctx context.Context, b *bucket.Bucket, r Report) ([]byte, error) {
	var reports []Report
	for _, s := range []Stage{Input, Output} {
		x := &r
		if s != r.Stage {
			var err error
			if x, err = Read(ctx, b, r.Label, s); err != nil {
				return nil, err
			}
		}
		if x != nil && x.Generation == r.Generation {
			reports = append(reports, *x)
		}
	}
	type section struct {
		Report
		Numbers map[string]float64
	}
	var sections []section
	for _, x := range reports {
		sections = append(sections, section{x, x.numbersOf()})
	}
	var out bytes.Buffer
	err := page.Execute(&out, map[string]any{"Label": r.Label.Format(time.RFC3339), "Generation": r.Generation, "Sections": sections})
	if err != nil {
		return nil, fmt.Errorf("render the quality report: %w", err)
	}
	return out.Bytes(), nil
}
