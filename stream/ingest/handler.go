package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/infra/problem"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/stream/ingest/deadletter"
)

// Config says what a handler works with. Fields marked optional have defaults.
type Config struct {
	Client     *kgo.Client // from kafka.Dial; stays the caller's to close
	Catalog    *Catalog    // somebody has to run its Follow
	Partitions int32       // of the events topic
	Clock      func() time.Time
	Logger     *slog.Logger
	Registerer prometheus.Registerer // optional: no metrics are exposed

	Timeout          time.Duration // optional: 10 s, how long Kafka may take to acknowledge
	EventsTopic      string        // optional: kafka.EventsTopic
	ItemsTopic       string        // optional: kafka.ItemsTopic
	UsersTopic       string        // optional: kafka.UsersTopic
	DeadLettersTopic string        // optional: kafka.DeadLettersTopic
}

// Handler serves the endpoints of the package comment.
type Handler struct {
	cfg     Config
	metrics *metrics
}

// New returns a handler.
func New(cfg Config) (*Handler, error) {
	if cfg.Client == nil || cfg.Catalog == nil || cfg.Partitions < 1 || cfg.Clock == nil || cfg.Logger == nil {
		return nil, errors.New("ingest: Config.Client, Catalog, Partitions, Clock and Logger are required")
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 10 * time.Second
	}
	for topic, name := range map[*string]string{
		&cfg.EventsTopic: kafka.EventsTopic, &cfg.ItemsTopic: kafka.ItemsTopic,
		&cfg.UsersTopic: kafka.UsersTopic, &cfg.DeadLettersTopic: kafka.DeadLettersTopic,
	} {
		if *topic == "" {
			*topic = name
		}
	}
	m, err := newMetrics(cfg.Registerer)
	if err != nil {
		return nil, fmt.Errorf("ingest: register metrics: %w", err)
	}
	return &Handler{cfg: cfg, metrics: m}, nil
}

// Mount adds the endpoints to a mux.
func (h *Handler) Mount(mux *http.ServeMux) {
	text := []string{typeJSON, typeNDJSON}
	for _, k := range []kind{
		{plural: "events", types: append(text, typeProtobuf), prepare: prepareEvent, letter: true},
		{plural: "items", types: text, prepare: prepareItem, stored: (*Handler).itemStored},
		{plural: "users", types: text, prepare: prepareUser},
	} {
		mux.HandleFunc("POST /v1/"+k.plural, func(w http.ResponseWriter, r *http.Request) { h.serve(w, r, k) })
	}
}

// Answer is the body of a response: one result a record, in the order of the request.
type Answer struct {
	Accepted int      `json:"accepted"`
	Rejected int      `json:"rejected"`
	Results  []Result `json:"results"`
}

// Result says what became of one record. Partition and Offset are there when it was accepted, Error
// when it was rejected.
type Result struct {
	Index     int              `json:"index"`
	EventID   string           `json:"event_id,omitempty"`
	ItemID    string           `json:"item_id,omitempty"`
	UserID    string           `json:"user_id,omitempty"`
	Status    string           `json:"status"`
	Partition *int32           `json:"partition,omitempty"`
	Offset    *int64           `json:"offset,omitempty"`
	Error     *event.Rejection `json:"error,omitempty"`
}

// The statuses of a result.
const (
	Accepted = "accepted"
	Rejected = "rejected"
)

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, k kind) {
	start := h.cfg.Clock()
	answer, err := h.take(w, r, k, start)
	status := http.StatusOK
	switch {
	case err != nil:
		status = problem.StatusOf(err)
		if status == http.StatusInternalServerError {
			h.cfg.Logger.Error("ingest failed", "kind", k.plural, "error", err)
		}
		var extensions map[string]any
		if answer != nil {
			extensions = map[string]any{"accepted": answer.Accepted, "rejected": answer.Rejected, "results": answer.Results}
		}
		problem.WriteWith(w, r, err, extensions)
	default:
		if answer.Rejected > 0 {
			status = http.StatusMultiStatus
		}
		writeJSON(w, status, answer)
	}
	h.metrics.observe(k, status, answer, h.cfg.Clock().Sub(start))
}

// take does the work of a request. An error comes with an answer when it is about the records.
func (h *Handler) take(w http.ResponseWriter, r *http.Request, k kind, now time.Time) (*Answer, error) {
	rq, err := newRequest(r, now)
	if err != nil {
		return nil, err
	}
	mediaType, body, err := readBody(w, r, k.types)
	if err != nil {
		return nil, err
	}
	rq.encoding = encodingOf(mediaType)
	raw, err := split(mediaType, k.plural, body)
	if err != nil {
		return nil, err
	}
	select {
	case <-h.cfg.Catalog.Ready():
	default:
		return nil, api.Errorf(api.Unavailable, "the catalog is still being read; try again")
	}
	answer, records := h.judge(k, rq, raw)
	if err := h.store(r.Context(), k, answer, records, h.letters(k, rq, answer, records, raw)); err != nil {
		return nil, err
	}
	if answer.Accepted == 0 {
		return answer, api.Errorf(api.Invalid, "none of the %d %s was accepted; results say why, the first: %w", len(raw), k.plural, answer.Results[0].Error)
	}
	return answer, nil
}

// judge prepares every record: records[i] is nil where the i-th was rejected.
func (h *Handler) judge(k kind, rq request, raw [][]byte) (*Answer, []*kgo.Record) {
	answer := &Answer{Results: make([]Result, len(raw))}
	records := make([]*kgo.Record, len(raw))
	for i := range raw {
		out := &answer.Results[i]
		out.Index = i
		record, rejection := k.prepare(h, rq, i, raw[i], out)
		if rejection != nil {
			answer.Rejected++
			out.Status, out.Error = Rejected, rejection
			continue
		}
		answer.Accepted++
		out.Status, records[i] = Accepted, record
	}
	return answer, records
}

// letters returns the dead letters of the records that were refused, as they were received.
func (h *Handler) letters(k kind, rq request, answer *Answer, records []*kgo.Record, raw [][]byte) []*kgo.Record {
	if !k.letter {
		return nil
	}
	var letters []*kgo.Record
	for i, r := range records {
		if r != nil {
			continue
		}
		letter := deadletter.FromHTTP(h.cfg.DeadLettersTopic, answer.Results[i].Error, raw[i])
		letter.Headers = append(letter.Headers, contentType(rq.encoding)...)
		letters = append(letters, letter)
	}
	return letters
}

// store writes accepted records and dead letters to Kafka and waits for all of them.
func (h *Handler) store(ctx context.Context, k kind, answer *Answer, records, letters []*kgo.Record) error {
	all := slices.DeleteFunc(slices.Concat(records, letters), func(r *kgo.Record) bool { return r == nil })
	if err := h.produce(ctx, all); err != nil {
		return err
	}
	for i, r := range records {
		if r == nil {
			continue
		}
		answer.Results[i].Partition, answer.Results[i].Offset = &r.Partition, &r.Offset
		if k.stored != nil {
			k.stored(h, r)
		}
	}
	return nil
}

// produce returns when Kafka has acknowledged all records. It does not wait longer than the timeout,
// even where the client cannot take a record back: an error means that any of them may be stored.
func (h *Handler) produce(ctx context.Context, records []*kgo.Record) error {
	ctx, cancel := context.WithTimeout(ctx, h.cfg.Timeout)
	defer cancel()
	done := make(chan error, len(records))
	for _, r := range records {
		h.cfg.Client.Produce(ctx, r, func(_ *kgo.Record, err error) { done <- err })
	}
	for range records {
		var err error
		select {
		case err = <-done:
		case <-ctx.Done():
			err = ctx.Err()
		}
		if err != nil {
			return api.Errorf(api.Unavailable, "Kafka did not acknowledge every record, so some may be stored; send the same request again: %w", err)
		}
	}
	return nil
}

// itemStored makes an item visible to the events that this process takes in next.
func (h *Handler) itemStored(r *kgo.Record) {
	_ = h.cfg.Catalog.apply(r.Key, r.Value, r.Offset) // prepareItem has judged it
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	// A rejection may quote a field name that is no UTF-8.
	b, err := json.Marshal(v, jsontext.AllowInvalidUTF8(true))
	if err != nil { // an Answer always encodes; a client that gets 500 tries again
		status, b = http.StatusInternalServerError, nil
	}
	w.Header().Set("Content-Type", typeJSON)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // the client may be gone; there is nobody left to tell
}
