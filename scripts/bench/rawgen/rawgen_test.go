package rawgen_test

import (
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anabranch/anabranch/infra/rawparquet"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/scripts/bench/rawgen"
)

func small() rawgen.Params {
	p := rawgen.Sized(60_000)
	p.Days, p.Partitions, p.Users, p.Items = 4, 3, 500, 200
	return p
}

func open(t *testing.T, dir string, p rawgen.Params) rawgen.Archive {
	t.Helper()
	a, err := rawgen.Open(t.Context(), dir, p, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func index(t *testing.T, a rawgen.Archive, epoch int64) model.Index {
	t.Helper()
	var x model.Index
	if _, err := a.Bucket.GetJSON(t.Context(), model.IndexKey(epoch), &x); err != nil {
		t.Fatal(err)
	}
	return x
}

// TestArchiveIsOne reads the archive as batch does: chains without gaps, verified files, rows where they belong.
func TestArchiveIsOne(t *testing.T) {
	p := small()
	a := open(t, t.TempDir(), p)
	from, rows, rejected, late, bytes := model.Cut{}, int64(0), 0, 0, int64(0)
	seen := map[string]int{}
	types := map[string]int{}
	for epoch := range a.Marks {
		x := index(t, a, epoch)
		if err := x.CheckChain(from, x.End); err != nil {
			t.Fatal(err)
		}
		start := from
		from = x.End
		var m model.Mark
		if _, err := a.Bucket.GetJSON(t.Context(), model.MarkKey(epoch+1), &m); err != nil || m.N != epoch+1 {
			t.Fatalf("mark %d: %v", epoch+1, err)
		}
		for _, o := range x.Objects {
			bytes += o.Bytes
			next := o.First
			if _, opened := start[o.Partition]; opened && o.First == start[o.Partition] {
				next++ // the mark
			}
			_, err := rawparquet.ReadVerified(t.Context(), a.Bucket, o.Key, o.Bytes, o.SHA256, nil, func(b rawparquet.Batch) error {
				for r := range b.Rows {
					rows++
					if r.Offset != next {
						t.Fatalf("%s: offset %d, expected %d", o.Key, r.Offset, next)
					}
					next++
					if r.Reject != nil {
						rejected++
						continue
					}
					if event.PartitionOf([]byte(*r.UserID), p.Partitions) != o.Partition {
						t.Fatalf("%s: user %s is not of this partition", o.Key, *r.UserID)
					}
					if *r.EventTime > r.LogTime || (*r.Type == "purchase") != (r.Value != nil) || r.Price == nil {
						t.Fatalf("%s: row %+v", o.Key, r)
					}
					if r.LogTime >= m.Label.UnixMilli() || r.LogTime < m.Label.AddDate(0, 0, -1).UnixMilli() {
						t.Fatalf("%s: log time %d is not of the day that ends at %s", o.Key, r.LogTime, m.Label)
					}
					if r.LogTime-*r.EventTime > 30*60_000 {
						late++
					}
					types[*r.Type]++
					seen[*r.EventID]++
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	repeated := int(rows) - rejected - len(seen)
	if rows != p.Rows || bytes != a.Bytes || !cmp.Equal(from, a.Cut) {
		t.Errorf("%d rows of %d, %d bytes of %d, cut %v, expected %v", rows, p.Rows, bytes, a.Bytes, from, a.Cut)
	}
	if repeated < 400 || repeated > 800 || late < 300 || late > 900 || rejected == 0 || rejected > 20 || types["purchase"] < 1000 || types["cart"] < 4000 {
		t.Errorf("%d repeated, %d late, %d rejected, types %v", repeated, late, rejected, types)
	}
}

// TestSeed generates twice, and once from another seed.
func TestSeed(t *testing.T) {
	dir := t.TempDir()
	a, b := open(t, dir, small()), open(t, t.TempDir(), small())
	p := small()
	p.Seed++
	c := open(t, dir, p)
	if d := cmp.Diff(index(t, a, 1), index(t, b, 1)); d != "" {
		t.Error(d)
	}
	if cmp.Equal(index(t, a, 1), index(t, c, 1)) {
		t.Error("another seed gave the same archive")
	}
	if again := open(t, dir, small()); again.Dir != a.Dir {
		t.Errorf("opened again at %s", again.Dir)
	}
}

func TestRefuses(t *testing.T) {
	p := small()
	p.Items = 0
	if _, err := rawgen.Open(t.Context(), t.TempDir(), p, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("an archive without items was generated")
	}
}
