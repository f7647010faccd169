package archive

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Feeder is an archiver whose caller brings the records: no Kafka client, no goroutine, no waiting but
// for the bucket. The simulation drives it on a virtual clock.
type Feeder struct{ a *Archiver }

// NewFeeder returns a feeder that has not looked at the bucket yet: call Load. Config.Seeds and
// Config.Client are not used.
func NewFeeder(cfg Config) (*Feeder, error) {
	cfg.Seeds = []string{"the caller of Feed"}
	a, err := New(cfg)
	if err != nil {
		return nil, err
	}
	return &Feeder{a}, nil
}

// Load finds the archive's end, listing what a crash left out of the indexes, and returns the offset at
// which every partition continues.
func (f *Feeder) Load(ctx context.Context) (next []int64, err error) {
	if err := f.a.load(ctx); err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	for _, p := range f.a.parts {
		next = append(next, p.next)
	}
	return next, nil
}

// Feed takes records of a partition, in the order of the log and without a gap, and writes the files that
// they complete, or whose time has come. After an error the feeder must not be used any more.
func (f *Feeder) Feed(ctx context.Context, partition int32, records []*kgo.Record) error {
	if err := f.a.advance(ctx, f.a.parts[partition], records); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	return nil
}
