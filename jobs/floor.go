package jobs

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/stream/archive"
	"github.com/anabranch/anabranch/stream/live"
)

// floorEvery is how often the generations' floor is looked up; it only frees memory, so it is not urgent.
const floorEvery = 2 * time.Second

// floor follows the least cut that a retained generation still needs. Live state below it may go.
type floor struct {
	bucket *bucket.Bucket
	epoch  atomic.Int64
}

func newFloor(ctx context.Context, b *bucket.Bucket) (*floor, error) {
	f := &floor{bucket: b}
	return f, f.refresh(ctx)
}

func (f *floor) refresh(ctx context.Context) error {
	var p model.Pointer
	_, err := f.bucket.GetJSON(ctx, model.PointerKey, &p)
	if errors.Is(err, bucket.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look up the floor of the generations: %w", err)
	}
	f.epoch.Store(max(p.Floor, f.epoch.Load()))
	return nil
}

// run keeps the floor fresh until ctx ends. A bucket that is away leaves it where it is.
func (f *floor) run(ctx context.Context) error {
	tick := time.NewTicker(floorEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			_ = f.refresh(ctx) // the next tick tries again; a floor that lags frees memory later, no more
		}
	}
}

// least is what live.Config.Floor asks for.
func (f *floor) least() int64 { return f.epoch.Load() }

// origin returns where a new namespace of a partition starts: one epoch below the floor's mark, as
// live.OriginOf explains.
func (f *floor) origin(ctx context.Context, partition int32) (live.Origin, error) {
	if err := f.refresh(ctx); err != nil {
		return live.Origin{}, err
	}
	n := f.least()
	if n < 2 {
		return live.OriginOf(n, nil, partition)
	}
	index, _, err := archive.ReadIndex(ctx, f.bucket, n-2)
	if err != nil {
		return live.Origin{}, fmt.Errorf("find mark %d, one below the floor: %w", n-1, err)
	}
	return live.OriginOf(n, index.End, partition)
}

// originAt returns where the state of a partition starts when Kafka holds it from offset on only. The archive's indexes tell
// the epoch there: the records before it are gone, so neither it nor, for the duplicate rule, the next one can be counted in
// full before the one after that. Where the archive does not reach the offset either, nobody knows the epoch.
func (f *floor) originAt(ctx context.Context, partition int32, offset int64) (live.Origin, bool, error) {
	for epoch := max(f.least()-2, 0); ; epoch++ {
		index, _, err := archive.ReadIndex(ctx, f.bucket, epoch)
		if err != nil {
			return live.Origin{}, false, fmt.Errorf("find the epoch of offset %d: %w", offset, err)
		}
		end, closed := index.End[partition]
		if closed && end < offset {
			continue
		}
		reach := end
		for _, o := range index.Of(partition) {
			reach = max(reach, o.End)
		}
		return live.Origin{Offset: offset, Epoch: epoch, Base: epoch + 2}, reach >= offset, nil
	}
}
