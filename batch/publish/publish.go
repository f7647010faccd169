// Package publish moves the pointer that says which generation is served: to a new generation, back to
// a retained one, or forth again. The pointer moves by compare-and-swap only (DESIGN §3), so that of
// several racing writers exactly one makes each step and the others learn that they were superseded.
//
// A generation is opened, and so verified in full, before the pointer moves to it.
package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/anabranch/anabranch/infra/artifact"
	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/model"
)

// Publisher moves the pointer of a bucket.
type Publisher struct {
	Bucket *bucket.Bucket
	Retain int           // generations that stay ready for a rollback; 0 means model.DefaultRetain
	Nonce  func() string // a new unguessable text a call, such as a ULID

	// Ready says whether a new generation may be served, nil that it may. Optional.
	Ready func(ctx context.Context, m model.Manifest) error
}

// Store puts the manifest, which makes the generation exist: every file has to be there. It returns
// what the manifest is as a file.
func Store(ctx context.Context, b *bucket.Bucket, m model.Manifest) (model.File, error) {
	data, err := bucket.EncodeJSON(m)
	if err != nil {
		return model.File{}, err
	}
	e := artifact.Plain(model.ManifestFile, data)
	return e.File, artifact.Store(ctx, b, m.ID, e)
}

// Publish makes a stored generation current. Publishing what is current, or retained after a rollback,
// changes nothing.
func (p Publisher) Publish(ctx context.Context, m model.Manifest) (model.Pointer, error) {
	retain := p.Retain
	if retain == 0 {
		retain = model.DefaultRetain
	}
	return p.move(ctx, func(at model.Pointer, nonce string) (model.Pointer, error) {
		if slices.ContainsFunc(at.Retained, func(r model.Retained) bool { return r.ID == m.ID }) {
			return at, nil // it was published before; what is current now is somebody's decision
		}
		if p.Ready != nil {
			if err := p.Ready(ctx, m); err != nil {
				return at, err
			}
		}
		return at.Publish(model.Retained{ID: m.ID, CutN: m.Inputs.CutN}, retain, nonce)
	})
}

// Promote makes a retained generation current.
func (p Publisher) Promote(ctx context.Context, id string) (model.Pointer, error) {
	if id == "" {
		return model.Pointer{}, api.Errorf(api.Invalid, "promote: the id of a retained generation is required; `anabranch generations list` shows them")
	}
	return p.Rollback(ctx, id)
}

// Rollback makes a retained generation current; an empty id means the one below the current.
func (p Publisher) Rollback(ctx context.Context, to string) (model.Pointer, error) {
	return p.move(ctx, func(at model.Pointer, nonce string) (model.Pointer, error) { return at.MoveTo(to, nonce) })
}

// move makes one step of the pointer. next returns its argument when there is nothing to do.
func (p Publisher) move(ctx context.Context, next func(at model.Pointer, nonce string) (model.Pointer, error)) (model.Pointer, error) {
	nonce := p.Nonce()
	at, etag, err := artifact.ReadPointer(ctx, p.Bucket)
	if err != nil {
		return model.Pointer{}, err
	}
	to, err := next(at, nonce)
	if err != nil {
		return model.Pointer{}, err
	}
	if to.Sequence == at.Sequence {
		return at, nil
	}
	if err := p.verify(ctx, to.Current); err != nil {
		return model.Pointer{}, err
	}
	if etag == "" {
		_, err = p.Bucket.PutJSONIfAbsent(ctx, model.PointerKey, to)
	} else {
		_, err = p.Bucket.PutJSONIfMatch(ctx, model.PointerKey, to, etag)
	}
	if err == nil {
		return to, nil
	}
	return p.afterFailure(ctx, to, err)
}

func (p Publisher) verify(ctx context.Context, id string) error {
	g, err := artifact.Open(ctx, p.Bucket, id)
	if err != nil {
		return fmt.Errorf("verify before moving the pointer: %w", err)
	}
	return g.Close()
}

// afterFailure finds out whether a swap that reported an error happened all the same: the answer may
// have been lost on its way.
func (p Publisher) afterFailure(ctx context.Context, mine model.Pointer, cause error) (model.Pointer, error) {
	now, _, err := artifact.ReadPointer(ctx, p.Bucket)
	if err != nil {
		return model.Pointer{}, fmt.Errorf("move pointer to %s: %w", mine.Current, errors.Join(cause, err))
	}
	if now.Nonce == mine.Nonce {
		return now, nil
	}
	if errors.Is(cause, bucket.ErrExists) || errors.Is(cause, bucket.ErrPrecondition) {
		return model.Pointer{}, api.Errorf(api.Superseded, "move pointer to %s: somebody else moved it first; it is now at %s (sequence %d)", mine.Current, now.Current, now.Sequence)
	}
	return model.Pointer{}, fmt.Errorf("move pointer to %s: %w", mine.Current, cause)
}

// Entry is one generation of a list.
type Entry struct {
	Manifest model.Manifest
	Current  bool
	Retained bool
}

// List returns the generations that exist, by cut, then by id.
func List(ctx context.Context, b *bucket.Bucket) ([]Entry, error) {
	at, _, err := artifact.ReadPointer(ctx, b)
	if err != nil {
		return nil, err
	}
	objects, err := b.List(ctx, model.GenerationsPrefix)
	if err != nil {
		return nil, fmt.Errorf("list generations: %w", err)
	}
	var out []Entry
	for _, o := range objects {
		id, found := strings.CutSuffix(strings.TrimPrefix(o.Key, model.GenerationsPrefix), "/"+model.ManifestFile)
		if !found {
			continue
		}
		e := Entry{Current: id == at.Current}
		if _, err := b.GetJSON(ctx, o.Key, &e.Manifest); err != nil {
			return nil, fmt.Errorf("list generations: %w", err)
		}
		e.Retained = slices.ContainsFunc(at.Retained, func(r model.Retained) bool { return r.ID == id })
		out = append(out, e)
	}
	slices.SortStableFunc(out, func(a, b Entry) int { return int(a.Manifest.Inputs.CutN - b.Manifest.Inputs.CutN) })
	return out, nil
}

// Show returns the manifest of a generation; an empty id means the current one.
func Show(ctx context.Context, b *bucket.Bucket, id string) (model.Manifest, error) {
	if id == "" {
		at, _, err := artifact.ReadPointer(ctx, b)
		if err != nil {
			return model.Manifest{}, err
		}
		if at.Current == "" {
			return model.Manifest{}, api.Errorf(api.NotFound, "no generation is published yet: run `anabranch nightly`")
		}
		id = at.Current
	}
	return artifact.ReadManifest(ctx, b, id)
}
