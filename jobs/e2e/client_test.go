package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/anabranch/anabranch/schemas/event"
)

// client talks to the product as its users do.
type client struct {
	ingest, serving string // base URLs
	http            *http.Client
}

func newClient(t *testing.T, ingest, serving string) *client {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	t.Cleanup(transport.CloseIdleConnections)
	return &client{ingest: ingest, serving: serving, http: &http.Client{Transport: transport, Timeout: 10 * time.Second}}
}

// receipt is the part of an answer that says what it was made from.
type receipt struct {
	Generation  string          `json:"generation"`
	Cut         int64           `json:"cut"`
	Live        string          `json:"live"`
	Degraded    bool            `json:"degraded"`
	Reason      string          `json:"reason"`
	LiveOffsets map[int32]int64 `json:"live_offsets"`
	ReadAt      event.Millis    `json:"read_at"`
}

// knows reports whether everything before the offsets is in the answer, and that exactly.
func (r receipt) knows(ends map[int32]int64) bool {
	for p, end := range ends {
		if at, named := r.LiveOffsets[p]; named && at < end {
			return false
		}
	}
	return r.Live == "exact" && !r.Degraded
}

// features is the answer about the features of a user or an item.
type features struct {
	Features map[string]jsontext.Value `json:"features"`
	Receipt  receipt                   `json:"receipt"`
}

// recommendations is a ranked list.
type recommendations struct {
	Items []struct {
		ItemID     string `json:"item_id"`
		Source     string `json:"source"`
		Attributes struct {
			Title string `json:"title"`
		} `json:"attributes"`
	} `json:"items"`
	Vector  string  `json:"vector"`
	Receipt receipt `json:"receipt"`
}

func (r recommendations) has(item string) bool {
	for _, i := range r.Items {
		if i.ItemID == item {
			return true
		}
	}
	return false
}

// stored is where an acknowledged event lies in the log.
type stored struct {
	Partition int32 `json:"partition"`
	Offset    int64 `json:"offset"`
}

// statusError is an answer that is not a success.
type statusError struct {
	status int
	text   string
}

func (e statusError) Error() string { return fmt.Sprintf("status %d: %s", e.status, e.text) }

// post posts events and returns where they were stored. Only without an error are they acknowledged.
func (c *client) post(ctx context.Context, events []event.Event) ([]stored, error) {
	body, err := json.Marshal(events)
	if err != nil {
		return nil, fmt.Errorf("encode %d events: %w", len(events), err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.ingest+"/v1/events", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	var answer struct {
		Accepted int      `json:"accepted"`
		Results  []stored `json:"results"`
	}
	if err := c.do(req, &answer); err != nil {
		return nil, err
	}
	if answer.Accepted != len(events) || len(answer.Results) != len(events) {
		return nil, fmt.Errorf("%d of %d events were accepted", answer.Accepted, len(events))
	}
	return answer.Results, nil
}

// user returns the features of a user.
func (c *client) user(ctx context.Context, id string) (f features, err error) {
	return f, c.get(ctx, "/v1/users/"+url.PathEscape(id)+"/features", &f)
}

// item returns the features of an item.
func (c *client) item(ctx context.Context, id string) (f features, err error) {
	return f, c.get(ctx, "/v1/items/"+url.PathEscape(id)+"/features", &f)
}

// recommend returns the first n recommendations of a user.
func (c *client) recommend(ctx context.Context, id string, n int) (r recommendations, err error) {
	return r, c.get(ctx, fmt.Sprintf("/v1/users/%s/recommendations?n=%d", url.PathEscape(id), n), &r)
}

func (c *client) get(ctx context.Context, path string, answer any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.serving+path, nil)
	if err != nil {
		return err
	}
	return c.do(req, answer)
}

func (c *client) do(req *http.Request, answer any) error {
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("%s %s: read the answer: %w", req.Method, req.URL.Path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return statusError{resp.StatusCode, string(body)}
	}
	if err := json.Unmarshal(body, answer); err != nil {
		return fmt.Errorf("%s %s: %w in %s", req.Method, req.URL.Path, err, body)
	}
	return nil
}
