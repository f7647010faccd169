package artifact

import (
	"context"
	"runtime"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/sorted"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/model"
)

// Generation is an opened generation, verified: views are mapped, vectors are in memory. It is safe for use
// by many goroutines.
//
// What is returned of views lies in the mapping and must not be changed; it is valid until Close. A Generation that nobody
// closes is unmapped some time after it became unreachable, so whoever uses those bytes either closes it
// afterwards, or says runtime.KeepAlive(g) after the last use. Vectors, ids and features have no such limit.
type Generation struct {
	manifest model.Manifest
	features feature.Catalogue
	views    *views
	cleanup  runtime.Cleanup

	itemIDs, vectorIDs      Blobs // vectorIDs are those of users
	itemTexts               []string
	userVectors             []float32
	itemVectors, popularity []float32
	dim                     int
}

// Load reads one Arrow file of a generation, verified. Unlike Open it needs no manifest.
func Load(ctx context.Context, b *bucket.Bucket, id string, f model.File) (*Table, error) {
	data, err := source{bucket: b, id: id}.data(ctx, f)
	if err != nil {
		return nil, err
	}
	return Decode(f, data)
}

// LoadView maps one view of a generation, verified. Unlike Open it needs no manifest. The caller closes it.
func LoadView(ctx context.Context, b *bucket.Bucket, id string, f model.File) (*sorted.Reader, error) {
	return source{bucket: b, id: id}.table(ctx, f)
}

// Manifest returns the generation's manifest.
func (g *Generation) Manifest() model.Manifest { return g.manifest }

// Features returns the catalogue that the views answer, without descriptions.
func (g *Generation) Features() feature.Catalogue { return g.features }

// UserView returns a user's tile view and training row.
func (g *Generation) UserView(id string) (state, history []byte, ok bool, err error) {
	value, ok, err := g.views.get(g.views.user, id)
	if err != nil || !ok {
		return nil, nil, false, err
	}
	if state, history, err = SplitUser(value); err != nil {
		return nil, nil, false, err
	}
	return state, history, true, nil
}

// ItemView returns an item's tile view.
func (g *Generation) ItemView(id string) (state []byte, ok bool, err error) {
	return g.views.get(g.views.item, id)
}

// GlobalView returns the tile view of the global entity.
func (g *Generation) GlobalView() (state []byte, ok bool, err error) {
	return g.views.get(g.views.global, feature.GlobalID)
}

// Recent returns what the next night's duplicate rule looks back on for a user (tile.Recent.Append). Users
// without valid records in the last closed epoch have nothing.
func (g *Generation) Recent(id string) (ids []byte, ok bool, err error) {
	if g.views.recent == nil {
		return nil, false, errNoRecent
	}
	return g.views.get(g.views.recent, id)
}

// Users iterates over the users' rows; SplitUser takes their values apart.
func (g *Generation) Users() *Iter { return g.iterate(g.views.user, nil) }

// Items iterates over the items' tile views.
func (g *Generation) Items() *Iter { return g.iterate(g.views.item, nil) }

// Recents iterates over what Recent returns.
func (g *Generation) Recents() *Iter { return g.iterate(g.views.recent, errNoRecent) }

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

// Close unmaps the views. Reads that are under way end first, and later ones are an error; but bytes that
// were returned before must not be used any more. Vectors and ids stay valid.
func (g *Generation) Close() error {
	g.cleanup.Stop()
	return g.views.close()
}
