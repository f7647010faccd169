package rawgen

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/rawparquet"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/model"
)

// objectRows is how many rows a file has at most, as the archiver's limit is.
const objectRows = 500_000

// plan is how many rows each epoch and partition has and where they begin. As in every archive, the
// first file of an epoch covers the offset of the mark that opened it.
type plan struct {
	homes []home
	days  [][]day // by epoch, partition
	rows  [][]int
	cuts  []model.Cut // by epoch: where it ends
}

func newPlan(p Params, c *catalog) plan {
	pl := plan{homes: homes(p)}
	next := make([]int64, p.Partitions)
	serial, left := int64(0), p.Rows
	for epoch := range p.Days {
		today := left / int64(p.Days-epoch)
		left -= today
		days, rows, cut := make([]day, p.Partitions), make([]int, p.Partitions), model.Cut{}
		for i, n := range deal(today, pl.homes) {
			d := newDay(p, epoch, int32(i), &pl.homes[i], c)
			d.start, d.first, d.serial = next[i], next[i], serial
			if epoch > 0 {
				d.first++ // after the mark's own record
			}
			days[i], rows[i] = d, n
			serial += int64(n)
			next[i] = d.first + int64(n)
			cut[int32(i)] = next[i]
		}
		pl.days, pl.rows, pl.cuts = append(pl.days, days), append(pl.rows, rows), append(pl.cuts, cut)
	}
	return pl
}

// deal splits n rows by the shares of the partitions; what rounding leaves goes to the last that has users.
func deal(n int64, homes []home) []int {
	out := make([]int, len(homes))
	left, last := int(n), 0
	for i, h := range homes {
		out[i] = min(int(float64(n)*h.share), left)
		left -= out[i]
		if len(h.users) > 0 {
			last = i
		}
	}
	out[last] += left
	return out
}

// write puts the whole archive into a bucket and returns the cut that ends it and the bytes of its objects.
func write(ctx context.Context, b *bucket.Bucket, p Params, progress func(rows int64)) (model.Cut, int64, error) {
	c := newCatalog(p)
	pl := newPlan(p, &c)
	done, size := int64(0), int64(0)
	for epoch := range p.Days {
		x, err := writeEpoch(ctx, b, &pl, epoch)
		if err != nil {
			return nil, 0, fmt.Errorf("generate epoch %d: %w", epoch, err)
		}
		for _, o := range x.Objects {
			done += o.Rows
			size += o.Bytes
		}
		progress(done)
	}
	return pl.cuts[p.Days-1], size, nil
}

// writeEpoch writes one day's objects, then its index and the mark that closes it.
func writeEpoch(ctx context.Context, b *bucket.Bucket, pl *plan, epoch int) (model.Index, error) {
	x := model.Index{Epoch: int64(epoch), TopicID: TopicID}
	var adding sync.Mutex
	g, ctx2 := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range pl.days[epoch] {
		g.Go(func() error {
			return writeDay(ctx2, b, pl.days[epoch][i], pl.rows[epoch][i], func(o model.Object) {
				adding.Lock()
				defer adding.Unlock()
				x.Add(o)
			})
		})
	}
	if err := g.Wait(); err != nil {
		return x, err
	}
	for partition, end := range pl.cuts[epoch] {
		x.SetEnd(partition, end)
	}
	x.Version = int64(len(x.Objects) + len(x.End)) // one a change, in whatever order they came
	if _, err := b.PutJSON(ctx, model.IndexKey(x.Epoch), x); err != nil {
		return x, err
	}
	label := firstDay.AddDate(0, 0, epoch+1)
	m := model.Mark{N: x.Epoch + 1, Label: label, Start: label.Add(time.Second)}
	_, err := b.PutJSON(ctx, model.MarkKey(m.N), m)
	return x, err
}

func writeDay(ctx context.Context, b *bucket.Bucket, d day, n int, add func(model.Object)) error {
	rows := d.rows(n)
	first, end := d.start, d.first+int64(n)
	for first < end {
		part := rows[:min(objectRows, len(rows))]
		rows = rows[len(part):]
		partEnd := end
		if len(rows) > 0 {
			partEnd = rows[0].Offset
		}
		o, err := writeObject(ctx, b, d, first, partEnd, part)
		if err != nil {
			return err
		}
		add(o)
		first = partEnd
	}
	return nil
}

// writeObject writes the rows of [first, end), which may be none: a mark has no row.
func writeObject(ctx context.Context, b *bucket.Bucket, d day, first, end int64, rows []event.Raw) (model.Object, error) {
	span := rawparquet.SpanOf(TopicID, d.partition, int64(d.epoch), first, end, len(rows))
	data, err := rawparquet.Encode(rows, span.Meta())
	if err != nil {
		return model.Object{}, err
	}
	o := model.Object{
		Key: model.RawKey(TopicID, span.Epoch, d.partition, first), Partition: d.partition, First: first, End: end,
		Rows: span.Rows, Bytes: int64(len(data)), SHA256: model.SHA256Hex(data),
	}
	_, err = b.Put(ctx, o.Key, data)
	return o, err
}
