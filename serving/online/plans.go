package online

import (
	"fmt"
	"slices"
	"sync"

	"github.com/anabranch/anabranch/infra/artifact"
	"github.com/anabranch/anabranch/schemas/event"

	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
)

// plans is the compiled catalogue of features.
type plans struct {
	user, item, global *tile.Plan
	derived            map[*tile.Plan]*tile.Derived
	hash               string // of the catalogue
	namespace          string // that the stream layer keeps the state of this catalogue in
	recent             int    // the user feature that lists interactions, -1 when there is none
	trending           int    // the global feature that ranks items, -1 when there is none

	interactions sync.Pool // of *tile.Reader that read the recent interactions of users
}

func compile(c feature.Catalogue) (*plans, error) {
	p := &plans{hash: c.Hash(), namespace: tile.Namespace(c), derived: map[*tile.Plan]*tile.Derived{}}
	for entity, plan := range map[feature.Entity]**tile.Plan{feature.User: &p.user, feature.Item: &p.item, feature.Global: &p.global} {
		compiled, err := tile.Compile(c, entity)
		if err != nil {
			return nil, fmt.Errorf("serving: %w", err)
		}
		*plan = compiled
		if p.derived[compiled], err = tile.CompileDerived(c, compiled); err != nil {
			return nil, fmt.Errorf("serving: %w", err)
		}
	}
	p.recent = slices.IndexFunc(p.user.Features, func(f tile.Feature) bool { return f.Def.Of == feature.Interaction })
	p.interactions.New = func() any {
		r := p.user.NewReader()
		r.Select(p.recent)
		return r
	}
	p.trending = slices.IndexFunc(p.global.Features, func(f tile.Feature) bool {
		return f.Def.Aggregate == feature.TopK && f.Def.Of == "item_id"
	})
	return p, nil
}

// of returns the compiled catalogue of a generation: p, if that is it.
func (p *plans) of(files *artifact.Generation) (*plans, error) {
	in := files.Manifest().Inputs
	if in.Validator != event.ValidatorVersion {
		return nil, fmt.Errorf("it was built by validator version %d, this build has version %d: run `anabranch nightly` with this build", in.Validator, event.ValidatorVersion)
	}
	if in.Definition == p.hash {
		return p, nil
	}
	return compile(files.Features())
}

// limit says what lists of interactions leave out.
func (p *plans) limit() string {
	return fmt.Sprintf("only the latest %d events of an epoch are known", p.user.Features[p.recent].Def.N)
}
