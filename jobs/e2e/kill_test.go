package e2e_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/bucket/filebucket"
	"github.com/anabranch/anabranch/schemas/model"
)

// seedVar repeats a run of a random test.
const seedVar = "ANABRANCH_E2E_SEED"

// seed returns the seed of the test and prints it.
func seed(t *testing.T) uint64 {
	t.Helper()
	s := uint64(time.Now().UnixNano())
	if given := os.Getenv(seedVar); given != "" {
		n, err := strconv.ParseUint(given, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", seedVar, err)
		}
		s = n
	}
	t.Logf("%s=%d", seedVar, s)
	return s
}

// smallShop are the flags of a dev that starts in about two seconds. Nobody but the test sends events.
func smallShop(data, address string, more ...string) []string {
	return append([]string{
		"dev", "--json", "--data", data, "--listen", address, "--rate", "0",
		"--shop-users", "300", "--shop-items", "150", "--shop-events", "20000", "--shop-days", "5",
	}, more...)
}

// TestKill kills dev at random moments while a crowd posts events. In the end everything that was
// acknowledged counts exactly once in every layer.
func TestKill(t *testing.T) {
	s := seed(t)
	rng := rand.New(rand.NewPCG(s, 0))
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	data, address := t.TempDir(), freePort(t)
	args := smallShop(data, address, "--period", "10s")
	b, err := filebucket.Open(filepath.Join(data, "bucket"))
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, "http://"+address, "http://"+address)
	crowd := startCrowd(ctx, t, c, s)

	for i, moment := range []struct {
		during string
		wait   func(p *process)
		within time.Duration
	}{
		{"the import", nothing, 1500 * time.Millisecond},
		{"the first night", nothing, 3 * time.Second},
		{"traffic", func(p *process) { p.waitReady(t, time.Minute) }, 3 * time.Second},
		{"a night", func(*process) { waitMark(ctx, t, b) }, 300 * time.Millisecond},
		{"recovery", nothing, 1200 * time.Millisecond},
		{"the start of a night", func(*process) { waitMark(ctx, t, b) }, 60 * time.Millisecond},
	} {
		p := start(t, args...)
		moment.wait(p)
		after := time.Duration(rng.Int64N(int64(moment.within)))
		select {
		case <-p.done:
			t.Fatalf("dev ended by itself: %s\n%s", p.cmd.ProcessState, p.tail(4<<10))
		case <-time.After(after):
		}
		p.kill()
		t.Logf("kill %d: %s after the begin of %s, %d events acknowledged", i+1, after, moment.during, crowd.total())
	}

	p := start(t, args...)
	p.waitReady(t, time.Minute)
	crowd.finish(t)
	history := readEvents(t, filepath.Join(data, "shop-history.csv"))
	count := newRecount(history, crowd.acked)
	t.Logf("%d events acknowledged, %d requests repeated", len(crowd.acked), crowd.retries)
	if crowd.retries == 0 || len(crowd.acked) < 1000 {
		t.Errorf("the test is too tame")
	}
	count.check(ctx, t, c, crowd.ends)
	if _, code := p.interrupt(t, 5*time.Second); code != 0 {
		t.Errorf("dev ended with exit code %d\n%s", code, p.tail(4<<10))
	}

	closeNow(ctx, t, b, data)
	repeats := checkArchive(ctx, t, b, crowd.acked)
	if counts := checkGenerations(ctx, t, b).Counts; counts.Events != int64(count.total) || counts.Duplicates != int64(repeats) || counts.Rejected != 0 {
		t.Errorf("the last generation counts %+v; the recount has %d events, the archive %d repetitions", counts, count.total, repeats)
	}
	p = start(t, smallShop(data, address)...)
	p.waitReady(t, time.Minute)
	count.check(ctx, t, c, crowd.ends)
	acked := append(crowd.acked, someMore(ctx, t, c, s+1).acked...)
	closeNow(ctx, t, b, data)
	p.kill()

	// Both retained generations are now beyond the first marks, so live state begins in the middle of the log.
	start(t, smallShop(data, address)...).waitReady(t, time.Minute)
	last := someMore(ctx, t, c, s+2)
	newRecount(history, acked, last.acked).check(ctx, t, c, last.ends)
}

// someMore has a crowd send a few hundred events.
func someMore(ctx context.Context, t *testing.T, c *client, seed uint64) *crowd {
	t.Helper()
	w := startCrowd(ctx, t, c, seed)
	if err := until(ctx, "some more events are acknowledged", func() (bool, error) { return w.total() >= 500, nil }); err != nil {
		t.Fatal(err)
	}
	w.finish(t)
	return w
}

func nothing(*process) {}

// waitMark waits until a mark is written that was not there before.
func waitMark(ctx context.Context, t *testing.T, b *bucket.Bucket) {
	t.Helper()
	n := int64(len(listMarks(ctx, t, b)) + 1)
	err := until(ctx, fmt.Sprintf("mark %d is written", n), func() (bool, error) {
		_, err := b.Head(ctx, model.MarkKey(n))
		return err == nil, err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// closeNow closes the last epoch with the nightly command, as soon as its label may rise.
func closeNow(ctx context.Context, t *testing.T, b *bucket.Bucket, data string, flags ...string) {
	t.Helper()
	label := newLabel(ctx, t, b)
	mustRun(t, append([]string{"nightly", "--data", data, "--date", label.Format(time.RFC3339)}, flags...)...)
}

// newLabel returns a label that may follow the last one, and waits until it is in the past.
func newLabel(ctx context.Context, t *testing.T, b *bucket.Bucket) time.Time {
	t.Helper()
	marks := listMarks(ctx, t, b)
	label := time.Now().UTC().Truncate(time.Second)
	if n := len(marks); n > 0 && !label.After(marks[n-1].Label) {
		label = marks[n-1].Label.Add(time.Second)
	}
	if err := until(ctx, "the label is in the past", func() (bool, error) { return !label.After(time.Now()), nil }); err != nil {
		t.Fatal(err)
	}
	return label
}
