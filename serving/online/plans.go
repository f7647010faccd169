package online

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
)

// plans is the compiled catalogue of features.
type plans struct {
	user, item, global *tile.Plan
	hash               string // of the catalogue
	recent             int    // the user feature that lists interactions, -1 when there is none
	trending           int    // the global feature that ranks items, -1 when there is none
}

func compile(c feature.Catalogue) (*plans, error) {
	p := &plans{hash: c.Hash()}
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

func firstOf(p *tile.Plan, a feature.Aggregate) int {
	return slices.IndexFunc(p.Features, func(f tile.Feature) bool { return f.Def.Aggregate == a })
}

// namespace is the one that the stream layer keeps the state of this catalogue in.
func (p *plans) namespace() string { return p.hash[:12] + "-v" + strconv.Itoa(event.ValidatorVersion) }
