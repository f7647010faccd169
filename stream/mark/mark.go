// Package mark closes epochs: it allocates marks, writes them into every partition of the events
// topic, and waits until the archive has reached them (DESIGN §3). Closer.Write writes a mark without
// waiting, and Closer.Inspect tells where all of them lie.
//
// A mark exists from the moment its object is put; everything after that can be repeated by anybody.
// Close therefore serves both the first call for a label and the one that finds what a crash left:
// an allocated mark that is in no partition, or in some of them.
//
// A mark counts in a partition only where its number is the last counted one + 1. So marks are
// completed in order, two closers at the same time write at worst a record that counts nowhere, and a
// repeated call first looks which marks the log already has, so that repetitions do not pile up.
package mark

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/model"
)

// DefaultWait is how long Close waits for the archive.
const DefaultWait = 10 * time.Minute

// Closer closes epochs of the events topic.
type Closer struct {
	Bucket *bucket.Bucket
	Seeds  []string     // Kafka brokers
	Topics kafka.Topics // as kafka.EnsureTopics returned them
	Topic  string       // default kafka.EventsTopic
	Client []kgo.Opt    // more options of the Kafka client

	Wait   time.Duration    // for the archive; default DefaultWait
	Poll   time.Duration    // between two looks at the archive; default 200ms
	Now    func() time.Time // default time.Now
	Logger *slog.Logger     // default discards
}

// Close ends the current epoch at the mark with this label, which is written unless it exists, and
// returns the mark and its cut once the archive holds everything before it in an unbroken chain.
//
// A label that is not above the last one and unknown is api.Invalid. An archive that does not get
// there within Wait is api.Unavailable; calling again continues.
func (c Closer) Close(ctx context.Context, label time.Time) (model.Mark, model.Cut, error) {
	c = c.withDefaults()
	m, err := c.allocate(ctx, label)
	if err != nil {
		return model.Mark{}, nil, fmt.Errorf("close the epoch at %s: %w", label.UTC().Format(time.RFC3339), err)
	}
	cut, err := c.complete(ctx, m)
	if err != nil {
		return model.Mark{}, nil, fmt.Errorf("close the epoch at mark %d: %w", m.N, err)
	}
	return m, cut, nil
}

func (c Closer) withDefaults() Closer {
	if c.Topic == "" {
		c.Topic = kafka.EventsTopic
	}
	if c.Wait <= 0 {
		c.Wait = DefaultWait
	}
	if c.Poll <= 0 {
		c.Poll = 200 * time.Millisecond
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// allocate returns the mark with this label, which it puts unless it is there.
func (c Closer) allocate(ctx context.Context, label time.Time) (model.Mark, error) {
	if label.After(c.Now()) {
		return model.Mark{}, api.Errorf(api.Invalid, "the label lies in the future: what is not over cannot be closed")
	}
	for {
		last, found, err := find(ctx, c.Bucket, label)
		if err != nil {
			return model.Mark{}, err
		}
		if found != nil {
			return *found, nil
		}
		if last.N > 0 && !label.After(last.Label) {
			return model.Mark{}, api.Errorf(api.Invalid, "labels only rise: the last one is %s (mark %d), and no mark has the label asked for",
				last.Label.Format(time.RFC3339), last.N)
		}
		m := model.Mark{N: last.N + 1, Label: label.UTC(), Start: c.Now().UTC().Truncate(time.Millisecond)}
		_, err = c.Bucket.PutJSONIfAbsent(ctx, model.MarkKey(m.N), m)
		if err == nil {
			return m, nil
		}
		if !errors.Is(err, bucket.ErrExists) {
			return model.Mark{}, err
		}
	}
}
