package mark

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/schemas/model"
)

// Placed is a mark and where it lies.
type Placed struct {
	model.Mark
	At       model.Cut // partition → offset, of the partitions in which it counts
	Missing  []int32   // the partitions in which it does not count yet: it is written by halves
	Archived bool      // the archive has reached it in every partition
}

// Write writes the mark with this label, or completes it, and all that come before it, in every
// partition. It does not wait for the archive. Calling it again changes nothing. See Close for the
// errors.
func (c Closer) Write(ctx context.Context, label time.Time) (model.Mark, error) {
	c = c.withDefaults()
	m, err := c.allocate(ctx, label)
	if err == nil {
		err = c.write(ctx, m.N)
	}
	if err != nil {
		return model.Mark{}, fmt.Errorf("write the mark at %s: %w", label.UTC().Format(time.RFC3339), err)
	}
	return m, nil
}

// Inspect returns all marks in order and where they lie. It changes nothing.
func (c Closer) Inspect(ctx context.Context) ([]Placed, error) {
	placed, err := c.withDefaults().inspect(ctx)
	if err != nil {
		return nil, fmt.Errorf("look where the marks lie: %w", err)
	}
	return placed, nil
}

func (c Closer) inspect(ctx context.Context) ([]Placed, error) {
	marks, err := List(ctx, c.Bucket)
	if err != nil || len(marks) == 0 {
		return nil, err
	}
	placed, err := c.fromArchive(ctx, marks)
	if err != nil || !slices.ContainsFunc(placed, func(p Placed) bool { return !p.Archived }) {
		return placed, err
	}
	cuts, err := c.fromLog(ctx)
	if err != nil {
		return nil, err
	}
	// Once more, because the archive may have moved on before the log was read from where it ends.
	if placed, err = c.fromArchive(ctx, marks); err != nil {
		return nil, err
	}
	for i := range placed {
		p := &placed[i]
		maps.Copy(p.At, cuts[p.N])
		for n := range c.Topics.Partitions {
			if _, there := p.At[n]; !there {
				p.Missing = append(p.Missing, n)
			}
		}
	}
	return placed, nil
}

// fromArchive returns what the indexes know.
func (c Closer) fromArchive(ctx context.Context, marks []model.Mark) ([]Placed, error) {
	placed := make([]Placed, len(marks))
	for i, m := range marks {
		x, err := c.index(ctx, m.N-1)
		if err != nil {
			return nil, err
		}
		placed[i] = Placed{Mark: m, At: model.Cut{}, Archived: len(x.Missing(c.Topics.Partitions)) == 0}
		maps.Copy(placed[i].At, x.End)
	}
	return placed, nil
}

// fromLog returns where the marks lie that the archive has not reached, by number.
func (c Closer) fromLog(ctx context.Context) (map[int64]model.Cut, error) {
	client, err := kafka.Dial(c.Seeds, c.Logger, append(slices.Clone(c.Client), kgo.KeepControlRecords())...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	s, err := c.counted(ctx, client)
	if err != nil {
		return nil, err
	}
	return s.cuts, nil
}
