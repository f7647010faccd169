package jobs

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/model"
)

// definitions is the flag of commands that work by a catalogue of features.
type definitions struct {
	Features string `placeholder:"FILE|shop|media" help:"Feature definitions: features.yaml, or the built-in ones of a shop (the default) or of media. A changed file runs beside what is served until a generation has it."`
}

// catalogue returns the definitions that the flag names.
func (d *definitions) catalogue() (feature.Catalogue, error) {
	if d.Features == "" {
		return readCatalogue(shopFeatures)
	}
	return readCatalogue(d.Features)
}

// The names of the built-in definitions, which stand where a file may stand.
const (
	shopFeatures  = "shop"
	mediaFeatures = "media"
)

// readCatalogue reads a file of definitions, or built-in ones by name.
func readCatalogue(path string) (c feature.Catalogue, err error) {
	switch path {
	case shopFeatures:
		c, err = feature.Default()
	case mediaFeatures:
		c, err = feature.Media()
	default:
		return readCatalogueFile(path)
	}
	if err != nil {
		return c, fmt.Errorf("built-in features: %w", err)
	}
	return c, nil
}

func readCatalogueFile(path string) (feature.Catalogue, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return feature.Catalogue{}, api.Errorf(api.Invalid, "read feature definitions: %w", err)
	}
	c, err := feature.Parse(b)
	if err != nil {
		return c, api.Errorf(api.Invalid, "%s: %w", path, err)
	}
	return c, nil
}

// generationCatalogue reads the definitions that a generation was built from.
func generationCatalogue(ctx context.Context, b *bucket.Bucket, id, hash string) (feature.Catalogue, error) {
	data, _, err := b.Get(ctx, model.GenerationPrefix(id)+model.FeaturesFile)
	if err != nil {
		return feature.Catalogue{}, fmt.Errorf("feature definitions of generation %s: %w", id, err)
	}
	c, err := feature.ParseCanonical(data)
	if err != nil {
		return c, fmt.Errorf("feature definitions of generation %s: %w", id, err)
	}
	if got := c.Hash(); got != hash {
		return c, fmt.Errorf("feature definitions of generation %s have hash %.12s, its manifest says %.12s: it is damaged", id, got, hash)
	}
	return c, nil
}

// retainedCatalogues returns the definitions of every retained generation, by hash, and the hash of the
// current one's ("" before the first generation).
func retainedCatalogues(ctx context.Context, b *bucket.Bucket, known map[string]feature.Catalogue) (_ map[string]feature.Catalogue, current string, err error) {
	var p model.Pointer
	_, err = b.GetJSON(ctx, model.PointerKey, &p)
	if errors.Is(err, bucket.ErrNotExist) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("look up the retained generations: %w", err)
	}
	out := map[string]feature.Catalogue{}
	for _, r := range p.Retained {
		var m model.Manifest
		if _, err := b.GetJSON(ctx, model.GenerationPrefix(r.ID)+model.ManifestFile, &m); err != nil {
			return nil, "", fmt.Errorf("manifest of generation %s: %w", r.ID, err)
		}
		hash := m.Inputs.Definition
		if r.ID == p.Current {
			current = hash
		}
		if c, have := known[hash]; have {
			out[hash] = c
			continue
		}
		if m.Inputs.Format != model.Format {
			continue // it cannot be served by this build
		}
		if out[hash], err = generationCatalogue(ctx, b, r.ID, hash); err != nil {
			return nil, "", err
		}
	}
	return out, current, nil
}
