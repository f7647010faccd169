package jobs

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/anabranch/anabranch/batch/asof"
	"github.com/anabranch/anabranch/jobs/trainset"
	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
)

type exportFeaturesCmd struct {
	bucketFlags
	definitions
	Spine string   `required:"" placeholder:"FILE" help:"CSV or JSON lines with user_id or item_id (or both), time, and any other columns, such as labels."`
	Out   string   `required:"" placeholder:"FILE" help:"Where to write: .parquet, .csv or .jsonl."`
	Only  []string `placeholder:"NAME" help:"Only these features."`
}

// Run joins to each row of the spine what was known at its time.
func (c *exportFeaturesCmd) Run(rt *runtimeEnv) error {
	f, err := c.catalogue()
	if err != nil {
		return err
	}
	spine, err := trainset.Read(c.Spine)
	if err != nil {
		return api.Errorf(api.Invalid, "--spine: %w", err)
	}
	joins, err := c.joins(rt, f, spine)
	if err != nil {
		return err
	}
	var columns []trainset.Column
	for _, j := range joins {
		columns = append(columns, j.columns...)
	}
	if err := c.checkOnly(columns, f); err != nil {
		return err
	}
	out, err := trainset.Create(c.Out, spine, columns)
	if err != nil {
		return api.Errorf(api.Invalid, "--out: %w", err)
	}
	defer out.Abort()
	for i := range spine.Rows {
		values := make([]agg.Value, 0, len(columns))
		for _, j := range joins {
			if values, err = j.read(values, &spine.Rows[i]); err != nil {
				return fmt.Errorf("row %d of the spine: %w", i+1, err)
			}
		}
		if err := out.Write(&spine.Rows[i], values); err != nil {
			return err
		}
	}
	if err := out.Close(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(rt.stdout, "%d rows with %d features in %s\n", len(spine.Rows), len(columns), filepath.Clean(c.Out))
	return err
}

// join adds the features of one entity.
type join struct {
	entity  feature.Entity
	history *asof.History
	derived *tile.Derived
	take    []int // of the features followed by the derived ones
	columns []trainset.Column
}

// joins loads the history of the members that the spine names.
func (c *exportFeaturesCmd) joins(rt *runtimeEnv, f feature.Catalogue, s *trainset.Spine) ([]*join, error) {
	b, err := c.open(rt.ctx)
	if err != nil {
		return nil, err
	}
	var out []*join
	for _, e := range []feature.Entity{feature.User, feature.Item} {
		members := s.Members(e)
		if len(members) == 0 {
			continue
		}
		h, err := asof.Load(rt.ctx, b, f, e, members, s.Latest())
		if err != nil {
			return nil, err
		}
		j := &join{entity: e, history: h}
		if j.derived, err = tile.CompileDerived(f, h.Plan()); err != nil {
			return nil, err
		}
		c.choose(f, j)
		out = append(out, j)
	}
	return out, nil
}

// choose lists the columns of a join.
func (c *exportFeaturesCmd) choose(f feature.Catalogue, j *join) {
	add := func(column trainset.Column, i int) {
		if len(c.Only) == 0 || slices.Contains(c.Only, column.Name) {
			j.columns, j.take = append(j.columns, column), append(j.take, i)
		}
	}
	for i, d := range j.history.Plan().Features {
		add(trainset.ColumnOf(f, d.Def), i)
	}
	for i, d := range j.derived.Formulas() {
		add(trainset.DerivedColumn(d), len(j.history.Plan().Features)+i)
	}
}

// checkOnly refuses names that no feature of the spine's entities has.
func (c *exportFeaturesCmd) checkOnly(columns []trainset.Column, f feature.Catalogue) error {
	for _, name := range c.Only {
		if slices.ContainsFunc(columns, func(x trainset.Column) bool { return x.Name == name }) {
			continue
		}
		var known []string
		for _, d := range f.Features {
			known = append(known, d.Name)
		}
		near, _ := api.Closest(name, known)
		return api.Errorf(api.Invalid, "--only %s: no such feature of an entity that the spine names; did you mean %s?", api.Clip(name), near)
	}
	return nil
}

// read appends the answers for a row.
func (j *join) read(to []agg.Value, r *trainset.Row) ([]agg.Value, error) {
	values, err := j.history.At(r.Member(j.entity), r.Time)
	if err != nil {
		return nil, err
	}
	derived := j.derived.Values(values)
	for _, i := range j.take {
		if i < len(values) {
			to = append(to, values[i])
		} else {
			to = append(to, derived[i-len(values)])
		}
	}
	return to, nil
}
