//go:build integration

package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/stream/ingest"
)

// devKilled kills `anabranch dev`, which has the broker in its process and the log in its folder, while events come in by
// HTTP.
func devKilled(ctx context.Context, w *world) error {
	data := filepath.Join(w.dir, "data")
	d := &devHost{w: w, data: data}
	f := &flow{}
	for life := range 4 {
		if err := d.start(ctx); err != nil {
			return err
		}
		if life == 0 {
			f = w.flowOf(ctx, 10*time.Millisecond, d.post(w.newShop()))
			defer f.cancel()
		}
		if err := w.awaitSome(ctx, 400); err != nil {
			return err
		}
		if life < 3 {
			d.process.kill()
		}
	}
	if err := f.stop(); err != nil {
		return err
	}
	if err := d.adopt(ctx); err != nil {
		return err
	}
	return w.settle(ctx)
}

// devHost is dev through its lives.
type devHost struct {
	w       *world
	data    string
	process *process
}

// place is what dev says of itself in its folder.
type devPlace struct {
	PID                  int
	Kafka, Redis, Listen string
}

func (d *devHost) place() (at devPlace, err error) {
	b, err := os.ReadFile(filepath.Join(d.data, "endpoints.json"))
	if err != nil {
		return at, err
	}
	return at, json.Unmarshal(b, &at)
}

func (d *devHost) start(ctx context.Context) error {
	var err error
	d.process, err = d.w.spawn(childConfig{Role: roleProduct}, "dev", "--json", "--data", d.data, "--listen", "127.0.0.1:0", "--rate", "0",
		"--shop-users", "40", "--shop-items", "30", "--shop-events", "1500", "--shop-days", "2")
	if err != nil {
		return err
	}
	err = await(ctx, "dev says where it is", func() (bool, error) {
		at, err := d.place()
		if d.process.ended() {
			return false, errors.New(d.process.tail())
		}
		return err == nil && at.PID == d.process.cmd.Process.Pid, nil
	})
	return err
}

// post sends events by HTTP until they are accepted: a request that failed is repeated, with its ids.
func (d *devHost) post(s *shop) func(context.Context) error {
	return func(ctx context.Context) error {
		var events []event.Event
		d.w.mu.Lock()
		first := len(d.w.facts)
		for i := range 20 {
			e := s.event()
			e.ID, e.ItemID, e.Stamp = devID+strconv.Itoa(first+i), "other-"+e.ItemID, nil // items that no catalogue knows
			events = append(events, e)
			d.w.facts = append(d.w.facts, fact{event: e})
		}
		d.w.mu.Unlock()
		body, err := json.Marshal(events)
		if err != nil {
			return err
		}
		return await(ctx, "events are accepted", func() (bool, error) { return d.try(ctx, body, first) })
	}
}

// try posts once.
func (d *devHost) try(ctx context.Context, body []byte, first int) (bool, error) {
	at, err := d.place()
	if err != nil {
		return false, nil //nolint:nilerror // it is down
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+at.Listen+"/v1/events", bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false, nil //nolint:nilerror // it is down
	}
	defer resp.Body.Close()
	var a ingest.Answer
	if resp.StatusCode == http.StatusServiceUnavailable {
		return false, nil
	}
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		return false, nil //nolint:nilerror // cut off
	}
	if resp.StatusCode != http.StatusOK {
		return false, fmt.Errorf("events were answered by %s: %+v", resp.Status, a)
	}
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	for i, r := range a.Results {
		d.w.acked = append(d.w.acked, place{first + i, *r.Partition, *r.Offset})
	}
	return true, nil
}

// adopt lets the verifier look at dev's servers.
func (d *devHost) adopt(ctx context.Context) error {
	w := d.w
	at, err := d.place()
	if err != nil {
		return fmt.Errorf("find dev: %w", err)
	}
	if w.catalogue, err = feature.Default(); err != nil {
		return err
	}
	w.brokers, w.topic, w.dlq, w.partitions = at.Kafka, kafka.EventsTopic, kafka.DeadLettersTopic, kafka.DefaultPartitions
	w.useRedis(at.Redis)
	w.bucketURL = filepath.Join(d.data, "bucket")
	if w.bucket, err = openBucket(ctx, w.bucketURL); err != nil {
		return err
	}
	w.labels = time.Now().UTC().Truncate(time.Millisecond).Add(-time.Hour) // the first is an hour later: after dev's own
	if err := w.redial(); err != nil {
		return err
	}
	return w.awaitTopics(ctx)
}

// redial makes the row's clients of Kafka anew.
func (w *world) redial() error {
	client, err := kafka.Dial([]string{w.brokers}, nil, kafka.Local(), kgo.ProducerBatchMaxBytes(8<<20))
	if err != nil {
		return err
	}
	w.client.Close()
	w.client, w.admin = client, kadm.NewClient(client)
	return nil
}

// devID begins the ids of events whose records have no serial number of their own: it follows.
const devID = "faults-"

// serialOfEvent finds it.
func serialOfEvent(value []byte) (int, bool) {
	var e struct {
		ID string `json:"event_id"`
	}
	if json.Unmarshal(value, &e) != nil || len(e.ID) <= len(devID) || e.ID[:len(devID)] != devID {
		return 0, false
	}
	n, err := strconv.Atoi(e.ID[len(devID):])
	return n, err == nil
}
