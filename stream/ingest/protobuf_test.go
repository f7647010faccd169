package ingest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/event/eventpb"
	"github.com/anabranch/anabranch/stream/ingest/deadletter"
)

// TestProtobuf: a batch of the generated code goes through the door as JSON does, is stamped, and lies
// in the log as Protobuf; what is refused becomes a dead letter that says its encoding.
func TestProtobuf(t *testing.T) {
	d := openDoor(t)
	if got, _ := d.post("/v1/items", `{"item_id":"i1","attributes":{"category":"shoes","price":9.5}}`); got.Status != 200 {
		t.Fatalf("%+v", got)
	}
	sent := &eventpb.EventBatch{Events: []*eventpb.Event{
		{
			EventId: "e1", UserId: "u1", ItemId: "i1", Type: "view", Value: proto.Float64(2), Context: map[string]string{"page": "home"},
			Properties: map[string]*eventpb.Scalar{"gift": {Kind: &eventpb.Scalar_Truth{Truth: true}}},
		},
		{UserId: "u1", ItemId: "i1", Type: "view", EventTimeMs: noon.UnixMilli() - 7},
		{EventId: "e3", UserId: "u1", ItemId: "i1", Type: "VIEW"},
	}}
	body, err := proto.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := d.post("/v1/events", string(body), "Content-Type", typeProtobuf, idempotencyKey, "k")
	if got.Status != 207 || got.Accepted != 2 || got.Results[2].Error.Field != "type" || got.Results[1].EventID == "" {
		t.Fatalf("%+v", got)
	}
	category, price, value := "shoes", 9.5, 2.0
	want := event.Event{
		ID: "e1", UserID: "u1", ItemID: "i1", Type: "view", Value: &value, Time: event.MillisOf(noon), Context: map[string]string{"page": "home"},
		Properties: map[string]any{"gift": true}, Stamp: &event.Stamp{Category: &category, Price: &price},
	}
	records := d.consume(kafka.EventsTopic, 2)
	for _, r := range records {
		if kafka.ContentType(r) != event.ContentTypeProtobuf {
			t.Fatalf("content type %q in the log", kafka.ContentType(r))
		}
		e, rejection := event.Validity{Partitions: 3}.Check(event.Record{
			Key: r.Key, Value: r.Value, ContentType: kafka.ContentType(r), Partition: r.Partition, LogTime: event.MillisOf(r.Timestamp),
		})
		if rejection != nil {
			t.Fatal(rejection)
		}
		if e.ID == "e1" {
			if d := cmp.Diff(want, e); d != "" {
				t.Error(d)
			}
		} else if e.Time != event.MillisOf(noon)-7 {
			t.Errorf("event time %s", e.Time)
		}
	}
	letter := d.consume(kafka.DeadLettersTopic, 1)[0]
	var refused eventpb.Event
	if err := proto.Unmarshal(letter.Value, &refused); err != nil || !proto.Equal(&refused, sent.Events[2]) || kafka.ContentType(letter) != event.ContentTypeProtobuf {
		t.Errorf("the dead letter %q with content type %q: %v", letter.Value, kafka.ContentType(letter), err)
	}
	for _, h := range letter.Headers {
		if h.Key == deadletter.HeaderSource && string(h.Value) != deadletter.SourceHTTP {
			t.Errorf("source %q", h.Value)
		}
	}
}

// FuzzSplitProtobuf: a body of any bytes is taken apart or refused, and what is taken apart is the body.
func FuzzSplitProtobuf(f *testing.F) {
	f.Add([]byte("\x0a\x01e\x0a\x00"))
	f.Add([]byte("\x0a\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, body []byte) {
		records, err := splitProtobuf(body)
		if err != nil {
			return
		}
		total := 0
		for _, r := range records {
			total += len(r)
		}
		if total > len(body) || len(records) == 0 && strings.TrimSpace(string(body)) != "" {
			t.Errorf("%d records of %d bytes out of %d", len(records), total, len(body))
		}
	})
}
