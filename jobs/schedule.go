package jobs

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/anabranch/anabranch/batch/nightly"
	"github.com/anabranch/anabranch/batch/quality"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/feature"
)

type scheduleCmd struct {
	stores
	demands
	At         string        `default:"00:10" placeholder:"HH:MM" help:"When the day before is closed, UTC."`
	Wait       time.Duration `default:"10m" help:"How long a night waits for the archive before it is tried again."`
	Partitions int32         `default:"0" help:"Partitions of the events topic; 0 takes what exists."`
}

// Run closes every day at its time, until it is told to stop.
func (c *scheduleCmd) Run(rt *runtimeEnv) (err error) {
	at, err := time.Parse("15:04", c.At)
	if err != nil {
		return api.Errorf(api.Invalid, "--at %s: a time such as 00:10 is accepted", api.Clip(c.At))
	}
	features, gates, err := c.demands.read()
	if err != nil {
		return err
	}
	p, err := rt.openLog(&c.stores, c.Partitions, true)
	if err != nil {
		return err
	}
	defer p.closeInto(&err)
	s := schedule{
		at: time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute, now: rt.now, log: rt.log,
		night: func(ctx context.Context, label time.Time) error { return c.night(ctx, rt, p, label, features, gates) },
	}
	return s.run(rt.ctx)
}

func (c *scheduleCmd) night(ctx context.Context, rt *runtimeEnv, p *parts, label time.Time, features feature.Catalogue, gates quality.Gates) error {
	n := night{command: "schedule", label: label, wait: c.Wait, archive: p.standalone, quiet: true, features: features, gates: gates}
	result, err := rt.night(ctx, p, n, func(ctx context.Context, r *nightly.Run) (nightly.Result, error) { return r.Do(ctx) })
	if err == nil {
		rt.log.Info("night done", "label", label.Format(time.RFC3339), "generation", result.Generation, "unchanged", result.Unchanged)
	}
	return err
}

// schedule runs a night a day. What the exit codes of a night mean to other schedulers, its errors mean here: one that refuses
// is not tried again, all others are, until the next night's time.
type schedule struct {
	at    time.Duration // of the day
	now   func() time.Time
	night func(ctx context.Context, label time.Time) error
	log   *slog.Logger
}

// due returns the label of the last night whose time has come, and when the next one's comes.
func (s *schedule) due() (label, next time.Time) {
	now := s.now().UTC()
	label = now.Add(-s.at).Truncate(day)
	return label, label.Add(day + s.at)
}

const day = 24 * time.Hour

// run begins with the last night whose time has come: it may have been missed.
func (s *schedule) run(ctx context.Context) error {
	for {
		label, next := s.due()
		s.one(ctx, label, next)
		if s.pause(ctx, next.Sub(s.now())) != nil {
			return nil // told to stop
		}
	}
}

// one runs the night of a label until it is done or refuses, or the next one's time comes.
func (s *schedule) one(ctx context.Context, label, next time.Time) {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval, wait.RandomizationFactor = 2*time.Minute, 30*time.Minute, 0
	for {
		err := s.night(ctx, label)
		code := api.CodeOf(err)
		switch {
		case err == nil, ctx.Err() != nil:
			return
		case code == api.Gate, code == api.Invalid:
			s.log.Error("the night refuses, and is not tried again", "label", label.Format(time.RFC3339), "error", err)
			return
		}
		again := wait.NextBackOff()
		if s.now().Add(again).After(next) {
			s.log.Error("night failed", "label", label.Format(time.RFC3339), "error", err)
			return
		}
		s.log.Warn("the night is tried again", "label", label.Format(time.RFC3339), "in", again.String(), "error", err)
		if s.pause(ctx, again) != nil {
			return
		}
	}
}

// errStopped says that the context has ended.
var errStopped = errors.New("told to stop")

func (s *schedule) pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return errStopped
	case <-t.C:
		return nil
	}
}
