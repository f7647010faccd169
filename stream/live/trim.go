package live

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/anabranch/anabranch/infra/redis"
)

// trimSlice is how many states one slice of trimming looks at. The transaction that stores its outcome keeps the server
// busy for about 2 µs a state.
const trimSlice = 256

// trimChunks is how many chunks of an index a slice looks at: where there is little to do commits are small, and chunks with them.
const trimChunks = 64

// trimPause times the number of partitions is how long an owner waits from one slice to the next. So all owners together trim some
// 10,000 states a second, however many they are, a million in less than two minutes, and Redis spends a few hundredths of its time on that.
// Without it every owner trims all the time between its batches, and events wait for it.
const trimPause = 25 * time.Millisecond

// trimmer removes what idle users and items have left behind: once every retained generation has taken over an
// epoch (the fence's base has risen above it), its buckets serve nobody, and a state of nothing else is deleted. Active
// states lose theirs whenever they are written; the idle ones are found by an index, a partition's and epoch's, of
// the states that were touched in it, which the fenced commits keep (index.go).
//
// An epoch is trimmed when base and the epoch before the current one lie above it, since the duplicate rule needs the
// ids of the preceding epoch. It is done in slices by the partition's owner, between batches, each through the fenced
// commit: so a state is never written behind the back of its owner, and a crash leaves the rest to the next one.
type trimmer struct {
	due    bool      // there may be epochs to trim
	next   time.Time // not before
	epochs []int64   // that have an index and are to be trimmed, ascending; empty: look
}

// trimmable reports whether an epoch may be trimmed under a fence.
func trimmable(f redis.Fence, epoch int64) bool { return epoch < f.Base && epoch < f.Epoch-1 }

// trim does one slice. It reports whether there may be more to do.
func (o *owner) trim(ctx context.Context) (more bool, err error) {
	if !o.trimmer.due {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, ioTimeout)
	defer cancel()
	if len(o.trimmer.epochs) == 0 {
		if o.trimmer.epochs, err = o.trimEpochs(ctx); err != nil || len(o.trimmer.epochs) == 0 {
			o.trimmer.due = err != nil
			return false, err
		}
	}
	epoch := o.trimmer.epochs[0]
	names, suffixes, err := o.chunks(ctx, epoch)
	if err != nil {
		return false, fmt.Errorf("trim epoch %d of partition %d: %w", epoch, o.partition, err)
	}
	if len(names) == 0 {
		o.trimmer.epochs = o.trimmer.epochs[1:]
		return true, o.store(ctx, o.fence, redis.Changes{Sets: []redis.SetChange{{
			Key: o.keys.Epochs(o.fence.Incarnation), Remove: []string{strconv.FormatInt(epoch, 10)},
		}}})
	}
	return true, o.trimStates(ctx, epoch, names, suffixes)
}

// chunks returns the names of some chunks of an epoch's index, and the suffixes in them, no more than trimSlice.
func (o *owner) chunks(ctx context.Context, epoch int64) (names, suffixes []string, err error) {
	o.r.metrics.roundTrips.Inc()
	names, err = o.r.store.Sample(ctx, o.keys.Index(o.fence.Incarnation, epoch), trimChunks)
	if err != nil || len(names) == 0 {
		return nil, nil, err
	}
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = o.keys.Chunk(o.fence.Incarnation, epoch, name)
	}
	o.r.metrics.roundTrips.Inc()
	values, err := o.r.store.LoadBlobs(ctx, keys)
	if err != nil {
		return nil, nil, err
	}
	for i, value := range values {
		more, err := decodeChunk(suffixes, value)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", keys[i], err)
		}
		if i > 0 && len(more) > trimSlice {
			return names[:i], suffixes, nil
		}
		suffixes = more
	}
	return names, suffixes, nil
}

// trimEpochs returns the epochs that have an index and may be trimmed.
func (o *owner) trimEpochs(ctx context.Context) ([]int64, error) {
	o.r.metrics.roundTrips.Inc()
	members, err := o.r.store.Members(ctx, o.keys.Epochs(o.fence.Incarnation))
	if err != nil {
		return nil, fmt.Errorf("trim partition %d: %w", o.partition, err)
	}
	var epochs []int64
	for _, m := range members {
		epoch, err := strconv.ParseInt(m, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("trim partition %d: %q is among its epochs, which are numbers", o.partition, m)
		}
		if trimmable(o.fence, epoch) {
			epochs = append(epochs, epoch)
		}
	}
	slices.Sort(epochs)
	return epochs, nil
}

// trimStates takes chunks out of an epoch's index, and out of the states that they name what those hold below the base.
func (o *owner) trimStates(ctx context.Context, epoch int64, names, suffixes []string) error {
	prefix := o.keys.State(o.fence.Incarnation)
	keys := make([]string, len(suffixes))
	for i, suffix := range suffixes {
		keys[i] = prefix + suffix
	}
	o.r.metrics.roundTrips.Inc()
	blobs, err := o.r.store.LoadBlobs(ctx, keys)
	if err != nil {
		return fmt.Errorf("trim epoch %d of partition %d: %w", epoch, o.partition, err)
	}
	changes := redis.Changes{Sets: []redis.SetChange{{Key: o.keys.Index(o.fence.Incarnation, epoch), Remove: names}}}
	for _, name := range names {
		changes.Deletes = append(changes.Deletes, o.keys.Chunk(o.fence.Incarnation, epoch, name))
	}
	for i, suffix := range suffixes {
		blob, empty, err := o.engine.Trim(o.storedFence(), suffix, blobs[i])
		switch {
		case err != nil:
			return fmt.Errorf("trim epoch %d of partition %d: %w", epoch, o.partition, err)
		case empty && blobs[i] != nil:
			changes.Deletes = append(changes.Deletes, keys[i])
		case blob != nil:
			changes.Writes = append(changes.Writes, redis.KV{Key: keys[i], Value: blob})
		}
	}
	return o.store(ctx, o.fence, changes)
}

// Trim returns an encoded state without what serves nobody under a fence: empty when nothing is left, nil when there
// is nothing to drop.
func (e *Engine) Trim(f Fence, suffix string, blob []byte) (trimmed []byte, empty bool, err error) {
	plan := e.planOf(suffix)
	clean, empty, err := plan.Forgettable(blob, f.Base, f.Epoch)
	if err != nil || clean || empty {
		return nil, empty, err
	}
	s, err := plan.DecodeState(blob)
	if err != nil {
		return nil, false, err
	}
	s.Forget(f.Base, f.Epoch)
	return e.kinds[plan].codec.AppendState(nil, s), false, nil
}
