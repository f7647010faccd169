package artifact

import (
	"context"
	"errors"
	"fmt"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/model"
)

// Generation is an opened generation, verified and in memory. It is safe for use by many goroutines;
// what its methods return shares its memory and must not be changed.
type Generation struct {
	manifest model.Manifest

	userIDs, userStates, histories Blobs
	itemIDs, itemStates            Blobs
	itemTexts                      []string
	global                         []byte

	vectorIDs               Blobs // of users; the items' are itemIDs
	userVectors             []float32
	itemVectors, popularity []float32
	dim                     int
}

// Open reads a generation and verifies size and SHA-256 of every file before looking into it. A
// missing generation is api.NotFound; a damaged one names the file and what to do.
func Open(ctx context.Context, b *bucket.Bucket, id string) (*Generation, error) {
	m, err := ReadManifest(ctx, b, id)
	if err != nil {
		return nil, err
	}
	g := &Generation{manifest: m}
	if err := g.load(ctx, b); err != nil {
		return nil, fmt.Errorf("open generation %s: %w (serve another one with `anabranch generations rollback`, "+
			"or delete generations/%s/ and run `anabranch nightly --force` for its date)", id, err, id)
	}
	return g, nil
}

// ReadManifest reads and checks a generation's manifest.
func ReadManifest(ctx context.Context, b *bucket.Bucket, id string) (model.Manifest, error) {
	var m model.Manifest
	key := model.GenerationPrefix(id) + model.ManifestFile
	if _, err := b.GetJSON(ctx, key, &m); err != nil {
		if errors.Is(err, bucket.ErrNotExist) || errors.Is(err, bucket.ErrInvalidKey) {
			return model.Manifest{}, api.Errorf(api.NotFound, "generation %s does not exist: %w", api.Clip(id), err)
		}
		return model.Manifest{}, fmt.Errorf("open generation %s: %w", id, err)
	}
	if m.Inputs.Format != model.Format {
		return model.Manifest{}, fmt.Errorf("open generation %s: its files are of format %d, this build reads format %d; run `anabranch nightly` with this build",
			id, m.Inputs.Format, model.Format)
	}
	want, err := m.Inputs.ID()
	if err != nil {
		return model.Manifest{}, err
	}
	if m.ID != id || want != id {
		return model.Manifest{}, fmt.Errorf("open generation %s: the manifest says %s and its inputs are those of %s: it is damaged", id, m.ID, want)
	}
	return m, nil
}

// load reads every file that the manifest lists.
func (g *Generation) load(ctx context.Context, b *bucket.Bucket) error {
	tables := map[string]*Table{}
	for _, f := range g.manifest.Files {
		t, err := Load(ctx, b, g.manifest.ID, f)
		if err != nil {
			return err
		}
		tables[f.Name] = t
	}
	for _, name := range []string{model.UserViewFile, model.ItemViewFile, model.GlobalViewFile, model.UserVectorsFile, model.ItemVectorsFile} {
		if tables[name] == nil {
			return fmt.Errorf("the manifest lists no %s", name)
		}
	}
	if err := g.takeViews(tables); err != nil {
		return err
	}
	return g.takeVectors(tables)
}

// Load reads one file of a generation, verified.
func Load(ctx context.Context, b *bucket.Bucket, id string, f model.File) (*Table, error) {
	data, _, err := b.Get(ctx, model.GenerationPrefix(id)+f.Name)
	if err != nil {
		return nil, err
	}
	return Decode(f, data)
}

func (g *Generation) takeViews(tables map[string]*Table) error {
	counts := g.manifest.Counts
	var err error
	take := func(name, column string, rows int64) (b Blobs) {
		if err != nil {
			return Blobs{}
		}
		t := tables[name]
		if err = expectRows(t, rows); err != nil {
			return Blobs{}
		}
		if column == "id" {
			b, err = t.IDs()
		} else {
			b, err = t.Blobs(column)
		}
		return b
	}
	g.userIDs = take(model.UserViewFile, "id", counts.Users)
	g.userStates = take(model.UserViewFile, "state", counts.Users)
	g.histories = take(model.UserViewFile, "history", counts.Users)
	g.itemStates = take(model.ItemViewFile, "state", counts.Items)
	g.itemIDs = take(model.ItemViewFile, "id", counts.Items)
	ids, states := take(model.GlobalViewFile, "id", 1), take(model.GlobalViewFile, "state", 1)
	if err != nil {
		return err
	}
	if ids.Text(0) != feature.GlobalID {
		return fmt.Errorf("%s is of %s, expected %s", model.GlobalViewFile, api.Clip(ids.Text(0)), feature.GlobalID)
	}
	g.global = states.At(0)
	return nil
}

func (g *Generation) takeVectors(tables map[string]*Table) error {
	users, items := tables[model.UserVectorsFile], tables[model.ItemVectorsFile]
	if err := errors.Join(expectRows(users, g.manifest.Counts.Users), expectRows(items, g.manifest.Counts.Items)); err != nil {
		return err
	}
	var userDim, plain int
	var err, err2, err3, err4, err5 error
	var itemIDs Blobs
	g.vectorIDs, err = users.IDs()
	g.userVectors, userDim, err2 = users.Floats("vector")
	itemIDs, err3 = items.IDs()
	g.itemVectors, g.dim, err4 = items.Floats("vector")
	g.popularity, plain, err5 = items.Floats("popularity")
	if err := errors.Join(err, err2, err3, err4, err5); err != nil {
		return err
	}
	if userDim != g.dim || plain != 1 {
		return fmt.Errorf("%s has dimension %d, %s %d, popularity %d", model.UserVectorsFile, userDim, model.ItemVectorsFile, g.dim, plain)
	}
	g.itemTexts = itemIDs.Texts()
	for i, id := range g.itemTexts {
		if g.itemIDs.Text(i) != id {
			return fmt.Errorf("%s and %s disagree about the item of row %d", model.ItemViewFile, model.ItemVectorsFile, i)
		}
	}
	return nil
}

func expectRows(t *Table, rows int64) error {
	if t.file.Rows != rows {
		return fmt.Errorf("%s has %d rows, the manifest counts %d", t.file.Name, t.file.Rows, rows)
	}
	return nil
}

// Manifest returns the generation's manifest.
func (g *Generation) Manifest() model.Manifest { return g.manifest }

// Users returns how many users the generation knows.
func (g *Generation) Users() int { return g.userIDs.Len() }

// UserID returns the id of row i of Users, in byte order.
func (g *Generation) UserID(i int) string { return g.userIDs.Text(i) }

// UserView returns a user's tile view and training row.
func (g *Generation) UserView(id string) (state, history []byte, ok bool) {
	i, ok := g.userIDs.Find(id)
	if !ok {
		return nil, nil, false
	}
	return g.userStates.At(i), g.histories.At(i), true
}

// ItemView returns an item's tile view.
func (g *Generation) ItemView(id string) (state []byte, ok bool) {
	i, ok := g.itemIDs.Find(id)
	if !ok {
		return nil, false
	}
	return g.itemStates.At(i), true
}

// GlobalView returns the tile view of the global entity.
func (g *Generation) GlobalView() (state []byte, ok bool) { return g.global, g.global != nil }

// ItemIDs returns the items, sorted; their rows are those of ItemVectors, ItemPopularity and of
// model.HistoryEntry.Item.
func (g *Generation) ItemIDs() []string { return g.itemTexts }

// ItemRow returns the row of an item.
func (g *Generation) ItemRow(id string) (int, bool) { return g.itemIDs.Find(id) }

// ItemVectors returns all item vectors, row-major, and their dimension.
func (g *Generation) ItemVectors() (data []float32, dim int) { return g.itemVectors, g.dim }

// ItemPopularity returns, for each item, how many users have a positive weight with it.
func (g *Generation) ItemPopularity() []float32 { return g.popularity }

// UserVector returns a user's vector.
func (g *Generation) UserVector(id string) ([]float32, bool) {
	i, ok := g.vectorIDs.Find(id)
	if !ok {
		return nil, false
	}
	return g.userVectors[i*g.dim : (i+1)*g.dim : (i+1)*g.dim], true
}

// Close says that the generation is no longer used. Its memory belongs to the garbage collector, so
// there is nothing to release yet; callers close all the same, so that files may be mapped one day.
func (g *Generation) Close() error { return nil }
