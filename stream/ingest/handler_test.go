package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/infra/problem"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/stream/ingest/deadletter"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const deadline = 20 * time.Second

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// door is a handler in front of an embedded Kafka.
type door struct {
	t       *testing.T
	broker  *kafka.Embedded
	seeds   []string
	mux     *http.ServeMux
	catalog *Catalog
	reg     *prometheus.Registry
	closed  bool
}

func openDoor(t *testing.T) *door {
	t.Helper()
	broker, err := kafka.StartEmbedded(kafka.EmbeddedConfig{})
	if err != nil {
		t.Fatal(err)
	}
	d := &door{t: t, broker: broker, seeds: []string{broker.Addr()}, mux: http.NewServeMux(), catalog: NewCatalog(), reg: prometheus.NewRegistry()}
	t.Cleanup(d.closeBroker)
	client, err := kafka.Dial(d.seeds, nil, kafka.Local())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	ctx, cancel := context.WithCancel(context.Background())
	if _, err := kafka.EnsureTopics(ctx, client, kafka.Spec{Partitions: 3}); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- d.catalog.Follow(ctx, d.seeds, nil, kafka.ItemsTopic, kafka.Local()) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !d.closed {
			t.Errorf("follow: %v", err)
		}
	})
	h, err := New(Config{
		Client: client, Catalog: d.catalog, Partitions: 3, Clock: func() time.Time { return noon },
		Logger: slog.New(slog.DiscardHandler), Registerer: d.reg, Timeout: 2 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	h.Mount(d.mux)
	select {
	case <-d.catalog.Ready():
	case <-time.After(deadline):
		t.Fatal("the catalog is not ready")
	}
	return d
}

func (d *door) closeBroker() {
	if d.closed {
		return
	}
	d.closed = true
	if err := d.broker.Close(); err != nil {
		d.t.Errorf("close broker: %v", err)
	}
}

// response is an answer or a problem.
type response struct {
	Answer
	Status int    `json:"status"`
	Title  string `json:"title"`
	Type   string `json:"type"`
	Detail string `json:"detail"`
	Code   string `json:"code"`
}

func (d *door) post(path, body string, headers ...string) (response, http.Header) {
	d.t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", typeJSON)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	d.mux.ServeHTTP(w, r)
	var out response
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		d.t.Fatalf("answer %q: %v", w.Body, err)
	}
	if out.Status != 0 && out.Status != w.Code || out.Status == 0 && w.Code >= 300 {
		d.t.Errorf("HTTP status %d, in the body %d", w.Code, out.Status)
	}
	wantType := typeJSON
	if w.Code >= 300 {
		wantType = problem.ContentType
	}
	if got := w.Header().Get("Content-Type"); got != wantType {
		d.t.Errorf("content type %q, want %q", got, wantType)
	}
	out.Status = w.Code
	return out, w.Header()
}

// consume returns the first n records of a topic.
func (d *door) consume(topic string, n int) []*kgo.Record {
	d.t.Helper()
	client, err := kafka.Dial(d.seeds, nil, kafka.Local(), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		d.t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	var out []*kgo.Record
	for len(out) < n {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			d.t.Fatalf("%d of %d records of %s: %v", len(out), n, topic, err)
		}
		out = append(out, fetches.Records()...)
	}
	return out
}

func header(r *kgo.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

func eventJSON(id, user string) string {
	return fmt.Sprintf(`{"event_id":%q,"user_id":%q,"item_id":"i1","type":"view","event_time":"2026-01-31T11:59:00Z"}`, id, user)
}

func TestEventsAreStored(t *testing.T) {
	d := openDoor(t)
	bodies := []struct{ mediaType, body string }{
		{typeJSON, eventJSON("a", "u1")},
		{typeJSON, "[" + eventJSON("b", "u2") + "," + eventJSON("c", "ü 😀") + "]"},
		{typeJSON + "; charset=UTF-8", `{"events":[` + eventJSON("d", "u4") + "]}"},
		{typeNDJSON, eventJSON("e", "u5") + "\n" + eventJSON("f", "u6") + "\n"},
	}
	results := map[string]Result{}
	for _, b := range bodies {
		got, _ := d.post("/v1/events", b.body, "Content-Type", b.mediaType)
		if got.Status != 200 || got.Rejected != 0 || got.Accepted != len(got.Results) {
			t.Fatalf("%s: %+v", b.body, got)
		}
		for i, r := range got.Results {
			if r.Index != i || r.Status != Accepted || r.Partition == nil || r.Offset == nil || r.Error != nil {
				t.Errorf("result %+v", r)
			}
			results[r.EventID] = r
		}
	}
	v := event.Validity{Partitions: 3}
	for _, r := range d.consume(kafka.EventsTopic, 6) {
		e, rejection := v.Check(event.Record{Key: r.Key, Value: r.Value, Partition: r.Partition, LogTime: event.MillisOf(r.Timestamp)})
		if rejection != nil {
			t.Fatalf("stored %s: %v", r.Value, rejection)
		}
		if said := results[e.ID]; *said.Partition != r.Partition || *said.Offset != r.Offset {
			t.Errorf("event %s is at %d/%d, the answer said %d/%d", e.ID, r.Partition, r.Offset, *said.Partition, *said.Offset)
		}
		if !r.Timestamp.Equal(noon) {
			t.Errorf("log time %s, received at %s", r.Timestamp, noon)
		}
	}
}

func TestMixedBatch(t *testing.T) {
	d := openDoor(t)
	long := strings.Repeat("x", 10_000)
	bad := `{"event_id":"e","user_id":"` + long + `","item_id":"i","type":"view"}`
	got, _ := d.post("/v1/events", "["+eventJSON("a", "u1")+","+bad+"]")
	if got.Status != 207 || got.Accepted != 1 || got.Rejected != 1 {
		t.Fatalf("%+v", got)
	}
	r := got.Results[1]
	if r.Status != Rejected || r.Error == nil || r.Error.Reason != event.ReasonTooLarge || r.Error.Field != "user_id" || len(r.Error.Value) > 200 || r.Partition != nil {
		t.Errorf("result %+v, error %+v", r, r.Error)
	}
	letter := d.consume(kafka.DeadLettersTopic, 1)[0]
	if string(letter.Value) != bad || header(letter, deadletter.HeaderReason) != event.ReasonTooLarge || header(letter, deadletter.HeaderSource) != "http" {
		t.Errorf("dead letter %.80q with headers %v", letter.Value, letter.Headers)
	}
	if v := d.metric("anabranch_ingest_rejected_total"); v != 1 {
		t.Errorf("%v rejections are counted, want 1", v)
	}
}

func (d *door) metric(name string) float64 {
	d.t.Helper()
	families, err := d.reg.Gather()
	if err != nil {
		d.t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

func TestBadInput(t *testing.T) {
	d := openDoor(t)
	with := func(field, value string) string {
		return strings.Replace(`{"event_id":"e","user_id":"u","item_id":"i","type":"view","event_time":"2026-01-31T11:59:00Z"}`, `"event_id"`, `"`+field+`":`+value+`,"event_id"`, 1)
	}
	long := `"` + strings.Repeat("ü", 5_000) + `"`
	replaced := func(field, value string) string {
		m := map[string]string{"event_id": `"e"`, "user_id": `"u"`, "item_id": `"i"`, "type": `"view"`, "event_time": `"2026-01-31T11:59:00Z"`}
		m[field] = value
		var parts []string
		for k, v := range m {
			if v != "" {
				parts = append(parts, `"`+k+`":`+v)
			}
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	tests := []struct {
		name, path, body string
		headers          []string
		status           int
		code             api.Code
		detail           string // in the detail
		reason, field    string // of the first result; "" when there are none
	}{
		{"malformed JSON", "/v1/events", `{"event_id":`, nil, 400, api.Invalid, "strict JSON", "malformed", "event_id"},
		{"malformed array", "/v1/events", `[{]`, nil, 400, api.Invalid, "strict JSON at byte", "", ""},
		{"empty body", "/v1/events", ``, nil, 400, api.Invalid, "holds no record", "", ""},
		{"a number", "/v1/events", `7`, nil, 400, api.Invalid, "JSON object is required", "malformed", "record"},
		{"unknown field", "/v1/events", with("userid", `"x"`), nil, 400, api.Invalid, "unknown field", "malformed", "userid"},
		{"field in other case", "/v1/events", with("User_ID", `"x"`), nil, 400, api.Invalid, "unknown field", "malformed", "User_ID"},
		{"field twice", "/v1/events", with("user_id", `"x"`), nil, 400, api.Invalid, "duplicate", "malformed", "user_id"},
		{"wrong type", "/v1/events", with("value", `"7"`), nil, 400, api.Invalid, "value", "malformed", "value"},
		{"no event_id", "/v1/events", replaced("event_id", ""), nil, 400, api.Invalid, "event_id", "required", "event_id"},
		{"no user_id", "/v1/events", replaced("user_id", ""), nil, 400, api.Invalid, "user_id", "required", "user_id"},
		{"empty item_id", "/v1/events", replaced("item_id", `""`), nil, 400, api.Invalid, "item_id", "required", "item_id"},
		{"10,000-character id", "/v1/events", replaced("user_id", long), nil, 400, api.Invalid, "at most 256 bytes", "too_large", "user_id"},
		{"10,000-character event id", "/v1/events", replaced("event_id", long), nil, 400, api.Invalid, "at most 256 bytes", "too_large", "event_id"},
		{"control character in id", "/v1/events", replaced("user_id", `"a\u0000b"`), nil, 400, api.Invalid, "control characters", "range", "user_id"},
		{"lone surrogate in id", "/v1/events", replaced("user_id", `"\ud800"`), nil, 400, api.Invalid, "strict JSON", "malformed", "user_id"},
		{"invalid UTF-8 in a line", "/v1/events", "{\"\xff\":1}", []string{"Content-Type", typeNDJSON}, 400, api.Invalid, "strict JSON", "malformed", "record"},
		{"unicode type", "/v1/events", replaced("type", `"växla"`), nil, 400, api.Invalid, "a-z", "range", "type"},
		{"seconds as time", "/v1/events", replaced("event_time", `1769860000`), nil, 400, api.Invalid, "seconds?", "malformed", "event_time"},
		{"time of a reset clock", "/v1/events", replaced("event_time", `"1970-01-01T00:00:00Z"`), nil, 400, api.Invalid, "1970-01-02", "time", "event_time"},
		{"future time", "/v1/events", replaced("event_time", `"2026-01-31T12:05:01Z"`), nil, 400, api.Invalid, "5 minutes", "time", "event_time"},
		{"large record", "/v1/events", with("context", `{"a":"`+strings.Repeat("x", 70_000)+`"}`), nil, 400, api.Invalid, "65536", "too_large", "record"},
		{"10 MB body", "/v1/events", `{"event_id":"` + strings.Repeat("x", 10<<20) + `"}`, nil, 413, api.TooLarge, "exceeds 5242880 bytes", "", ""},
		{"1,001 events", "/v1/events", "[" + strings.Repeat("{},", 1000) + "{}]", nil, 413, api.TooLarge, "more than 1000 records", "", ""},
		{"no content type", "/v1/events", eventJSON("a", "u"), []string{"Content-Type", ""}, 415, api.Invalid, "application/x-ndjson", "", ""},
		{"item with a long category", "/v1/items", `{"item_id":"i","attributes":{"category":"` + strings.Repeat("c", 257) + `"}}`, nil, 400, api.Invalid, "category", "too_large", "attributes.category"},
		{"long category", "/v1/events", with("item", `{"category":"`+strings.Repeat("c", 257)+`"}`), nil, 400, api.Invalid, "256 bytes", "too_large", "item.category"},
		{"form", "/v1/events", "a=b", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, api.Invalid, "application/json", "", ""},
		{"latin-1", "/v1/events", "{}", []string{"Content-Type", "application/json; charset=iso-8859-1"}, 415, api.Invalid, "UTF-8", "", ""},
		{"compressed", "/v1/events", "{}", []string{"Content-Encoding", "gzip"}, 415, api.Invalid, "uncompressed", "", ""},
		{"an Event without its batch", "/v1/events", "\x0a\x01e\x12\x01u", []string{"Content-Type", typeProtobuf}, 400, api.Invalid, "EventBatch is required", "", ""},
		{"JSON as Protobuf", "/v1/events", "{}", []string{"Content-Type", typeProtobuf}, 400, api.Invalid, "EventBatch", "", ""},
		{"a batch cut off", "/v1/events", "\x0a\x05e", []string{"Content-Type", typeProtobuf}, 400, api.Invalid, "no Protobuf at byte 1", "", ""},
		{"an empty batch", "/v1/events", "", []string{"Content-Type", typeProtobuf}, 400, api.Invalid, "holds no record", "", ""},
		{"an event that is none", "/v1/events", "\x0a\x02\x0a\x05", []string{"Content-Type", typeProtobuf}, 400, api.Invalid, "Protobuf", "malformed", "event_id"},
		{"an event of 1970", "/v1/events", "\x0a\x0e\x0a\x01e\x12\x01u\x1a\x01i\x22\x01v\x30\x01", []string{"Content-Type", typeProtobuf}, 400, api.Invalid, "1970-01-02", "time", "event_time"},
		{"1,001 events in a batch", "/v1/events", strings.Repeat("\x0a\x00", 1001), []string{"Content-Type", typeProtobuf}, 413, api.TooLarge, "more than 1000 records", "", ""},
		{"an item as Protobuf", "/v1/items", "\x0a\x00", []string{"Content-Type", typeProtobuf}, 415, api.Invalid, "application/x-ndjson", "", ""},
		{"mark header", "/v1/events", eventJSON("a", "u"), []string{"anabranch-mark", "1"}, 400, api.Invalid, "reserved", "", ""},
		{"long idempotency key", "/v1/events", eventJSON("a", "u"), []string{idempotencyKey, strings.Repeat("k", 257)}, 400, api.Invalid, "at most 256", "", ""},
		{"item without id", "/v1/items", `{"attributes":{}}`, nil, 400, api.Invalid, "item_id", "required", "item_id"},
		{"item with negative price", "/v1/items", `{"item_id":"i","attributes":{"price":-1}}`, nil, 400, api.Invalid, "price", "range", "attributes.price"},
		{"item with unknown field", "/v1/items", `{"item_id":"i","price":1}`, nil, 400, api.Invalid, "unknown field", "malformed", "price"},
		{"user with nested attribute", "/v1/users", `{"user_id":"u","attributes":{"a":{}}}`, nil, 400, api.Invalid, "attributes.a", "range", "attributes.a"},
		{"events at users", "/v1/users", `{"events":[{}]}`, nil, 400, api.Invalid, "unknown field", "malformed", "events"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d.t = t
			got, _ := d.post(tt.path, tt.body, tt.headers...)
			if got.Status != tt.status || got.Code != string(tt.code) || !strings.Contains(got.Detail, tt.detail) {
				t.Errorf("got %d %q %q, want %d %q with %q", got.Status, got.Code, got.Detail, tt.status, tt.code, tt.detail)
			}
			switch {
			case tt.reason == "" && len(got.Results) > 0:
				t.Errorf("unexpected results %+v", got.Results)
			case tt.reason != "" && len(got.Results) != 1:
				t.Errorf("%d results, want 1", len(got.Results))
			case tt.reason != "":
				if r := got.Results[0]; r.Error == nil || r.Error.Reason != tt.reason || r.Error.Field != tt.field {
					t.Errorf("result %+v, want reason %q of field %q", r.Error, tt.reason, tt.field)
				}
			}
			if len(got.Detail) > 1000 {
				t.Errorf("the detail has %d bytes", len(got.Detail))
			}
		})
	}
	d.t = t
	end := d.endOf(kafka.EventsTopic)
	if end != 0 {
		t.Errorf("%d records went into the events topic", end)
	}
}

func (d *door) endOf(topic string) (sum int64) {
	d.t.Helper()
	client, err := kafka.Dial(d.seeds, nil, kafka.Local())
	if err != nil {
		d.t.Fatal(err)
	}
	defer client.Close()
	ends, err := kafka.EndOffsets(context.Background(), client, topic)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, end := range ends {
		sum += end
	}
	return sum
}

func TestDefaults(t *testing.T) {
	d := openDoor(t)
	body := `[{"user_id":"u","item_id":"i","type":"view"},{"event_id":"own","user_id":"u","item_id":"i","type":"view"}]`
	for range 2 {
		got, _ := d.post("/v1/events", body, idempotencyKey, "order 7")
		// The first 24 digits of sha256("order 7"), the index, 16 of sha256(the record).
		if got.Status != 200 || got.Results[0].EventID != "0fc89f8ae19394b48debd635-0-886cd2cada91f8f2" || got.Results[1].EventID != "own" {
			t.Fatalf("%+v", got)
		}
	}
	e, rejection := event.Decode("", d.consume(kafka.EventsTopic, 4)[0].Value)
	if rejection != nil || e.Time != event.MillisOf(noon) {
		t.Errorf("event time %s, want the time of receipt; %v", e.Time, rejection)
	}
}

// TestACorrectedRecordIsAnother: a request that was accepted in part comes again with only the record
// that was refused, corrected, under the same key.
func TestACorrectedRecordIsAnother(t *testing.T) {
	d := openDoor(t)
	first := `{"user_id":"u","item_id":"i","type":"view"}`
	corrected := `{"user_id":"u","item_id":"i","type":"cart"}`
	got, _ := d.post("/v1/events", "["+first+`,{"user_id":"u","item_id":"i","type":"CART"}]`, idempotencyKey, "k")
	if got.Status != 207 {
		t.Fatalf("%+v", got)
	}
	again, _ := d.post("/v1/events", corrected, idempotencyKey, "k")
	if again.Status != 200 || again.Results[0].EventID == got.Results[0].EventID {
		t.Errorf("the corrected record has id %q, the first %q", again.Results[0].EventID, got.Results[0].EventID)
	}
}

func TestUsersAreStored(t *testing.T) {
	d := openDoor(t)
	if got, _ := d.post("/v1/users", `{"user_id":"u1","attributes":{"age":30}}`); got.Status != 200 || got.Results[0].UserID != "u1" {
		t.Fatalf("%+v", got)
	}
	if r := d.consume(kafka.UsersTopic, 1)[0]; string(r.Key) != "u1" || !strings.Contains(string(r.Value), `"age":30`) {
		t.Errorf("stored %q = %q", r.Key, r.Value)
	}
}

func TestKafkaAway(t *testing.T) {
	d := openDoor(t)
	d.closeBroker()
	start := time.Now()
	got, h := d.post("/v1/events", eventJSON("a", "u1"))
	if got.Status != 503 || got.Code != string(api.Unavailable) || h.Get("Retry-After") == "" || len(got.Results) != 0 {
		t.Errorf("%+v with headers %v", got, h)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("the answer took %s", took)
	}
}

func (failing) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

func TestSenderGoesAway(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/", io.NopCloser(failing{}))
	r.Header.Set("Content-Type", typeJSON)
	if _, _, err := readBody(httptest.NewRecorder(), r, []string{typeJSON}); api.CodeOf(err) != api.Invalid {
		t.Errorf("got %v", err)
	}
}
