package mark

import (
	"context"
	"fmt"
	"time"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/schemas/model"
)

// List returns all marks in order. Their numbers have no gap and their labels rise; anything else is
// an error.
func List(ctx context.Context, b *bucket.Bucket) ([]model.Mark, error) {
	n, err := count(ctx, b)
	if err != nil {
		return nil, err
	}
	marks := make([]model.Mark, n)
	for i := range marks {
		if marks[i], err = get(ctx, b, int64(i+1)); err != nil {
			return nil, err
		}
		if i > 0 && !marks[i].Label.After(marks[i-1].Label) {
			return nil, fmt.Errorf("list marks: the label %s of mark %d is not above that of mark %d", marks[i].Label, i+1, i)
		}
	}
	return marks, nil
}

// find returns the last mark (number 0 when there is none), and the one with this label, if any. It
// reads few of them, because labels rise.
func find(ctx context.Context, b *bucket.Bucket, label time.Time) (last model.Mark, found *model.Mark, err error) {
	n, err := count(ctx, b)
	if err != nil || n == 0 {
		return model.Mark{}, nil, err
	}
	if last, err = get(ctx, b, n); err != nil {
		return model.Mark{}, nil, err
	}
	if last.Label.Equal(label) {
		return last, &last, nil
	}
	for low, high := int64(1), n-1; low <= high; {
		middle := low + (high-low)/2
		m, err := get(ctx, b, middle)
		if err != nil {
			return model.Mark{}, nil, err
		}
		switch m.Label.Compare(label) {
		case 0:
			return last, &m, nil
		case -1:
			low = middle + 1
		default:
			high = middle - 1
		}
	}
	return last, nil, nil
}

// count returns how many marks there are and refuses gaps.
func count(ctx context.Context, b *bucket.Bucket) (int64, error) {
	objects, err := b.List(ctx, model.MarkPrefix)
	if err != nil {
		return 0, fmt.Errorf("list marks: %w", err)
	}
	for i, o := range objects {
		n, err := model.ParseMarkKey(o.Key)
		if err != nil {
			return 0, fmt.Errorf("list marks: %w", err)
		}
		if n != int64(i+1) {
			return 0, fmt.Errorf("list marks: %s is missing: restore it from a backup", model.MarkKey(int64(i+1)))
		}
	}
	return int64(len(objects)), nil
}

func get(ctx context.Context, b *bucket.Bucket, n int64) (model.Mark, error) {
	var m model.Mark
	if _, err := b.GetJSON(ctx, model.MarkKey(n), &m); err != nil {
		return model.Mark{}, fmt.Errorf("mark %d: %w", n, err)
	}
	if m.N != n {
		return model.Mark{}, fmt.Errorf("%s says that it is mark %d: restore it from a backup", model.MarkKey(n), m.N)
	}
	return m, nil
}
