package jobs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
)

type featuresCmd struct {
	Check  checkFeaturesCmd  `cmd:"" help:"Check a file of definitions: every error with its line and column."`
	List   listFeaturesCmd   `cmd:"" help:"List the features with their windows and tiles."`
	Plan   planFeaturesCmd   `cmd:"" help:"Say what the definitions cost: bytes an entity, reads a request, BigQuery bytes a day."`
	Diff   diffFeaturesCmd   `cmd:"" help:"Say what a changed file invalidates."`
	Get    getFeaturesCmd    `cmd:"" help:"Read the features of a user or an item, now or at any instant of the past."`
	Export exportFeaturesCmd `cmd:"" help:"Join features to a list of users or items and instants: a training set that never sees the future."`
	SQL    sqlFeaturesCmd    `cmd:"" name:"sql" help:"Print the GoogleSQL that computes the features."`
	Schema schemaFeaturesCmd `cmd:"" help:"Print the JSON Schema of features.yaml, for editors."`
}

type checkFeaturesCmd struct {
	File string `arg:"" optional:"" placeholder:"FILE" help:"features.yaml; the built-in definitions by default."`
}

// Run reads the file. What is wrong with it is the error.
func (c *checkFeaturesCmd) Run(rt *runtimeEnv) error {
	d := definitions{Features: c.File}
	f, err := d.catalogue()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(rt.stdout, "ok: %d user, %d item and %d global features, %d derived; definition %s, namespace %s\n",
		len(f.Of(feature.User)), len(f.Of(feature.Item)), len(f.Of(feature.Global)), len(f.Derived), f.Hash()[:12], tile.Namespace(f))
	return err
}

type listFeaturesCmd struct {
	definitions
	Entity string `enum:"user,item,global," default:"" help:"Only those of an entity."`
	JSON   bool   `help:"Print one JSON object a feature."`
}

// Run lists the features in catalogue order, then the derived ones.
func (c *listFeaturesCmd) Run(rt *runtimeEnv) error {
	f, err := c.catalogue()
	if err != nil {
		return err
	}
	rows := [][]string{{"FEATURE", "ENTITY", "AGGREGATE", "OF", "FROM", "WINDOW", "TILE"}}
	for _, d := range f.Features {
		if c.Entity != "" && string(d.Entity) != c.Entity {
			continue
		}
		if c.JSON {
			if err := printJSON(rt.stdout, describe(f, d)); err != nil {
				return err
			}
		}
		rows = append(rows, []string{d.Name, entityOf(d), string(d.Aggregate), d.Of, filterText(f, d.From), d.Window.String(), tileText(d.Window)})
	}
	for _, d := range f.Derived {
		if c.Entity != "" && string(d.Entity) != c.Entity {
			continue
		}
		if c.JSON {
			if err := printJSON(rt.stdout, map[string]any{"name": d.Name, "entity": d.Entity, "expr": d.Expr, "description": d.Description}); err != nil {
				return err
			}
		}
		rows = append(rows, []string{d.Name, string(d.Entity), "derived", d.Expr, "", "", ""})
	}
	if c.JSON {
		return nil
	}
	return printTable(rt.stdout, rows)
}

// describe returns a feature for machines.
func describe(c feature.Catalogue, d feature.Definition) map[string]any {
	return map[string]any{
		"name": d.Name, "description": d.Description, "entity": d.Entity, "by": d.By, "aggregate": d.Aggregate, "of": d.Of,
		"from": filterText(c, d.From), "window": d.Window.String(), "tile": tileText(d.Window),
	}
}

// entityOf names the entity, with the attribute where the feature is grouped.
func entityOf(d feature.Definition) string {
	if d.By != "" {
		return string(d.Entity) + "×" + d.By
	}
	return string(d.Entity)
}

// filterText writes a filter in one line.
func filterText(c feature.Catalogue, f feature.Filter) string {
	parts := []string{}
	if len(f.Types) > 0 {
		parts = append(parts, strings.Join(f.Types, "|"))
	}
	for _, w := range f.Where {
		t, _ := c.Type(w.Field)
		parts = append(parts, w.Format(t))
	}
	return strings.Join(parts, " and ")
}

// tileText writes the size of a window's tiles.
func tileText(w feature.Window) string {
	switch t := w.Tile(); {
	case t == 0:
		return "one"
	case t < int64(feature.Hour):
		return fmt.Sprintf("%dm", t/int64(feature.Minute))
	default:
		return feature.Window(t).String()
	}
}

type diffFeaturesCmd struct {
	bucketFlags
	Old  string `arg:"" placeholder:"OLD" help:"features.yaml as it was, or 'current' for what the current generation was built from."`
	New  string `arg:"" placeholder:"NEW" help:"features.yaml as it shall be."`
	JSON bool   `help:"Print one JSON object."`
}

// Run compares two catalogues.
func (c *diffFeaturesCmd) Run(rt *runtimeEnv) error {
	before, err := c.old(rt)
	if err != nil {
		return err
	}
	after, err := readCatalogue(c.New)
	if err != nil {
		return err
	}
	compared := after
	if c.Old == "current" { // a generation keeps no descriptions
		compared = undescribed(after)
	}
	changes := feature.Diff(before, compared)
	if c.JSON {
		return printJSON(rt.stdout, changes)
	}
	var out strings.Builder
	writeChanges(&out, changes)
	switch invalid := changes.Invalidated(); {
	case before.Hash() == after.Hash():
		out.WriteString("the definition is the same: live state and generations stay valid\n")
	default:
		fmt.Fprintf(&out, "definition %s becomes %s: live state is filled anew in namespace %s beside the old one, until a generation has it\n",
			before.Hash()[:12], after.Hash()[:12], tile.Namespace(after))
		if len(invalid) > 0 {
			fmt.Fprintf(&out, "computed anew from raw data: %s\n", strings.Join(invalid, ", "))
		}
	}
	_, err = fmt.Fprint(rt.stdout, out.String())
	return err
}

// undescribed returns the catalogue without descriptions.
func undescribed(c feature.Catalogue) feature.Catalogue {
	c.Features, c.Derived = slices.Clone(c.Features), slices.Clone(c.Derived)
	for i := range c.Features {
		c.Features[i].Description = ""
	}
	for i := range c.Derived {
		c.Derived[i].Description = ""
	}
	return c
}

// old returns the definitions to compare with.
func (c *diffFeaturesCmd) old(rt *runtimeEnv) (feature.Catalogue, error) {
	if c.Old != "current" {
		return readCatalogue(c.Old)
	}
	b, err := c.open(rt.ctx)
	if err != nil {
		return feature.Catalogue{}, err
	}
	all, current, err := retainedCatalogues(rt.ctx, b, nil)
	if err != nil {
		return feature.Catalogue{}, err
	}
	f, found := all[current]
	if !found {
		return f, api.Errorf(api.NotFound, "there is no current generation to compare with")
	}
	return f, nil
}

// writeChanges writes a line for each feature that differs.
func writeChanges(out *strings.Builder, c feature.Changes) {
	line := func(mark string, names []string) {
		for _, n := range names {
			fmt.Fprintf(out, "%s %s\n", mark, n)
		}
	}
	line("-", slices.Concat(c.Removed, c.DerivedRemoved))
	line("+", slices.Concat(c.Added, c.DerivedAdded))
	for _, x := range slices.Concat(c.Changed, c.DerivedChanged) {
		note := ""
		if !x.Invalidates {
			note = " (nothing stored is invalid)"
		}
		fmt.Fprintf(out, "~ %s%s\n", x.Name, note)
		for _, k := range x.Keys {
			fmt.Fprintf(out, "    %s: %s → %s\n", k.Key, orNone(k.Old), orNone(k.New))
		}
	}
	if c.Reordered {
		out.WriteString("~ the order of the features, which is that of a state's series\n")
	}
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

type schemaFeaturesCmd struct{}

// Run prints the schema.
func (*schemaFeaturesCmd) Run(rt *runtimeEnv) error {
	_, err := rt.stdout.Write(feature.JSONSchema())
	return err
}
