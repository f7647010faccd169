package e2e_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/anabranch/anabranch/batch/publish"
	"github.com/anabranch/anabranch/infra/artifact"
	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/rawparquet"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/model"
)

// readArchive reads the whole archive through its indexes and returns all rows. The objects of each
// partition must follow each other without a gap, and so must their rows: every offset has one,
// except where a mark lies.
func readArchive(ctx context.Context, t *testing.T, b *bucket.Bucket) []event.Raw {
	t.Helper()
	var rows []event.Raw
	next := map[int32]int64{}
	for epoch := int64(0); ; epoch++ {
		var index model.Index
		_, err := b.GetJSON(ctx, model.IndexKey(epoch), &index)
		if errors.Is(err, bucket.ErrNotExist) {
			if epoch == 0 {
				t.Fatal("there is no index of epoch 0")
			}
			return rows
		}
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, readEpoch(ctx, t, b, index, next)...)
	}
}

// readEpoch reads one epoch; next is where each partition continues. An epoch begins with its mark,
// which has no row; only epoch 0 has none.
func readEpoch(ctx context.Context, t *testing.T, b *bucket.Bucket, index model.Index, next map[int32]int64) (rows []event.Raw) {
	t.Helper()
	begun := map[int32]bool{}
	for _, o := range index.Objects {
		at := o.First
		if index.Epoch > 0 && !begun[o.Partition] {
			at++
		}
		begun[o.Partition] = true
		if o.First != next[o.Partition] {
			t.Errorf("%s begins at %d, expected %d", o.Key, o.First, next[o.Partition])
		}
		next[o.Partition] = o.End
		_, err := rawparquet.ReadVerified(ctx, b, o.Key, o.Bytes, o.SHA256, nil, func(batch rawparquet.Batch) error {
			for row := range batch.Rows {
				if row.Offset != at {
					t.Errorf("%s: a row has offset %d, expected %d", o.Key, row.Offset, at)
				}
				at = row.Offset + 1
				rows = append(rows, row)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if at != o.End {
			t.Errorf("%s ends at %d, its rows at %d", o.Key, o.End, at)
		}
	}
	return rows
}

// checkArchive compares the archive with the acknowledged events: each is there as it was sent, and
// nothing else is. It returns how many rows repeat an event because its acknowledgement was lost.
func checkArchive(ctx context.Context, t *testing.T, b *bucket.Bucket, acked []event.Event) (repeats int) {
	t.Helper()
	sent := make(map[string]event.Event, len(acked))
	for _, e := range acked {
		sent[e.ID] = e
	}
	found := map[string]bool{}
	for _, row := range readArchive(ctx, t, b) {
		if row.Reject != nil {
			t.Errorf("partition %d offset %d is rejected: %s", row.Partition, row.Offset, *row.Reject)
			continue
		}
		e, known := sent[*row.EventID]
		switch {
		case !known:
			t.Errorf("partition %d offset %d: nobody sent %s", row.Partition, row.Offset, *row.EventID)
		case *row.UserID != e.UserID || *row.ItemID != e.ItemID || *row.Type != e.Type || *row.EventTime != int64(e.Time):
			t.Errorf("partition %d offset %d: %s is not as it was sent", row.Partition, row.Offset, *row.EventID)
		case found[e.ID]:
			repeats++
		}
		found[*row.EventID] = true
	}
	for id := range sent {
		if !found[id] {
			t.Errorf("%s was acknowledged and is not in the archive", id)
		}
	}
	return repeats
}

// checkGenerations verifies what is published: marks without a gap whose labels rise, and a pointer
// whose generations are all there. It returns the current one's manifest.
func checkGenerations(ctx context.Context, t *testing.T, b *bucket.Bucket) model.Manifest {
	t.Helper()
	marks := listMarks(ctx, t, b)
	for i, m := range marks {
		if m.N != int64(i+1) || i > 0 && !m.Label.After(marks[i-1].Label) {
			t.Errorf("mark %d of the list is number %d with label %s", i+1, m.N, m.Label)
		}
	}
	p, _, err := artifact.ReadPointer(ctx, b)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := publish.List(ctx, b)
	if err != nil {
		t.Fatal(err)
	}
	var current []model.Manifest
	var retained []model.Retained
	for _, e := range entries {
		if e.Current {
			current = append(current, e.Manifest)
		}
		if e.Retained {
			retained = append(retained, model.Retained{ID: e.Manifest.ID, CutN: e.Manifest.Inputs.CutN})
		}
	}
	if len(current) != 1 || !slices.Equal(retained, p.Retained) || len(retained) == 0 || p.Floor != retained[0].CutN {
		t.Fatalf("%d generations are current and %+v retained; the pointer is %+v", len(current), retained, p)
	}
	if last := retained[len(retained)-1]; last.ID != current[0].ID {
		t.Errorf("current is %s, the latest is %s", current[0].ID, last.ID)
	}
	return current[0]
}

// listMarks returns the marks of a bucket, by number.
func listMarks(ctx context.Context, t *testing.T, b *bucket.Bucket) []model.Mark {
	t.Helper()
	objects, err := b.List(ctx, model.MarkPrefix)
	if err != nil {
		t.Fatal(err)
	}
	marks := make([]model.Mark, len(objects))
	for i, o := range objects {
		if _, err := b.GetJSON(ctx, o.Key, &marks[i]); err != nil {
			t.Fatal(err)
		}
	}
	return marks
}
