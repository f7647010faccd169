package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/oklog/ulid/v2"

	"github.com/anabranch/anabranch/jobs"
)

// The freshness suite asks what a product API asks: how soon after a click is acknowledged do the
// recommendations know it? It starts the whole of `anabranch dev` in this process, without live
// traffic, and talks to it over HTTP only.
const (
	freshnessUsers = 100
	viewsMoved     = 3
	listLength     = 20
	within         = time.Second
)

func runFreshness(ctx context.Context, out *report) (err error) {
	dev, err := startDev(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dev.stop()) }()
	params := map[string]any{"users": freshnessUsers, "n": listLength}
	out.add("first_recommendation_s", dev.ready.Seconds(), "s", map[string]any{"events": 500000, "includes": "generate, import, nightly"})

	gains, err := measureTaste(ctx, dev)
	if err != nil {
		return err
	}
	out.add("taste_share_gain", mean(gains), "1", map[string]any{"users": len(gains), "n": listLength, "views": viewsMoved, "within_s": within.Seconds(), "exclude_seen": false})
	hidden, err := measureHidden(ctx, dev)
	if err != nil {
		return err
	}
	slices.Sort(hidden)
	out.add("seen_item_hidden_p50_ms", milliseconds(quantile(hidden, .50)), "ms", params)
	out.add("seen_item_hidden_p99_ms", milliseconds(quantile(hidden, .99)), "ms", params)
	out.add("seen_item_hidden_within_1s", share(hidden, func(d time.Duration) bool { return d <= within }), "1", params)
	return nil
}

// measureTaste shows each user three items of a category that is not in the user's list and returns
// by how much the category's share of the list rose within a second.
func measureTaste(ctx context.Context, dev *devProcess) ([]float64, error) {
	var gains []float64
	for i := range freshnessUsers {
		user := fmt.Sprintf("u%d", 10+i*7)
		before, err := dev.recommend(ctx, user, "&exclude_seen=false")
		if err != nil {
			return nil, err
		}
		category, items, err := dev.awayFrom(ctx, before)
		if err != nil {
			return nil, err
		}
		var last position
		for _, item := range items {
			if last, err = dev.view(ctx, user, item); err != nil {
				return nil, err
			}
		}
		acknowledged, gain := time.Now(), 0.0
		for time.Since(acknowledged) < within && gain == 0 {
			after, err := dev.recommend(ctx, user, "&exclude_seen=false")
			if err != nil {
				return nil, err
			}
			if after.knows(last) {
				gain = after.shareOf(category) - before.shareOf(category)
				break
			}
		}
		gains = append(gains, gain)
	}
	return gains, nil
}

// measureHidden views the first recommended item of each user and returns how long after the
// acknowledgement a list without it came back.
func measureHidden(ctx context.Context, dev *devProcess) ([]time.Duration, error) {
	var out []time.Duration
	for i := range freshnessUsers {
		user := fmt.Sprintf("u%d", 11+i*7)
		list, err := dev.recommend(ctx, user, "")
		if err != nil {
			return nil, err
		}
		if len(list.Items) == 0 {
			return nil, fmt.Errorf("the list of user %s is empty", user)
		}
		item := list.Items[0].ID
		if _, err := dev.view(ctx, user, item); err != nil {
			return nil, err
		}
		acknowledged := time.Now()
		for list.has(item) && time.Since(acknowledged) < 10*within {
			if list, err = dev.recommend(ctx, user, ""); err != nil {
				return nil, err
			}
		}
		out = append(out, time.Since(acknowledged))
	}
	return out, nil
}

// devProcess is a running `anabranch dev`.
type devProcess struct {
	url    string
	ready  time.Duration
	cancel context.CancelFunc
	done   chan int
	dir    string
}

func startDev(ctx context.Context) (*devProcess, error) {
	dir, err := os.MkdirTemp("", "anabranch-bench-")
	if err != nil {
		return nil, fmt.Errorf("start dev: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	d := &devProcess{cancel: cancel, done: make(chan int, 1), dir: dir}
	announced := make(chan []byte, 16)
	began := time.Now()
	go func() {
		d.done <- jobs.Main(jobs.Env{
			Context: ctx, Stdout: lines(announced), Stderr: os.Stderr,
			Args: []string{"--log", "error", "dev", "--json", "--data", dir, "--listen", "127.0.0.1:0", "--rate", "0"},
		})
	}()
	select {
	case line := <-announced:
		d.ready = time.Since(began)
		var a struct {
			URL string `json:"url"`
		}
		if err := json.Unmarshal(line, &a); err != nil {
			return nil, errors.Join(fmt.Errorf("start dev: it announced %q: %w", line, err), d.stop())
		}
		d.url = a.URL
		return d, nil
	case code := <-d.done:
		d.done <- code
		return nil, errors.Join(fmt.Errorf("start dev: it ended with exit code %d", code), d.stop())
	}
}

func (d *devProcess) stop() error {
	d.cancel()
	<-d.done
	return os.RemoveAll(d.dir)
}

// lines is a writer that sends what is written to it.
type lines chan []byte

func (l lines) Write(b []byte) (int, error) {
	l <- bytes.Clone(b)
	return len(b), nil
}

// list is an answer of the recommendations endpoint.
type list struct {
	Items []struct {
		ID         string `json:"item_id"`
		Attributes struct {
			Category string `json:"category"`
		} `json:"attributes"`
	} `json:"items"`
	Receipt struct {
		Generation  string           `json:"generation"`
		LiveOffsets map[string]int64 `json:"live_offsets"` // by partition
	} `json:"receipt"`
}

// position is where an acknowledged event lies in the log.
type position struct {
	Partition int32 `json:"partition"`
	Offset    int64 `json:"offset"`
}

// knows reports whether the event at p is in the answer, as its receipt says.
func (l list) knows(p position) bool {
	return l.Receipt.LiveOffsets[fmt.Sprint(p.Partition)] > p.Offset
}

func (l list) has(item string) bool {
	for _, i := range l.Items {
		if i.ID == item {
			return true
		}
	}
	return false
}

func (l list) shareOf(category string) float64 {
	n := 0
	for _, i := range l.Items {
		if i.Attributes.Category == category {
			n++
		}
	}
	return float64(n) / listLength
}

func (d *devProcess) recommend(ctx context.Context, user, query string) (list, error) {
	var l list
	err := d.get(ctx, fmt.Sprintf("/v1/users/%s/recommendations?n=%d%s", user, listLength, query), &l)
	return l, err
}

// awayFrom returns the first category, by popularity, that the list does not hold, and items of it.
func (d *devProcess) awayFrom(ctx context.Context, l list) (string, []string, error) {
	var popular list
	if err := d.get(ctx, "/v1/trending?n=1000", &popular); err != nil {
		return "", nil, err
	}
	byCategory := map[string][]string{}
	for _, i := range popular.Items {
		c := i.Attributes.Category
		if c == "" || l.shareOf(c) > 0 {
			continue
		}
		byCategory[c] = append(byCategory[c], i.ID)
		if len(byCategory[c]) == viewsMoved {
			return c, byCategory[c], nil
		}
	}
	return "", nil, errors.New("no category outside the list has three trending items")
}

// view posts one view and returns its position when it is acknowledged.
func (d *devProcess) view(ctx context.Context, user, item string) (position, error) {
	body := fmt.Sprintf(`{"event_id":"bench-%s","user_id":%q,"item_id":%q,"type":"view"}`, ulid.Make(), user, item)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url+"/v1/events", bytes.NewReader([]byte(body)))
	if err != nil {
		return position{}, fmt.Errorf("post a view: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	var answer struct {
		Results []position `json:"results"`
	}
	if err := answered(req, &answer); err != nil {
		return position{}, err
	}
	if len(answer.Results) != 1 {
		return position{}, fmt.Errorf("post a view: %d results", len(answer.Results))
	}
	return answer.Results[0], nil
}

func (d *devProcess) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url+path, nil)
	if err != nil {
		return fmt.Errorf("get %s: %w", path, err)
	}
	return answered(req, into)
}

// answered sends a request and decodes the answer, which has to be 200.
func answered(req *http.Request, into any) error {
	what := req.Method + " " + req.URL.Path
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", what, resp.Status)
	}
	if err := json.UnmarshalRead(resp.Body, into); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

func share(v []time.Duration, is func(time.Duration) bool) float64 {
	n := 0
	for _, d := range v {
		if is(d) {
			n++
		}
	}
	return float64(n) / float64(len(v))
}

// quantile returns the q-quantile of sorted values (the nearest rank).
func quantile(sorted []time.Duration, q float64) time.Duration {
	i := int(math.Ceil(q*float64(len(sorted)))) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
