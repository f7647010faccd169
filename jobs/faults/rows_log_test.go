//go:build integration

package faults

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/anabranch/anabranch/infra/kafka"
)

// recreated deletes the topic under everybody and makes it again. Live state has to halt and say what to do; what it
// says is then done.
func recreated(ctx context.Context, w *world) error {
	if err := w.createTopics(ctx, nil); err != nil {
		return err
	}
	l, a, err := w.pair()
	if err != nil {
		return err
	}
	s := w.newShop()
	if err := w.sendOrdinary(ctx, s, 1000); err != nil {
		return err
	}
	if err := w.settle(ctx); err != nil {
		return err
	}
	if _, err := w.admin.DeleteTopic(ctx, w.topic); err != nil {
		return fmt.Errorf("delete the topic: %w", err)
	}
	if err := await(ctx, "the topic is made again", func() (bool, error) {
		_, err := w.admin.CreateTopic(ctx, w.partitions, 1, nil, w.topic)
		return err == nil, nil
	}); err != nil {
		return err
	}
	old := w.topicID
	if err := await(ctx, "the topic has another id", func() (bool, error) { return w.topicID != old, w.awaitTopics(ctx) }); err != nil {
		return err
	}
	if code, err := a.wait(patience); err != nil || code == 0 || !a.says("the topic was") {
		return errors.Join(fmt.Errorf("the archiver of a topic that was made anew ended with code %d and\n%s", code, a.tail()), err)
	}
	if w.rng.IntN(2) == 0 { // a successor has to halt as well
		l.kill()
		if l, err = w.start(roleLive); err != nil {
			return err
		}
	}
	if err := l.awaitLog(ctx, "deleted and created anew"); err != nil {
		return err
	}
	if !l.says("live partition halted") || !l.says("delete the key") && !l.says("stream rebuild") {
		return fmt.Errorf("the halt does not say what to do:\n%s", l.tail())
	}
	if err := l.stop(); err != nil {
		return err
	}
	for p := range w.partitions {
		if err := w.redis.Del(ctx, w.keys(w.catalogue, p).Fence()).Err(); err != nil {
			return fmt.Errorf("delete the fence: %w", err)
		}
	}
	return w.onAnew(ctx, s)
}

// onAnew goes on with the new topic and an empty bucket.
func (w *world) onAnew(ctx context.Context, s *shop) error {
	w.log, w.acked, w.marks = nil, nil, 0
	w.bucketURL = strings.Replace(w.bucketURL, "/faults-", "/faults-anew-", 1)
	var err error
	if w.bucket, err = openBucket(ctx, w.bucketURL); err != nil {
		return err
	}
	if err := w.redial(); err != nil { // a client never adopts the new topic
		return err
	}
	if _, _, err := w.pair(); err != nil {
		return err
	}
	if err := w.sendOrdinary(ctx, s, 500); err != nil {
		return err
	}
	return w.settle(ctx)
}

// grown adds a partition to the events topic, as an operator may who wants more parallelism: keys would then go elsewhere than
// their history. Commands have to refuse, and to say how it is done. Those that run on meanwhile take the records of users who
// went elsewhere for invalid (event.ReasonPartition), which makes them dead letters; this row does not play that.
func grown(ctx context.Context, w *world) error {
	if _, err := w.ownRedis(ctx); err != nil {
		return err
	}
	if err := w.productTopics(ctx); err != nil {
		return err
	}
	var running []*process
	for _, command := range []string{"stream", "archive"} {
		p, err := w.product(command)
		if err != nil {
			return err
		}
		running = append(running, p)
	}
	if err := w.sendOrdinary(ctx, w.newShop(), 800); err != nil {
		return err
	}
	if err := w.settle(ctx); err != nil {
		return err
	}
	for _, p := range running {
		if err := p.stop(); err != nil {
			return err
		}
	}
	if _, err := w.admin.CreatePartitions(ctx, 1, w.topic); err != nil {
		return fmt.Errorf("add a partition: %w", err)
	}
	if err := await(ctx, "the topic has another partition", func() (bool, error) {
		details, err := w.admin.ListTopics(kadm.WithAuthorizedOps(ctx), w.topic)
		return err == nil && len(details[w.topic].Partitions) == int(w.partitions)+1, nil
	}); err != nil {
		return err
	}
	for _, command := range []string{"stream", "archive"} {
		p, err := w.product(command)
		if err != nil {
			return err
		}
		const most = 10 * time.Second
		code, err := p.wait(most)
		if err != nil {
			return fmt.Errorf("anabranch %s runs on a topic that has grown from %d to %d partitions: %w", command, w.partitions, w.partitions+1, err)
		}
		if code != 2 || !p.says("partitions") || !p.says("anabranch import") {
			return fmt.Errorf("anabranch %s on a topic that has grown ended with code %d and does not say how it is done:\n%s", command, code, p.tail())
		}
	}
	return w.checkLive(ctx, w.catalogue, 0)
}

// expired lets retention take what live state has not read yet. It has to go on with what there is, and nobody may be told a
// wrong value until a generation covers the gap.
func expired(ctx context.Context, w *world) error {
	if _, err := w.ownRedis(ctx); err != nil {
		return err
	}
	if err := w.productTopics(ctx); err != nil {
		return err
	}
	stream, err := w.product("stream")
	if err != nil {
		return err
	}
	if _, err := w.product("archive"); err != nil {
		return err
	}
	s := w.newShop()
	if err := w.sendOrdinary(ctx, s, 900); err != nil {
		return err
	}
	if err := w.awaitLive(ctx, w.catalogue); err != nil {
		return err
	}
	if err := w.night(ctx, 1); err != nil {
		return err
	}
	if err := stream.stop(); err != nil {
		return err
	}
	if err := w.sendOrdinary(ctx, s, 600); err != nil {
		return err
	}
	if err := w.night(ctx, 2); err != nil {
		return err
	}
	if err := w.checkLog(ctx); err != nil { // while it is there
		return err
	}
	end, err := kafka.EndOffsets(ctx, w.client, w.topic)
	if err != nil {
		return err
	}
	gone := kadm.Offsets{}
	for p, at := range end {
		gone.AddOffset(w.topic, p, at-1, -1) // all but mark 2
	}
	if _, err := w.admin.DeleteRecords(ctx, gone); err != nil {
		return fmt.Errorf("delete records: %w", err)
	}
	if err := w.sendOrdinary(ctx, s, 300); err != nil {
		return err
	}
	if stream, err = w.product("stream"); err != nil {
		return err
	}
	if err := w.checkLog(ctx); err != nil {
		return err
	}
	svc, err := w.serve(ctx, "a")
	if err != nil {
		return err
	}
	// Before it has been opened, while it is filled and afterwards.
	if err := w.checkServed(ctx, svc, mayBeDegraded); err != nil {
		return err
	}
	if err := w.awaitLive(ctx, w.catalogue); err != nil {
		return fmt.Errorf("%w; the stream's log ends:\n%s", err, stream.tail())
	}
	if err := w.checkServed(ctx, svc, mustBeDegraded); err != nil {
		return err
	}
	for n := 3; n <= 4; n++ {
		if err := w.night(ctx, n); err != nil {
			return err
		}
		if err := w.sendOrdinary(ctx, s, 100); err != nil {
			return err
		}
	}
	if err := svc.Refresh(ctx); err != nil {
		return fmt.Errorf("serve generation 4: %w", err)
	}
	if err := w.awaitLive(ctx, w.catalogue); err != nil {
		return err
	}
	if err := w.checkLog(ctx); err != nil {
		return err
	}
	return w.checkServed(ctx, svc, mustBeExact)
}

// stale keeps a server on an older generation until the epochs that it would need from live state are trimmed.
func stale(ctx context.Context, w *world) error {
	if _, err := w.ownRedis(ctx); err != nil {
		return err
	}
	if err := w.productTopics(ctx); err != nil {
		return err
	}
	for _, command := range []string{"stream", "archive"} {
		if _, err := w.product(command); err != nil {
			return err
		}
	}
	s := w.newShop()
	if err := w.sendOrdinary(ctx, s, 600); err != nil {
		return err
	}
	if err := w.awaitLive(ctx, w.catalogue); err != nil {
		return err
	}
	if err := w.night(ctx, 1); err != nil {
		return err
	}
	old, err := w.serve(ctx, "old")
	if err != nil {
		return err
	}
	if err := w.caughtUp(ctx); err != nil {
		return err
	}
	if err := w.checkServed(ctx, old, mustBeExact); err != nil {
		return err
	}
	for n := 2; n <= 3; n++ {
		if err := w.sendOrdinary(ctx, s, 300); err != nil {
			return err
		}
		if err := w.night(ctx, n); err != nil {
			return err
		}
	}
	if err := w.sendOrdinary(ctx, s, 100); err != nil {
		return err
	}
	// The floor rises while the old server answers: each answer is right, or says that it may not be.
	if err := await(ctx, "the floor has risen", func() (bool, error) {
		fences, err := w.fences(ctx, w.catalogue)
		if err != nil || fences == nil {
			return false, err
		}
		for _, f := range fences {
			if f.Base < 2 {
				return false, nil
			}
		}
		return true, nil
	}); err != nil {
		return err
	}
	if err := w.caughtUp(ctx); err != nil {
		return err
	}
	if err := w.checkServed(ctx, old, mustBeDegraded); err != nil {
		return err
	}
	if err := old.Refresh(ctx); err != nil {
		return fmt.Errorf("serve generation 3: %w", err)
	}
	if err := w.checkServed(ctx, old, mustBeExact); err != nil {
		return err
	}
	return w.checkLetters(ctx)
}

// caughtUp waits for live state and reads the log.
func (w *world) caughtUp(ctx context.Context) error {
	if err := w.awaitLive(ctx, w.catalogue); err != nil {
		return err
	}
	return w.checkLog(ctx)
}
