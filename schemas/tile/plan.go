package tile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/feature"
)

// Plan is the compiled catalogue of one entity.
type Plan struct {
	Entity   feature.Entity
	Features []Feature        // in catalogue order
	Series   []SeriesPlan     // in order of their first use
	Fields   []Field          // what a Row holds, in order of their first use
	Filters  []feature.Filter // distinct ones, as SeriesPlan numbers them

	widths []int64 // of tiles, distinct ones, so that an event's tiles are numbered once a width
}

// Feature is a compiled definition.
type Feature struct {
	Def    feature.Definition
	Type   feature.Type // of the field that Def.Of names; zero where there is none
	Monoid agg.Monoid   // finalizes what Series keeps
	Series int          // index in Plan.Series
}

// Field is a field of events that some feature needs.
type Field struct {
	Name string
	Type feature.Type
}

// SeriesPlan says what a series keeps.
type SeriesPlan struct {
	Monoid agg.Monoid
	Width  int64          // of a tile, ms; 0 for lifetime
	Window feature.Window // the longest of its features
	Of, By int            // index in Plan.Fields; -1 for none
	Filter int            // index in Plan.Filters

	Numerator, Denominator int // of a ratio, in Plan.Filters; -1 for none

	width int // index in Plan.widths
}

// Compile returns the plan of an entity.
func Compile(c feature.Catalogue, e feature.Entity) (*Plan, error) {
	p := &Plan{Entity: e}
	known := map[string]int{}
	for _, d := range c.Of(e) {
		if err := p.add(c, d, known); err != nil {
			return nil, fmt.Errorf("compile feature %q: %w", d.Name, err)
		}
	}
	return p, nil
}

// add compiles a definition. Series are known by what they keep.
func (p *Plan) add(c feature.Catalogue, d feature.Definition, known map[string]int) (err error) {
	f := Feature{Def: d}
	s := SeriesPlan{Width: d.Window.Tile(), Window: d.Window, Of: -1, By: -1, Numerator: -1, Denominator: -1}
	if d.Of != "" && d.Of != feature.Interaction {
		if s.Of, err = p.field(c, d.Of); err != nil {
			return err
		}
		f.Type = p.Fields[s.Of].Type
	}
	if d.By != "" {
		if s.By, err = p.field(c, d.By); err != nil {
			return err
		}
	}
	if d.Of == feature.Interaction {
		if _, err = p.field(c, "value"); err != nil {
			return err
		}
	}
	if s.Filter, err = p.filter(c, d.From); err != nil {
		return err
	}
	if d.Numerator != nil {
		if s.Numerator, err = p.filter(c, *d.Numerator); err != nil {
			return err
		}
	}
	if d.Denominator != nil {
		if s.Denominator, err = p.filter(c, *d.Denominator); err != nil {
			return err
		}
	}
	if f.Monoid, err = agg.For(d, f.Type); err != nil {
		return err
	}
	s.Monoid = f.Monoid
	key := fmt.Sprint(s.Monoid.Key(), s.Width, s.Of, s.By, s.Filter, s.Numerator, s.Denominator)
	n, found := known[key]
	if !found {
		n = len(p.Series)
		known[key] = n
		s.width = p.width(s.Width)
		p.Series = append(p.Series, s)
	}
	if w := &p.Series[n].Window; *w != feature.Lifetime {
		*w = max(*w, d.Window)
	}
	f.Series = n
	p.Features = append(p.Features, f)
	return nil
}

// width returns the index of a width of tiles, added when it is new.
func (p *Plan) width(w int64) int {
	if i := slices.Index(p.widths, w); i >= 0 {
		return i
	}
	p.widths = append(p.widths, w)
	return len(p.widths) - 1
}

// field returns the index of a field, added when it is new.
func (p *Plan) field(c feature.Catalogue, name string) (int, error) {
	if i := slices.IndexFunc(p.Fields, func(f Field) bool { return f.Name == name }); i >= 0 {
		return i, nil
	}
	t, ok := c.Type(name)
	if !ok {
		return -1, fmt.Errorf("field %q is not declared", name)
	}
	p.Fields = append(p.Fields, Field{name, t})
	return len(p.Fields) - 1, nil
}

// filter returns the index of a filter, added when it is new.
func (p *Plan) filter(c feature.Catalogue, f feature.Filter) (int, error) {
	for _, w := range f.Where {
		if _, err := p.field(c, w.Field); err != nil {
			return -1, err
		}
	}
	same := func(g feature.Filter) bool {
		return slices.Equal(f.Types, g.Types) && slices.EqualFunc(f.Where, g.Where, func(a, b feature.Condition) bool {
			return a.Field == b.Field && a.Op == b.Op && slices.Equal(a.Values, b.Values)
		})
	}
	if i := slices.IndexFunc(p.Filters, same); i >= 0 {
		return i, nil
	}
	p.Filters = append(p.Filters, f)
	return len(p.Filters) - 1, nil
}

// Feature returns the index of the named feature, or -1.
func (p *Plan) Feature(name string) int {
	return slices.IndexFunc(p.Features, func(f Feature) bool { return f.Def.Name == name })
}

// Uses reports whether the plan needs any field that starts with the prefix, such as "properties.".
func (p *Plan) Uses(prefix string) bool {
	return slices.ContainsFunc(p.Fields, func(f Field) bool { return strings.HasPrefix(f.Name, prefix) })
}
