package deadletter_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/stream/ingest/deadletter"
)

// TestReplay replays what is sound now, where it belongs, and leaves the rest where it is; a second run
// changes nothing.
func TestReplay(t *testing.T) {
	w := newWorld(t)
	sound := w.bury(wrongKey, event.Record{Key: []byte("wrong"), Value: payload("u1", 1), Partition: 2})
	w.buryAt(sound, wrongKey, event.Record{Key: []byte("wrong"), Value: payload("u1", 1), Partition: 2}) // a crash repeats a letter
	broken := w.bury(&event.Rejection{Reason: event.ReasonMalformed}, event.Record{Value: []byte("no json")})
	for i, want := range []string{"replayed", "already"} {
		outcomes := w.replay(w.replayer(), deadletter.Filter{})
		if len(outcomes) != 2 {
			t.Fatalf("run %d: %d outcomes", i, len(outcomes))
		}
		for _, o := range outcomes {
			switch o.Letter.Position {
			case broken:
				if o.As != nil || o.Invalid == nil || o.Invalid.Reason != event.ReasonMalformed {
					t.Errorf("run %d: the broken letter: %+v", i, o)
				}
			case sound:
				if o.As == nil || o.Invalid != nil || o.Already != (want == "already") {
					t.Errorf("run %d: the sound letter: %+v", i, o)
				}
			}
		}
		w.checkOnce(sound)
	}
	r := w.committed(w.log.EventsTopic)[0]
	if string(r.Key) != "u1" || r.Partition != kafka.PartitionOf("u1", partitions) || string(r.Value) != string(payload("u1", 1)) || !r.Timestamp.Equal(now) {
		t.Errorf("replayed as %s in %d at %s: %s", r.Key, r.Partition, r.Timestamp, r.Value)
	}
	for _, l := range w.letters(deadletter.Filter{}) {
		if (l.Replayed != nil) != (l.Position == sound) {
			t.Errorf("%+v", l)
		}
	}
}

// TestReplayFromHTTP does what the front door would have done: a missing time is that of arrival, and
// the catalog's values are stamped.
func TestReplayFromHTTP(t *testing.T) {
	w := newWorld(t)
	refused := `{"event_id":"e1","user_id":"u1","item_id":"i1","type":"View"}`
	must(t, w.client.ProduceSync(t.Context(), deadletter.FromHTTP(w.log.Topic, &event.Rejection{Reason: event.ReasonRange, Field: "type"}, []byte(refused))).FirstErr())
	letters := w.letters(deadletter.Filter{})
	if len(letters) != 1 || letters[0].Position != (event.Position{TopicID: kafka.HexID(w.log.Topics.DeadLettersID)}) || letters[0].Field != "type" {
		t.Fatalf("letters %+v", letters)
	}
	r := w.replayer()
	price := 3.5
	r.Stamp = func(item string) (*event.Stamp, bool) { return &event.Stamp{Price: &price}, item == "i1" }
	r.Now = time.Now
	if o := w.replay(r, deadletter.Filter{}); len(o) != 1 || o[0].Invalid == nil {
		t.Fatalf("as it is, it is invalid still: %+v", o)
	}
	field, err := deadletter.ParseField("type=view")
	must(t, err)
	r.Set = []deadletter.Field{field}
	dry := r
	dry.DryRun = true
	if o := w.replay(dry, deadletter.Filter{Position: &letters[0].Position}); len(o) != 1 || o[0].Invalid != nil || o[0].As != nil {
		t.Fatalf("dry run: %+v", o)
	}
	w.checkOnce()
	w.replay(r, deadletter.Filter{Position: &letters[0].Position})
	w.checkOnce(letters[0].Position)
	e, rejection := event.Decode("", w.committed(w.log.EventsTopic)[0].Value)
	if rejection != nil || e.Type != "view" || e.Time != event.MillisOf(letters[0].Time) || e.Stamp == nil || *e.Stamp.Price != price {
		t.Errorf("replayed as %+v (%v)", e, rejection)
	}
}

// TestFilter wants by reason, partition, time, position and state.
func TestFilter(t *testing.T) {
	w := newWorld(t)
	a := w.bury(wrongKey, event.Record{Value: payload("u1", 1), Partition: 1})
	w.bury(&event.Rejection{Reason: event.ReasonMalformed}, event.Record{Partition: 2, Value: []byte("{")})
	must(t, w.client.ProduceSync(t.Context(), deadletter.FromHTTP(w.log.Topic, wrongKey, []byte("{"))).FirstErr())
	w.replay(w.replayer(), deadletter.Filter{Position: &a})
	two := int32(2)
	for name, tt := range map[string]struct {
		f    deadletter.Filter
		want int
	}{
		"all":       {deadletter.Filter{}, 3},
		"position":  {deadletter.Filter{Position: &a}, 1},
		"reason":    {deadletter.Filter{Reason: event.ReasonKey}, 2},
		"partition": {deadletter.Filter{Partition: &two}, 1},
		"open":      {deadletter.Filter{Open: true}, 2},
		"since":     {deadletter.Filter{Since: time.Now().Add(time.Hour)}, 0},
		"until":     {deadletter.Filter{Until: time.Now().Add(time.Hour)}, 3},
		"before":    {deadletter.Filter{Until: time.Now().Add(-time.Hour)}, 0},
	} {
		if got := len(w.letters(tt.f)); got != tt.want {
			t.Errorf("%s: %d letters, want %d", name, got, tt.want)
		}
	}
}

// TestNotesOutliveRepeatedLetters: a rebuild buries a letter again, behind its note; the next replay
// repeats the note.
func TestNotesOutliveRepeatedLetters(t *testing.T) {
	w := newWorld(t)
	p := w.buryMany(1)[0]
	w.replay(w.replayer(), deadletter.Filter{})
	w.buryAt(p, wrongKey, event.Record{Key: []byte("wrong"), Value: payload("u0", 0), Partition: 1})
	for range 2 {
		w.replay(w.replayer(), deadletter.Filter{Reason: "no such reason"})
	}
	records := w.committed(w.log.Topic)
	if last := records[len(records)-1]; len(records) != 4 || header(last, deadletter.HeaderReplayedAs) == "" || string(last.Key) != deadletter.FormatPosition(p) {
		t.Errorf("%d records, the last is %s with %v", len(records), last.Key, last.Headers)
	}
	w.replay(w.replayer(), deadletter.Filter{})
	w.checkOnce(p)
}

// TestTruncatedIsNotReplayed: half a payload is no event, even if it were valid.
func TestTruncatedIsNotReplayed(t *testing.T) {
	w := newWorld(t)
	long := append(payload("u1", 1), strings.Repeat(" ", deadletter.MaxPayload)...)
	w.bury(&event.Rejection{Reason: event.ReasonTooLarge}, event.Record{Value: long})
	o := w.replay(w.replayer(), deadletter.Filter{})
	if len(o) != 1 || o[0].Invalid == nil || !o[0].Letter.Truncated() || o[0].Letter.Size != len(long) {
		t.Errorf("%+v", o)
	}
	w.checkOnce()
}

// TestReportEndsTheReplay: an error of the caller ends it and comes back.
func TestReportEndsTheReplay(t *testing.T) {
	w := newWorld(t)
	w.buryMany(5)
	err := w.replayer().Replay(t.Context(), deadletter.Filter{}, func(deadletter.Outcome) error { return context.DeadlineExceeded })
	if err == nil || len(w.superseded()) != 2 {
		t.Errorf("%v after %d letters", err, len(w.superseded()))
	}
}

func TestParsePosition(t *testing.T) {
	p := event.Position{TopicID: strings.Repeat("0f", 16), Partition: 3, Offset: 17}
	if got, err := deadletter.ParsePosition(deadletter.FormatPosition(p)); err != nil || got != p {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{"", "1/2", "x/0/1", p.TopicID + "/0", p.TopicID + "/-1/1", p.TopicID + "/0/1/2", p.TopicID + "/00/1", p.TopicID + "/0/-1"} {
		if _, err := deadletter.ParsePosition(bad); api.CodeOf(err) != api.Invalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestParseField(t *testing.T) {
	for text, want := range map[string]string{
		"type=view": `"view"`, "user_id=7": `"7"`, "value=3.5": `3.5`, "event_time=1700000000000": "1700000000000",
		"event_time=2026-01-31T10:00:00Z": `"2026-01-31T10:00:00Z"`, "value=null": "null", `properties={"a":1}`: `{"a":1}`,
	} {
		if f, err := deadletter.ParseField(text); err != nil || string(f.Value) != want {
			t.Errorf("%s: %s, %v", text, f.Value, err)
		}
	}
	for _, bad := range []string{"type", "colour=red", "value=high", "=1"} {
		if _, err := deadletter.ParseField(bad); api.CodeOf(err) != api.Invalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestNoPayloadInPublicFields: what may be shown to anybody holds nothing that the sender chose.
func TestNoPayloadInPublicFields(t *testing.T) {
	w := newWorld(t)
	secret := "u-4711"
	for _, r := range []*event.Rejection{
		{Reason: event.ReasonKey, Field: "key", Value: secret},
		{Reason: event.ReasonMalformed, Field: secret, Accepted: "unknown field"},
		{Reason: event.ReasonRange, Field: "properties." + secret, Value: secret},
	} {
		w.bury(r, event.Record{Key: []byte(secret), Value: []byte(secret)})
	}
	for _, l := range w.letters(deadletter.Filter{}) {
		if !strings.Contains(l.Detail, secret) {
			t.Errorf("the detail %q does not say what is wrong", l.Detail)
		}
		l.Detail, l.Key, l.Payload = "", nil, nil
		if shown := fmt.Sprintf("%+v", l); strings.Contains(shown, secret) {
			t.Error(shown)
		}
	}
}
