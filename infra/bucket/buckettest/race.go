package buckettest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/anabranch/anabranch/infra/bucket"
)

// racers is how many writers race for one key.
const racers = 16

// outcome is what each of several parallel workers returned.
type outcome []error

// inParallel runs n workers that start together, and waits for all.
func inParallel(n int, run func(worker int) error) outcome {
	errs := make(outcome, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = run(i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}

// check fails the test for any error.
func (o outcome) check(t *testing.T) {
	t.Helper()
	if err := errors.Join(o...); err != nil {
		t.Fatal(err)
	}
}

// winner returns the one worker that succeeded, when all others got lost.
func (o outcome) winner(t *testing.T, lost error) int {
	t.Helper()
	won := -1
	for i, err := range o {
		switch {
		case err == nil && won >= 0:
			t.Fatalf("writers %d and %d both succeeded", won, i)
		case err == nil:
			won = i
		case !errors.Is(err, lost):
			t.Fatalf("writer %d: error %v, want %v", i, err, lost)
		}
	}
	if won < 0 {
		t.Fatal("no writer succeeded")
	}
	return won
}

func handles(open func() *bucket.Bucket) []*bucket.Bucket {
	all := make([]*bucket.Bucket, racers)
	for i := range all {
		all[i] = open()
	}
	return all
}

func testRacePutIfAbsent(t *testing.T, open func() *bucket.Bucket) {
	all := handles(open)
	for round := range 8 {
		key := fmt.Sprintf("race/%d/k", round)
		etags := make([]string, racers)
		won := inParallel(racers, func(i int) (err error) {
			etags[i], err = all[i].PutIfAbsent(t.Context(), key, []byte("writer "+strconv.Itoa(i)))
			return err
		}).winner(t, bucket.ErrExists)
		wantObject(t, open(), key, []byte("writer "+strconv.Itoa(won)), etags[won])
	}
}

func testRacePutIfMatch(t *testing.T, open func() *bucket.Bucket) {
	all := handles(open)
	etag := put(t, all[0], "k", []byte("start"))
	for round := range 8 {
		etags := make([]string, racers)
		content := func(i int) []byte { return fmt.Appendf(nil, "round %d writer %d", round, i) }
		won := inParallel(racers, func(i int) (err error) {
			etags[i], err = all[i].PutIfMatch(t.Context(), "k", content(i), etag)
			return err
		}).winner(t, bucket.ErrPrecondition)
		etag = etags[won]
		wantObject(t, open(), "k", content(won), etag)
	}
}

// testRaceCounter increments one number by read and compare-and-swap.
func testRaceCounter(t *testing.T, open func() *bucket.Bucket) {
	const each = 4
	all := handles(open)
	put(t, all[0], "counter", []byte("0"))
	inParallel(racers, func(i int) error {
		for range each {
			if err := increment(t, all[i]); err != nil {
				return err
			}
		}
		return nil
	}).check(t)
	data, _, err := all[0].Get(t.Context(), "counter")
	if err != nil {
		t.Fatal(err)
	}
	if want := strconv.Itoa(racers * each); string(data) != want {
		t.Fatalf("the counter is %s after %s increments", data, want)
	}
}

func increment(t *testing.T, b *bucket.Bucket) error {
	for {
		data, attrs, err := b.Get(t.Context(), "counter")
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(string(data))
		if err != nil {
			return err
		}
		_, err = b.PutIfMatch(t.Context(), "counter", []byte(strconv.Itoa(n+1)), attrs.ETag)
		if !errors.Is(err, bucket.ErrPrecondition) {
			return err
		}
	}
}

// testRaceReaders reads an object while it is replaced: every read is one whole
// version, with the attributes of that version.
func testRaceReaders(t *testing.T, open func() *bucket.Bucket) {
	version := func(i int) []byte { return bytes.Repeat([]byte{byte('a' + i)}, 40_000+i) }
	writer := open()
	put(t, writer, "k", version(0))
	written := make(chan struct{})
	readers := 4
	inParallel(readers+1, func(i int) error {
		if i == readers {
			defer close(written)
			for v := range 20 {
				if _, err := writer.Put(t.Context(), "k", version(v)); err != nil {
					return err
				}
			}
			return nil
		}
		return readUntil(t, open(), written, version)
	}).check(t)
}

func readUntil(t *testing.T, b *bucket.Bucket, done <-chan struct{}, version func(int) []byte) error {
	for {
		data, attrs, err := b.Get(t.Context(), "k")
		if err != nil {
			return err
		}
		if len(data) == 0 || !slices.Equal(data, version(int(data[0]-'a'))) {
			return fmt.Errorf("read %d bytes that no Put wrote", len(data))
		}
		if attrs.Size != int64(len(data)) {
			return fmt.Errorf("attributes of another version: %d bytes, read %d", attrs.Size, len(data))
		}
		select {
		case <-done:
			return nil
		default:
		}
	}
}
