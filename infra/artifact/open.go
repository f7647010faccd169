package artifact

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/sorted"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/model"
)

// Open reads a generation and verifies size and SHA-256 of every file before looking into it. A
// missing generation is api.NotFound; a damaged one names the file and what to do.
//
// Views are mapped from where they lie, in a bucket that is a folder; from any other bucket they are
// downloaded to the system's folder for temporary files, under no name that could be left behind. A process
// that opens a generation again after a restart uses OpenCached.
func Open(ctx context.Context, b *bucket.Bucket, id string) (*Generation, error) {
	return openFrom(ctx, source{bucket: b, id: id})
}

// OpenCached is Open with downloads that are kept in the local folder cache, below the generation's id. They
// are verified each time, so neither a crash nor a disk can spoil the cache. Generations that the pointer no
// longer retains are removed from it.
func OpenCached(ctx context.Context, b *bucket.Bucket, id, cache string) (*Generation, error) {
	g, err := openFrom(ctx, source{bucket: b, id: id, cache: cache})
	if err != nil {
		return nil, err
	}
	if _, direct, _ := b.Path(model.PointerKey); direct {
		return g, nil // nothing was cached
	}
	p, _, err := ReadPointer(ctx, b)
	if err == nil {
		err = prune(cache, func(other string) bool {
			return other == id || slices.ContainsFunc(p.Retained, func(r model.Retained) bool { return r.ID == other })
		})
	}
	if err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

func openFrom(ctx context.Context, s source) (*Generation, error) {
	m, err := ReadManifest(ctx, s.bucket, s.id)
	if err != nil {
		return nil, err
	}
	g := &Generation{manifest: m, views: &views{}}
	if err := g.load(ctx, s); err != nil {
		_ = g.views.close() // nothing can be lost any more
		return nil, fmt.Errorf("open generation %s: %w (serve another one with `anabranch generations rollback`, "+
			"or delete generations/%s/ and run `anabranch nightly --force` for its date)", s.id, err, s.id)
	}
	g.cleanup = runtime.AddCleanup(g, func(v *views) { _ = v.close() }, g.views)
	return g, nil
}

// load reads every file that the manifest lists.
func (g *Generation) load(ctx context.Context, s source) error {
	tables := map[string]*Table{}
	listed := map[string]bool{}
	for _, f := range g.manifest.Files {
		if err := bucket.ValidKey(s.key(f.Name)); err != nil {
			return err
		}
		listed[f.Name] = true
		if err := g.loadFile(ctx, s, f, tables); err != nil {
			return err
		}
	}
	for _, name := range []string{
		model.FeaturesFile, model.UserViewFile, model.ItemViewFile, model.GlobalViewFile, model.UserVectorsFile, model.ItemVectorsFile,
	} {
		if !listed[name] {
			return fmt.Errorf("the manifest lists no %s", name)
		}
	}
	if err := g.takeVectors(tables); err != nil {
		return err
	}
	return g.checkViews()
}

func (g *Generation) loadFile(ctx context.Context, s source, f model.File, tables map[string]*Table) error {
	switch {
	case isView(f.Name):
		r, err := s.table(ctx, f)
		if err != nil {
			return err
		}
		g.views.take(f.Name, r)
		return nil
	case f.Name == model.UserVectorsFile || f.Name == model.ItemVectorsFile:
		data, err := s.data(ctx, f)
		if err != nil {
			return err
		}
		tables[f.Name], err = Decode(f, data)
		return err
	case f.Name == model.FeaturesFile:
		return g.loadFeatures(ctx, s, f)
	}
	got, err := fingerprint(ctx, s.bucket, s.key(f.Name))
	if err != nil {
		return err
	}
	return expectFile(f, got)
}

func (g *Generation) loadFeatures(ctx context.Context, s source, f model.File) error {
	data, err := s.data(ctx, f)
	if err != nil {
		return err
	}
	if err := expectFile(f, Plain(f.Name, data).File); err != nil {
		return err
	}
	if g.features, err = feature.ParseCanonical(data); err != nil {
		return fmt.Errorf("%s: %w", f.Name, err)
	}
	if got, want := g.features.Hash(), g.manifest.Inputs.Definition; got != want {
		return fmt.Errorf("%s is the catalogue %s, the manifest says %s", f.Name, got, want)
	}
	return nil
}

// checkViews compares the views with the manifest's counts and with the vectors.
func (g *Generation) checkViews() error {
	for _, v := range []struct {
		name  string
		table *sorted.Reader
		rows  int64
	}{
		{model.UserViewFile, g.views.user, g.manifest.Counts.Users},
		{model.ItemViewFile, g.views.item, g.manifest.Counts.Items},
		{model.GlobalViewFile, g.views.global, 1},
	} {
		if v.table.Rows() != v.rows {
			return fmt.Errorf("%s has %d rows, the manifest counts %d", v.name, v.table.Rows(), v.rows)
		}
	}
	if _, ok, err := g.GlobalView(); err != nil {
		return err
	} else if !ok {
		return fmt.Errorf("%s has no row %s", model.GlobalViewFile, feature.GlobalID)
	}
	items := g.Items()
	for i, id := range g.itemTexts {
		if items.Next() && string(items.Key()) == id {
			continue
		}
		if err := items.Err(); err != nil {
			return err
		}
		return fmt.Errorf("%s and %s disagree about the item of row %d", model.ItemViewFile, model.ItemVectorsFile, i)
	}
	return nil
}

func (g *Generation) takeVectors(tables map[string]*Table) error {
	users, items := tables[model.UserVectorsFile], tables[model.ItemVectorsFile]
	if err := errors.Join(expectRows(users, g.manifest.Counts.Users), expectRows(items, g.manifest.Counts.Items)); err != nil {
		return err
	}
	var userDim, plain int
	var err, err2, err3, err4, err5 error
	g.vectorIDs, err = users.IDs()
	g.userVectors, userDim, err2 = users.Floats("vector")
	g.itemIDs, err3 = items.IDs()
	g.itemVectors, g.dim, err4 = items.Floats("vector")
	g.popularity, plain, err5 = items.Floats("popularity")
	if err := errors.Join(err, err2, err3, err4, err5); err != nil {
		return err
	}
	if userDim != g.dim || plain != 1 {
		return fmt.Errorf("%s has dimension %d, %s %d, popularity %d", model.UserVectorsFile, userDim, model.ItemVectorsFile, g.dim, plain)
	}
	g.itemTexts = g.itemIDs.Texts()
	return nil
}

func expectRows(t *Table, rows int64) error {
	if t.file.Rows != rows {
		return fmt.Errorf("%s has %d rows, the manifest counts %d", t.file.Name, t.file.Rows, rows)
	}
	return nil
}
