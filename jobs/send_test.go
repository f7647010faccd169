package jobs

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/event/eventpb"
)

// TestSendProtobuf: what is sent is a batch of the generated code's, with equal keys in a repetition.
func TestSendProtobuf(t *testing.T) {
	var keys []string
	var got eventpb.EventBatch
	ingest := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = proto.Unmarshal(body, &got)
		}
		if err != nil || r.Header.Get("Content-Type") != event.ContentTypeProtobuf {
			t.Errorf("content type %q: %v", r.Header.Get("Content-Type"), err)
		}
		if keys = append(keys, r.Header.Get("Idempotency-Key")); len(keys) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, `{"accepted":2,"rejected":0}`)
	}))
	defer ingest.Close()
	s := newSender(ingest.URL)
	s.protobuf = true
	price := 9.5
	accepted, rejected, err := s.post(t.Context(), []event.Event{
		{UserID: "u1", ItemID: "i1", Type: "view", Time: 1_769_853_600_000},
		{ID: "e2", UserID: "é", ItemID: "i2", Type: "cart", Time: 1_769_853_600_001, Stamp: &event.Stamp{Price: &price}},
	})
	if err != nil || accepted != 2 || rejected != 0 {
		t.Fatal(accepted, rejected, err)
	}
	want := &eventpb.EventBatch{Events: []*eventpb.Event{
		{UserId: "u1", ItemId: "i1", Type: "view", EventTimeMs: 1_769_853_600_000},
		{EventId: "e2", UserId: "é", ItemId: "i2", Type: "cart", EventTimeMs: 1_769_853_600_001, Item: &eventpb.Stamp{Price: &price}},
	}}
	if !proto.Equal(&got, want) {
		t.Errorf("sent %v, want %v", &got, want)
	}
	if len(keys) != 2 || keys[0] == "" || !slices.Equal(keys[:1], keys[1:]) {
		t.Errorf("keys of the repetition: %q", keys)
	}
}
