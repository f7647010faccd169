//go:build integration

package faults

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/anabranch/anabranch/batch/publish"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile/oracle"
	"github.com/anabranch/anabranch/serving/online"
)

// night closes the n-th day and publishes its generation.
func (w *world) night(ctx context.Context, n int) error {
	p, err := w.product("nightly", "--date", time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC).Format(time.DateOnly), "--wait", "30s")
	if err != nil {
		return err
	}
	code, err := p.wait(time.Minute)
	if err != nil {
		return err
	}
	if code != 0 {
		return fmt.Errorf("night %d ended with code %d:\n%s", n, code, p.tail())
	}
	return ctx.Err()
}

// serve returns a server that stays on the generation of this moment until it is refreshed.
func (w *world) serve(ctx context.Context, name string) (*online.Service, error) {
	s, err := online.New(online.Config{
		Bucket: w.bucket, Cache: filepath.Join(w.dir, "cache-"+name), Features: w.catalogue, Redis: w.redis, Partitions: w.partitions,
	})
	if err != nil {
		return nil, err
	}
	if err := s.Refresh(ctx); err != nil {
		return nil, fmt.Errorf("serve the current generation: %w", err)
	}
	return s, nil
}

// demand is what answers have to be: whichever it is, one that says exact is right.
type demand int

const (
	mustBeExact demand = iota
	mustBeDegraded
	mayBeDegraded
)

// checkServed asks for the features of every user. The log must have been read up to its end, and be as long as live state
// where answers must be exact.
func (w *world) checkServed(ctx context.Context, s *online.Service, d demand) error {
	distinct := oracle.Distinct(w.truth())
	for _, user := range oracle.Members(feature.User, distinct) {
		got, err := s.Features(ctx, user)
		if err != nil {
			return fmt.Errorf("ask for the features of %s: %w", user, err)
		}
		r := got.Receipt
		exact := !r.Degraded && r.Live == online.LiveExact
		if !exact && r.Reason == "" {
			return fmt.Errorf("the answer about %s is %s and says nothing why", user, r.Live)
		}
		if d == mustBeExact && !exact || d == mustBeDegraded && exact {
			return fmt.Errorf("the answer about %s by generation %s is %s (degraded %t: %s)", user, r.Generation, r.Live, r.Degraded, r.Reason)
		}
		if !exact {
			continue
		}
		m, err := publish.Show(ctx, w.bucket, r.Generation)
		if err != nil {
			return fmt.Errorf("look up generation %s: %w", r.Generation, err)
		}
		var known []oracle.Record // what view and live state cover together
		for _, x := range oracle.Of(feature.User, user, distinct) {
			p := int32(x.Seq >> 44)
			if x.Seq&(1<<44-1) < max(m.Inputs.Cut[p], r.LiveOffsets[p]) {
				known = append(known, x)
			}
		}
		for _, def := range w.catalogue.Of(feature.User) {
			if err := oracle.Answer(w.catalogue, def, known, int64(r.ReadAt)).Check(got.Features[def.Name]); err != nil {
				return fmt.Errorf("served as exact by generation %s: %s of %s: %w", r.Generation, def.Name, user, err)
			}
		}
	}
	return nil
}
