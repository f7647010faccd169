package nightly_test

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anabranch/anabranch/batch/batchtest"
	"github.com/anabranch/anabranch/infra/artifact"
	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/bucket/errbucket"
	"github.com/anabranch/anabranch/infra/bucket/filebucket"
	"github.com/anabranch/anabranch/schemas/model"
)

// copyOf returns a bucket with the same objects.
func copyOf(t testing.TB, from *bucket.Bucket) *bucket.Bucket {
	t.Helper()
	to, err := filebucket.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	objects, err := from.List(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		data, _, err := from.Get(context.Background(), o.Key)
		if err == nil {
			_, err = to.Put(context.Background(), o.Key, data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// TestCrashAnywhere kills the run before and after each write, and fails each read; the same command
// then gives the bytes of a run that nothing disturbed, and one generation is published once. A swap of
// the pointer that happened although it reported an error is a success.
func TestCrashAnywhere(t *testing.T) {
	w := batchtest.New(t)
	shop := batchtest.NewShop(11, 12, 10)
	w.Import(shop.Events(40, label.AddDate(0, 0, -3), 24*time.Hour))
	at := grow(w, shop, 60, label)
	clean := copyOf(t, w.Bucket)
	recorder, inj := errbucket.Wrap(clean)
	mustRun(t, config(t, recorder), at)
	want := contents(t, clean, outputs)
	for n, op := range inj.Ops() {
		effects := []errbucket.Effect{errbucket.Fail}
		if op.Kind == errbucket.Put {
			effects = []errbucket.Effect{errbucket.Crash, errbucket.CrashAfter}
		}
		if op.Key == model.PointerKey && op.Kind == errbucket.Put {
			effects = append(effects, errbucket.FailAfter)
		}
		for _, effect := range effects {
			t.Run(fmt.Sprintf("%d %s %s effect %d", n+1, op.Kind, path.Base(op.Key), effect), func(t *testing.T) {
				t.Parallel()
				b := copyOf(t, w.Bucket)
				faulty, _ := errbucket.Wrap(b, errbucket.Fault{Nth: n + 1, Effect: effect})
				_, err := run(t.Context(), config(t, faulty), at)
				if (err == nil) != (effect == errbucket.FailAfter) {
					t.Fatalf("the disturbed run: %v", err)
				}
				mustRun(t, config(t, b), at)
				if diff := cmp.Diff(want, contents(t, b, outputs)); diff != "" {
					t.Fatal(diff)
				}
				checkPublishedOnce(t, b)
			})
		}
	}
}

func checkPublishedOnce(t *testing.T, b *bucket.Bucket) {
	t.Helper()
	p, _, err := artifact.ReadPointer(t.Context(), b)
	if err != nil || p.Sequence != 1 || len(p.Retained) != 1 {
		t.Fatalf("pointer %+v, %v", p, err)
	}
	g, err := artifact.Open(t.Context(), b, p.Current)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
}

// TestDamagedInputWritesNothing strikes every raw file and index.
func TestDamagedInputWritesNothing(t *testing.T) {
	w, at := world(t)
	objects, err := w.Bucket.List(t.Context(), "raw/")
	if err != nil {
		t.Fatal(err)
	}
	before := contents(t, w.Bucket, everything)
	strike := func(name, key string, damage func(b *bucket.Bucket) error) {
		b := copyOf(t, w.Bucket)
		if err := damage(b); err != nil {
			t.Fatal(err)
		}
		damaged := contents(t, b, everything)
		_, err := run(t.Context(), config(t, b), at)
		if err == nil || !strings.Contains(err.Error(), key) && !strings.Contains(err.Error(), "partition") {
			t.Errorf("%s %s: %v", name, key, err)
		}
		after := contents(t, b, func(key string) bool { return everything(key) && !strings.HasPrefix(key, "snapshots/") })
		if diff := cmp.Diff(damaged, after); diff != "" {
			t.Errorf("%s %s wrote something:\n%s", name, key, diff)
		}
	}
	for _, o := range objects {
		data, _, err := w.Bucket.Get(t.Context(), o.Key)
		if err != nil {
			t.Fatal(err)
		}
		strike("truncated", o.Key, func(b *bucket.Bucket) error {
			_, err := b.Put(t.Context(), o.Key, data[:len(data)/2])
			return err
		})
		if strings.HasSuffix(o.Key, ".parquet") || strings.HasPrefix(o.Key, "raw/index") {
			strike("missing", o.Key, func(b *bucket.Bucket) error { return b.Delete(t.Context(), o.Key) })
		}
		if strings.HasSuffix(o.Key, ".parquet") {
			flipped := bytes.Clone(data)
			flipped[len(flipped)/2] ^= 4
			strike("flipped", o.Key, func(b *bucket.Bucket) error {
				_, err := b.Put(t.Context(), o.Key, flipped)
				return err
			})
		}
	}
	if diff := cmp.Diff(before, contents(t, w.Bucket, everything)); diff != "" {
		t.Error(diff)
	}
	if len(objects) < 6 {
		t.Errorf("only %d objects were struck", len(objects))
	}
}
