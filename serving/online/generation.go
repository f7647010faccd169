package online

import (
	"context"
	"fmt"

	"github.com/anabranch/anabranch/infra/artifact"
	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/simd/rowsolve"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/schemas/tile"
	"github.com/anabranch/anabranch/serving/recommend"
)

// generation is what requests answer from: an opened generation with its recommender. It never
// changes; a new catalogue makes a new one that shares the files. Requests hold on to it without
// counting, so its memory goes with the last of them and Close of the files is left to nobody.
type generation struct {
	manifest model.Manifest // zero before the first generation
	files    *artifact.Generation
	plans    *plans
	global   tile.Bucket // the decoded view of the global entity

	recommender *recommend.Recommender
	catalog     int64 // version of the catalogue in the recommender

	// defect says why the views are not used, "" when they are.
	defect string
}

// none is the generation before the first one: it knows nothing, and everything live joins it.
func none(p *plans, t recommend.Tuning) (*generation, error) {
	r, err := recommend.New(recommend.Model{}, nil, t)
	if err != nil {
		return nil, fmt.Errorf("serving: %w", err)
	}
	return &generation{plans: p, recommender: r, catalog: -1}, nil
}

// open reads and verifies a generation and indexes its model.
func open(ctx context.Context, b *bucket.Bucket, id string, p *plans, t recommend.Tuning) (*generation, error) {
	files, err := artifact.Open(ctx, b, id)
	if err != nil {
		return nil, err
	}
	g := &generation{manifest: files.Manifest(), files: files, plans: p, catalog: -1}
	if err := g.takeGlobal(); err != nil {
		return nil, fmt.Errorf("open generation %s: %w", id, err)
	}
	vectors, dim := files.ItemVectors()
	params := g.manifest.Inputs.Train
	g.recommender, err = recommend.New(recommend.Model{
		ItemIDs: files.ItemIDs(), ItemVectors: vectors, Dim: dim,
		Params:     rowsolve.Params{Alpha0: params.Alpha0, Lambda: params.Lambda, Nu: params.Nu},
		Popularity: files.ItemPopularity(),
		UserVector: files.UserVector,
	}, nil, t)
	if err != nil {
		return nil, fmt.Errorf("open generation %s: %w", id, err)
	}
	return g, nil
}

// takeGlobal decodes the global view, unless the views are of other definitions than this process's:
// vectors and histories do not depend on them, so the model is served all the same.
func (g *generation) takeGlobal() error {
	in := g.manifest.Inputs
	if in.Definition != g.plans.hash || in.Validator != event.ValidatorVersion {
		g.defect = "the generation was built from other feature definitions; run the nightly job with the current ones"
		return nil
	}
	state, ok := g.files.GlobalView()
	if !ok || len(state) == 0 {
		return nil
	}
	var err error
	g.global, err = g.plans.global.DecodeView(state)
	return err
}

// withCatalog returns the generation with another version of the catalogue.
func (g *generation) withCatalog(items []recommend.Item, version int64) (*generation, error) {
	next := *g
	var err error
	if next.recommender, err = g.recommender.WithCatalog(items); err != nil {
		return nil, fmt.Errorf("index the catalogue for generation %q: %w", g.id(), err)
	}
	next.catalog = version
	return &next, nil
}

func (g *generation) id() string { return g.manifest.ID }

// cut is the number of the mark up to which the generation holds everything; 0 for none.
func (g *generation) cut() int64 { return g.manifest.Inputs.CutN }

func (g *generation) weights() model.Weights {
	if g.files == nil {
		return model.DefaultWeights()
	}
	return g.manifest.Inputs.Weights
}

// userView returns the decoded view of a user, nil when there is none.
func (g *generation) userView(id string) (tile.Bucket, error) {
	if g.files == nil || g.defect != "" {
		return nil, nil
	}
	state, _, ok := g.files.UserView(id)
	if !ok || len(state) == 0 {
		return nil, nil
	}
	return g.plans.user.DecodeView(state)
}

// itemView returns the decoded view of an item, nil when there is none.
func (g *generation) itemView(id string) (tile.Bucket, error) {
	if g.files == nil || g.defect != "" {
		return nil, nil
	}
	state, ok := g.files.ItemView(id)
	if !ok || len(state) == 0 {
		return nil, nil
	}
	return g.plans.item.DecodeView(state)
}

// knows reports whether the generation holds the item.
func (g *generation) knows(item string) bool {
	if g.files == nil {
		return false
	}
	_, ok := g.files.ItemRow(item)
	return ok
}

// history returns the user's training row.
func (g *generation) history(user string) ([]recommend.Interaction, error) {
	if g.files == nil {
		return nil, nil
	}
	_, row, ok := g.files.UserView(user)
	if !ok {
		return nil, nil
	}
	entries, err := model.DecodeHistory(row)
	if err != nil {
		return nil, err
	}
	ids := g.files.ItemIDs()
	out := make([]recommend.Interaction, len(entries))
	for i, e := range entries {
		if int(e.Item) >= len(ids) {
			return nil, fmt.Errorf("history names row %d of %d items", e.Item, len(ids))
		}
		out[i] = recommend.Interaction{Item: ids[e.Item], Weight: e.Weight, Time: e.Last}
	}
	return out, nil
}

// info describes the generation, nil for none.
func (g *generation) info() *GenerationInfo {
	if g.files == nil {
		return nil
	}
	m := g.manifest
	return &GenerationInfo{ID: m.ID, Cut: m.Inputs.CutN, Label: m.Inputs.Label, Metrics: m.Metrics, Counts: m.Counts}
}
