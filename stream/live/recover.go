package live

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/anabranch/anabranch/infra/redis"
)

// haltError is a state of affairs that only a person can change. Its text says what to do.
type haltError struct{ text string }

func (e *haltError) Error() string { return e.text }

func haltf(format string, args ...any) error { return &haltError{fmt.Sprintf(format, args...)} }

// recover finds out where the partition stands, or opens a fence where there is none. Afterwards
// o.fence is what Redis holds and the cache is empty; the caller seeks there.
func (o *owner) recover(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, ioTimeout)
	defer cancel()
	o.cache.clear()
	l, err := o.r.log.Held(ctx, o.partition)
	if err != nil {
		return err
	}
	o.end = l.End
	o.r.metrics.roundTrips.Inc()
	fence, raw, found, err := o.r.store.ReadFence(ctx, o.keys)
	if err != nil {
		return err
	}
	if found && o.expired(fence, l) {
		if found, err = o.leave(ctx, fence, l); err != nil {
			return err
		}
	}
	if !found {
		if fence, raw, err = o.open(ctx, l); err != nil {
			return err
		}
	}
	o.trimmer = trimmer{due: true}
	o.fence, o.raw = fence, raw // even where it is refused, so that the lag is told
	return o.check(fence, l)
}

// expired reports whether Kafka no longer holds what comes next.
func (o *owner) expired(f redis.Fence, l Held) bool {
	return f.TopicID == l.TopicID && f.Next < l.Start
}

// leave gives up a state that the log cannot continue, so that another one can be opened, if there is a place to open it at.
// It reports whether the state is still there.
func (o *owner) leave(ctx context.Context, f redis.Fence, l Held) (there bool, err error) {
	if _, ok, err := o.origin(ctx, l); err != nil || !ok {
		return true, err
	}
	o.r.metrics.roundTrips.Inc()
	if _, err := o.r.store.Drop(ctx, o.keys, f.Incarnation); err != nil {
		return true, err
	}
	o.r.cfg.Logger.Warn("live state cannot go on", "partition", o.partition, "at", f.Next, "kafka_holds_from", l.Start)
	return false, nil
}

// origin returns where a new state starts: at the floor, or at what Kafka still holds; ok is false where that cannot be
// told, and the origin then is the floor's.
func (o *owner) origin(ctx context.Context, l Held) (origin Origin, ok bool, err error) {
	if origin, err = o.r.cfg.Origin(ctx, o.partition); err != nil {
		return Origin{}, false, fmt.Errorf("find the origin of partition %d: %w", o.partition, err)
	}
	if origin.Offset >= l.Start || o.r.cfg.OriginAt == nil {
		return origin, origin.Offset >= l.Start, nil
	}
	later, ok, err := o.r.cfg.OriginAt(ctx, o.partition, l.Start)
	if err != nil {
		return Origin{}, false, fmt.Errorf("find the origin of partition %d from offset %d on: %w", o.partition, l.Start, err)
	}
	if !ok {
		return origin, false, nil
	}
	return later, true, nil
}

// check refuses a fence that the log cannot continue.
func (o *owner) check(f redis.Fence, l Held) error {
	rebuild := fmt.Sprintf("to rebuild the state from the floor, run `anabranch stream rebuild --partition %d`", o.partition)
	switch {
	case f.TopicID != l.TopicID:
		return haltf("partition %d: its live state is of topic id %s, but topic %s has id %s now, so it was deleted and created anew; %s, and start the live runners again",
			o.partition, f.TopicID, o.r.cfg.Topic, l.TopicID, rebuild)
	case f.Next < l.Start:
		return haltf("partition %d: live state has to continue at offset %d, but Kafka holds records from offset %d on only; "+
			"raise the retention of topic %s, publish a generation whose cut lies behind that offset, then, %s",
			o.partition, f.Next, l.Start, o.r.cfg.Topic, rebuild)
	case f.Next > l.End:
		return haltf("partition %d: live state has to continue at offset %d, but the log ends at %d, so Kafka lost records; %s",
			o.partition, f.Next, l.End, rebuild)
	}
	return nil
}

// open creates the fence of a new incarnation at the floor, or at what Kafka still holds.
func (o *owner) open(ctx context.Context, l Held) (redis.Fence, string, error) {
	origin, ok, err := o.origin(ctx, l)
	if err != nil {
		return redis.Fence{}, "", err
	}
	if !ok {
		o.fence, o.raw = redis.Fence{Next: origin.Offset}, ""
		return redis.Fence{}, "", haltf("partition %d: live state for the floor %d has to be filled from offset %d, but Kafka holds records from offset %d on only; "+
			"raise the retention of topic %s and publish a generation whose cut lies behind that offset (`anabranch nightly`)%s",
			o.partition, origin.Base, origin.Offset, l.Start, o.r.cfg.Topic, o.r.beginning(origin))
	}
	fence := redis.Fence{
		TopicID: l.TopicID, Base: origin.Base, Epoch: origin.Epoch, Next: origin.Offset, Target: l.End,
		Incarnation: ulid.MustNewDefault(o.r.cfg.Clock()).String(),
	}
	o.r.metrics.roundTrips.Inc()
	result, err := o.committer.Open(ctx, fence)
	if err != nil {
		return redis.Fence{}, "", err
	}
	if !result.OK { // another runner was faster
		fence, err := redis.ParseFence(result.Stored)
		return fence, result.Stored, err
	}
	o.r.cfg.Logger.Info("live state opened", "partition", o.partition, "from", fence.Next, "to", fence.Target, "base", fence.Base, "incarnation", fence.Incarnation)
	return fence, result.Stored, nil
}

// beginning adds what to do where the log has lost its very first records, which perhaps nobody has.
func (r *Runner) beginning(origin Origin) string {
	if origin.Offset > 0 {
		return ""
	}
	return fmt.Sprintf("; if the archive does not hold the missing records either, no generation can: Anabranch needs the events topic from offset 0 on, "+
		"so start with a new topic %s and an empty bucket, and bring history in with `anabranch import`", r.cfg.Topic)
}

// verify looks after an idle partition: is its fence still the stored one, does the floor ask for a
// higher base?
func (o *owner) verify(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, ioTimeout)
	defer cancel()
	o.r.metrics.roundTrips.Inc()
	_, raw, _, err := o.r.store.ReadFence(ctx, o.keys)
	if err != nil {
		return err
	}
	if raw != o.raw {
		return o.mismatch(raw)
	}
	if f := o.engineFence(); f != o.storedFence() {
		return o.commit(ctx, f, Result{})
	}
	return nil
}

// The delays between attempts to recover.
const (
	firstDelay = 20 * time.Millisecond
	maxDelay   = 5 * time.Second
)

// lose notes that the owner no longer knows where it stands, and why. It reports it once: a halt as
// an error, what will be tried again as a warning.
func (o *owner) lose(err error) {
	logger, now := o.r.cfg.Logger, o.r.cfg.Clock()
	var halt *haltError
	if errors.As(err, &halt) {
		if o.phase != halted || o.reason != err.Error() {
			logger.Error("live partition halted", "partition", o.partition, "reason", err.Error())
		}
		o.phase, o.reason, o.retry = halted, err.Error(), now.Add(o.r.cfg.CheckEvery)
		o.report()
		return
	}
	if o.reason != err.Error() {
		logger.Warn("live partition goes back to its fence", "partition", o.partition, "reason", err.Error())
	}
	o.delay = min(max(2*o.delay, firstDelay), maxDelay)
	o.phase, o.reason, o.retry = lost, err.Error(), now.Add(o.delay)
	o.report()
}

// found notes that the owner runs from o.fence on.
func (o *owner) found() {
	o.phase, o.reason = running, ""
	o.report()
}
