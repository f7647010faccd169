//go:build integration

package faults

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/anabranch/anabranch/schemas/event"
)

// poison mixes records into the log that no codec can read: one of a thousand, then one of each kind.
func poison(ctx context.Context, w *world) error {
	if err := w.createTopics(ctx, map[string]string{"max.message.bytes": "8388608"}); err != nil {
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
	for range 4 {
		drafts, err := s.ordinary(1000)
		if err != nil {
			return err
		}
		drafts[w.rng.IntN(len(drafts))] = kinds[w.rng.IntN(len(kinds))]
		if err := w.send(ctx, drafts); err != nil {
			return err
		}
	}
	if err := w.mark(ctx); err != nil {
		return err
	}
	for _, k := range kinds {
		if err := w.send(ctx, []draft{k}); err != nil {
			return err
		}
	}
	return w.settle(ctx)
}

// duplicates sends one of ten events again: at once, after others, and after a mark or two.
func duplicates(ctx context.Context, w *world) error {
	s := w.newShop()
	var before []draft
	for epoch := range 3 {
		for range 3 {
			drafts, err := s.ordinary(300)
			if err != nil {
				return err
			}
			for i := range drafts {
				if len(before) > 0 && w.rng.IntN(10) == 0 {
					drafts[i] = before[len(before)-1-w.rng.IntN(min(len(before), 2000))]
				}
				before = append(before, drafts[i])
			}
			if err := w.send(ctx, drafts); err != nil {
				return err
			}
		}
		if epoch < 2 {
			if err := w.mark(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// eventClocks sends events of users whose clocks are wrong.
func eventClocks(ctx context.Context, w *world) error {
	s := w.newShop()
	const skew = 5 * time.Minute // the design's, spelled out here on purpose
	for range 300 {
		now := time.Now().Truncate(time.Millisecond)
		e := s.event()
		codec := []string{event.ContentTypeJSON, event.ContentTypeProtobuf}[w.rng.IntN(2)]
		wrong := true
		var text string // of a JSON time that the type cannot hold
		switch w.rng.IntN(9) {
		case 0:
			e.Time = event.MillisOf(now.Add(24 * time.Hour))
		case 1:
			e.Time, wrong = event.MillisOf(now.Add(-24*time.Hour)), false
		case 2:
			e.Time = event.MillisOf(time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC))
		case 3:
			e.Time, text = -1-event.Millis(w.rng.Int64N(1e12)), `"event_time":-5`
		case 4:
			e.Time, text = 0, `"event_id":"again"` // missing
		case 5:
			e.Time, wrong = event.MillisOf(now.Add(skew)), false
		case 6:
			e.Time = event.MillisOf(now.Add(skew)) + 1
		case 7:
			e.Time, wrong = 86_400_000, false // 1970-01-02
		case 8:
			wrong = false
		}
		var d draft
		var err error
		switch {
		case wrong && text != "" && codec == event.ContentTypeJSON:
			value := fmt.Sprintf(`{"event_id":%q,"user_id":%q,"item_id":"i1","type":"view"`, e.ID, e.UserID)
			if e.Time < 0 {
				value += "," + text
			}
			d = draft{key: e.UserID, value: []byte(value + "}")}
		default:
			if d, err = valid(e, codec); err != nil {
				return err
			}
		}
		d.invalid, d.at = wrong, now
		if err := w.send(ctx, []draft{d}); err != nil {
			return err
		}
	}
	return w.sendOrdinary(ctx, s, 200)
}

// late sends events that are late by days, in epochs that are not theirs.
func late(ctx context.Context, w *world) error {
	s := w.newShop()
	for epoch := range 4 {
		var drafts []draft
		for range 300 {
			e := s.event()
			e.Time -= event.Millis(time.Duration(w.rng.IntN(40)*24) * time.Hour / time.Millisecond)
			d, err := valid(e, "")
			if err != nil {
				return err
			}
			drafts = append(drafts, d)
		}
		if err := w.send(ctx, drafts); err != nil {
			return err
		}
		if epoch < 3 {
			if err := w.mark(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// versions mixes events of this version with those of producers that are ahead: unknown fields, types, kinds of values
// and codecs.
func versions(ctx context.Context, w *world) error {
	s := w.newShop()
	var drafts []draft
	for range 800 {
		e := s.event()
		kind := w.rng.IntN(7)
		if kind == 0 {
			e.Type = "teleport" // an unknown type is a valid event that no feature asks for
		}
		codec := []string{event.ContentTypeJSON, event.ContentTypeProtobuf}[w.rng.IntN(2)]
		d, err := valid(e, codec)
		if err != nil {
			return err
		}
		switch kind {
		case 1: // a field of v2: JSON is strict, Protobuf passes it over
			if codec == event.ContentTypeJSON {
				d.value, d.invalid = append([]byte(`{"mood":"happy",`), d.value[1:]...), true
			} else {
				d.value = protowire.AppendString(protowire.AppendTag(d.value, 99, protowire.BytesType), "v2")
			}
		case 2: // a codec of v2
			d.contentType, d.invalid = "application/x-protobuf; version=2", true
		case 3: // a kind of value of v2 in a property
			if codec == event.ContentTypeProtobuf {
				scalar := protowire.AppendFixed64(protowire.AppendTag(nil, 9, protowire.Fixed64Type), math.Float64bits(1))
				entry := protowire.AppendBytes(protowire.AppendTag(protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "k"), 2, protowire.BytesType), scalar)
				d.value, d.invalid = protowire.AppendBytes(protowire.AppendTag(d.value, 9, protowire.BytesType), entry), true
			}
		case 4: // the codec that the header does not name
			if codec == event.ContentTypeProtobuf {
				d.contentType, d.invalid = event.ContentTypeJSON, true
			}
		}
		drafts = append(drafts, d)
	}
	return w.send(ctx, drafts)
}

// hotItem lets one item take half of the traffic.
func hotItem(ctx context.Context, w *world) error {
	s := w.newShop()
	s.users = 200
	for range 6 {
		var drafts []draft
		for range 500 {
			e := s.event()
			if w.rng.IntN(2) == 0 {
				e.ItemID = "hot"
			}
			d, err := valid(e, event.ContentTypeProtobuf)
			if err != nil {
				return err
			}
			drafts = append(drafts, d)
		}
		if err := w.send(ctx, drafts); err != nil {
			return err
		}
	}
	return nil
}

// clocks sends events of producers whose clocks are a year ahead and a year behind, while everybody else's are right, and
// lets the processes' clocks jump as well, each alone. The broker's own clock has no say: topics keep the producers' times
// (EnsureTopics refuses others), and retention is not by time here.
func clocks(ctx context.Context, w *world) error {
	// By default a broker refuses timestamps from the future: then nothing would be acknowledged.
	if err := w.createTopics(ctx, map[string]string{"message.timestamp.after.max.ms": "9223372036854775807"}); err != nil {
		return err
	}
	const year = 365 * 24 * time.Hour
	s := w.newShop()
	for _, skew := range []time.Duration{0, year, 0, -year, 0} { // of the processes
		c := w.child(roleLive)
		c.Skew = skew
		l, err := w.spawn(c)
		if err != nil {
			return err
		}
		c = w.child(roleArchive)
		c.Skew = skew
		a, err := w.spawn(c)
		if err != nil {
			return err
		}
		for range 3 {
			drafts, err := s.ordinary(150)
			if err != nil {
				return err
			}
			if skew == 0 {
				drafts, err = w.skewed(s, drafts)
				if err != nil {
					return err
				}
			}
			if err := w.send(ctx, drafts); err != nil {
				return err
			}
		}
		if err := w.awaitLive(ctx, w.catalogue); err != nil {
			return err
		}
		if err := w.mark(ctx); err != nil {
			return err
		}
		if err := l.stop(); err != nil {
			return err
		}
		if err := a.stop(); err != nil {
			return err
		}
	}
	if _, _, err := w.pair(); err != nil {
		return err
	}
	return w.settle(ctx)
}

// skewed adds events of producers with wrong clocks. Their records are of a year ago or ahead, and so are their events.
func (w *world) skewed(s *shop, drafts []draft) ([]draft, error) {
	for _, year := range []int{-1, 1} {
		for range 40 {
			e := s.event()
			at := time.Now().AddDate(year, 0, 0)
			e.Time = event.MillisOf(at)
			d, err := valid(e, event.ContentTypeJSON)
			if err != nil {
				return nil, err
			}
			if w.rng.IntN(4) == 0 { // a right event in a record of a wrong time: a year behind it is from the future
				e.Time = event.MillisOf(time.Now())
				if d, err = valid(e, event.ContentTypeJSON); err != nil {
					return nil, err
				}
				d.invalid = year < 0
			}
			d.at = at
			drafts = append(drafts, d)
		}
	}
	w.rng.Shuffle(len(drafts), func(i, j int) { drafts[i], drafts[j] = drafts[j], drafts[i] })
	return drafts, nil
}
