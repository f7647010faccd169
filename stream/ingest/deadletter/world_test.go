package deadletter_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/stream/ingest/deadletter"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const partitions = 3

var now = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// world is a broker with the topics.
type world struct {
	t      *testing.T
	client *kgo.Client
	log    deadletter.Log
	next   int64 // offset of the next letter's position
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, log: deadletter.Log{Client: []kgo.Opt{kafka.Local()}}}
	if seeds := os.Getenv(realKafka); seeds != "" {
		w.log.Seeds = strings.Split(seeds, ",")
	} else {
		e, err := kafka.StartEmbedded(kafka.EmbeddedConfig{})
		must(t, err)
		t.Cleanup(func() { _ = e.Close() })
		w.log.Seeds = []string{e.Addr()}
	}
	id := strings.ToLower(ulid.Make().String())
	w.log.EventsTopic, w.log.Topic = "events-"+id, "dlq-"+id
	var err error
	w.client, err = kafka.Dial(w.log.Seeds, nil, kafka.Local())
	must(t, err)
	t.Cleanup(w.client.Close)
	w.createTopics()
	return w
}

// realKafka names a real Kafka for the suite, as host:port[,host:port].
const realKafka = "ANABRANCH_TEST_KAFKA"

// createTopics makes topics of the test's own and removes them at the end.
func (w *world) createTopics() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	admin := kadm.NewClient(w.client)
	for topic, n := range map[string]int32{w.log.EventsTopic: partitions, w.log.Topic: 1} {
		_, err := admin.CreateTopic(ctx, n, 1, nil, topic)
		must(w.t, err)
	}
	w.t.Cleanup(func() {
		_, err := admin.DeleteTopics(context.Background(), w.log.EventsTopic, w.log.Topic)
		must(w.t, err)
	})
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		// Asking for rights makes kadm ask the broker, and not its cache.
		details, err := admin.ListTopics(kadm.WithAuthorizedOps(ctx), w.log.EventsTopic, w.log.Topic)
		if err == nil && details.Error() == nil && len(details[w.log.EventsTopic].Partitions) == partitions {
			w.log.Topics = kafka.Topics{EventsID: details[w.log.EventsTopic].ID, DeadLettersID: details[w.log.Topic].ID, Partitions: partitions}
			return
		}
		select {
		case <-ctx.Done():
			w.t.Fatalf("the topics are not there: %v", err)
		case <-tick.C:
		}
	}
}

func (w *world) replayer() deadletter.Replayer {
	return deadletter.Replayer{Log: w.log, Now: func() time.Time { return now }, Batch: 2}
}

// bury writes the letter of a record of the events topic and returns its position.
func (w *world) bury(why *event.Rejection, r event.Record) event.Position {
	w.t.Helper()
	p := event.Position{TopicID: kafka.HexID(w.log.Topics.EventsID), Partition: r.Partition, Offset: w.next}
	w.next++
	w.buryAt(p, why, r)
	return p
}

func (w *world) buryAt(p event.Position, why *event.Rejection, r event.Record) {
	w.t.Helper()
	must(w.t, w.client.ProduceSync(w.t.Context(), deadletter.FromLog(w.log.Topic, p, why, r)).FirstErr())
}

// wrongKey is a rejection of an event that is sound in itself.
var wrongKey = &event.Rejection{Reason: event.ReasonKey, Field: "key", Value: "u-secret", Accepted: "its user_id"}

// payload is a sound event.
func payload(user string, n int) []byte {
	return fmt.Appendf(nil, `{"event_id":"e%d","user_id":%q,"item_id":"i1","type":"view","event_time":"2026-11-20T10:00:00Z"}`, n, user)
}

// buryMany buries n letters that a replay cures.
func (w *world) buryMany(n int) []event.Position {
	w.t.Helper()
	var all []event.Position
	for i := range n {
		all = append(all, w.bury(wrongKey, event.Record{Key: []byte("wrong"), Value: payload(fmt.Sprint("u", i), int(w.next)), Partition: 1}))
	}
	return all
}

// settle waits until no transaction is open: Kafka answers a commit before readers can see it.
func (w *world) settle(topic string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	admin := kadm.NewClient(w.client)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		end, err := admin.ListEndOffsets(ctx, topic)
		must(w.t, err)
		stable, err := admin.ListCommittedOffsets(ctx, topic)
		must(w.t, err)
		open := false
		end.Each(func(o kadm.ListedOffset) {
			at, _ := stable.Lookup(topic, o.Partition)
			open = open || at.Offset < o.Offset
		})
		if !open {
			return
		}
		select {
		case <-ctx.Done():
			w.t.Fatalf("a transaction on %s stays open", topic)
		case <-tick.C:
		}
	}
}

// committed reads the committed records of a topic.
func (w *world) committed(topic string) []*kgo.Record {
	w.t.Helper()
	w.settle(topic)
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	ends, err := kafka.EndOffsets(ctx, w.client, topic)
	must(w.t, err)
	reader, err := kafka.Dial(w.log.Seeds, nil, kafka.Local(), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.KeepControlRecords())
	must(w.t, err)
	defer reader.Close()
	var found []*kgo.Record
	for p, end := range ends {
		if end == 0 {
			delete(ends, p)
		}
	}
	for len(ends) > 0 {
		fetches := reader.PollFetches(ctx)
		must(w.t, fetches.Err())
		for _, r := range fetches.Records() {
			if r.Offset+1 >= ends[r.Partition] {
				delete(ends, r.Partition)
			}
			if !r.Attrs.IsControl() {
				found = append(found, r)
			}
		}
	}
	return found
}

// superseded counts the replayed records of every position.
func (w *world) superseded() map[string]int {
	w.t.Helper()
	found := map[string]int{}
	for _, r := range w.committed(w.log.EventsTopic) {
		found[header(r, deadletter.HeaderSupersedes)]++
	}
	return found
}

// checkOnce requires that every position was replayed once, and nothing else.
func (w *world) checkOnce(positions ...event.Position) {
	w.t.Helper()
	found := w.superseded()
	for _, p := range positions {
		if n := found[deadletter.FormatPosition(p)]; n != 1 {
			w.t.Errorf("%s was replayed %d times", deadletter.FormatPosition(p), n)
		}
	}
	if len(found) != len(positions) {
		w.t.Errorf("%d positions were replayed, want %d", len(found), len(positions))
	}
}

// replay runs a replayer and returns what it reported.
func (w *world) replay(r deadletter.Replayer, f deadletter.Filter) []deadletter.Outcome {
	w.t.Helper()
	var all []deadletter.Outcome
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	must(w.t, r.Replay(ctx, f, func(o deadletter.Outcome) error { all = append(all, o); return nil }))
	return all
}

// letters returns what the topic holds.
func (w *world) letters(f deadletter.Filter) []deadletter.Letter {
	w.t.Helper()
	w.settle(w.log.Topic)
	var all []deadletter.Letter
	must(w.t, w.log.Letters(w.t.Context(), f, func(l deadletter.Letter) error { all = append(all, l); return nil }))
	return all
}

func header(r *kgo.Record, name string) string {
	i := slices.IndexFunc(r.Headers, func(h kgo.RecordHeader) bool { return h.Key == name })
	if i < 0 {
		return ""
	}
	return string(r.Headers[i].Value)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
