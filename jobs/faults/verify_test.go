//go:build integration

package faults

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/infra/rawparquet"
	"github.com/anabranch/anabranch/infra/redis"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
	"github.com/anabranch/anabranch/schemas/tile/oracle"
	"github.com/anabranch/anabranch/stream/archive"
	"github.com/anabranch/anabranch/stream/ingest/deadletter"
)

func namespaceOf(c feature.Catalogue) string { return tile.Namespace(c) }

// settle writes a last mark, waits until live state and archive have all of the log, and checks everything.
func (w *world) settle(ctx context.Context) error {
	if err := w.mark(ctx); err != nil {
		return err
	}
	for _, c := range append(w.alsoCheck, w.catalogue) {
		if err := w.settleLive(ctx, c); err != nil {
			return err
		}
	}
	return w.settleArchive(ctx)
}

// settleLive waits for live state and checks it.
func (w *world) settleLive(ctx context.Context, c feature.Catalogue) error {
	if err := w.awaitLive(ctx, c); err != nil {
		return err
	}
	if err := w.checkLog(ctx); err != nil {
		return err
	}
	fences, err := w.fences(ctx, c)
	if err != nil {
		return err
	}
	base := int64(0)
	for _, f := range fences {
		base = max(base, f.Base)
	}
	return errors.Join(w.checkLive(ctx, c, base), w.checkLetters(ctx))
}

// settleArchive waits for the archive and checks it.
func (w *world) settleArchive(ctx context.Context) error {
	if err := w.awaitArchive(ctx); err != nil {
		return err
	}
	if err := w.checkLog(ctx); err != nil {
		return err
	}
	return w.checkArchive(ctx)
}

func (w *world) checkLog(ctx context.Context) error {
	if err := w.readLog(ctx); err != nil {
		return err
	}
	return w.checkAcknowledged()
}

// fences returns the stored fences, nil where one is missing.
func (w *world) fences(ctx context.Context, c feature.Catalogue) (map[int32]redis.Fence, error) {
	out := map[int32]redis.Fence{}
	store := redis.NewStore(w.redis)
	for p := range w.partitions {
		f, _, ok, err := store.ReadFence(ctx, w.keys(c, p))
		if err != nil || !ok {
			return nil, err
		}
		out[p] = f
	}
	return out, nil
}

// awaitLive waits until every fence is at the end of its partition.
func (w *world) awaitLive(ctx context.Context, c feature.Catalogue) error {
	end, err := kafka.EndOffsets(ctx, w.client, w.topic)
	if err != nil {
		return err
	}
	var last map[int32]redis.Fence
	err = await(ctx, "live state reaches the end of the log", func() (bool, error) {
		if last, err = w.fences(ctx, c); err != nil || last == nil {
			return false, nil //nolint:nilerror // Redis may be away still
		}
		for p, f := range last {
			if f.Next != end[p] {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("%w; the log ends at %v, the fences are %v", err, end, last)
	}
	return nil
}

// checkLive compares every feature with the oracle, over epochs ≥ from.
func (w *world) checkLive(ctx context.Context, c feature.Catalogue, from int64) error {
	fences, err := w.fences(ctx, c)
	if err != nil || fences == nil {
		return fmt.Errorf("a fence is missing: %w", err)
	}
	var distinct []oracle.Record
	for _, r := range oracle.Distinct(w.truth()) {
		if r.Epoch >= from {
			distinct = append(distinct, r)
		}
	}
	for _, entity := range []feature.Entity{feature.User, feature.Item, feature.Global} {
		if err := w.checkEntity(ctx, c, entity, from, fences, distinct); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) checkEntity(ctx context.Context, c feature.Catalogue, entity feature.Entity, from int64, fences map[int32]redis.Fence, distinct []oracle.Record) error {
	plan, err := tile.Compile(c, entity)
	if err != nil {
		return err
	}
	// By member, and by partition, because partials of items are.
	type part struct {
		id string
		p  int32
	}
	of := map[part][]oracle.Record{}
	for _, r := range distinct {
		of[part{oracle.Member(entity, r), int32(r.Seq >> 44)}] = append(of[part{oracle.Member(entity, r), int32(r.Seq >> 44)}], r)
	}
	now, reader := time.Now().UnixMilli(), plan.NewReader()
	for who, records := range of {
		keys, incarnation := w.keys(c, who.p), fences[who.p].Incarnation
		key := map[feature.Entity]string{
			feature.User: keys.User(incarnation, who.id), feature.Item: keys.Item(incarnation, who.id), feature.Global: keys.Global(incarnation),
		}[entity]
		blob, err := w.redis.Get(ctx, key).Bytes()
		if err != nil && !errors.Is(err, goredis.Nil) {
			return fmt.Errorf("read the state of %s %s: %w", entity, who.id, err)
		}
		reader.Begin(now)
		if _, err := reader.AddState(blob, from); err != nil {
			return fmt.Errorf("read the state of %s %s: %w", entity, who.id, err)
		}
		for i, f := range plan.Features {
			if err := oracle.Answer(c, f.Def, records, now).Check(reader.Value(i)); err != nil {
				return fmt.Errorf("live state: %s of %s %s in partition %d over %d events: %w", f.Def.Name, entity, who.id, who.p, len(records), err)
			}
		}
	}
	return nil
}

// checkLetters compares the dead letters, by position, with the invalid records.
func (w *world) checkLetters(ctx context.Context) error {
	log := deadletter.Log{Seeds: []string{w.brokers}, Client: []kgo.Opt{kafka.Local()}, Topic: w.dlq, EventsTopic: w.topic}
	var err error
	if log.Topics, err = w.child(roleLive).topics(); err != nil {
		return err
	}
	found := map[event.Position]bool{}
	if err := log.Letters(ctx, deadletter.Filter{}, func(l deadletter.Letter) error {
		if l.Position.TopicID == w.topicID { // others are of a topic that was here before
			found[l.Position] = true
		}
		return nil
	}); err != nil {
		return fmt.Errorf("read the dead letters: %w", err)
	}
	wanted, records := 0, 0
	for p, entries := range w.log {
		for _, e := range entries {
			if e.isMark || e.control {
				continue
			}
			records++
			at := event.Position{TopicID: w.topicID, Partition: int32(p), Offset: e.offset}
			if e.fact.invalid {
				wanted++
			}
			if found[at] != e.fact.invalid {
				return fmt.Errorf("the record at %d/%d is invalid: %t; it is a dead letter: %t", p, e.offset, e.fact.invalid, found[at])
			}
		}
	}
	if len(found) != wanted {
		return fmt.Errorf("%d dead letters, %d of %d records are invalid", len(found), wanted, records)
	}
	return nil
}

// awaitArchive waits until the archive has all of the log. The last record must be a mark, or the archiver's files must be
// cut by age.
func (w *world) awaitArchive(ctx context.Context) error {
	end, err := kafka.EndOffsets(ctx, w.client, w.topic)
	if err != nil {
		return err
	}
	var last string
	err = await(ctx, "the archive reaches the end of the log", func() (bool, error) {
		tails, err := archive.Tails(ctx, w.bucket, w.topicID, w.partitions)
		last = fmt.Sprint(tails, err)
		if err != nil {
			return false, nil //nolint:nilerror // the gateway may be away still; what it is shows in the end
		}
		for p, t := range tails {
			if !w.reached(ctx, int32(p), t, end[int32(p)]) {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("%w; the log ends at %v, the archive is %s", err, end, last)
	}
	return nil
}

// reached tells whether the archive of a partition has all before end. A mark at the very end may have no object yet: it has
// closed the epoch before it.
func (w *world) reached(ctx context.Context, p int32, t archive.Tail, end int64) bool {
	if t.Next == end || t.Epoch == 0 || t.Next != end-1 {
		return t.Next == end
	}
	x, ok, err := indexOf(ctx, w.bucket, t.Epoch-1)
	at, known := x.End[p]
	return err == nil && ok && known && at == t.Next
}

// checkArchive compares the archive's rows with the log.
func (w *world) checkArchive(ctx context.Context) error {
	next := make([]int64, w.partitions)
	at := make([]int, w.partitions) // index into w.log
	for epoch := int64(0); ; epoch++ {
		x, ok, err := indexOf(ctx, w.bucket, epoch)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		for _, o := range x.Objects {
			if o.First != next[o.Partition] {
				return fmt.Errorf("archive: %s begins at %d, the chain is at %d", o.Key, o.First, next[o.Partition])
			}
			next[o.Partition] = o.End
			rows := int64(0)
			_, err := rawparquet.ReadVerified(ctx, w.bucket, o.Key, o.Bytes, o.SHA256, nil, func(b rawparquet.Batch) error {
				for row := range b.Rows {
					rows++
					if err := w.checkRow(&row, &at[o.Partition]); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return fmt.Errorf("archive: %w", err)
			}
			if rows != o.Rows {
				return fmt.Errorf("archive: %s has %d rows, its index says %d", o.Key, rows, o.Rows)
			}
		}
	}
	for p, entries := range w.log {
		for _, e := range entries[at[p]:] {
			if !e.isMark && !e.control {
				return fmt.Errorf("archive: the record at %d/%d has no row", p, e.offset)
			}
		}
	}
	return nil
}

// checkRow compares a row with the next record of its partition's log.
func (w *world) checkRow(row *event.Raw, at *int) error {
	entries := w.log[row.Partition]
	for *at < len(entries) && (entries[*at].isMark || entries[*at].control) {
		*at++
	}
	if *at == len(entries) {
		return fmt.Errorf("a row at %d/%d, the log has no more records", row.Partition, row.Offset)
	}
	e := entries[*at]
	*at++
	position := strconv.Itoa(int(row.Partition)) + "/" + strconv.FormatInt(row.Offset, 10)
	switch {
	case row.Offset != e.offset:
		return fmt.Errorf("a row at %s, the log's next record is at %d", position, e.offset)
	case row.TopicID != w.topicID || row.LogTime != e.logTime:
		return fmt.Errorf("the row at %s is of topic %s and time %d, not %s and %d", position, row.TopicID, row.LogTime, w.topicID, e.logTime)
	case (row.Reject != nil) != e.fact.invalid:
		return fmt.Errorf("the row at %s is a rejected one: %t; its record is invalid: %t", position, row.Reject != nil, e.fact.invalid)
	case row.Reject == nil && (*row.EventID != e.fact.event.ID || *row.UserID != e.fact.event.UserID || *row.ItemID != e.fact.event.ItemID ||
		*row.Type != e.fact.event.Type || *row.EventTime != int64(e.fact.event.Time)):
		return fmt.Errorf("the row at %s is not the event that was sent", position)
	}
	return nil
}
