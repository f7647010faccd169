package online

import (
	"fmt"
	"slices"

	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
)

// plans is the compiled catalogue of features.
type plans struct {
	user, item, global *tile.Plan
	hash               string // of the catalogue
	namespace          string // that the stream layer keeps the state of this catalogue in
	recent             int    // the user feature that lists interactions, -1 when there is none
	trending           int    // the global feature that ranks items, -1 when there is none
}

func compile(c feature.Catalogue) (*plans, error) {
	p := &plans{hash: c.Hash(), namespace: tile.Namespace(c)}
	for entity, plan := range map[feature.Entity]**tile.Plan{feature.User: &p.user, feature.Item: &p.item, feature.Global: &p.global} {
		compiled, err := tile.Compile(c, entity)
		if err != nil {
			return nil, fmt.Errorf("serving: %w", err)
		}
		*plan = compiled
	}
	p.recent = firstOf(p.user, feature.LastN)
	p.trending = firstOf(p.global, feature.TopK)
	return p, nil
}

// limit says what lists of interactions leave out.
func (p *plans) limit() string {
	return fmt.Sprintf("only the latest %d events of an epoch are known", p.user.Features[p.recent].Def.N)
}

func firstOf(p *tile.Plan, a feature.Aggregate) int {
	return slices.IndexFunc(p.Features, func(f tile.Feature) bool { return f.Def.Aggregate == a })
}
