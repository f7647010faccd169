//go:build integration

package faults

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/stream/ingest/deadletter"
)

// notices damages what a healthy run has left, one thing after the other, and wants the verifier to say so.
func notices(t *testing.T, s *suite) {
	t.Helper()
	err := play(t, s, row{n: 0, name: "the verifier notices", run: func(ctx context.Context, w *world) error {
		if err := underLoad(func(ctx context.Context, w *world, _, _ *process) error { return w.awaitSome(ctx, 600) })(ctx, w); err != nil {
			return err
		}
		for _, d := range damages() {
			undo, err := d.do(ctx, w)
			if err != nil {
				return fmt.Errorf("%s: %w", d.name, err)
			}
			if err := d.check(ctx, w); err == nil {
				return errors.New("nobody notices " + d.name)
			}
			if undo == nil {
				continue
			}
			if err := errors.Join(undo(), d.check(ctx, w)); err != nil {
				return fmt.Errorf("%s, undone: %w", d.name, err)
			}
		}
		return nil
	}}, *seedFlag)
	if err != nil {
		t.Error(err)
	}
}

// damage is what the check has to notice; do returns how it is undone, nil where it is not.
type damage struct {
	name  string
	do    func(ctx context.Context, w *world) (undo func() error, err error)
	check func(ctx context.Context, w *world) error
}

func damages() []damage {
	live := func(ctx context.Context, w *world) error { return w.checkLive(ctx, w.catalogue, 0) }
	archived := func(ctx context.Context, w *world) error { return w.checkArchive(ctx) }
	return []damage{
		{"an acknowledgement of another place", func(_ context.Context, w *world) (func() error, error) {
			w.acked[3].offset++
			return func() error { w.acked[3].offset--; return nil }, nil
		}, func(_ context.Context, w *world) error { return w.checkAcknowledged() }},
		{"a record that nobody acknowledged any more", func(_ context.Context, w *world) (func() error, error) {
			kept := w.log[1]
			w.log[1] = w.log[1][:len(kept)/2]
			return func() error { w.log[1] = kept; return nil }, nil
		}, func(_ context.Context, w *world) error { return w.checkAcknowledged() }},
		{"the state of a user that is gone", func(ctx context.Context, w *world) (func() error, error) {
			return w.replaceUser(ctx, nil)
		}, live},
		{"the state of another user", func(ctx context.Context, w *world) (func() error, error) {
			other, err := w.userBlob(ctx, 1)
			if err != nil {
				return nil, err
			}
			return w.replaceUser(ctx, other)
		}, live},
		{"an event that counts twice", func(_ context.Context, w *world) (func() error, error) {
			i := w.aValidOne()
			kept := w.log[0][i].fact.event.ID
			w.log[0][i].fact.event.ID = "another"
			w.log[0] = append(w.log[0], w.log[0][i])
			w.log[0][len(w.log[0])-1].fact.event.ID = "one more"
			return func() error { w.log[0][i].fact.event.ID, w.log[0] = kept, w.log[0][:len(w.log[0])-1]; return nil }, nil
		}, live},
		{"an object that is gone", func(ctx context.Context, w *world) (func() error, error) {
			x, _, err := indexOf(ctx, w.bucket, 0)
			if err != nil {
				return nil, err
			}
			data, _, err := w.bucket.Get(ctx, x.Objects[0].Key)
			if err != nil {
				return nil, err
			}
			return func() error { _, err := w.bucket.Put(ctx, x.Objects[0].Key, data); return err }, w.bucket.Delete(ctx, x.Objects[0].Key)
		}, archived},
		{"a gap in the chain", func(ctx context.Context, w *world) (func() error, error) {
			var x model.Index
			attrs, err := w.bucket.GetJSON(ctx, model.IndexKey(0), &x)
			if err != nil {
				return nil, err
			}
			kept := x.Objects
			x.Objects = kept[1:]
			etag, err := w.bucket.PutJSONIfMatch(ctx, model.IndexKey(0), x, attrs.ETag)
			return func() error {
				x.Objects = kept
				_, err := w.bucket.PutJSONIfMatch(ctx, model.IndexKey(0), x, etag)
				return err
			}, err
		}, archived},
		{"a dead letter of a valid record", func(ctx context.Context, w *world) (func() error, error) {
			at := event.Position{TopicID: w.topicID, Partition: 0, Offset: w.log[0][w.aValidOne()].offset}
			letter := deadletter.FromLog(w.dlq, at, &event.Rejection{Reason: event.ReasonMalformed}, event.Record{Value: []byte("x")})
			return nil, w.client.ProduceSync(ctx, []*kgo.Record{letter}...).FirstErr()
		}, func(ctx context.Context, w *world) error { return w.checkLetters(ctx) }},
	}
}

// aValidOne is the place of a valid record in what was read of partition 0.
func (w *world) aValidOne() int {
	for i, e := range w.log[0] {
		if !e.isMark && !e.control && !e.fact.invalid {
			return i
		}
	}
	return 0
}

// userKey is the key of the n-th user of partition 0, by their first events.
func (w *world) userKey(ctx context.Context, n int) (string, error) {
	fences, err := w.fences(ctx, w.catalogue)
	if err != nil {
		return "", err
	}
	var users []string
	for _, e := range w.log[0] {
		user := e.fact.event.UserID
		if user != "" && !e.fact.invalid && (len(users) == 0 || users[0] != user) {
			if users = append(users, user); len(users) > n {
				return w.keys(w.catalogue, 0).User(fences[0].Incarnation, users[n]), nil
			}
		}
	}
	return "", fmt.Errorf("partition 0 has fewer than %d users", n+1)
}

func (w *world) userBlob(ctx context.Context, n int) ([]byte, error) {
	key, err := w.userKey(ctx, n)
	if err != nil {
		return nil, err
	}
	return w.redis.Get(ctx, key).Bytes()
}

// replaceUser gives the first user another state, or none.
func (w *world) replaceUser(ctx context.Context, with []byte) (undo func() error, err error) {
	key, err := w.userKey(ctx, 0)
	if err != nil {
		return nil, err
	}
	kept, err := w.redis.Get(ctx, key).Bytes()
	if err != nil {
		return nil, err
	}
	undo = func() error { return w.redis.Set(ctx, key, kept, 0).Err() }
	if with == nil {
		return undo, w.redis.Del(ctx, key).Err()
	}
	return undo, w.redis.Set(ctx, key, with, 0).Err()
}
