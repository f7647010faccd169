package live

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/schemas/tile"
)

// Engine computes the live states of one partition. It has no clock, does no I/O and keeps nothing but
// memory between calls. Use one a goroutine.
type Engine struct {
	user, item, global *tile.Plan
	validity           event.Validity
	partition          int32

	kinds map[*tile.Plan]*kind
	known map[string]int32 // Judge: the places of suffixes in Batch.Touched
	key   []byte
	arena []byte // Apply: the encodings of the last result
}

// kind is what an engine needs for the states of one entity.
type kind struct {
	plan  *tile.Plan
	codec *tile.Codec
	state *tile.ContinuedState
}

// NewEngine compiles the catalogue for one partition of a topic with the given number of them.
func NewEngine(c feature.Catalogue, partition, partitions int32) (*Engine, error) {
	e := &Engine{
		validity:  event.Validity{Partitions: partitions, Texts: new(event.Texts)},
		partition: partition, kinds: map[*tile.Plan]*kind{}, known: map[string]int32{},
	}
	for _, p := range []struct {
		entity feature.Entity
		plan   **tile.Plan
	}{{feature.User, &e.user}, {feature.Item, &e.item}, {feature.Global, &e.global}} {
		plan, err := tile.Compile(c, p.entity)
		if err != nil {
			return nil, fmt.Errorf("live engine of partition %d: %w", partition, err)
		}
		*p.plan = plan
		e.kinds[plan] = &kind{plan, plan.NewCodec(), plan.NewContinuedState()}
	}
	return e, nil
}

// Fence is the part of a partition's fence that the engine moves (infra/redis.Fence has the rest).
type Fence struct {
	Base  int64 // least epoch whose buckets are kept
	Epoch int64 // epoch of the record before Next
	Next  int64 // offset of the first record that is not applied yet
}

// Record is one record of the partition.
type Record struct {
	Offset      int64
	Key, Value  []byte
	ContentType string
	IsControl   bool  // the log's own, such as the end of a transaction: nothing but an offset
	IsMark      bool  // carries the mark header
	Mark        int64 // the header's number; 0 when it is no proper mark
	LogTime     event.Millis
}

// DeadLetter is an invalid record: its offset is its identity within the partition.
type DeadLetter struct {
	Offset    int64
	Rejection *event.Rejection
	Record    event.Record
}

// Batch is what Judge made of some records.
type Batch struct {
	Next    Fence        // the fence after the records
	Touched []string     // the state keys (suffixes) that Apply needs, each once
	Letters []DeadLetter // the invalid records
	Newest  event.Millis // the latest log time of its valid records; 0 when there is none

	events []judged
	first  []int32 // by place in Touched: its first event
	last   []int32 // and its last one so far
}

// Events is the number of valid records, duplicates among them.
func (b *Batch) Events() int { return len(b.events) }

// judged is a valid record with the epoch it belongs to and the places of its states in Batch.Touched.
type judged struct {
	event         event.Event
	epoch, offset int64
	user, item    int32
	ofUser        int32 // the next event of the user, none after the last
	ofItem        int32 // and of the item
	counts        bool  // Apply: it is no duplicate, nor below the base
}

// none is no event of a batch.
const none int32 = -1

// Judge counts marks and validates records, which must be in the order of the log. Records before
// the fence are skipped: they are applied already. A floor that has risen is given as f.Base.
func (e *Engine) Judge(f Fence, records []Record) Batch {
	b := Batch{Next: f, events: make([]judged, 0, len(records))}
	marks := model.Counter{Epoch: f.Epoch}
	clear(e.known)
	for i := range records {
		r := &records[i]
		if r.Offset < f.Next {
			continue
		}
		b.Next.Next = r.Offset + 1
		if r.IsControl {
			continue
		}
		if r.IsMark {
			marks.Count(strconv.FormatInt(r.Mark, 10))
			continue
		}
		record := event.Record{Key: r.Key, Value: r.Value, ContentType: r.ContentType, Partition: e.partition, LogTime: r.LogTime}
		ev, rejection := e.validity.Check(record)
		if rejection != nil {
			b.Letters = append(b.Letters, DeadLetter{r.Offset, rejection, record})
			continue
		}
		b.Newest = max(b.Newest, r.LogTime)
		b.add(judged{event: ev, epoch: marks.Epoch, offset: r.Offset, user: e.touch(&b, userPrefix, ev.UserID), item: e.touch(&b, itemPrefix, ev.ItemID)})
	}
	if len(b.events) > 0 {
		e.touch(&b, globalSuffix, "")
	}
	b.Next.Epoch = marks.Epoch
	return b
}

// touch returns the place of a state among those that the batch touches.
func (e *Engine) touch(b *Batch, prefix, id string) int32 {
	e.key = append(append(e.key[:0], prefix...), id...)
	if at, ok := e.known[string(e.key)]; ok {
		return at
	}
	at, suffix := int32(len(b.Touched)), string(e.key)
	e.known[suffix] = at
	b.Touched, b.first, b.last = append(b.Touched, suffix), append(b.first, none), append(b.last, none)
	return at
}

// add appends an event and links it to the one before it of its user and of its item.
func (b *Batch) add(j judged) {
	at := int32(len(b.events))
	j.ofUser, j.ofItem = none, none
	if before := b.last[j.user]; before == none {
		b.first[j.user] = at
	} else {
		b.events[before].ofUser = at
	}
	if before := b.last[j.item]; before == none {
		b.first[j.item] = at
	} else {
		b.events[before].ofItem = at
	}
	b.last[j.user], b.last[j.item] = at, at
	b.events = append(b.events, j)
}

// The suffixes of state keys, as infra/redis.Keys appends them to the prefix of an incarnation.
const (
	globalSuffix = "g"
	userPrefix   = "u:"
	itemPrefix   = "i:"
)

func userSuffix(id string) string { return userPrefix + id }
func itemSuffix(id string) string { return itemPrefix + id }

// planOf returns the plan of the states under a suffix.
func (e *Engine) planOf(suffix string) *tile.Plan {
	switch {
	case strings.HasPrefix(suffix, userPrefix):
		return e.user
	case strings.HasPrefix(suffix, itemPrefix):
		return e.item
	}
	return e.global
}

// Decode reads the blob stored under a suffix. No blob is the state of an entity never seen.
func (e *Engine) Decode(suffix string, blob []byte) (*tile.State, error) {
	return e.planOf(suffix).DecodeState(blob)
}
