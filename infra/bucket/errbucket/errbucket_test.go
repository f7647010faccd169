package errbucket_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/bucket/buckettest"
	"github.com/anabranch/anabranch/infra/bucket/errbucket"
	"github.com/anabranch/anabranch/infra/bucket/filebucket"
)

func open(t *testing.T, faults ...errbucket.Fault) (clean, faulty *bucket.Bucket, inj *errbucket.Injector) {
	t.Helper()
	clean, err := filebucket.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	faulty, inj = errbucket.Wrap(clean, faults...)
	return clean, faulty, inj
}

// Without faults the decorator changes nothing.
func TestConformance(t *testing.T) {
	if testing.Short() {
		t.Skip("filebucket runs the same suite")
	}
	buckettest.Run(t, buckettest.Harness{
		New: func(t *testing.T) func() *bucket.Bucket {
			_, b, _ := open(t)
			return func() *bucket.Bucket { return b }
		},
	})
}

func put(t *testing.T, b *bucket.Bucket, key, data string) error {
	t.Helper()
	_, err := b.Put(t.Context(), key, []byte(data))
	return err
}

func stored(t *testing.T, b *bucket.Bucket, key string) bool {
	t.Helper()
	_, err := b.Head(t.Context(), key)
	if err != nil && !errors.Is(err, bucket.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

func TestEffectsOnWrites(t *testing.T) {
	for _, tc := range []struct {
		name                    string
		effect                  errbucket.Effect
		applied, alive, crashed bool
	}{
		{"Fail", errbucket.Fail, false, true, false},
		{"FailAfter", errbucket.FailAfter, true, true, false},
		{"Crash", errbucket.Crash, false, false, true},
		{"CrashAfter", errbucket.CrashAfter, true, false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			clean, faulty, inj := open(t, errbucket.Fault{Match: errbucket.Writes("x/"), Nth: 2, Effect: tc.effect})
			for _, key := range []string{"x/1", "y/1"} {
				if err := put(t, faulty, key, key); err != nil {
					t.Fatal(err)
				}
			}
			if err := put(t, faulty, "x/2", "2"); !errors.Is(err, errbucket.ErrInjected) {
				t.Fatalf("the second write below x/: %v", err)
			}
			if got := stored(t, clean, "x/2"); got != tc.applied {
				t.Errorf("applied: %v, want %v", got, tc.applied)
			}
			if err := put(t, faulty, "x/3", "3"); (err == nil) != tc.alive {
				t.Errorf("the write after the fault: %v", err)
			}
			if inj.Crashed() != tc.crashed {
				t.Errorf("Crashed() = %v", inj.Crashed())
			}
		})
	}
}

func TestEffectsOnReads(t *testing.T) {
	clean, faulty, inj := open(t,
		errbucket.Fault{Match: errbucket.Reads("cut"), Effect: errbucket.Truncate},
		errbucket.Fault{Match: errbucket.Reads("bad"), Effect: errbucket.Corrupt},
	)
	for _, key := range []string{"cut", "bad", "good"} {
		if err := put(t, clean, key, "some content"); err != nil {
			t.Fatal(err)
		}
	}
	_, _, err := faulty.Get(t.Context(), "cut")
	if !errors.Is(err, io.ErrUnexpectedEOF) || !errors.Is(err, errbucket.ErrInjected) {
		t.Errorf("Get of a truncated object: %v", err)
	}
	data, _, err := faulty.Get(t.Context(), "bad")
	if err != nil || bytes.Equal(data, []byte("some content")) {
		t.Errorf("Get of a corrupt object: %q, %v", data, err)
	}
	if data, _, err = faulty.Get(t.Context(), "good"); err != nil || string(data) != "some content" {
		t.Errorf("Get of a good object: %q, %v", data, err)
	}
	want := []errbucket.Op{{Kind: errbucket.Open, Key: "cut"}, {Kind: errbucket.Open, Key: "bad"}, {Kind: errbucket.Open, Key: "good"}}
	if diff := cmp.Diff(want, inj.Ops()); diff != "" {
		t.Errorf("Ops (-want +got):\n%s", diff)
	}
}
