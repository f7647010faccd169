//go:build integration

package faults

import (
	"bytes"
	"context"
	"time"
)

// poison mixes records into the log that no codec can read, 1 in 1000 of many and some of each kind.
func poison(ctx context.Context, w *world) error {
	const big = "max.message.bytes"
	if err := w.createTopics(ctx, map[string]string{big: "8388608"}); err != nil {
		return err
	}
	if _, _, err := w.pair(); err != nil {
		return err
	}
	kinds := []draft{
		invalid("u1", []byte(`{"event_id":"x","user_id":`)),
		invalid("u2", nil),
		invalid("u3", []byte("{\"event_id\":\"x\",\"user_id\":\"u3\",\"item_id\":\"\xff\xfe\",\"type\":\"view\",\"event_time\":1767225600000}")),
		invalid("u4", bytes.Repeat([]byte("x"), 2<<20)),
		invalid("u5", []byte{0, 1, 2, 3, 0xff}),
		invalid("\xff\xfe", []byte(`[]`)),
		invalid("u6", []byte("\n")),
	}
	s := w.newShop()
	for range 5 {
		drafts, err := s.ordinary(700)
		if err != nil {
			return err
		}
		at := w.rng.IntN(len(drafts))
		drafts[at] = kinds[w.rng.IntN(len(kinds))]
		if err := w.send(ctx, drafts); err != nil {
			return err
		}
	}
	if err := w.mark(ctx); err != nil {
		return err
	}
	for _, k := range kinds {
		k.at = time.Now().Add(-time.Duration(w.rng.IntN(1000)) * time.Millisecond)
		if err := w.send(ctx, []draft{k}); err != nil {
			return err
		}
	}
	return w.settle(ctx)
}
