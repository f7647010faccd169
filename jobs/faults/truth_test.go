//go:build integration

package faults

import (
	"context"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/schemas/tile"
	"github.com/anabranch/anabranch/schemas/tile/oracle"
)

// entry is one record of the log, with what its author knows.
type entry struct {
	offset  int64
	control bool // of a transaction
	isMark  bool // carries the mark header
	mark    int64
	fact    fact
	serial  int // -1 where it has none
	logTime int64
}

// readLog reads what has come to the log since it was called last.
func (w *world) readLog(ctx context.Context) error {
	end, err := kafka.EndOffsets(ctx, w.client, w.topic)
	if err != nil {
		return err
	}
	if w.log == nil {
		w.log = make([][]entry, w.partitions)
	}
	from := map[int32]kgo.Offset{}
	for p := range w.partitions {
		if next := w.nextOf(p); next < end[p] {
			from[p] = kgo.NewOffset().At(next)
		}
	}
	if len(from) == 0 {
		return nil
	}
	reader, err := kafka.Dial([]string{w.brokers}, nil, kafka.Local(), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{w.topic: from}), kgo.FetchMaxBytes(32<<20), kgo.FetchMaxPartitionBytes(8<<20))
	if err != nil {
		return err
	}
	defer reader.Close()
	for len(from) > 0 {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
		var bad error
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset >= end[r.Partition] {
				return
			}
			e, err := w.entryOf(r)
			if err != nil && bad == nil {
				bad = err
			}
			w.log[r.Partition] = append(w.log[r.Partition], e)
		})
		if bad != nil {
			return bad
		}
		for p := range from {
			if w.nextOf(p) >= end[p] {
				delete(from, p)
			}
		}
	}
	return nil
}

// nextOf is the offset up to which a partition was read.
func (w *world) nextOf(p int32) int64 {
	if w.log == nil || len(w.log[p]) == 0 {
		return 0
	}
	return w.log[p][len(w.log[p])-1].offset + 1
}

func (w *world) entryOf(r *kgo.Record) (entry, error) {
	e := entry{offset: r.Offset, control: r.Attrs.IsControl(), serial: -1, logTime: r.Timestamp.UnixMilli()}
	if e.mark, e.isMark = kafka.MarkNumber(r); e.isMark || e.control {
		return e, nil
	}
	for _, h := range r.Headers {
		if h.Key == serialHeader {
			n, err := strconv.Atoi(string(h.Value))
			if err != nil {
				return e, fmt.Errorf("serial number of %d/%d: %w", r.Partition, r.Offset, err)
			}
			w.mu.Lock()
			e.serial, e.fact = n, w.facts[n]
			w.mu.Unlock()
			return e, nil
		}
	}
	if n, ok := serialOfEvent(r.Value); ok {
		w.mu.Lock()
		e.serial, e.fact = n, w.facts[n]
		w.mu.Unlock()
		return e, nil
	}
	return e, fmt.Errorf("nobody knows the record at %d/%d", r.Partition, r.Offset)
}

// checkAcknowledged compares acknowledgements with the log.
func (w *world) checkAcknowledged() error {
	at := make([]map[int64]int, w.partitions)
	for p, entries := range w.log {
		at[p] = make(map[int64]int, len(entries))
		for _, e := range entries {
			at[p][e.offset] = e.serial
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.acked {
		if found, ok := at[a.partition][a.offset]; !ok || found != a.serial {
			return fmt.Errorf("record %d was acknowledged at %d/%d, the log has record %d there (known: %t)", a.serial, a.partition, a.offset, found, ok)
		}
	}
	return nil
}

// truth returns the valid records of the log, in the order of epoch and position for each user, those of epochs before base
// included, which only teach the duplicate rule.
func (w *world) truth() []oracle.Record {
	var out []oracle.Record
	for p, entries := range w.log {
		epoch := int64(0)
		for _, e := range entries {
			switch {
			case e.isMark && e.mark == epoch+1:
				epoch = e.mark
			case e.isMark || e.control || e.fact.invalid:
			default:
				out = append(out, oracle.Record{Event: e.fact.event, Epoch: epoch, Seq: tile.Seq(int32(p), e.offset), LogTime: e.logTime})
			}
		}
	}
	return out
}
