package online

import (
	"bytes"
	"context"
	"fmt"
	"runtime"

	"github.com/anabranch/anabranch/infra/artifact"
	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/simd/rowsolve"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/serving/recommend"
)

// generation is what requests answer from: an opened generation with its recommender. It never
// changes; a new catalogue makes a new one that shares the files. Requests hold on to it without
// counting, so its memory goes with the last of them and Close of the files is left to nobody.
type generation struct {
	manifest model.Manifest // zero before the first generation
	files    *artifact.Generation
	plans    *plans // of the generation's own catalogue

	recommender *recommend.Recommender
	catalog     int64 // version of the catalogue in the recommender
}

// none is the generation before the first one: it knows nothing, and everything live joins it.
func none(p *plans, t recommend.Tuning) (*generation, error) {
	r, err := recommend.New(recommend.Model{}, nil, t)
	if err != nil {
		return nil, fmt.Errorf("serving: %w", err)
	}
	return &generation{plans: p, recommender: r, catalog: -1}, nil
}

// open reads and verifies a generation and indexes its model. p is used again when the generation is of the
// same definitions.
func open(ctx context.Context, b *bucket.Bucket, id, cache string, p *plans, t recommend.Tuning) (*generation, error) {
	files, err := openFiles(ctx, b, id, cache)
	if err != nil {
		return nil, err
	}
	g := &generation{manifest: files.Manifest(), files: files, plans: p, catalog: -1}
	if g.plans, err = p.of(files); err != nil {
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

// openFiles opens a generation where it lies, or through a folder of copies.
func openFiles(ctx context.Context, b *bucket.Bucket, id, cache string) (*artifact.Generation, error) {
	if cache == "" {
		return artifact.Open(ctx, b, id)
	}
	return artifact.OpenCached(ctx, b, id, cache)
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

// userView returns the encoded view of a user, nil when there is none. It is a copy: answers may refer to
// it for longer than the generation's files are open.
func (g *generation) userView(id string) ([]byte, error) {
	if g.files == nil {
		return nil, nil
	}
	defer runtime.KeepAlive(g.files) // its files are unmapped once nobody holds it
	state, _, _, err := g.files.UserView(id)
	return bytes.Clone(state), err
}

// itemView returns the encoded view of an item, a copy, nil when there is none.
func (g *generation) itemView(id string) ([]byte, error) {
	if g.files == nil {
		return nil, nil
	}
	defer runtime.KeepAlive(g.files)
	state, _, err := g.files.ItemView(id)
	return bytes.Clone(state), err
}

// globalView returns the encoded view of the global entity, a copy, nil when there is none.
func (g *generation) globalView() ([]byte, error) {
	if g.files == nil {
		return nil, nil
	}
	defer runtime.KeepAlive(g.files)
	state, _, err := g.files.GlobalView()
	return bytes.Clone(state), err
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
	defer runtime.KeepAlive(g.files)
	_, row, ok, err := g.files.UserView(user)
	if err != nil || !ok {
		return nil, err
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
