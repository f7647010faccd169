package deadletter

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/event"
)

// Log is the dead-letter topic.
type Log struct {
	Seeds  []string     // Kafka brokers
	Topics kafka.Topics // as kafka.EnsureTopics returned them
	Client []kgo.Opt    // more options of the Kafka clients
	Logger *slog.Logger // nil discards

	Topic       string // default kafka.DeadLettersTopic
	EventsTopic string // default kafka.EventsTopic
}

func (l Log) withDefaults() Log {
	if l.Topic == "" {
		l.Topic = kafka.DeadLettersTopic
	}
	if l.EventsTopic == "" {
		l.EventsTopic = kafka.EventsTopic
	}
	return l
}

// Letters calls visit with every letter that the topic holds now and the filter wants, each once, in the
// order in which they were written first. An error of visit ends it and is returned as it is.
func (l Log) Letters(ctx context.Context, f Filter, visit func(Letter) error) error {
	l = l.withDefaults()
	notes, err := l.notes(ctx)
	if err != nil {
		return err
	}
	return l.letters(ctx, notes, func(letter Letter) error {
		if !f.Wants(&letter) {
			return nil
		}
		return visit(letter)
	})
}

// noted is what is remembered of a replayed letter.
type noted struct {
	as event.Position // where it lies now
	at place          // of the last note about it
}

// place is where a record lies in the dead-letter topic.
type place struct {
	partition int32
	offset    int64
}

// notes reads which letters were replayed. Notes come after their letters, so they are read first.
func (l Log) notes(ctx context.Context) (map[event.Position]noted, error) {
	found := map[event.Position]noted{}
	err := l.scan(ctx, func(r *kgo.Record) error {
		if p, ok := parse(kafka.HexID(l.Topics.DeadLettersID), r); ok && p.note {
			found[p.letter.Position] = noted{*p.letter.Replayed, place{r.Partition, r.Offset}}
		}
		return nil
	})
	return found, err
}

// letters visits all letters, each once.
func (l Log) letters(ctx context.Context, notes map[event.Position]noted, visit func(Letter) error) error {
	seen := map[event.Position]struct{}{}
	return l.scan(ctx, func(r *kgo.Record) error {
		p, ok := parse(kafka.HexID(l.Topics.DeadLettersID), r)
		if !ok || p.note {
			return nil
		}
		if _, again := seen[p.letter.Position]; again {
			return nil
		}
		seen[p.letter.Position] = struct{}{}
		if n, replayed := notes[p.letter.Position]; replayed {
			p.letter.Replayed = &n.as
		}
		return visit(p.letter)
	})
}

// scan visits every committed record that the topic holds now, a partition's in order.
func (l Log) scan(ctx context.Context, visit func(*kgo.Record) error) error {
	// The topic may end with the control record of a transaction; it must be seen to know the end.
	client, err := kafka.Dial(l.Seeds, l.Logger, append(slices.Clone(l.Client), kgo.KeepControlRecords())...)
	if err != nil {
		return err
	}
	defer client.Close()
	start, err := kafka.StartOffsets(ctx, client, l.Topic)
	if err != nil {
		return api.Errorf(api.Unavailable, "read dead letters: %w", err)
	}
	end, err := kafka.EndOffsets(ctx, client, l.Topic)
	if err != nil {
		return api.Errorf(api.Unavailable, "read dead letters: %w", err)
	}
	from := map[int32]kgo.Offset{}
	for p := range end {
		if start[p] < end[p] {
			from[p] = kgo.NewOffset().At(start[p])
		}
	}
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{l.Topic: from})
	for len(from) > 0 {
		fetches := client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("read dead letters: %w", err)
		}
		if err := fetches.Err(); err != nil {
			return api.Errorf(api.Unavailable, "read dead letters: %w", err)
		}
		for _, r := range fetches.Records() {
			if r.Offset+1 >= end[r.Partition] {
				delete(from, r.Partition)
			}
			if r.Offset >= end[r.Partition] || r.Attrs.IsControl() {
				continue
			}
			if err := visit(r); err != nil {
				return err
			}
		}
	}
	return nil
}
