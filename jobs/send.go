package jobs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/go-json-experiment/json"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/anabranch/anabranch/jobs/eventfile"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/model"
)

type sendCmd struct {
	File   string        `arg:"" help:"CSV or JSON lines; - is stdin."`
	To     string        `default:"http://127.0.0.1:8080" placeholder:"URL" help:"Address of the ingest."`
	Batch  int           `default:"500" help:"Events a request, 1 to 1000."`
	Wait   time.Duration `default:"1m" help:"How long to try to reach the ingest before giving up with exit code 75."`
	DryRun bool          `help:"Read and validate only."`
	JSON   bool          `help:"Print the counts as JSON."`

	Encoding string `default:"json" enum:"json,protobuf" help:"What is sent, and lies in Kafka: json or protobuf."`
}

// sent counts what became of the rows.
type sent struct {
	Rows     int `json:"rows"`
	Accepted int `json:"accepted"`
	Rejected int `json:"rejected"`
}

// Run posts the file in batches. A batch is retried under one Idempotency-Key, so that a lost answer
// counts nothing twice.
func (c *sendCmd) Run(rt *runtimeEnv) error {
	if c.Batch < 1 || c.Batch > api.MaxBatch {
		return api.Errorf(api.Invalid, "--batch %d: 1 to %d is accepted", c.Batch, api.MaxBatch)
	}
	if u, err := url.Parse(c.To); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return api.Errorf(api.Invalid, "--to %s: an address such as http://127.0.0.1:8080 is accepted", api.Clip(c.To))
	}
	var in io.Reader = os.Stdin
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return api.Errorf(api.Invalid, "send events: %w", err)
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	r, err := eventfile.ReadEvents(c.File, in)
	if err != nil {
		return fmt.Errorf("send events: %w", err)
	}
	total, err := c.sendAll(rt, r)
	if err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(rt.stdout, total)
	} else {
		_, err = fmt.Fprintf(rt.stdout, "%d rows: %d accepted, %d rejected\n", total.Rows, total.Accepted, total.Rejected)
	}
	if err == nil && total.Rejected > 0 {
		return exitWith{exitError}
	}
	return err
}

func (c *sendCmd) sendAll(rt *runtimeEnv, r *eventfile.Reader[event.Event]) (sent, error) {
	var total sent
	sender := newSender(c.To)
	sender.protobuf = c.Encoding == "protobuf"
	sender.wait = max(c.Wait, time.Millisecond) // 0 would be for ever
	var batch []event.Event
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		if c.DryRun {
			total.Accepted += len(batch)
			batch = batch[:0]
			return nil
		}
		accepted, rejected, err := sender.post(rt.ctx, batch)
		total.Accepted, total.Rejected = total.Accepted+accepted, total.Rejected+rejected
		batch = batch[:0]
		return err
	}
	for row, err := range r.All() {
		total.Rows++
		if err != nil {
			var bad *eventfile.RowError
			if !errors.As(err, &bad) {
				return total, fmt.Errorf("send events: %w", err)
			}
			rt.log.Warn("row skipped", "error", err)
			total.Rejected++
			continue
		}
		if batch = append(batch, row.Record); len(batch) == c.Batch {
			if err := flush(); err != nil {
				return total, err
			}
		}
	}
	return total, flush()
}

// sender posts batches of events to an ingest.
type sender struct {
	url      string
	client   *http.Client
	wait     time.Duration
	protobuf bool
}

func newSender(base string) *sender {
	return &sender{url: strings.TrimRight(base, "/") + "/v1/events", client: &http.Client{Timeout: 30 * time.Second}, wait: time.Minute}
}

// post sends one batch until the ingest answers, for as long as the sender waits.
func (s *sender) post(ctx context.Context, batch []event.Event) (accepted, rejected int, err error) {
	encode := ndjson
	if s.protobuf {
		encode = protobufBatch
	}
	body, err := encode(batch)
	if err != nil {
		return 0, 0, fmt.Errorf("send events: %w", err)
	}
	key := model.SHA256Hex(body)
	answer, err := backoff.Retry(ctx, func() (ingestAnswer, error) { return s.once(ctx, key, body) },
		backoff.WithBackOff(backoff.NewExponentialBackOff()), backoff.WithMaxElapsedTime(s.wait))
	if err != nil {
		return 0, 0, fmt.Errorf("send %d events to %s: %w", len(batch), s.url, err)
	}
	return answer.Accepted, answer.Rejected, nil
}

// ndjson returns events one a line. The ingest derives a missing id from the Idempotency-Key.
func ndjson(batch []event.Event) ([]byte, error) {
	var body bytes.Buffer
	for i := range batch {
		b, err := batch[i].Encode()
		if err != nil {
			return nil, err
		}
		if batch[i].ID == "" {
			b = bytes.Replace(b, []byte(`"event_id":"",`), nil, 1)
		}
		body.Write(b)
		body.WriteByte('\n')
	}
	return body.Bytes(), nil
}

// protobufBatch returns events as an EventBatch of schemas/event/event.proto.
func protobufBatch(batch []event.Event) (body []byte, err error) {
	var b []byte
	for i := range batch {
		if b, err = batch[i].AppendProtobuf(b[:0]); err != nil {
			return nil, err
		}
		body = protowire.AppendTag(body, 1, protowire.BytesType)
		body = protowire.AppendBytes(body, b)
	}
	return body, nil
}

// ingestAnswer is the part of the ingest's answer that a sender needs.
type ingestAnswer struct {
	Accepted int    `json:"accepted"`
	Rejected int    `json:"rejected"`
	Detail   string `json:"detail"`
}

func (s *sender) once(ctx context.Context, key string, body []byte) (ingestAnswer, error) {
	var a ingestAnswer
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return a, backoff.Permanent(api.Errorf(api.Invalid, "%w", err))
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	if s.protobuf {
		req.Header.Set("Content-Type", event.ContentTypeProtobuf)
	}
	req.Header.Set("Idempotency-Key", key)
	resp, err := s.client.Do(req)
	if err != nil {
		return a, api.Errorf(api.Unavailable, "%w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return a, api.Errorf(api.Unavailable, "read the answer: %w", err)
	}
	if resp.StatusCode >= http.StatusInternalServerError {
		return a, api.Errorf(api.Unavailable, "%s: %s", resp.Status, api.Clip(string(text)))
	}
	if err := json.Unmarshal(text, &a); err != nil {
		return a, backoff.Permanent(fmt.Errorf("%s with an answer that is no ingest's: %w", resp.Status, err))
	}
	if a.Accepted+a.Rejected == 0 {
		return a, backoff.Permanent(fmt.Errorf("%s: %s", resp.Status, a.Detail))
	}
	return a, nil
}
