//go:build integration

package e2e_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/bucket/s3bucket"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/scripts/testenv/env"
	"github.com/anabranch/anabranch/scripts/testenv/need"
)

// realServers starts a Kafka and a Redis of the test's own, because topics and keys have fixed names,
// and takes a new prefix in the common S3 bucket. It returns the flags that name them.
func realServers(ctx context.Context, t *testing.T) (flags []string, b *bucket.Bucket) {
	t.Helper()
	need.Kafka(t) // that they are given says that they can be started
	need.Redis(t)
	location := strings.Replace(need.S3(t), "?", "/e2e-"+strings.ToLower(ulid.Make().String())+"?", 1)
	launch := func(start func(context.Context, env.Config) (*env.Server, error)) string {
		s, err := start(ctx, env.Config{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Stop(); err != nil {
				t.Error(err)
			}
		})
		return s.Addr
	}
	options, err := s3bucket.ParseURL(location)
	if err != nil {
		t.Fatal(err)
	}
	if b, err = s3bucket.Open(ctx, options); err != nil {
		t.Fatal(err)
	}
	return []string{"--kafka", launch(env.StartKafka), "--redis", launch(env.StartRedis), "--bucket", location}, b
}

// TestIntegrationRealServers runs the pipeline on Apache Kafka, redis-server and an S3 server: first
// dev, under SIGKILL; then, going on from what it left, one process for each role.
func TestIntegrationRealServers(t *testing.T) {
	s := seed(t)
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	servers, b := realServers(ctx, t)
	data := t.TempDir()
	acked := devOnRealServers(ctx, t, s, servers, b, data)
	rolesOnRealServers(ctx, t, s+1, servers, b, data, acked)
}

// devOnRealServers returns what was acknowledged.
func devOnRealServers(ctx context.Context, t *testing.T, s uint64, servers []string, b *bucket.Bucket, data string) []event.Event {
	t.Helper()
	rng := rand.New(rand.NewPCG(s, 0))
	address := freePort(t)
	args := append(smallShop(data, address, "--period", "10s"), servers...)
	p := start(t, args...)
	ready := p.waitReady(t, time.Minute)
	t.Logf("dev is ready after %.1f s", ready.Seconds)
	c := newClient(t, ready.URL, ready.URL)
	crowd := startCrowd(ctx, t, c, s)
	for _, night := range []bool{false, true} {
		within := 3 * time.Second
		if night {
			waitMark(ctx, t, b)
			within = 400 * time.Millisecond
		}
		wait(ctx, time.Duration(rng.Int64N(int64(within))))
		p.kill()
		p = start(t, args...)
		p.waitReady(t, time.Minute)
	}
	waitCaughtUp(ctx, t, c, crowd)
	views := viewedIsKnown(ctx, t, c, "view-1")
	crowd.finish(t)
	acked := slices.Concat(crowd.acked, views)
	t.Logf("%d events acknowledged, %d requests repeated", len(crowd.acked), crowd.retries)

	count := newRecount(readEvents(t, filepath.Join(data, "shop-history.csv")), acked)
	count.check(ctx, t, c, crowd.ends)
	waitSwap(ctx, t, c)
	count.check(ctx, t, c, crowd.ends)
	if took, code := p.interrupt(t, 5*time.Second); code != 0 {
		t.Errorf("dev ended with exit code %d after %s\n%s", code, took, p.tail(4<<10))
	}
	return acked
}

// rolesOnRealServers runs ingest, stream, archive, serve and nightly as processes of their own.
func rolesOnRealServers(ctx context.Context, t *testing.T, s uint64, servers []string, b *bucket.Bucket, data string, before []event.Event) {
	t.Helper()
	role := func(name string, flags ...string) *process {
		return start(t, append(append([]string{name, "--data", filepath.Join(data, name)}, flags...), servers...)...)
	}
	front, answers := freePort(t), freePort(t)
	role("ingest", "--listen", front)
	role("serve", "--listen", answers)
	stream := role("stream", "--listen", freePort(t))
	archive := role("archive", "--listen", freePort(t))
	c := newClient(t, "http://"+front, "http://"+answers)
	crowd := startCrowd(ctx, t, c, s)
	for _, killed := range []int{300, 600} {
		if err := until(ctx, "the crowd has sent something", func() (bool, error) { return crowd.total() >= killed, nil }); err != nil {
			t.Fatal(err)
		}
		stream.kill()
		archive.kill()
		stream, archive = role("stream", "--listen", freePort(t)), role("archive", "--listen", freePort(t))
	}
	waitCaughtUp(ctx, t, c, crowd)
	views := viewedIsKnown(ctx, t, c, "view-2")
	crowd.finish(t)

	all := slices.Concat(before, crowd.acked, views)
	count := newRecount(readEvents(t, filepath.Join(data, "shop-history.csv")), all)
	was := count.check(ctx, t, c, crowd.ends)
	closeAtOnce(ctx, t, b, data, servers...)
	g := currentGeneration(t, data, servers[len(servers)-2:]...)
	if was[g.ID] {
		t.Errorf("the night published nothing new: %s", g.ID)
	}
	if err := until(ctx, "the new generation is served", func() (bool, error) {
		f, err := c.user(ctx, "u1")
		return f.Receipt.Generation == g.ID, err
	}); err != nil {
		t.Fatal(err)
	}
	count.check(ctx, t, c, crowd.ends)
	repeats := checkArchive(ctx, t, b, all)
	if counts := checkGenerations(ctx, t, b).Counts; counts.Events != int64(count.total) || counts.Duplicates != int64(repeats) {
		t.Errorf("the last generation counts %+v; the recount has %d events, the archive %d repetitions", counts, count.total, repeats)
	}
}

// closeAtOnce is closeNow by two processes at once: one of them does the work, the other says that somebody else does.
func closeAtOnce(ctx context.Context, t *testing.T, b *bucket.Bucket, data string, flags ...string) {
	t.Helper()
	label := newLabel(ctx, t, b)
	var codes [2]int
	var said [2]string
	var both sync.WaitGroup
	for i := range codes {
		both.Go(func() {
			folder := filepath.Join(data, fmt.Sprintf("night-%d", i))
			args := append([]string{"nightly", "--data", folder, "--date", label.Format(time.RFC3339)}, flags...)
			_, said[i], codes[i] = run(t, args...)
		})
	}
	both.Wait()
	loser := slices.Index(codes[:], 4)
	if loser < 0 || codes[1-loser] != 0 || !strings.Contains(said[loser], "is working on") {
		t.Fatalf("two nights at once end with %v:\n%s\n%s", codes, said[0], said[1])
	}
	runs := mustRun(t, "runs", "list", "--data", data, flags[len(flags)-2], flags[len(flags)-1])
	wantOutput(t, runs, label.Format(time.RFC3339)+"  done")
}

// viewedIsKnown views the first recommendation of somebody outside the crowd, twice. The second time
// the list has to know it within a second; the first time may last until Kafka has given the partitions
// of a killed process to the next one. It returns the events.
func viewedIsKnown(ctx context.Context, t *testing.T, c *client, id string) []event.Event {
	t.Helper()
	first, _ := viewOnce(ctx, t, c, id+"-first")
	second, took := viewOnce(ctx, t, c, id)
	if took > time.Second {
		t.Errorf("the view was known after %s", took)
	}
	return []event.Event{first, second}
}

func viewOnce(ctx context.Context, t *testing.T, c *client, id string) (event.Event, time.Duration) {
	t.Helper()
	const user = "u200"
	list, err := c.recommend(ctx, user, 20)
	if err != nil || len(list.Items) == 0 {
		t.Fatalf("recommendations of %s: %+v, %v", user, list, err)
	}
	e := event.Event{ID: id, UserID: user, ItemID: list.Items[0].ItemID, Type: "view", Time: event.MillisOf(time.Now())}
	if _, err := c.post(ctx, []event.Event{e}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	waitGone(ctx, t, c, user, e.ItemID)
	return e, time.Since(began)
}

// waitCaughtUp waits until live state has what is acknowledged by now. Kafka gives the partitions of a
// process that was killed to the next one only when its session has timed out.
func waitCaughtUp(ctx context.Context, t *testing.T, c *client, crowd *crowd) {
	t.Helper()
	began := time.Now()
	ends := crowd.known()
	answerThatKnows(ctx, t, ends, func() (features, error) { return c.item(ctx, "i1") })
	took := time.Since(began)
	t.Logf("live state has caught up %.1f s after the last start", took.Seconds())
	if took > 15*time.Second {
		t.Errorf("it took too long")
	}
}

// waitSwap waits until another generation is served than now.
func waitSwap(ctx context.Context, t *testing.T, c *client) {
	t.Helper()
	now := ""
	err := until(ctx, "another generation is served", func() (bool, error) {
		f, err := c.user(ctx, "u1")
		if err != nil {
			return false, err
		}
		if now == "" {
			now = f.Receipt.Generation
		}
		return f.Receipt.Generation != now, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// wait lets time pass, where a random moment is wanted.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
